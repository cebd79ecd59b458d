// What a stage's kernels are handed: pointers to its data, and the pool that runs its tasks.
#pragma once

#include <cstdint>

#include "typenet/backends/cpu/thread_pool.hpp"
#include "typenet/core/geometry.hpp"
#include "typenet/core/layer.hpp"
#include "typenet/core/random.hpp"

namespace typenet::cpu {

/// One of several inputs of a stage, of activations of type Value.
template <class Value>
struct Operand {
    const Value* values = nullptr;
    float* gradient = nullptr;  ///< null: nothing there learns
    Shape shape;                ///< as it lies in memory
    Halo halo;
};

/// Data of one stage in one pass. Layouts are those of backends/cpu/layout.hpp.
template <class Value>
struct StageIo {
    ThreadPool* pool = nullptr;
    const LayerInfo* layer = nullptr;
    std::int64_t batch = 0;
    bool training = false;  ///< the pass belongs to a training step
    const Value* input = nullptr;
    Value* output = nullptr;
    std::uint8_t* codes = nullptr;  ///< noted for the backward pass (code_bytes), or null
    const Operand<Value>* operands = nullptr;  ///< of a join; of a fork, those that read its input
    int operand_count = 0;
    float* weights = nullptr;
    Value* weight_values = nullptr;  ///< the weights as products read them; of float the same
    float* biases = nullptr;
    const float* transformed_weights = nullptr;  ///< of a convolution by Winograd's algorithm
    float* statistics = nullptr;           ///< batch norm: running means, then running variances
    float* workspace = nullptr;            ///< shared by all tasks of the stage
    float* scratch = nullptr;              ///< one piece for each worker
    std::int64_t scratch_stride = 0;       ///< floats from one worker's piece to the next
    const DropoutMask* dropout = nullptr;  ///< null: no dropout in this pass
    float keep_scale = 1;                  ///< 1 / (1 - dropout rate)
    // Backward only.
    float* output_gradient = nullptr;  ///< may be overwritten
    float* input_gradient = nullptr;   ///< null where nothing before the stage learns
    float* weight_gradient = nullptr;  ///< null: `Rule` updates the weights at once
    float* bias_gradient = nullptr;
    float* weight_state[2] = {};  ///< optimizer state of the weights, for the same case
};

/// The rule of a backward pass that leaves gradients in memory.
struct KeepGradient {};

}  // namespace typenet::cpu
