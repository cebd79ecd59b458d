// Convolutions by Winograd's algorithm: the transforms' constants and how the work is cut.
//
// A tile of inputs, 6x6 or 7x7 (winograd_size), gives outputs [size + 1 - kernel rows][size + 1 -
// kernel columns]: the tile and the kernel are transformed to as many values each, whose products,
// summed over the input channels, are transformed to the outputs. For each of these 36 or 49
// positions that is a product of matrices, [tiles][inputs] by [inputs][outputs].
//
// In one dimension it is Toom and Cook's algorithm, transposed: kernel and outputs belong to
// polynomials, which are evaluated at `size` points. Source: Lavin and Gray, "Fast Algorithms for
// Convolutional Neural Networks", 2015 (arXiv:1509.09308); Blahut, "Fast Algorithms for Signal
// Processing", 2010, chapter 5.
#pragma once

#include <cstdint>

#include "typenet/backends/cpu/layout.hpp"

namespace typenet::cpu {

/// The points of evaluation: 0, inner, -inner, outer, -outer, with 7 of them `single`, and
/// infinity. Two pairs of opposite points save operations. These are eighths, so that no
/// coefficient of the inputs' transform is rounded, and of those nearly the ones with the smallest
/// rounding errors for random numbers; with the usual 1, 2 (and 1/2) these are 2.2 (1.2) times as
/// large.
struct WinogradPoints {
    double inner;
    double outer;
    double single;

    constexpr double operator[](int point) const {
        const double finite[] = {0, inner, -inner, outer, -outer, single};
        return finite[point];
    }
};
constexpr WinogradPoints winograd_points(int size) {
    return size == 6 ? WinogradPoints{5.0 / 8, 12.0 / 8, 0}
                     : WinogradPoints{7.0 / 8, 15.0 / 8, 3.0 / 8};
}

constexpr double power(double base, int exponent) {
    double product = 1;
    for (int i = 0; i < exponent; ++i) product *= base;
    return product;
}

/// Coefficient of value `k` of a kernel in its transform at `point`.
constexpr double winograd_kernel_coefficient(int size, int point, int k, int kernel) {
    if (point == size - 1) return k == kernel - 1 ? 1 : 0;
    const WinogradPoints points = winograd_points(size);
    const double at = points[point];
    double product = 1;
    for (int other = 0; other < size - 1; ++other)
        if (other != point) product *= at - points[other];
    return power(at, k) / product;
}

/// How one convolution is cut. Tiles of a plane are counted row by row. A product of matrices takes
/// a band of tile rows of one sample, or all tiles of several samples, where maps are small.
struct WinogradLayout {
    int size = 0;  ///< rows and columns of a tile's inputs
    int positions = 0;
    int tile_height = 0;  ///< outputs of a tile
    int tile_width = 0;
    int rows = 0;  ///< tiles of a plane
    int columns = 0;
    int bands = 0;
    int band_rows = 0;               ///< the last band may have fewer
    int samples = 0;                 ///< that are computed together where there are as many
    std::int64_t inputs = 0;         ///< channels of a sample, in whole blocks
    std::int64_t weight_count = 0;   ///< [output block][position][input of the group][16 outputs]
    std::int64_t output_stride = 0;  ///< from one output block's weights to the next, in floats
    std::int64_t position_weights = 0;  ///< of one position in them

    /// Tiles in a product of `together` samples.
    constexpr int tiles(int together) const { return together * band_rows * columns; }
    /// Floats from the transformed inputs of one position to the next; off a power of two, so that
    /// they do not share cache sets.
    constexpr std::int64_t position_stride(int together) const {
        return tiles(together) * inputs + block;
    }
    /// Floats of the transformed inputs of a sample.
    constexpr std::int64_t sample_values() const { return bands * positions * position_stride(1); }
    /// The same for the products, of one output block.
    constexpr std::int64_t product_stride(int together) const {
        return (tiles(together) + 1) * block;
    }
};

constexpr WinogradLayout winograd_layout(const Geometry& g) {
    constexpr int most_tiles = 112;  // their products of two blocks share the second-level cache
    const ConvolutionLayout c = convolution_layout(g);
    WinogradLayout w;
    w.size = winograd_size(g);
    w.positions = w.size * w.size;
    w.tile_height = w.size + 1 - g.window.kernel_height;
    w.tile_width = w.size + 1 - g.window.kernel_width;
    w.rows = (g.middle.height + w.tile_height - 1) / w.tile_height;
    w.columns = (g.middle.width + w.tile_width - 1) / w.tile_width;
    const int most_rows = w.columns < most_tiles ? most_tiles / w.columns : 1;
    w.bands = (w.rows + most_rows - 1) / most_rows;
    w.band_rows = (w.rows + w.bands - 1) / w.bands;
    w.samples = 1;  // a power of two, as batches often are
    while (w.bands == 1 && w.tiles(2 * w.samples) <= most_tiles * 3 / 4) w.samples *= 2;
    w.inputs = blocks_of(g.input.channels) * block;
    w.position_weights = c.input_planes_per_group * block * block;
    w.output_stride = w.positions * w.position_weights;
    w.weight_count = c.output_blocks * w.output_stride;
    return w;
}

/// Samples whose transformed inputs are in memory together: about 8 MiB of them.
constexpr std::int64_t winograd_chunk(const Geometry& g, std::int64_t batch) {
    const WinogradLayout w = winograd_layout(g);
    const std::int64_t fit = (std::int64_t{2} << 20) / (w.samples * w.sample_values());
    const std::int64_t chunk = (fit < 1 ? 1 : fit) * w.samples;
    return batch < chunk ? batch : chunk;
}

/// Floats of a worker: the products of some output blocks, and their planes of outputs.
constexpr std::int64_t winograd_worker_values(const Geometry& g) {
    const WinogradLayout w = winograd_layout(g);
    return most_blocks_per_tile *
           (w.positions * w.product_stride(w.samples) + g.middle.pixels() * block);
}

}  // namespace typenet::cpu
