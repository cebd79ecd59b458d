// How kernels are launched and get their shared memory: the one place where a build for the GPU and
// a build that emulates it differ.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#ifdef TYPENET_CUDA_EMULATOR
    #include "emulator.hpp"
#endif

#include "typenet/backends/cuda/status.hpp"

#ifdef TYPENET_CUDA_EMULATOR
    /// Declares `name` as `count` values of `type` that the threads of a block share.
    #define TYPENET_SHARED(type, name, count) type* name = emulator::shared<type>([] {}, count)
#else
    #define TYPENET_SHARED(type, name, count) __shared__ type name[count]
#endif

namespace typenet::cuda {

/// Enqueues a kernel on a stream. Arguments are converted to the kernel's parameters and copied.
template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared_bytes,
            cudaStream_t stream, Arguments&&... arguments) {
#ifdef TYPENET_CUDA_EMULATOR
    TYPENET_CUDA_CHECK(emulator::launch(kernel, grid, block, shared_bytes, stream,
                                        std::forward<Arguments>(arguments)...));
#else
    const auto enqueue = [&](Parameters... values) {
        void* pointers[] = {const_cast<void*>(static_cast<const void*>(&values))...};
        TYPENET_CUDA_CHECK(cudaLaunchKernel(reinterpret_cast<const void*>(kernel), grid, block,
                                            pointers, shared_bytes, stream));
    };
    enqueue(std::forward<Arguments>(arguments)...);
#endif
}

/// Threads of a block of our own kernels.
inline constexpr unsigned threads_per_block = 256;

constexpr std::int64_t divide_up(std::int64_t value, std::int64_t divisor) {
    return (value + divisor - 1) / divisor;
}

}  // namespace typenet::cuda
