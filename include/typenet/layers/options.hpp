// The options of windowed layers. They may stand in any order: `Conv2d<96, Stride<4>, Kernel<11>>`.
#pragma once

#include <string_view>

#include "typenet/core/layer.hpp"

namespace typenet {

/// Where options of a windowed layer are collected.
struct WindowOptions {
    Window window;
    int groups = 1;
    bool same = false;
    bool has_stride = false;
    bool has_stranger = false;  ///< something among them that is no option
};

/// Kernel size in pixels, square unless a width is given.
template <int height, int width = height>
struct Kernel {
    static constexpr void apply(WindowOptions& options) {
        options.window.kernel_height = height;
        options.window.kernel_width = width;
    }
};

/// Step of the window in pixels. Without it a convolution steps by 1 and a pool by its kernel.
template <int height, int width = height>
struct Stride {
    static constexpr void apply(WindowOptions& options) {
        options.window.stride_height = height;
        options.window.stride_width = width;
        options.has_stride = true;
    }
};

/// Zero padding in pixels: `top` and `left`; `bottom` and `right` are the same unless given.
template <int top, int left = top, int bottom = top, int right = left>
struct Padding {
    static constexpr void apply(WindowOptions& options) {
        options.window.pad_top = top;
        options.window.pad_left = left;
        options.window.pad_bottom = bottom;
        options.window.pad_right = right;
    }
};

/// As much padding as makes the output ceil(input / stride) large; the odd pixel goes to the bottom
/// and the right, as in TensorFlow and Keras.
struct Same {
    static constexpr void apply(WindowOptions& options) { options.same = true; }
};

/// Splits the channels of a convolution into groups that do not see each other.
template <int count>
struct Groups {
    static constexpr void apply(WindowOptions& options) { options.groups = count; }
};

namespace detail {

enum class DefaultStride { one, kernel };

template <class Option>
constexpr void apply_option(WindowOptions& options) {
    if constexpr (requires { Option::apply(options); })
        Option::apply(options);
    else
        options.has_stranger = true;
}

/// The options of a layer put together for one input shape ('same' depends on it).
template <class... Options>
constexpr WindowOptions collect_window_options(const Shape& input, DefaultStride stride) {
    WindowOptions options;
    (apply_option<Options>(options), ...);
    Window& w = options.window;
    if (!options.has_stride && stride == DefaultStride::kernel) {
        w.stride_height = w.kernel_height;
        w.stride_width = w.kernel_width;
    }
    if (options.same && w.stride_height > 0 && w.stride_width > 0) {
        const int vertical = same_padding(input.height, w.kernel_height, w.stride_height);
        const int horizontal = same_padding(input.width, w.kernel_width, w.stride_width);
        w.pad_top = vertical / 2;
        w.pad_bottom = vertical - w.pad_top;
        w.pad_left = horizontal / 2;
        w.pad_right = horizontal - w.pad_left;
    }
    return options;
}

/// The checks that every layer with a window shares.
constexpr Inference check_window(const Shape& input, const WindowOptions& options) {
    const Window& w = options.window;
    if (options.has_stranger) return Inference::refuse(Reason::not_an_option);
    if (w.kernel_height < 1 || w.kernel_width < 1)
        return Inference::refuse(Reason::kernel_is_missing);
    if (w.stride_height < 1 || w.stride_width < 1 || w.pad_top < 0 || w.pad_left < 0 ||
        w.pad_bottom < 0 || w.pad_right < 0 || options.groups < 1)
        return Inference::refuse(Reason::sizes_must_be_positive);
    if (input.is_flat()) return Inference::refuse(Reason::layer_needs_a_map);
    const Shape least{input.channels,
                      larger(input.height, w.kernel_height - w.pad_top - w.pad_bottom),
                      larger(input.width, w.kernel_width - w.pad_left - w.pad_right)};
    if (input != least)
        return Inference::refuse(Reason::kernel_is_larger_than_the_padded_input, least);
    return {};
}

/// What the pools have in common: their checks and their output's shape.
template <class... Options>
constexpr Inference infer_pool(LayerKind kind, std::string_view type, const Shape& input) {
    const WindowOptions options = collect_window_options<Options...>(input, DefaultStride::kernel);
    const Window& w = options.window;
    if (options.groups != 1) return Inference::refuse(Reason::pool_has_no_groups);
    if (const Inference check = check_window(input, options); check.fault != Reason::none)
        return check;
    if (w.pad_top >= w.kernel_height || w.pad_bottom >= w.kernel_height ||
        w.pad_left >= w.kernel_width || w.pad_right >= w.kernel_width)
        return Inference::refuse(Reason::padding_must_be_smaller_than_the_kernel);
    LayerInfo info = elementwise(kind, type, input);
    info.output = window_output(input, w, input.channels);
    info.window = w;
    return {info};
}

}  // namespace detail
}  // namespace typenet
