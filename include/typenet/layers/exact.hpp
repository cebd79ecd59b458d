// An assertion that a window covers its input to the last pixel.
#pragma once

#include "typenet/core/layer.hpp"

namespace typenet {

/// `Exact<MaxPool2d<Kernel<3>, Stride<2>>>`: the layer itself, refused by the compiler where its
/// window's last step would go beyond the padded input, so that rows or columns at the bottom or
/// the right would never be seen. Without it they are dropped (floor semantics).
template <class L>
struct Exact {
    static constexpr Inference infer(const Shape& input) {
        if (detail::spec_of<L>()->join != nullptr) return Inference::refuse(Reason::not_a_layer);
        const Inference result = detail::spec_of<L>()->infer(input);
        const Window& w = result.info.window;
        if (result.fault != Reason::none || !w) return result;
        const Shape fitting{
            input.channels,
            fitting_size(input.height, w.kernel_height, w.stride_height, w.pad_top + w.pad_bottom),
            fitting_size(input.width, w.kernel_width, w.stride_width, w.pad_left + w.pad_right)};
        if (input != fitting) return Inference::refuse(Reason::window_drops_pixels, fitting);
        return result;
    }
    static constexpr LayerSpec spec{&infer};

private:
    /// The size itself where the window covers it, otherwise the next smaller one, if there is any.
    static constexpr int fitting_size(int size, int kernel, int stride, int padding) {
        const int smaller = size - (size + padding - kernel) % stride;
        return smaller > 0 ? smaller : smaller + stride;
    }
};

}  // namespace typenet
