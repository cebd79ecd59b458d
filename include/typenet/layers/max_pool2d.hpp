// Maximum over a sliding window.
#pragma once

#include "typenet/core/layer.hpp"
#include "typenet/layers/options.hpp"

namespace typenet {

/// `MaxPool2d<Kernel<3>, Stride<2>>`: (c, h, w) -> (c, h', w'), floor semantics. Of equal values
/// the first in row-major order wins and gets the gradient; NaN wins over all; padding never does.
/// Options: Kernel (required), Stride (the kernel unless given), Padding or Same. PyTorch:
/// nn.MaxPool2d.
template <class... Options>
struct MaxPool2d {
    static constexpr Inference infer(const Shape& input) {
        const WindowOptions options =
            detail::collect_window_options<Options...>(input, detail::DefaultStride::kernel);
        const Window& w = options.window;
        if (options.groups != 1) return Inference::refuse(Reason::pool_has_no_groups);
        if (const Inference check = detail::check_window(input, options);
            check.fault != Reason::none)
            return check;
        if (w.pad_top >= w.kernel_height || w.pad_bottom >= w.kernel_height ||
            w.pad_left >= w.kernel_width || w.pad_right >= w.kernel_width)
            return Inference::refuse(Reason::padding_must_be_smaller_than_the_kernel);
        LayerInfo info = detail::elementwise(LayerKind::max_pool2d, "MaxPool2d", input);
        info.output = detail::window_output(input, w, input.channels);
        info.window = w;
        return {info};
    }
    static constexpr LayerSpec spec{&infer};
};

}  // namespace typenet
