// Two-dimensional convolution (cross-correlation, as everywhere in deep learning) with bias.
#pragma once

#include "typenet/core/layer.hpp"
#include "typenet/layers/options.hpp"

namespace typenet {

/// `Conv2d<96, Kernel<11>, Stride<4>>`: (c, h, w) -> (out_channels, h', w') with
/// h' = floor((h + padding - kernel) / stride) + 1.
/// Parameters: weight [out_channels, c / groups, kernel_height, kernel_width], bias [out_channels].
/// Options: Kernel (required), Stride, Padding or Same, Groups. PyTorch: nn.Conv2d.
template <int out_channels, class... Options>
struct Conv2d {
    static constexpr Inference infer(const Shape& input) {
        const WindowOptions options =
            detail::collect_window_options<Options...>(input, detail::DefaultStride::one);
        const Window& w = options.window;
        if (out_channels < 1) return Inference::refuse(Reason::sizes_must_be_positive);
        if (const Inference check = detail::check_window(input, options);
            check.fault != Reason::none)
            return check;
        if (input.channels % options.groups != 0)
            return Inference::refuse(Reason::groups_do_not_divide_the_input_channels);
        if (out_channels % options.groups != 0)
            return Inference::refuse(Reason::groups_do_not_divide_the_output_channels);
        LayerInfo info;
        info.kind = LayerKind::conv2d;
        info.type = "Conv2d";
        info.input = input;
        info.output = detail::window_output(input, w, out_channels);
        info.window = w;
        info.groups = options.groups;
        const std::int64_t area = std::int64_t{w.kernel_height} * w.kernel_width;
        info.fan_in = input.channels / options.groups * area;
        info.fan_out = out_channels * area;
        info.weight_count = out_channels * info.fan_in;
        info.bias_count = out_channels;
        info.macs = info.output.size() * info.fan_in;
        return {info};
    }
    static constexpr LayerSpec spec{&infer};
};

}  // namespace typenet
