// Convolution as a matrix product: from the input to patches, and from the patches' gradients back.
#pragma once

#include "typenet/backends/cuda/kernels/rows.cuh"
#include "typenet/backends/cuda/layout.hpp"

namespace typenet::cuda {

/// The patches of some samples: rows are [group][sample][output pixel]. What lies outside is zero.
template <class T, Patches p>
struct PatchRows {
    const T* input;
    std::int64_t samples;

    template <int n>
    __device__ Pack<n> at(std::int64_t row, int first) const {
        constexpr Window w = p.window;
        constexpr int pixels = p.pixels();
        const std::int64_t image = row / pixels;  // group * samples + sample
        const int pixel = static_cast<int>(row - image * pixels);
        const auto group = static_cast<int>(p.groups == 1 ? 0 : image / samples);
        const T* source = input + (image - group * samples) * p.input.sample() + group * p.channels;
        const int top = pixel / p.columns * w.stride_height - w.pad_top;
        const int left = pixel % p.columns * w.stride_width - w.pad_left;
        const auto at = [&](int tap, int channel) -> const T* {
            const int y = top + tap / w.kernel_width;
            const int x = left + tap % w.kernel_width;
            const bool inside =
                tap < p.taps() && y >= 0 && y < p.input.height && x >= 0 && x < p.input.width;
            return inside ? source + (y * p.input.width + x) * p.input.pixel + channel : nullptr;
        };
        Pack<n> values{};
        if constexpr (p.channels % n == 0) {  // neighbouring channels of one pixel
            const T* from = at(first / p.channels, first % p.channels);
            if (from != nullptr) values = load<n>(from);
        } else {
            TYPENET_UNROLL
            for (int i = 0; i < n; ++i) {
                const T* from = at((first + i) / p.channels, (first + i) % p.channels);
                if (from != nullptr) values[i] = to_float(*from);
            }
        }
        return values;
    }
};

/// The gradient of the input: each value gathers from all patches that it stands in.
template <class T, Patches p>
struct PatchesGradient {
    const T* patches;
    std::int64_t samples;

    template <int n>
    __device__ Pack<n> at(std::int64_t row, int channel) const {
        constexpr Window w = p.window;
        constexpr bool whole = p.channels % n == 0;
        const Place<p.input> place(row);
        Pack<n> sum{};
        for (int i = 0; i < w.kernel_height; ++i) {
            const int top = place.y + w.pad_top - i;
            if (top < 0 || top % w.stride_height != 0 || top / w.stride_height >= p.rows) continue;
            for (int j = 0; j < w.kernel_width; ++j) {
                const int left = place.x + w.pad_left - j;
                if (left < 0 || left % w.stride_width != 0 || left / w.stride_width >= p.columns)
                    continue;
                const int pixel = top / w.stride_height * p.columns + left / w.stride_width;
                const int tap = i * w.kernel_width + j;
                const auto from = [&](int c) {
                    const std::int64_t patch =
                        (c / p.channels * samples + place.sample) * p.pixels() + pixel;
                    return patches + patch * p.length + tap * p.channels + c % p.channels;
                };
                if constexpr (whole) {
                    const Pack<n> values = load<n>(from(channel));
                    TYPENET_UNROLL
                    for (int c = 0; c < n; ++c) sum[c] += values[c];
                } else {
                    for (int c = 0; c < n; ++c)
                        if (channel + c < p.groups * p.channels)
                            sum[c] += to_float(*from(channel + c));
                }
            }
        }
        return sum;
    }
};

}  // namespace typenet::cuda
