// Bilinear resizing as a layer of a network.
#pragma once

#include "typenet/core/layer.hpp"

namespace typenet {

/// `Resize<227, 227>`: (c, h, w) -> (c, out_height, out_width), bilinear with half-pixel centres
/// and clamped borders, no antialiasing. PyTorch: interpolate(mode="bilinear",
/// align_corners=False); Keras: layers.Resizing.
template <int out_height, int out_width = out_height>
struct Resize {
    static constexpr Inference infer(const Shape& input) {
        if (out_height < 1 || out_width < 1)
            return Inference::refuse(Reason::sizes_must_be_positive);
        if (input.is_flat()) return Inference::refuse(Reason::layer_needs_a_map);
        LayerInfo info = detail::elementwise(LayerKind::resize, "Resize", input);
        info.output = {input.channels, out_height, out_width};
        return {info};
    }
    static constexpr LayerSpec spec{&infer};
};

}  // namespace typenet
