// Stochastic gradient descent and Adam: hyper-parameters and the numbers of one step.
//
// The formulas are PyTorch's (torch.optim.SGD, torch.optim.Adam) and, for AdamEpsilon::keras,
// Keras's. What depends on the step alone is computed once on the host, in a Rule
// (training/rules.hpp); a backend applies the rule to each parameter.
#pragma once

#include <cstdint>

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
    inline SgdRule rule(std::int64_t step) const;
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
    inline AdamRule rule(std::int64_t step) const;
};

}  // namespace typenet
