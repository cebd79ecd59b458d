// Average over windows that are chosen to give a stated output size.
#pragma once

#include "typenet/core/layer.hpp"

namespace typenet {

/// `AdaptiveAvgPool2d<6>`: (c, h, w) -> (c, out_height, out_width). Output i averages the rows
/// floor(i * h / out_height) to ceil((i + 1) * h / out_height) - 1, columns likewise.
/// PyTorch: nn.AdaptiveAvgPool2d.
template <int out_height, int out_width = out_height>
struct AdaptiveAvgPool2d {
    static constexpr Inference infer(const Shape& input) {
        if (out_height < 1 || out_width < 1)
            return Inference::refuse(Reason::sizes_must_be_positive);
        if (input.is_flat()) return Inference::refuse(Reason::layer_needs_a_map);
        LayerInfo info =
            detail::elementwise(LayerKind::adaptive_avg_pool2d, "AdaptiveAvgPool2d", input);
        info.output = {input.channels, out_height, out_width};
        return {info};
    }
    static constexpr LayerSpec spec{&infer};
};

}  // namespace typenet
