// Several neighbouring values as one access to memory, computed on as floats.
#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <cstdint>

#include "typenet/backends/cuda/layout.hpp"

#ifdef __CUDACC__
    #define TYPENET_UNROLL _Pragma("unroll")
#else
    #define TYPENET_UNROLL
#endif

namespace typenet::cuda {

/// `n` values in registers.
template <int n>
struct Pack {
    float values[n];
    __device__ float& operator[](int i) { return values[i]; }
    __device__ float operator[](int i) const { return values[i]; }
};

/// `n` values in memory, read and written by one instruction (of up to 16 bytes).
template <class T, int n>
struct alignas(sizeof(T) * n) Stored {
    T values[n];
};

/// Values that a thread takes at once from pixels of `channels` channels in memory: 16 bytes.
template <class T>
TYPENET_HOST_DEVICE constexpr int pack_size(int channels) {
    const int most = 16 / static_cast<int>(sizeof(T));
    return channels < most ? channels : most;
}

__device__ inline float to_float(float value) {
    return value;
}
__device__ inline float to_float(__nv_bfloat16 value) {
    return __bfloat162float(value);
}
template <class T>
__device__ T from_float(float value) {
    if constexpr (sizeof(T) == sizeof(float))
        return value;
    else
        return __float2bfloat16(value);
}

template <int n, class T>
__device__ Pack<n> load(const T* source) {
    const auto stored = *reinterpret_cast<const Stored<T, n>*>(source);
    Pack<n> pack;
    TYPENET_UNROLL
    for (int i = 0; i < n; ++i) pack[i] = to_float(stored.values[i]);
    return pack;
}
template <class T, int n>
__device__ void store(T* target, const Pack<n>& pack) {
    Stored<T, n> stored;
    TYPENET_UNROLL
    for (int i = 0; i < n; ++i) stored.values[i] = from_float<T>(pack[i]);
    *reinterpret_cast<Stored<T, n>*>(target) = stored;
}

}  // namespace typenet::cuda
