// Stochastic gradient descent and Adam: hyper-parameters and the numbers of one step.
//
// The formulas are PyTorch's (torch.optim.SGD, torch.optim.Adam) and, for AdamEpsilon::keras,
// Keras's. What depends on the step alone is computed once on the host, in a Rule; a backend
// applies the rule to each parameter.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>

#include "typenet/core/error.hpp"

namespace typenet {

/// One step of SGD for a parameter w with gradient g and momentum buffer b:
/// g += weight_decay * w; b = momentum * b + gradient_factor * g;
/// w -= learning_rate * (nesterov ? g + momentum * b : b).
struct SgdRule {
    float learning_rate;
    float momentum;
    float gradient_factor;
    float weight_decay;
    bool nesterov;
};

/// One step of Adam for a parameter w with gradient g and moments m, v:
/// g += weight_decay * w; m += (g - m) * (1 - beta1); v += (g * g - v) * (1 - beta2);
/// w -= step_size * m / (sqrt(v) * root_scale + epsilon).
struct AdamRule {
    float step_size;
    float root_scale;
    float epsilon;
    float one_minus_beta1;
    float one_minus_beta2;
    float weight_decay;
};

namespace detail {
inline void require_hyperparameter(bool good, const char* what, double value, const char* range) {
    if (!good)
        throw Error(std::string{what} + ": " + std::to_string(value) + " given; use " + range);
}
}  // namespace detail

/// SGD with momentum, dampening, coupled weight decay (L2) and Nesterov's variant.
/// Source: torch.optim.SGD; on the first step the buffer takes the gradient without dampening.
struct Sgd {
    float learning_rate = 1e-3f;
    float momentum = 0;
    float dampening = 0;
    float weight_decay = 0;
    bool nesterov = false;

    static constexpr int state_count = 1;  ///< buffers as large as the parameters
    using Rule = SgdRule;

    /// `step` counts from 1. Throws Error for hyper-parameters out of range.
    SgdRule rule(std::int64_t step) const {
        using detail::require_hyperparameter;
        require_hyperparameter(learning_rate >= 0, "learning rate", learning_rate, "0 or more");
        require_hyperparameter(momentum >= 0, "momentum", momentum, "0 or more");
        require_hyperparameter(weight_decay >= 0, "weight decay", weight_decay, "0 or more");
        require_hyperparameter(!nesterov || (momentum > 0 && dampening == 0), "momentum", momentum,
                               "a positive one, and no dampening, with nesterov");
        return {learning_rate, momentum, step == 1 ? 1.0f : 1.0f - dampening, weight_decay,
                nesterov};
    }
};

/// Where Adam adds its epsilon: PyTorch to the bias-corrected root of the second moment, Keras to
/// the uncorrected one ("epsilon hat"), with the bias correction in the step size.
enum class AdamEpsilon { pytorch, keras };

/// Adam with coupled weight decay (L2). Source: Kingma and Ba, 2015; torch.optim.Adam.
/// Keras's defaults are `Adam{.epsilon = 1e-7f, .epsilon_mode = AdamEpsilon::keras}`.
struct Adam {
    float learning_rate = 1e-3f;
    float beta1 = 0.9f;
    float beta2 = 0.999f;
    float epsilon = 1e-8f;
    float weight_decay = 0;
    AdamEpsilon epsilon_mode = AdamEpsilon::pytorch;

    static constexpr int state_count = 2;
    using Rule = AdamRule;

    /// `step` counts from 1. Throws Error for hyper-parameters out of range.
    AdamRule rule(std::int64_t step) const {
        using detail::require_hyperparameter;
        require_hyperparameter(learning_rate >= 0, "learning rate", learning_rate, "0 or more");
        require_hyperparameter(beta1 >= 0 && beta1 < 1, "beta1", beta1, "0 or more, less than 1");
        require_hyperparameter(beta2 >= 0 && beta2 < 1, "beta2", beta2, "0 or more, less than 1");
        require_hyperparameter(epsilon >= 0, "epsilon", epsilon, "0 or more");
        require_hyperparameter(weight_decay >= 0, "weight decay", weight_decay, "0 or more");
        const double time = static_cast<double>(step);
        // The hyper-parameters as a person wrote them, not as float rounds them.
        const double b1 = decimal(beta1), b2 = decimal(beta2), rate = decimal(learning_rate);
        const double correction1 = 1 - std::pow(b1, time);
        const double correction2 = 1 - std::pow(b2, time);
        const bool keras = epsilon_mode == AdamEpsilon::keras;
        const double step_size = rate / correction1 * (keras ? std::sqrt(correction2) : 1);
        const double root_scale = keras ? 1 : 1 / std::sqrt(correction2);
        return {static_cast<float>(step_size), static_cast<float>(root_scale), epsilon,
                static_cast<float>(1 - b1),    static_cast<float>(1 - b2),     weight_decay};
    }

private:
    /// 0.999f is 0.99900001287...; 1 - 0.999f is off by 1e-5 of itself. Seven digits repair that.
    static double decimal(float value) {
        if (value == 0) return 0;
        const double scale = std::pow(10.0, 6 - std::floor(std::log10(std::fabs(value))));
        return std::round(double{value} * scale) / scale;
    }
};

}  // namespace typenet
