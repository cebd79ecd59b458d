// The sum over a block's threads.
#pragma once

#include "typenet/backends/cuda/launch.hpp"

namespace typenet::cuda {

/// Adds up the values of all `threads` (a power of 2) of a block, in a fixed order. Thread 0 gets
/// the sum.
template <unsigned threads, class T>
__device__ T block_sum(T value) {
    TYPENET_SHARED(T, sums, threads);
    sums[threadIdx.x] = value;
    for (unsigned half = threads / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
    }
    __syncthreads();
    return threadIdx.x == 0 ? sums[0] : T{};
}

}  // namespace typenet::cuda
