// Initial values of parameters, as PyTorch and Keras draw them.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

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

/// Draws the weights (or, with `bias`, the biases) of one layer, one by one in canonical order.
/// Which numbers come out depends on the seed, the layer's index and `bias` alone. A batch
/// normalisation starts as the identity: its weights (and variances) are 1, its biases (and means)
/// 0. A custom layer without fan_in starts from its initial_weight and biases of 0.
class InitialValues {
public:
    InitialValues(const LayerInfo& layer, bool bias, Initialization how, Seed seed)
        : random_(seed, Purpose::initialisation,
                  2 * static_cast<std::uint64_t>(layer.index) + (bias ? 1 : 0)),
          normal_(how == Initialization::kaiming_normal) {
        const double fan_in = static_cast<double>(layer.fan_in);
        const double fan_out = static_cast<double>(layer.fan_out);
        if (how == Initialization::pytorch) scale_ = 1 / std::sqrt(fan_in);
        if (how == Initialization::kaiming_normal) scale_ = std::sqrt(2 / fan_in);
        if (how == Initialization::glorot_uniform) scale_ = std::sqrt(6 / (fan_in + fan_out));
        if (bias && how != Initialization::pytorch) scale_ = 0;
        if (layer.kind == LayerKind::custom && layer.fan_in == 0) {
            scale_ = 0;
            constant_ = bias ? 0.0f : layer.initial_weight;
        }
        if (layer.kind == LayerKind::batch_norm2d) {
            scale_ = 0;
            constant_ = bias ? 0.0f : 1.0f;
        }
    }

    float next() {
        if (scale_ == 0) return constant_;
        if (!normal_)
            return random_.uniform(static_cast<float>(-scale_), static_cast<float>(scale_));
        // Box-Muller: two uniform numbers give two normal ones.
        has_second_ = !has_second_;
        if (!has_second_) return second_;
        const double radius = scale_ * std::sqrt(-2 * std::log(1.0 - double{random_.uniform()}));
        const double angle = 2 * std::numbers::pi * double{random_.uniform()};
        second_ = static_cast<float>(radius * std::sin(angle));
        return static_cast<float>(radius * std::cos(angle));
    }

private:
    RandomStream random_;
    bool normal_;
    double scale_ = 0;    ///< bound of the uniform numbers, deviation of the normal ones
    float constant_ = 0;  ///< what comes where nothing is drawn
    bool has_second_ = false;
    float second_ = 0;
};

}  // namespace typenet
