// Initial values of parameters, as PyTorch and Keras draw them.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <span>

#include "typenet/core/layer.hpp"
#include "typenet/core/random.hpp"

namespace typenet {

/// A way to draw initial weights and biases.
enum class Initialization : std::uint8_t {
    pytorch,         ///< weights and biases uniform within 1 / sqrt(fan_in): PyTorch's default
    kaiming_normal,  ///< weights normal with deviation sqrt(2 / fan_in), biases zero (He et al.
                     ///< 2015)
    glorot_uniform,  ///< weights uniform within sqrt(6 / (fan_in + fan_out)), biases zero: Keras
};

/// Draws the weights (or, with `bias`, the biases) of one layer in canonical order. Which numbers
/// come out depends on the seed, the layer's index and `bias` alone.
inline void initialize(std::span<float> values, const LayerInfo& layer, bool bias,
                       Initialization how, Seed seed) {
    RandomStream random{seed, Purpose::initialisation,
                        2 * static_cast<std::uint64_t>(layer.index) + (bias ? 1 : 0)};
    const double fan_in = static_cast<double>(layer.fan_in);
    const double fan_out = static_cast<double>(layer.fan_out);
    const auto fill_uniform = [&](double bound) {
        for (float& value : values)
            value = random.uniform(static_cast<float>(-bound), static_cast<float>(bound));
    };
    if (how == Initialization::pytorch) return fill_uniform(1 / std::sqrt(fan_in));
    if (bias) {
        for (float& value : values) value = 0;
        return;
    }
    if (how == Initialization::glorot_uniform)
        return fill_uniform(std::sqrt(6 / (fan_in + fan_out)));
    // Box-Muller: two uniform numbers give two normal ones.
    const double deviation = std::sqrt(2 / fan_in);
    for (std::size_t i = 0; i < values.size(); i += 2) {
        const double radius = deviation * std::sqrt(-2 * std::log(1.0 - double{random.uniform()}));
        const double angle = 2 * std::numbers::pi * double{random.uniform()};
        values[i] = static_cast<float>(radius * std::cos(angle));
        if (i + 1 < values.size()) values[i + 1] = static_cast<float>(radius * std::sin(angle));
    }
}

}  // namespace typenet
