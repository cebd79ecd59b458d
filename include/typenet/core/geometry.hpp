// What a stage computes, as plain numbers: the part of the stages that kernels are specialised on.
// Free of Hana, so that device code may include it.
#pragma once

#include <cstdint>

#include "typenet/core/layer.hpp"
#include "typenet/core/shape.hpp"

namespace typenet {

/// What the stages are for.
enum class Phase : std::uint8_t { inference, training };

/// What a stage does; the operations in parentheses are fused into it where they follow.
enum class Op : std::uint8_t {
    convolution,  ///< + bias (+ ReLU) (+ max pool)
    linear,       ///< + bias (+ dropout) (+ ReLU)
    relu,
    max_pool,
    adaptive_avg_pool,
    dropout,
    softmax,
    resize,
    local_response_norm,
    batch_norm,  ///< (+ ReLU)
    avg_pool,
    add,     ///< of one input or two (+ ReLU); of one it is a copy without a halo
    concat,  ///< of inputs by channels
    custom,  ///< a layer from outside the library
    fork,    ///< in training behind an output with several readers: sums their gradients
};

/// Zeros around a feature map in memory, in pixels, so that a convolution needs no bounds checks.
struct Halo {
    int top = 0;
    int left = 0;
    int bottom = 0;
    int right = 0;
    friend constexpr bool operator==(const Halo&, const Halo&) = default;
};

/// Inputs of at most this many channels are read plane by plane instead of in channel blocks.
inline constexpr int planar_channel_limit = 4;

/// Everything that a stage's kernels are specialised on. Scalars only, in a fixed order: the whole
/// value is a template argument, and equal geometries share their code across networks.
struct Geometry {
    Op op = Op::relu;
    Shape input;   ///< as it lies in memory: what Flatten flattened is still a map; the first one
    Shape middle;  ///< output of the convolution before its max pool
    Shape output;
    Window window;  ///< of the convolution, or of a pool that stands alone
    int groups = 1;
    Window pool;  ///< of the max pool fused into a convolution; none: kernel 0
    bool relu = false;
    bool dropout = false;
    bool planar_input = false;    ///< few channels, straight from the network's input
    bool input_gradient = false;  ///< something before it learns, so the gradient is passed on
    bool frozen = false;          ///< its parameters stay as they are and get no gradients
    Halo input_halo;              ///< as it lies in memory, for the reader that needs most
    Halo output_halo;
    std::int64_t custom_weights = 0;  ///< parameters of a custom layer
    std::int64_t custom_biases = 0;
    bool winograd = false;  ///< a convolution that is computed by Winograd's algorithm
    friend constexpr bool operator==(const Geometry&, const Geometry&) = default;
};

/// Whether a stage holds parameters.
constexpr bool has_parameters(const Geometry& g) {
    return g.op == Op::convolution || g.op == Op::linear || g.op == Op::batch_norm ||
           g.custom_weights + g.custom_biases > 0;
}
/// Whether training changes its parameters.
constexpr bool learns(const Geometry& g) {
    return has_parameters(g) && !g.frozen;
}
/// Whether its backward pass computes anything.
constexpr bool has_backward(const Geometry& g) {
    return learns(g) || g.input_gradient;
}
/// Whether its backward pass reads the input of the forward pass.
constexpr bool backward_reads_input(const Geometry& g) {
    return learns(g) ||
           (g.input_gradient && (g.op == Op::local_response_norm || g.op == Op::custom));
}
/// Whether its backward pass reads the output of the forward pass. After a max pool the codes tell
/// what a ReLU cut off.
constexpr bool backward_reads_output(const Geometry& g) {
    if (!has_backward(g)) return false;
    if (g.op == Op::convolution) return g.relu && !g.pool;
    return g.relu || g.op == Op::relu || g.op == Op::softmax || g.op == Op::custom;
}
/// Multiplications that a convolution by Winograd's algorithm takes for a pair of an input and an
/// output channel, in tiles of `size` by `size` inputs.
constexpr std::int64_t winograd_multiplications(const Geometry& g, int size) {
    const auto tiles = [&](int outputs, int kernel) {
        const int of_a_tile = size + 1 - kernel;
        return std::int64_t{(outputs + of_a_tile - 1) / of_a_tile};
    };
    return tiles(g.middle.height, g.window.kernel_height) *
           tiles(g.middle.width, g.window.kernel_width) * size * size;
}
/// Rows and columns of the inputs that Winograd's algorithm turns into a tile of size + 1 - kernel
/// rows and columns of outputs: 6, or 7 where the map's tiles then take a tenth less
/// multiplications. (Rounding errors grow with it.)
constexpr int winograd_size(const Geometry& g) {
    return 10 * winograd_multiplications(g, 7) <= 9 * winograd_multiplications(g, 6) ? 7 : 6;
}
/// Whether a convolution can be computed by Winograd's algorithm and multiplies less that way:
/// stride 1, kernels of 3 to 5 rows and columns, 16 or more channels on both sides, and maps that
/// fill its tiles well enough. Source: Lavin and Gray, "Fast Algorithms for Convolutional
/// Neural Networks", 2015 (arXiv:1509.09308).
constexpr bool has_winograd_form(const Geometry& g) {
    const Window& w = g.window;
    const auto fits = [](int kernel) { return kernel >= 3 && kernel <= 5; };
    if (g.op != Op::convolution || g.planar_input || w.stride_height != 1 || w.stride_width != 1 ||
        !fits(w.kernel_height) || !fits(w.kernel_width))
        return false;
    if (g.input.channels / g.groups < 16 || g.middle.channels / g.groups < 16) return false;
    return winograd_multiplications(g, winograd_size(g)) <
           g.middle.pixels() * w.kernel_height * w.kernel_width;
}

/// The geometry that decides over the forward pass: the same in training and inference, so that
/// they share its kernels (which are told at run time whether values are dropped).
constexpr Geometry forward_geometry(Geometry g) {
    g.input_gradient = g.frozen = g.dropout = false;
    return g;
}

}  // namespace typenet
