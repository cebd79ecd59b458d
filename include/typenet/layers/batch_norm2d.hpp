// Normalisation of each channel over the batch.
#pragma once

#include <ratio>

#include "typenet/core/layer.hpp"

namespace typenet {

/// Where options of a batch normalisation are collected.
struct BatchNormOptions {
    double epsilon = 1e-5;
    double momentum = 0.1;
    bool has_stranger = false;  ///< something among them that is no option
};

/// What is added to the variance before the root is taken: `Epsilon<std::ratio<1, 1000>>`.
template <class Ratio>
struct Epsilon {
    static constexpr void apply(BatchNormOptions& options) {
        options.epsilon = static_cast<double>(Ratio::num) / static_cast<double>(Ratio::den);
    }
};

/// The share that a batch takes in the running statistics: `Momentum<std::ratio<1, 100>>`.
template <class Ratio>
struct Momentum {
    static constexpr void apply(BatchNormOptions& options) {
        options.momentum = static_cast<double>(Ratio::num) / static_cast<double>(Ratio::den);
    }
};

/// y = (x - mean) / sqrt(variance + epsilon) * weight + bias, channel by channel of a map.
/// In training mean and variance (divided by the count) are the batch's over samples and pixels,
/// and running = (1 - momentum) * running + momentum * the batch's, with the variance divided by
/// count - 1; inference takes the running ones.
/// Parameters: weight [channels] (1 at first), bias [channels] (0). Running statistics, which no
/// optimizer touches: running_mean [channels] (0), running_var [channels] (1).
/// Options: Epsilon (1e-5), Momentum (0.1). PyTorch: nn.BatchNorm2d. Source: Ioffe and Szegedy,
/// 2015.
template <class... Options>
struct BatchNorm2d {
    static constexpr Inference infer(const Shape& input) {
        BatchNormOptions options;
        (apply<Options>(options), ...);
        if (options.has_stranger) return Inference::refuse(Reason::not_a_batch_norm_option);
        if (!(options.epsilon > 0)) return Inference::refuse(Reason::epsilon_must_be_positive);
        if (!(options.momentum > 0 && options.momentum <= 1))
            return Inference::refuse(Reason::momentum_is_no_share);
        if (input.is_flat()) return Inference::refuse(Reason::layer_needs_a_map);
        LayerInfo info = detail::elementwise(LayerKind::batch_norm2d, "BatchNorm2d", input);
        info.epsilon = options.epsilon;
        info.momentum = options.momentum;
        info.weight_count = info.bias_count = input.channels;
        info.statistic_count = 2 * std::int64_t{input.channels};
        return {info};
    }
    static constexpr LayerSpec spec{&infer};

private:
    template <class Option>
    static constexpr void apply(BatchNormOptions& options) {
        if constexpr (requires { Option::apply(options); })
            Option::apply(options);
        else
            options.has_stranger = true;
    }
};

}  // namespace typenet
