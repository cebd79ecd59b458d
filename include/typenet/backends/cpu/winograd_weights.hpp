// The weights of a convolution, transformed for Winograd's algorithm.
#pragma once

#include <cstdint>

#include "typenet/backends/cpu/layout.hpp"
#include "typenet/backends/cpu/thread_pool.hpp"
#include "typenet/backends/cpu/winograd.hpp"

namespace typenet::cpu {

/// Transforms the kernels between all inputs of a plane and the outputs of a block; in double, so
/// that each weight is rounded once.
struct TransformWeights {
    const Geometry& g;
    ConvolutionLayout c;
    WinogradLayout w;
    const float* weights;
    float* transformed;

    void operator()(std::int64_t task) const {
        const std::int64_t output = task / c.input_planes_per_group;
        const std::int64_t plane = task % c.input_planes_per_group;
        const int height = g.window.kernel_height, width = g.window.kernel_width;
        const float* source =
            weights + output * c.weights_per_block + plane * height * c.run_length * block;
        float* target = transformed + output * w.output_stride + plane * block * block;
        for (int i = 0; i < block; ++i) {
            // Along the kernel's columns: [kernel row][point][output].
            double half[5][7][block] = {};
            for (int y = 0; y < height; ++y)
                for (int point = 0; point < w.size; ++point)
                    for (int x = 0; x < width; ++x) {
                        const double factor = winograd_kernel_coefficient(w.size, point, x, width);
                        const float* row =
                            source + (y * c.run_length + x * block + i) * std::int64_t{block};
                        for (int o = 0; o < block; ++o) half[y][point][o] += factor * row[o];
                    }
            for (int vertical = 0; vertical < w.size; ++vertical)
                for (int point = 0; point < w.size; ++point) {
                    double sum[block] = {};
                    for (int y = 0; y < height; ++y) {
                        const double factor =
                            winograd_kernel_coefficient(w.size, vertical, y, height);
                        for (int o = 0; o < block; ++o) sum[o] += factor * half[y][point][o];
                    }
                    float* values =
                        target + (vertical * w.size + point) * w.position_weights + i * block;
                    for (int o = 0; o < block; ++o) values[o] = static_cast<float>(sum[o]);
                }
        }
    }
};

/// Packed weights of a convolution (layout.hpp) to those of Winograd's algorithm, `weight_count` of
/// its layout.
inline void transform_weights(ThreadPool& pool, const Geometry& g, const float* weights,
                              float* transformed) {
    const ConvolutionLayout c = convolution_layout(g);
    const TransformWeights task{g, c, winograd_layout(g), weights, transformed};
    pool.parallel_for(
        c.output_blocks * c.input_planes_per_group,
        [](const void* context, std::int64_t index, int) {
            (*static_cast<const TransformWeights*>(context))(index);
        },
        &task);
}

}  // namespace typenet::cpu
