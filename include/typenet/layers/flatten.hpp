// From a map to a flat vector.
#pragma once

#include "typenet/core/layer.hpp"

namespace typenet {

/// (c, h, w) -> (c * h * w), in the order channel, row, column. PyTorch: torch.flatten(x, 1).
struct Flatten {
    static constexpr Inference infer(const Shape& input) {
        LayerInfo info = detail::elementwise(LayerKind::flatten, "Flatten", input);
        info.output = Shape{static_cast<int>(input.size())};
        return {info};
    }
    static constexpr LayerSpec spec{&infer};
};

}  // namespace typenet
