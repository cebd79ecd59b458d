// The optimizers: one kernel over a range of parameters, and the copies in lower precision.
#pragma once

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

/// Applies the rule, which lies in the GPU's memory, to 4 * quads parameters. `second` (Adam's) and
/// `copies` (the parameters as T) may be null.
template <class T, class Rule>
__global__ void __launch_bounds__(threads_per_block)
    update_parameters(const Rule* rule, std::int64_t quads, float* weights, const float* gradients,
                      float* first, float* second, T* copies) {
    const std::int64_t step = std::int64_t{gridDim.x} * threads_per_block;
    for (std::int64_t quad = std::int64_t{blockIdx.x} * threads_per_block + threadIdx.x;
         quad < quads; quad += step) {
        Pack<4> w = load<4>(weights + 4 * quad);
        const Pack<4> g = load<4>(gradients + 4 * quad);
        Pack<4> m = load<4>(first + 4 * quad);
        Pack<4> v{};
        if (second != nullptr) v = load<4>(second + 4 * quad);
        TYPENET_UNROLL
        for (int i = 0; i < 4; ++i) apply(*rule, w[i], g[i], m[i], v[i]);
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
