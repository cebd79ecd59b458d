// Local response normalisation and softmax.
#pragma once

#include <cmath>

#include "typenet/backends/cuda/kernels/rows.cuh"
#include "typenet/backends/cuda/layout.hpp"

namespace typenet::cuda {

/// y = x / base^beta with base = k + alpha / size * the sum of the squares of `size` channels
/// around; `scale` is alpha / size and `reach` is size / 2.
struct NormParameters {
    int reach;
    float scale;
    float beta;
    float k;
};

template <class T, Map map>
__device__ float norm_base(const NormParameters& norm, const T* pixel, int channel) {
    float sum = 0;
    for (int c = channel - norm.reach; c <= channel + norm.reach; ++c)
        if (c >= 0 && c < map.channels) sum += to_float(pixel[c]) * to_float(pixel[c]);
    return norm.k + norm.scale * sum;
}

template <class T, Map map>
struct LocalResponseNorm {
    const T* input;
    NormParameters norm;

    template <int n>
    __device__ Pack<n> at(std::int64_t row, int channel) const {
        const T* pixel = input + row * map.pixel;
        Pack<n> values{};
        for (int i = 0; i < n; ++i) {
            const int c = channel + i;
            if (c < map.channels)
                values[i] =
                    to_float(pixel[c]) * powf(norm_base<T, map>(norm, pixel, c), -norm.beta);
        }
        return values;
    }
};

template <class T, Map map>
struct LocalResponseNormGradient {
    const T* input;
    const T* gradient;
    NormParameters norm;

    template <int n>
    __device__ Pack<n> at(std::int64_t row, int channel) const {
        const T* pixel = input + row * map.pixel;
        const T* slope = gradient + row * map.pixel;
        Pack<n> values{};
        for (int i = 0; i < n; ++i) {
            const int c = channel + i;
            if (c >= map.channels) continue;
            // Through the value itself, and through the bases of its neighbours.
            float around = 0;
            for (int j = c - norm.reach; j <= c + norm.reach; ++j)
                if (j >= 0 && j < map.channels)
                    around += to_float(slope[j]) * to_float(pixel[j]) *
                              powf(norm_base<T, map>(norm, pixel, j), -norm.beta - 1);
            values[i] = to_float(slope[c]) * powf(norm_base<T, map>(norm, pixel, c), -norm.beta) -
                        2 * norm.scale * norm.beta * to_float(pixel[c]) * around;
        }
        return values;
    }
};

/// Threads of one warp agree on the sum (or largest) of their values, in a fixed order.
__device__ inline float warp_sum(float value) {
    for (int offset = 16; offset > 0; offset /= 2)
        value += __shfl_xor_sync(0xffffffffu, value, offset);
    return value;
}
__device__ inline float warp_largest(float value) {
    for (int offset = 16; offset > 0; offset /= 2)
        value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, offset));
    return value;
}

/// Softmax and losses give each sample a warp, in blocks of 32 x warps_per_block threads.
inline constexpr int warps_per_block = 8;

/// Softmax over all values of a sample that are not padding.
template <class T>
__global__ void softmax_forward(Map map, const T* input, T* output, std::int64_t samples) {
    const std::int64_t sample = std::int64_t{blockIdx.x} * warps_per_block + threadIdx.y;
    if (sample >= samples) return;  // a whole warp
    const int size = map.height * map.width * map.pixel;
    const T* x = input + sample * size;
    T* y = output + sample * size;
    const auto thread = static_cast<int>(threadIdx.x);
    float largest = -INFINITY;
    for (int i = thread; i < size; i += 32)
        if (i % map.pixel < map.channels) largest = fmaxf(largest, to_float(x[i]));
    largest = warp_largest(largest);
    float sum = 0;
    for (int i = thread; i < size; i += 32)
        if (i % map.pixel < map.channels) sum += expf(to_float(x[i]) - largest);
    sum = warp_sum(sum);
    for (int i = thread; i < size; i += 32)
        y[i] = from_float<T>(i % map.pixel < map.channels ? expf(to_float(x[i]) - largest) / sum
                                                          : 0.0f);
}

template <class T>
__global__ void softmax_backward(Map map, const T* output, const T* output_gradient,
                                 T* input_gradient, std::int64_t samples) {
    const std::int64_t sample = std::int64_t{blockIdx.x} * warps_per_block + threadIdx.y;
    if (sample >= samples) return;  // a whole warp
    const int size = map.height * map.width * map.pixel;
    const T* y = output + sample * size;
    const T* dy = output_gradient + sample * size;
    const auto thread = static_cast<int>(threadIdx.x);
    float mean = 0;  // padding is zero in y
    for (int i = thread; i < size; i += 32) mean += to_float(y[i]) * to_float(dy[i]);
    mean = warp_sum(mean);
    for (int i = thread; i < size; i += 32)
        input_gradient[sample * size + i] =
            from_float<T>(to_float(y[i]) * (to_float(dy[i]) - mean));
}

}  // namespace typenet::cuda
