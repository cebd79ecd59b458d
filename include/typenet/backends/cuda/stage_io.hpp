// What a stage is handed on the GPU: pointers to its data.
#pragma once

#include <cstddef>
#include <cstdint>

#include "typenet/core/geometry.hpp"
#include "typenet/core/layer.hpp"
#include "typenet/core/random.hpp"

namespace typenet::cuda {

/// One of several inputs of a stage.
struct Operand {
    const void* values = nullptr;
    void* gradient = nullptr;  ///< null: nothing there learns
    Shape shape;               ///< as it lies in memory
    Halo halo;                 ///< not used here: maps have none
};

/// Data of one stage in one pass, in the GPU's memory; only `layer` is the host's. Activations and
/// their gradients are of the precision's type.
struct StageIo {
    const LayerInfo* layer = nullptr;
    std::int64_t batch = 0;
    bool training = false;  ///< the pass belongs to a training step
    const void* input = nullptr;
    void* output = nullptr;
    std::uint8_t* codes = nullptr;      ///< noted for the backward pass (code_bytes), or null
    const Operand* operands = nullptr;  ///< of a join; of a fork, those that read its input
    int operand_count = 0;
    float* weights = nullptr;
    float* biases = nullptr;
    float* statistics = nullptr;  ///< batch norm: running means, then running variances
    std::byte* workspace = nullptr;
    const DropoutMask* dropout = nullptr;  ///< null: no dropout in this pass
    float keep_scale = 1;                  ///< 1 / (1 - dropout rate)
    // Backward only.
    void* output_gradient = nullptr;  ///< may be overwritten
    void* input_gradient = nullptr;   ///< null where nothing before the stage learns
    float* weight_gradient = nullptr;
    float* bias_gradient = nullptr;
    float* weight_state[2] = {};  ///< unused: parameters are updated by a kernel of their own
};

}  // namespace typenet::cuda
