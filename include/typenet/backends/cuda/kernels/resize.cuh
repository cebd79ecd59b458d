// Bilinear resizing of maps.
#pragma once

#include "typenet/backends/cuda/kernels/rows.cuh"
#include "typenet/backends/cuda/layout.hpp"

namespace typenet::cuda {

/// As `bilinear_tap` of data/transforms.hpp: a + weight * (b - a), with a at `low`, b at `high`.
struct Tap {
    int low;
    int high;
    float weight;

    __device__ Tap(int destination, int in, int out) {
        const std::int64_t denominator = std::int64_t{2} * out;
        std::int64_t numerator = (std::int64_t{2} * destination + 1) * in - out;
        if (numerator < 0) numerator = 0;
        low = static_cast<int>(numerator / denominator);
        high = low + 1 < in ? low + 1 : in - 1;
        weight = static_cast<float>(numerator % denominator) / static_cast<float>(denominator);
    }
};

__device__ inline float blend(float low, float high, float weight) {
    return low + weight * (high - low);
}

template <class T, Map in, Map out>
struct Resized {
    const T* input;

    template <int n>
    __device__ Pack<n> at(std::int64_t row, int channel) const {
        const Place<out> place(row);
        const Tap rows(place.y, in.height, out.height);
        const Tap columns(place.x, in.width, out.width);
        const T* sample = input + place.sample * in.sample() + channel;
        const auto at = [&](int y, int x) {
            return load<n>(sample + (y * in.width + x) * in.pixel);
        };
        const Pack<n> corners[4] = {at(rows.low, columns.low), at(rows.low, columns.high),
                                    at(rows.high, columns.low), at(rows.high, columns.high)};
        Pack<n> values;
        TYPENET_UNROLL
        for (int c = 0; c < n; ++c)
            values[c] = blend(blend(corners[0][c], corners[1][c], columns.weight),
                              blend(corners[2][c], corners[3][c], columns.weight), rows.weight);
        return values;
    }
};

/// The outputs along one axis that may read input `index`: a range that holds them all.
struct Readers {
    int begin;
    int end;

    __device__ Readers(int index, int in, int out) {
        const std::int64_t wide = out;
        begin = index == 0 ? 0 : static_cast<int>(((2 * index - 1) * wide - in) / (2 * in)) - 1;
        end = index == in - 1 ? out : static_cast<int>((2 * index + 3) * wide / (2 * in)) + 2;
        if (begin < 0) begin = 0;
        if (end > out) end = out;
    }
};

/// How much of input `index` output `destination` takes along one axis.
__device__ inline float share(int index, int destination, int in, int out) {
    const Tap tap(destination, in, out);
    return (tap.low == index ? 1 - tap.weight : 0.0f) + (tap.high == index ? tap.weight : 0.0f);
}

template <class T, Map in, Map out>
struct ResizedGradient {
    const T* gradient;

    template <int n>
    __device__ Pack<n> at(std::int64_t row, int channel) const {
        const Place<in> place(row);
        const Readers rows(place.y, in.height, out.height);
        const Readers columns(place.x, in.width, out.width);
        const T* sample = gradient + place.sample * out.sample() + channel;
        Pack<n> sum{};
        for (int y = rows.begin; y < rows.end; ++y) {
            const float down = share(place.y, y, in.height, out.height);
            if (down == 0) continue;
            for (int x = columns.begin; x < columns.end; ++x) {
                const float weight = down * share(place.x, x, in.width, out.width);
                if (weight == 0) continue;
                const Pack<n> values = load<n>(sample + (y * out.width + x) * out.pixel);
                TYPENET_UNROLL
                for (int c = 0; c < n; ++c) sum[c] += weight * values[c];
            }
        }
        return sum;
    }
};

}  // namespace typenet::cuda
