// The optimizers' formulas: from hyper-parameters and the number of a step to the step's Rule.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>

#include "typenet/core/error.hpp"
#include "typenet/core/memory_plan.hpp"
#include "typenet/training/optimizers.hpp"

namespace typenet {

namespace detail {

inline void require_hyperparameter(bool good, const char* what, double value, const char* range) {
    if (!good)
        throw Error(std::string{what} + ": " + std::to_string(value) + " given; use " + range);
}

/// The largest norm of the gradients that a trainer's policies allow; infinite where none clips.
/// Throws Error where one is out of range.
template <class... Policies>
float max_norm_of(const Policies&... policies) {
    float smallest = std::numeric_limits<float>::infinity();
    [[maybe_unused]] const auto look = [&]<class Policy>(const Policy& policy) {
        if constexpr (std::is_same_v<Policy, ClipNorm>) {
            require_hyperparameter(policy.max_norm > 0, "largest norm of the gradients",
                                   policy.max_norm,
                                   "a positive one; an infinite one clips nothing");
            smallest = (std::min)(smallest, policy.max_norm);
        }
    };
    (look(policies), ...);
    return smallest;
}

/// 0.999f is 0.99900001287...; 1 - 0.999f is off by 1e-5 of itself. Seven digits repair that.
inline double decimal(float value) {
    if (value == 0) return 0;
    const double scale = std::pow(10.0, 6 - std::floor(std::log10(std::fabs(value))));
    return std::round(double{value} * scale) / scale;
}

}  // namespace detail

inline SgdRule Sgd::rule(std::int64_t step) const {
    using detail::require_hyperparameter;
    require_hyperparameter(learning_rate >= 0, "learning rate", learning_rate, "0 or more");
    require_hyperparameter(momentum >= 0, "momentum", momentum, "0 or more");
    require_hyperparameter(weight_decay >= 0, "weight decay", weight_decay, "0 or more");
    require_hyperparameter(!nesterov || (momentum > 0 && dampening == 0), "momentum", momentum,
                           "a positive one, and no dampening, with nesterov");
    return {learning_rate, momentum, step == 1 ? 1.0f : 1.0f - dampening, weight_decay, nesterov};
}

inline AdamRule Adam::rule(std::int64_t step) const {
    using detail::require_hyperparameter;
    require_hyperparameter(learning_rate >= 0, "learning rate", learning_rate, "0 or more");
    require_hyperparameter(beta1 >= 0 && beta1 < 1, "beta1", beta1, "0 or more, less than 1");
    require_hyperparameter(beta2 >= 0 && beta2 < 1, "beta2", beta2, "0 or more, less than 1");
    require_hyperparameter(epsilon >= 0, "epsilon", epsilon, "0 or more");
    require_hyperparameter(weight_decay >= 0, "weight decay", weight_decay, "0 or more");
    const double time = static_cast<double>(step);
    // The hyper-parameters as a person wrote them, not as float rounds them.
    const double b1 = detail::decimal(beta1), b2 = detail::decimal(beta2),
                 rate = detail::decimal(learning_rate);
    const double correction1 = 1 - std::pow(b1, time);
    const double correction2 = 1 - std::pow(b2, time);
    const bool keras = epsilon_mode == AdamEpsilon::keras;
    const double step_size = rate / correction1 * (keras ? std::sqrt(correction2) : 1);
    const double root_scale = keras ? 1 : 1 / std::sqrt(correction2);
    return {static_cast<float>(step_size), static_cast<float>(root_scale), epsilon,
            static_cast<float>(1 - b1),    static_cast<float>(1 - b2),     weight_decay};
}

}  // namespace typenet
