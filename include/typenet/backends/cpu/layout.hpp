// How the CPU backend lays data out in memory: channel blocks of 16, packed weights, halos.
//
// A feature map is stored as [block][row][column][16]: 16 channels of one pixel lie together (one
// AVX-512 vector, two AVX2 vectors), and missing channels of the last block are zero. A flat vector
// is a map of one pixel. Around a map lie the zeros that the convolution reading it needs (Halo).
// The block is 16 for every instruction set, so weights and results do not depend on it.
#pragma once

#include <cstdint>

#include "typenet/core/layer.hpp"
#include "typenet/core/stages.hpp"

namespace typenet::cpu {

inline constexpr int block = 16;

constexpr std::int64_t blocks_of(std::int64_t channels) {
    return (channels + block - 1) / block;
}

/// Strides of one sample in memory, in floats.
struct MapLayout {
    std::int64_t pixel = 0;
    std::int64_t row = 0;
    std::int64_t plane = 0;  ///< from one channel block (planar: one channel) to the next
    std::int64_t planes = 0;
    std::int64_t sample = 0;  ///< a multiple of 16
    std::int64_t origin = 0;  ///< offset of pixel (0, 0) of the first plane
};

constexpr MapLayout layout_of(const Shape& shape, const Halo& halo, bool planar) {
    const std::int64_t height = (shape.is_flat() ? 1 : shape.height) + halo.top + halo.bottom;
    const std::int64_t width = (shape.is_flat() ? 1 : shape.width) + halo.left + halo.right;
    MapLayout layout;
    layout.pixel = planar ? 1 : block;
    layout.row = width * layout.pixel;
    layout.plane = height * layout.row;
    layout.planes = planar ? shape.channels : blocks_of(shape.channels);
    layout.sample = blocks_of(layout.plane * layout.planes) * block;
    layout.origin = halo.top * layout.row + halo.left * layout.pixel;
    return layout;
}

constexpr MapLayout input_layout(const Geometry& g) {
    return layout_of(g.input, g.input_halo, g.planar_input);
}
constexpr bool planar_output(const Geometry& g) {
    return g.op == Op::resize && g.planar_input;
}
constexpr MapLayout output_layout(const Geometry& g) {
    return layout_of(g.output, g.output_halo, planar_output(g));
}
/// Gradients carry no halo: the stage that reads one adds its own.
constexpr MapLayout gradient_layout(const Geometry& g) {
    return layout_of(g.output, {}, false);
}

/// Index of canonical element (channel, row, column) within a sample, in floats.
constexpr std::int64_t index_in(const MapLayout& layout, int channel, int row, int column) {
    const std::int64_t plane = layout.pixel == 1 ? channel : channel / block;
    const std::int64_t lane = layout.pixel == 1 ? 0 : channel % block;
    return layout.origin + plane * layout.plane + row * layout.row + column * layout.pixel + lane;
}

/// Where the first window of a convolution starts in a plane. The padding lies in the halo, which
/// is larger where another reader needs more.
constexpr std::int64_t window_origin(const Geometry& g) {
    const MapLayout in = input_layout(g);
    return (g.input_halo.top - g.window.pad_top) * in.row +
           (g.input_halo.left - g.window.pad_left) * in.pixel;
}

/// A convolution as a sum over runs of consecutive values: for each run (input plane and kernel
/// row) the values under the kernel row lie together, [kernel column][channel of the block].
/// Weights are packed as [output block][run][value of the run][16 output channels].
struct ConvolutionLayout {
    bool grouped = false;  ///< groups that fill whole blocks are computed group by group
    std::int64_t output_blocks = 0;
    std::int64_t output_blocks_per_group = 0;
    std::int64_t input_planes_per_group = 0;
    std::int64_t runs = 0;
    std::int64_t run_length = 0;
    std::int64_t weights_per_block = 0;  ///< floats of one output block
    std::int64_t weight_count = 0;
};

constexpr ConvolutionLayout convolution_layout(const Geometry& g) {
    ConvolutionLayout c;
    const int group_inputs = g.input.channels / g.groups;
    const int group_outputs = g.middle.channels / g.groups;
    c.grouped = g.groups > 1 && group_inputs % block == 0 && group_outputs % block == 0;
    c.output_blocks = blocks_of(g.middle.channels);
    c.output_blocks_per_group = c.grouped ? group_outputs / block : c.output_blocks;
    const std::int64_t planes = g.planar_input ? g.input.channels : blocks_of(g.input.channels);
    c.input_planes_per_group = c.grouped ? group_inputs / block : planes;
    c.runs = c.input_planes_per_group * g.window.kernel_height;
    c.run_length = std::int64_t{g.window.kernel_width} * (g.planar_input ? 1 : block);
    c.weights_per_block = c.runs * c.run_length * block;
    c.weight_count = c.output_blocks * c.weights_per_block;
    return c;
}

/// Floats of a linear layer's input row: the whole sample of the map it reads, padding included.
constexpr std::int64_t linear_columns(const Geometry& g) {
    return input_layout(g).sample;
}
constexpr std::int64_t linear_rows(const Geometry& g) {
    return blocks_of(g.output.channels) * block;
}

/// Columns of a linear layer that a task of its backward pass takes: their inputs and their
/// gradients, for all samples, share the second-level cache with the weights. Depends on the layer
/// and the batch only, so sums have a fixed order.
constexpr std::int64_t columns_per_task(std::int64_t columns, std::int64_t batch) {
    std::int64_t width = (std::int64_t{32} << 10) / batch / block * block;
    if (width > 1024) width = 1024;
    if (width > columns / 8) width = columns / 8 / block * block;
    return width < 2 * block ? 2 * block : width;
}

/// Rows of a linear layer whose gradients a task of its backward pass copies at a time.
inline constexpr std::int64_t linear_rows_per_pass = 32;

/// Packed weights of a stage, in floats; its biases follow them, padded to whole blocks.
constexpr std::int64_t packed_weight_count(const Geometry& g) {
    if (g.op == Op::convolution) return convolution_layout(g).weight_count;
    if (g.op == Op::linear) return linear_rows(g) * linear_columns(g);
    if (g.op == Op::batch_norm) return blocks_of(g.output.channels) * block;
    return blocks_of(g.custom_weights) * block;
}
constexpr std::int64_t packed_bias_count(const Geometry& g) {
    if (g.op == Op::custom) return blocks_of(g.custom_biases) * block;
    return has_parameters(g) ? blocks_of(g.middle.channels) * block : 0;
}

/// Place of weight [output][input][kernel row][kernel column] (canonical, input within its group)
/// among the packed weights of a convolution.
constexpr std::int64_t packed_convolution_index(const Geometry& g, const ConvolutionLayout& c,
                                                int output, int input, int kernel_row,
                                                int kernel_column) {
    // Groups that do not fill blocks are stored as one dense convolution with zeros between groups.
    const int group_inputs = g.input.channels / g.groups;
    const int group = output / (g.middle.channels / g.groups);
    const int channel = c.grouped ? input : group * group_inputs + input;
    const std::int64_t plane = g.planar_input ? channel : channel / block;
    const std::int64_t lane = g.planar_input ? 0 : channel % block;
    const std::int64_t width = g.planar_input ? 1 : block;
    const std::int64_t run = plane * g.window.kernel_height + kernel_row;
    return (output / block) * c.weights_per_block +
           (run * c.run_length + kernel_column * width + lane) * block + output % block;
}

/// Where the gradient of a convolution with strides comes from. Inputs whose padded position has
/// the same remainder `phase` by the stride see the same kernel rows (or columns): phase, phase +
/// stride, ...; within a phase the data gradient is a convolution of stride 1.
struct GradientPhase {
    int taps = 0;    ///< kernel rows of this phase
    int first = 0;   ///< first input row of this phase
    int count = 0;   ///< input rows of this phase
    int output = 0;  ///< output row seen by the first input row under the phase's first kernel row
};

constexpr GradientPhase gradient_phase(int phase, int input, int kernel, int stride, int pad) {
    GradientPhase p;
    p.taps = phase < kernel ? (kernel - phase - 1) / stride + 1 : 0;
    p.first = ((phase - pad) % stride + stride) % stride;
    p.count = p.first < input ? (input - p.first - 1) / stride + 1 : 0;
    p.output = (p.first + pad - phase) / stride;
    return p;
}

/// Zeros that the data gradient needs around the output's gradient.
constexpr Halo gradient_halo(const Geometry& g) {
    const Window& w = g.window;
    const auto before = [](int kernel, int stride, int pad) {
        const int rows = (kernel - 1) / stride - pad / stride;
        return rows < 0 ? 0 : rows;
    };
    const auto after = [](int input, int output, int stride, int pad) {
        const int rows = (input - 1 + pad) / stride - (output - 1);
        return rows < 0 ? 0 : rows;
    };
    if (!g.input_gradient) return {};
    return {before(w.kernel_height, w.stride_height, w.pad_top),
            before(w.kernel_width, w.stride_width, w.pad_left),
            after(g.input.height, g.middle.height, w.stride_height, w.pad_top),
            after(g.input.width, g.middle.width, w.stride_width, w.pad_left)};
}

/// The gradient of the convolution's own output: between pool and ReLU backward and its own.
constexpr MapLayout middle_gradient_layout(const Geometry& g) {
    return layout_of(g.middle, gradient_halo(g), false);
}

/// Output blocks that a convolution's task computes together at most.
inline constexpr int most_blocks_per_tile = 2;

/// Inputs of a convolution as its weight gradient reads them of bfloat16: a row of pairs, in whole
/// vectors, and the rows of a plane.
constexpr std::int64_t pair_row(const Geometry& g) {
    return blocks_of(input_layout(g).row) * block;
}
constexpr std::int64_t pair_count(const Geometry& g) {
    return pair_row(g) * ((g.middle.height - 1) * g.window.stride_height + g.window.kernel_height);
}

/// Images whose gradients pass the convolution's backward together; bounds the workspace to about
/// 8 MiB while leaving enough to share among threads.
constexpr std::int64_t backward_chunk(const Geometry& g) {
    const std::int64_t bytes = middle_gradient_layout(g).sample * 4;
    const std::int64_t images = (std::int64_t{8} << 20) / bytes;
    return images < 1 ? 1 : images > 16 ? 16 : images;
}

/// What the forward pass of one sample notes for the backward pass, in whole cache lines: a max
/// pool's byte codes; a batch normalisation's moments, which serve all samples.
constexpr std::int64_t code_bytes(const Geometry& g) {
    if (g.op == Op::batch_norm) return g.frozen ? 0 : 2 * packed_bias_count(g) * 4;
    const bool pools = g.op == Op::max_pool || (g.op == Op::convolution && g.pool);
    return pools ? (gradient_layout(g).sample + 63) / 64 * 64 : 0;
}

}  // namespace typenet::cpu
