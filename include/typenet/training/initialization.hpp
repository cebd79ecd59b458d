// Initial values of parameters, as PyTorch and Keras draw them.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <optional>

#include "typenet/core/layer.hpp"
#include "typenet/core/random.hpp"
#include "typenet/core/torch_generator.hpp"

namespace typenet {

/// A way to draw initial weights and biases.
enum class Initialization : std::uint8_t {
    pytorch,         ///< weights and biases uniform within 1 / sqrt(fan_in): PyTorch's default
    kaiming_normal,  ///< weights normal with deviation sqrt(2 / fan_in), biases zero (He et al.
                     ///< 2015)
    glorot_uniform,  ///< weights uniform within sqrt(6 / (fan_in + fan_out)), biases zero: Keras
};

namespace detail {

/// Where the weights (or, with `bias`, the biases) of a layer start if they are not drawn: a batch
/// normalisation as the identity, its weights (and variances) 1, its biases (and means) 0; a custom
/// layer without fan_in from its initial_weight and biases of 0.
constexpr std::optional<float> undrawn_value(const LayerInfo& layer, bool bias) {
    if (layer.kind == LayerKind::batch_norm2d) return bias ? 0.0f : 1.0f;
    if (layer.kind == LayerKind::custom && layer.fan_in == 0)
        return bias ? 0.0f : layer.initial_weight;
    return {};
}

}  // namespace detail

/// Draws the weights (or, with `bias`, the biases) of one layer, one by one in canonical order.
/// Which numbers come out depends on the seed, the layer's index and `bias` alone. A layer that has
/// no fan_in starts from fixed values.
class InitialValues {
public:
    InitialValues(const LayerInfo& layer, bool bias, Initialization how, Seed seed)
        : random_(seed, Purpose::initialisation,
                  2 * static_cast<std::uint64_t>(layer.index) + (bias ? 1 : 0)),
          normal_(how == Initialization::kaiming_normal) {
        if (const auto value = detail::undrawn_value(layer, bias)) {
            constant_ = *value;
            return;
        }
        const double fan_in = static_cast<double>(layer.fan_in);
        const double fan_out = static_cast<double>(layer.fan_out);
        if (how == Initialization::pytorch) scale_ = 1 / std::sqrt(fan_in);
        if (how == Initialization::kaiming_normal) scale_ = std::sqrt(2 / fan_in);
        if (how == Initialization::glorot_uniform) scale_ = std::sqrt(6 / (fan_in + fan_out));
        if (bias && how != Initialization::pytorch) scale_ = 0;
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

/// The same bit for bit as PyTorch's nn.Conv2d and nn.Linear draw from its generator, which must
/// outlive this: weights and biases uniform within 1 / sqrt(fan_in). A layer that starts from fixed
/// values takes nothing from the generator.
/// Source: PyTorch 1.13.1, reset_parameters in torch/nn/modules/conv.py.
class TorchInitialValues {
public:
    TorchInitialValues(const LayerInfo& layer, bool bias, TorchGenerator& generator)
        : generator_(&generator),
          undrawn_(detail::undrawn_value(layer, bias)),
          // PyTorch gets at the weights' bound by more steps, to the same float (for every fan_in
          // up to 20 million).
          bound_(static_cast<float>(1 / std::sqrt(static_cast<double>(layer.fan_in)))) {}

    float next() { return undrawn_ ? *undrawn_ : generator_->uniform(bound_); }

private:
    TorchGenerator* generator_;
    std::optional<float> undrawn_;
    float bound_;
};

}  // namespace typenet
