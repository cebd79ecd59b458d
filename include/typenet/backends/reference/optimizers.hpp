// The optimizers as their formulas stand in the sources, one parameter after the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "typenet/backends/reference/math.hpp"
#include "typenet/core/error.hpp"

namespace typenet::reference {

namespace detail {

inline void require_same_count(const char* who, std::size_t parameters, std::size_t gradients,
                               std::size_t states) {
    if (gradients != parameters || (states != 0 && states != parameters))
        throw ShapeError(std::string{who} + ": " + std::to_string(parameters) + " parameters, " +
                         std::to_string(gradients) + " gradients and " + std::to_string(states) +
                         " state values; give one optimizer the same parameters at every step");
}

}  // namespace detail

/// Stochastic gradient descent. Source: torch.optim.SGD of PyTorch 1.13.1. Without `nesterov`,
/// Keras's SGD takes the same steps from a zero state as long as the learning rate stays.
template <class T>
class Sgd {
public:
    T learning_rate = T{1e-3};
    T momentum = 0;
    T dampening = 0;
    T weight_decay = 0;  ///< coupled: added to the gradient
    bool nesterov = false;

    /// Updates the parameters. Throws ShapeError where the counts differ, or from step to step.
    void step(std::span<T> parameters, std::span<const T> gradients) {
        detail::require_same_count("Sgd", parameters.size(), gradients.size(), velocity_.size());
        const bool first = velocity_.empty();
        velocity_.resize(parameters.size());
        for (std::size_t i = 0; i < parameters.size(); ++i) {
            const T gradient = gradients[i] + weight_decay * parameters[i];
            // The first step is not dampened.
            velocity_[i] = first ? gradient : momentum * velocity_[i] + (1 - dampening) * gradient;
            parameters[i] -=
                learning_rate * (nesterov ? gradient + momentum * velocity_[i] : velocity_[i]);
        }
    }

private:
    std::vector<T> velocity_;
};

/// Adam. Sources: Kingma and Ba, 2015; torch.optim.Adam of PyTorch 1.13.1; keras.optimizers.Adam.
template <class T>
class Adam {
public:
    T learning_rate = T{1e-3};
    T beta1 = T{0.9};
    T beta2 = T{0.999};
    T epsilon = T{1e-8};
    T weight_decay = 0;  ///< coupled: added to the gradient
    /// Where epsilon stands: beside the root of the bias-corrected second moment as in PyTorch, or
    /// ("epsilon hat" of the paper, Keras's way) beside the root of the uncorrected one.
    bool epsilon_hat = false;

    /// Updates the parameters. Throws ShapeError where the counts differ, or from step to step.
    void step(std::span<T> parameters, std::span<const T> gradients) {
        detail::require_same_count("Adam", parameters.size(), gradients.size(), mean_.size());
        mean_.resize(parameters.size());
        square_.resize(parameters.size());
        power1_ *= beta1;
        power2_ *= beta2;
        const T correction1 = 1 - power1_;
        const T correction2 = 1 - power2_;
        for (std::size_t i = 0; i < parameters.size(); ++i) {
            const T gradient = gradients[i] + weight_decay * parameters[i];
            mean_[i] = beta1 * mean_[i] + (1 - beta1) * gradient;
            square_[i] = beta2 * square_[i] + (1 - beta2) * gradient * gradient;
            if (epsilon_hat) {
                const T rate = learning_rate * sqrt(correction2) / correction1;
                parameters[i] -= rate * mean_[i] / (sqrt(square_[i]) + epsilon);
            } else {
                const T root = sqrt(square_[i]) / sqrt(correction2);
                parameters[i] -= learning_rate / correction1 * mean_[i] / (root + epsilon);
            }
        }
    }

private:
    std::vector<T> mean_;
    std::vector<T> square_;
    T power1_ = 1;  // beta1 to the number of steps
    T power2_ = 1;
};

}  // namespace typenet::reference
