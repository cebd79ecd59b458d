// Bias, ReLU and dropout, forward and backward, as sources of compute_rows.
#pragma once

#include "typenet/backends/cuda/kernels/random.cuh"
#include "typenet/backends/cuda/kernels/rows.cuh"
#include "typenet/backends/cuda/layout.hpp"

namespace typenet::cuda {

/// NaN stays NaN.
__device__ inline float rectify(float value) {
    return value <= 0 ? 0.0f : value;
}

/// Dropout of `n` values of a pixel: kept ones are scaled, the others become zero.
template <Map map, int n>
__device__ void drop(Pack<n>& values, const DropoutMask& mask, float scale, std::int64_t row,
                     int channel) {
    const Place<map> place(row);
    const auto sample = static_cast<std::uint32_t>(place.sample);
    if constexpr (map.pixels() == 1) {  // neighbouring channels are neighbouring elements
        TYPENET_UNROLL
        for (int i = 0; i < n; i += 4) {
            const auto quad = static_cast<std::uint32_t>((channel + i) / 4);
            const Words words = dropout_words(mask, sample, quad);
            TYPENET_UNROLL
            for (int j = 0; j < 4; ++j)
                values[i + j] = words.values[j] >= mask.threshold ? values[i + j] * scale : 0.0f;
        }
    } else {
        for (int i = 0; i < n; ++i) {
            const auto element = static_cast<std::uint32_t>(
                ((channel + i) * map.height + place.y) * map.width + place.x);
            const Words words = dropout_words(mask, sample, element / 4);
            values[i] = words.values[element % 4] >= mask.threshold ? values[i] * scale : 0.0f;
        }
    }
}

/// input + bias (+ dropout) (+ ReLU): what follows a matrix product. Without `biases` nothing is
/// added, without a mask nothing is dropped. Channels beyond the map's become zero.
template <class T, Map map, bool relu>
struct Activation {
    const T* input;
    const float* biases;
    const DropoutMask* mask;
    float keep_scale;

    template <int n>
    __device__ Pack<n> at(std::int64_t row, int channel) const {
        Pack<n> values = load<n>(input + row * map.pixel + channel);
        if (biases != nullptr) {
            const Pack<n> added = load<n>(biases + channel);
            TYPENET_UNROLL
            for (int i = 0; i < n; ++i) values[i] += added[i];
        }
        if (mask != nullptr) drop<map>(values, *mask, keep_scale, row, channel);
        TYPENET_UNROLL
        for (int i = 0; i < n; ++i) {
            if constexpr (relu) values[i] = rectify(values[i]);
            if constexpr (map.channels < map.pixel)
                if (channel + i >= map.channels) values[i] = 0;
        }
        return values;
    }
};

/// The gradient before an Activation from the one behind it. With `relu` the output tells what was
/// cut off or dropped.
template <class T, Map map, bool relu>
struct ActivationGradient {
    const T* gradient;
    const T* output;
    const DropoutMask* mask;
    float keep_scale;

    template <int n>
    __device__ Pack<n> at(std::int64_t row, int channel) const {
        const std::int64_t place = row * map.pixel + channel;
        Pack<n> values = load<n>(gradient + place);
        if constexpr (relu) {
            const Pack<n> passed = load<n>(output + place);
            const float scale = mask != nullptr ? keep_scale : 1.0f;
            TYPENET_UNROLL
            for (int i = 0; i < n; ++i) values[i] = passed[i] <= 0 ? 0.0f : values[i] * scale;
        } else if (mask != nullptr) {
            drop<map>(values, *mask, keep_scale, row, channel);
        }
        return values;
    }
};

}  // namespace typenet::cuda
