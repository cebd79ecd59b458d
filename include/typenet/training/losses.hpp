// Losses: from logits and labels to a number and its gradient.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <string>

#include "typenet/core/error.hpp"
#include "typenet/core/layer.hpp"

namespace typenet {

/// What a loss found for a batch.
struct LossValue {
    double sum = 0;            ///< of the samples' losses
    std::int64_t correct = 0;  ///< samples whose largest logit is at the label
};

/// Index of the largest value; the first of equal ones, and NaN counts as smallest.
inline int argmax(std::span<const float> values) {
    int best = 0;
    for (std::size_t i = 1; i < values.size(); ++i)
        if (values[i] > values[static_cast<std::size_t>(best)] ||
            std::isnan(values[static_cast<std::size_t>(best)]))
            best = static_cast<int>(i);
    return best;
}

/// Throws ShapeError where the label of a sample is no class.
inline void require_class(std::int32_t label, std::size_t sample, std::int64_t classes) {
    if (label < 0 || label >= classes)
        throw ShapeError("label " + std::to_string(label) + " of sample " + std::to_string(sample) +
                         " is no class of a network with " + std::to_string(classes) +
                         " outputs; labels count from 0");
}

/// Softmax and cross entropy in one, the mean over the batch: -log softmax(logits)[label] or, with
/// label smoothing s, 1 - s of that and s of the mean of -log softmax(logits) over all classes.
/// Gradient of a logit: (softmax - (1 - s at the label) - s / classes) / batch. PyTorch:
/// nn.CrossEntropyLoss; Szegedy et al., "Rethinking the Inception architecture", 2016.
struct CrossEntropy {
    float label_smoothing = 0;  ///< 0 to 1

    /// Throws Error where the smoothing is out of range; a Trainer asks.
    void require_hyperparameters() const {
        if (!(label_smoothing >= 0 && label_smoothing <= 1))
            throw Error("label smoothing: " + std::to_string(label_smoothing) +
                        " given; use 0 to 1");
    }
    /// The network's output must be flat, a logit for each of two classes or more.
    static constexpr Inference check(const Shape& output) {
        if (!output.is_flat())
            return Inference::refuse(Reason::cross_entropy_needs_a_flat_output,
                                     Shape{static_cast<int>(output.size())});
        if (output.channels < 2)
            return Inference::refuse(Reason::cross_entropy_needs_two_outputs, Shape{2});
        return {};
    }
    /// `logits` is [batch][classes]; `gradient`, of the same size, may be empty. Throws ShapeError
    /// for a label that is no class.
    LossValue operator()(std::span<const float> logits, std::span<const std::int32_t> labels,
                         std::span<float> gradient) const {
        LossValue value;
        const std::size_t batch = labels.size();
        if (batch == 0) return value;
        const std::size_t classes = logits.size() / batch;
        const double smoothing = label_smoothing;
        const double everywhere = smoothing / static_cast<double>(classes);
        for (std::size_t n = 0; n < batch; ++n) {
            require_class(labels[n], n, static_cast<std::int64_t>(classes));
            const auto label = static_cast<std::size_t>(labels[n]);
            const std::span row = logits.subspan(n * classes, classes);
            const int best = argmax(row);
            const double most = row[static_cast<std::size_t>(best)];
            double sum = 0, logit_sum = 0;
            for (const float logit : row) {
                sum += std::exp(double{logit} - most);
                logit_sum += logit;
            }
            value.sum += std::log(sum) + most - (1 - smoothing) * double{row[label]};
            if (smoothing > 0) value.sum -= everywhere * logit_sum;
            value.correct += static_cast<std::size_t>(best) == label;
            if (gradient.empty()) continue;
            for (std::size_t c = 0; c < classes; ++c) {
                const double share = std::exp(double{row[c]} - most) / sum;
                const double wanted = (c == label ? 1 - smoothing : 0.0) + everywhere;
                gradient[n * classes + c] =
                    static_cast<float>((share - wanted) / static_cast<double>(batch));
            }
        }
        return value;
    }
};

}  // namespace typenet
