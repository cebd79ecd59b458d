// The options of windowed layers. They may stand in any order: `Conv2d<96, Stride<4>, Kernel<11>>`.
#pragma once

#include "typenet/core/layer.hpp"

namespace typenet {

/// Where options of a windowed layer are collected.
struct WindowOptions {
    Window window;
    int groups = 1;
    bool same = false;
    bool has_stride = false;
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

/// The options of a layer put together for one input shape ('same' depends on it).
template <class... Options>
constexpr WindowOptions collect_window_options(const Shape& input, DefaultStride stride) {
    WindowOptions options;
    (Options::apply(options), ...);
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

}  // namespace detail
}  // namespace typenet
