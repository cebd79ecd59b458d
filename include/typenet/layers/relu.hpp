// Rectified linear unit.
#pragma once

#include "typenet/core/layer.hpp"

namespace typenet {

/// y = max(x, 0), any shape; the gradient at 0 is 0 and NaN stays NaN. PyTorch: nn.ReLU.
struct Relu {
    static constexpr Inference infer(const Shape& input) {
        return {detail::elementwise(LayerKind::relu, "Relu", input)};
    }
    static constexpr LayerSpec spec{&infer};
};

}  // namespace typenet
