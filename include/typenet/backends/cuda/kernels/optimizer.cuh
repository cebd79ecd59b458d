// The optimizers: one kernel over a range of parameters, and the copies in lower precision; before
// it, the norm of the gradients.
#pragma once

#include <cmath>

#include "typenet/backends/cuda/kernels/block_sum.cuh"
#include "typenet/backends/cuda/kernels/pack.cuh"
#include "typenet/backends/cuda/launch.hpp"
#include "typenet/training/optimizers.hpp"

namespace typenet::cuda {

/// One step for one parameter; the formulas stand beside the rules.
__device__ inline void apply(const SgdRule& rule, float& weight, float gradient, float& momentum,
                             float&) {
    gradient += rule.weight_decay * weight;
    momentum = rule.momentum * momentum + rule.gradient_factor * gradient;
    weight -= rule.learning_rate * (rule.nesterov ? gradient + rule.momentum * momentum : momentum);
}
__device__ inline void apply(const AdamRule& rule, float& weight, float gradient, float& first,
                             float& second) {
    gradient += rule.weight_decay * weight;
    first += (gradient - first) * rule.one_minus_beta1;
    second += (gradient * gradient - second) * rule.one_minus_beta2;
    weight -= rule.step_size * first / (sqrtf(second) * rule.root_scale + rule.epsilon);
}

/// sums[block] = the sum of the squares of the gradients that a block takes, of 4 * quads. Blocks
/// of `threads`, a power of 2.
template <unsigned threads>
__global__ void __launch_bounds__(threads)
    sum_squares(const float* gradients, std::int64_t quads, double* sums) {
    const std::int64_t step = std::int64_t{gridDim.x} * threads;
    double sum = 0;
    for (std::int64_t quad = std::int64_t{blockIdx.x} * threads + threadIdx.x; quad < quads;
         quad += step) {
        const Pack<4> g = load<4>(gradients + 4 * quad);
        TYPENET_UNROLL
        for (int i = 0; i < 4; ++i) sum += static_cast<double>(g[i]) * static_cast<double>(g[i]);
    }
    sum = block_sum<threads>(sum);
    if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

/// Blocks of sum_squares: a thread takes about four quads, and memory for their sums is bounded.
constexpr std::int64_t square_blocks(std::int64_t count) {
    constexpr std::int64_t most = 1024;
    const std::int64_t blocks = divide_up(count, 16 * threads_per_block);
    return blocks < most ? blocks : most;
}

/// *scale = ClipNorm's factor of the gradients whose squares' sums are given. One block.
template <unsigned threads>
__global__ void find_clip_scale(const double* sums, int count, float max_norm, float* scale) {
    double sum = 0;
    for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(threads))
        sum += sums[i];
    sum = block_sum<threads>(sum);
    if (threadIdx.x > 0) return;
    const double share = static_cast<double>(max_norm) / (sqrt(sum) + 1e-6);
    *scale = share > 1 ? 1.0f : static_cast<float>(share);
}

/// Applies the rule, which lies in the GPU's memory, to 4 * quads parameters, by their gradients
/// times *scale. `scale`, `second` (Adam's) and `copies` (the parameters as T) may be null.
template <class T, class Rule>
__global__ void __launch_bounds__(threads_per_block)
    update_parameters(const Rule* rule, std::int64_t quads, float* weights, const float* gradients,
                      const float* scale, float* first, float* second, T* copies) {
    const float factor = scale == nullptr ? 1.0f : *scale;
    const std::int64_t step = std::int64_t{gridDim.x} * threads_per_block;
    for (std::int64_t quad = std::int64_t{blockIdx.x} * threads_per_block + threadIdx.x;
         quad < quads; quad += step) {
        Pack<4> w = load<4>(weights + 4 * quad);
        const Pack<4> g = load<4>(gradients + 4 * quad);
        Pack<4> m = load<4>(first + 4 * quad);
        Pack<4> v{};
        if (second != nullptr) v = load<4>(second + 4 * quad);
        TYPENET_UNROLL
        for (int i = 0; i < 4; ++i) apply(*rule, w[i], g[i] * factor, m[i], v[i]);
        store(weights + 4 * quad, w);
        store(first + 4 * quad, m);
        if (second != nullptr) store(second + 4 * quad, v);
        if (copies != nullptr) store(copies + 4 * quad, w);
    }
}

/// copies = the parameters as T.
template <class T>
__global__ void copy_parameters(const float* weights, std::int64_t quads, T* copies) {
    const std::int64_t quad = std::int64_t{blockIdx.x} * threads_per_block + threadIdx.x;
    if (quad < quads) store(copies + 4 * quad, load<4>(weights + 4 * quad));
}

/// A piece of a value that the host hands over as an argument of a kernel.
template <int capacity>
struct ValuePiece {
    std::uint32_t words[capacity];
};
template <int capacity>
__global__ void store_piece(std::uint32_t* target, ValuePiece<capacity> piece, int count) {
    for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x))
        target[i] = piece.words[i];
}

}  // namespace typenet::cuda
