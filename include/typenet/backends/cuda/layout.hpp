// How the CUDA backend lays data out in memory.
//
// A feature map is stored as [row][column][channel] with the channels padded to a multiple of 8 by
// zeros, so that a thread moves 16 bytes at a time in float as in bf16. Maps of few channels that
// come straight from the network's input are padded to 4. A flat vector is a map of one pixel.
// Weights are rows, one for each output, as a matrix product wants them: [output][kernel
// row][kernel column][input channel], or [output][the map that the layer reads, as it lies]. Rows
// are padded to a multiple of 8 by zeros, and so are the outputs, except those of groups.
#pragma once

#include <algorithm>
#include <cstdint>

#include "typenet/core/geometry.hpp"

/// For functions that kernels call as well.
#ifdef __CUDACC__
    #define TYPENET_HOST_DEVICE __host__ __device__
#else
    #define TYPENET_HOST_DEVICE
#endif

namespace typenet::cuda {

constexpr std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

/// Channels of a pixel as they lie in memory.
constexpr int channels_in_memory(int channels, bool narrow = false) {
    return narrow ? planar_channel_limit : static_cast<int>(round_up(channels, 8));
}

/// A feature map in memory. Scalars only: it is a template argument of what kernels compute. (Not
/// of kernels themselves: nvcc 13 cannot name those.)
struct Map {
    int channels = 0;  ///< that mean something
    int height = 1;
    int width = 1;
    int pixel = 0;  ///< channels in memory

    TYPENET_HOST_DEVICE constexpr int pixels() const { return height * width; }
    TYPENET_HOST_DEVICE constexpr std::int64_t sample() const {
        return std::int64_t{pixels()} * pixel;
    }
    /// Place of canonical value (channel, row, column) in a sample.
    TYPENET_HOST_DEVICE constexpr std::int64_t at(int channel, int row, int column) const {
        return (std::int64_t{row} * width + column) * pixel + channel;
    }
    friend constexpr bool operator==(const Map&, const Map&) = default;
};

constexpr Map map_of(const Shape& shape, bool narrow = false) {
    return {shape.channels, shape.is_flat() ? 1 : shape.height, shape.is_flat() ? 1 : shape.width,
            channels_in_memory(shape.channels, narrow)};
}
constexpr Map input_map(const Geometry& g) {
    return map_of(g.input, g.planar_input);
}
constexpr Map output_map(const Geometry& g) {
    return map_of(g.output, g.op == Op::resize && g.planar_input);
}
/// The output of a convolution before its max pool.
constexpr Map middle_map(const Geometry& g) {
    return map_of(g.middle);
}

/// A convolution as a matrix product: its input is rewritten as patches, one row for each pixel of
/// the output with all values under the kernel, [kernel row][kernel column][channel]. Each group
/// has patches of its own.
struct Patches {
    Map input;
    int rows = 0;  ///< of the output map
    int columns = 0;
    Window window;
    int groups = 1;
    int channels = 0;  ///< of one group, as they stand in a patch
    int length = 0;    ///< values of a patch, padded to a multiple of 8
    int outputs = 0;   ///< of one group

    TYPENET_HOST_DEVICE constexpr int pixels() const { return rows * columns; }
    TYPENET_HOST_DEVICE constexpr int taps() const {
        return window.kernel_height * window.kernel_width;
    }
    /// Values of one sample's patches.
    TYPENET_HOST_DEVICE constexpr std::int64_t sample() const {
        return std::int64_t{groups} * pixels() * length;
    }
    /// Whether the input, as it lies, already is its patches.
    constexpr bool trivial() const {
        return groups == 1 && length == input.pixel && window.stride_height == 1 &&
               window.stride_width == 1 && rows == input.height && columns == input.width;
    }
    friend constexpr bool operator==(const Patches&, const Patches&) = default;
};

constexpr Patches patches_of(const Geometry& g) {
    Patches p;
    p.input = input_map(g);
    p.rows = g.middle.height;
    p.columns = g.middle.width;
    p.window = g.window;
    p.groups = g.groups;
    // Padding channels take part only where that lets a thread move several channels at once.
    const bool whole_pixels = g.groups == 1 && !g.planar_input;
    p.channels = whole_pixels ? p.input.pixel : g.input.channels / g.groups;
    p.length = static_cast<int>(round_up(std::int64_t{p.taps()} * p.channels, 8));
    p.outputs =
        g.groups == 1 ? channels_in_memory(g.middle.channels) : g.middle.channels / g.groups;
    return p;
}

/// Parameters of a stage in memory, in floats.
constexpr std::int64_t packed_weight_count(const Geometry& g) {
    if (g.op == Op::convolution) {
        const Patches p = patches_of(g);
        return std::int64_t{p.groups} * p.outputs * p.length;
    }
    if (g.op == Op::linear)
        return std::int64_t{channels_in_memory(g.output.channels)} * input_map(g).sample();
    if (g.op == Op::batch_norm) return channels_in_memory(g.output.channels);
    return 0;
}
constexpr std::int64_t packed_bias_count(const Geometry& g) {
    return has_parameters(g) ? channels_in_memory(g.middle.channels) : 0;
}

/// Place of weight [output][input][kernel row][kernel column] (canonical, input within its group).
constexpr std::int64_t packed_convolution_index(const Patches& p, int output, int input, int row,
                                                int column) {
    return std::int64_t{output} * p.length +
           (std::int64_t{row} * p.window.kernel_width + column) * p.channels + input;
}

constexpr bool pools(const Geometry& g) {
    return g.op == Op::max_pool || (g.op == Op::convolution && g.pool);
}
/// Bytes that the forward pass of one sample notes for the backward pass: of a max pool, which
/// value of each window won; of a batch normalisation, its moments, which serve all samples.
constexpr std::int64_t code_bytes(const Geometry& g) {
    if (g.op == Op::batch_norm) return g.frozen ? 0 : 2 * packed_bias_count(g) * 4;
    return pools(g) ? output_map(g).sample() : 0;
}

}  // namespace typenet::cuda
