// Does a layer's backward pass compute the slopes of its forward pass? The question that whoever
// writes a layer has to answer, asked in double against central differences.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "typenet/backends/reference/network.hpp"
#include "typenet/core/network.hpp"
#include "typenet/core/random.hpp"

namespace typenet {

/// What was found: all is well, or the first gradient that is not the slope.
struct GradientCheck {
    std::string fault;  ///< "layer 0 (Swish), weight 2: backward gives 0.5, the slope is 0.25"

    explicit operator bool() const { return fault.empty(); }
};

/// The scalar function whose slopes are looked at.
enum class CheckedFunction { weighted_outputs, cross_entropy };

namespace detail {

/// A scalar function of everything that a network reads, at a random point: two samples in
/// training, with dropout.
template <class Net>
class GradientChecker {
public:
    GradientChecker(Seed seed, CheckedFunction function)
        : random_(seed, Purpose::synthetic), training_{{seed, 3}}, function_(function) {
        for (const LayerInfo& layer : Net::layers) {
            auto& own = executor_.parameters[static_cast<std::size_t>(layer.index)];
            // Of a size that lets activations neither vanish nor grow.
            const double scale =
                layer.fan_in > 0 ? std::sqrt(6 / static_cast<double>(layer.fan_in)) : 1;
            draw(own.weight, layer.weight_count, scale);
            draw(own.bias, layer.bias_count, 0.5);
        }
        draw(inputs_, batch * Net::input_shape.size(), 1);
        draw(weighting_, batch * Net::output_shape.size(), 1);
        const auto classes = static_cast<std::uint32_t>(Net::output_shape.size());
        for (int n = 0; n < batch; ++n)
            labels_.push_back(static_cast<std::int32_t>(random_.below(classes)));
    }

    GradientCheck run() {
        differentiate();
        const auto gradients = executor_.gradients();
        const std::vector<double> input_gradients(executor_.input_gradients().begin(),
                                                  executor_.input_gradients().end());
        compare("input", inputs_, input_gradients);
        for (std::size_t i = 0; i < Net::layer_count; ++i) {
            const std::string layer =
                "layer " + std::to_string(i) + " (" + std::string{Net::layers[i].type} + "), ";
            compare(layer + "weight", executor_.parameters[i].weight, gradients[i].weight);
            compare(layer + "bias", executor_.parameters[i].bias, gradients[i].bias);
        }

        differentiate();
        bool same = std::equal(input_gradients.begin(), input_gradients.end(),
                               executor_.input_gradients().begin());
        for (std::size_t i = 0; i < Net::layer_count; ++i)
            same = same && executor_.gradients()[i].weight == gradients[i].weight &&
                   executor_.gradients()[i].bias == gradients[i].bias;
        if (!same && result_) result_.fault = "a second backward pass gives other bits";
        return result_;
    }

private:
    static constexpr int batch = 2;
    static constexpr double step = 1e-6;
    static constexpr double absolute_tolerance = 1e-5;
    static constexpr double relative_tolerance = 1e-3;

    void draw(std::vector<double>& values, std::int64_t count, double scale) {
        values.resize(static_cast<std::size_t>(count));
        for (double& value : values) value = scale * double{random_.uniform(-1, 1)};
    }
    void differentiate() {
        executor_.forward(inputs_, batch, training_);
        if (function_ == CheckedFunction::cross_entropy)
            executor_.backward_cross_entropy(labels_);
        else
            executor_.backward(weighting_);
    }
    double value() {
        const std::span<const double> outputs = executor_.forward(inputs_, batch, training_);
        if (function_ == CheckedFunction::cross_entropy)
            return reference::cross_entropy(executor_.logits(),
                                            std::span<const std::int32_t>(labels_))
                .value;
        double sum = 0;
        for (std::size_t i = 0; i < outputs.size(); ++i) sum += weighting_[i] * outputs[i];
        return sum;
    }
    void compare(const std::string& what, std::vector<double>& variables,
                 const std::vector<double>& gradients) {
        for (std::size_t i = 0; i < variables.size() && result_; ++i) {
            const double original = variables[i];
            variables[i] = original + step;
            const double above = value();
            variables[i] = original - step;
            const double below = value();
            variables[i] = original;
            const double slope = (above - below) / (2 * step);
            // Written so that NaN is a fault.
            if (!(std::abs(gradients[i] - slope) <=
                  absolute_tolerance + relative_tolerance * std::abs(slope)))
                result_.fault = what + " " + std::to_string(i) + ": backward gives " +
                                std::to_string(gradients[i]) + ", the slope is " +
                                std::to_string(slope);
        }
    }

    RandomStream random_;
    std::optional<reference::TrainingStep> training_;
    CheckedFunction function_;
    reference::Executor<Net, double> executor_;
    std::vector<double> inputs_;
    std::vector<double> weighting_;
    std::vector<std::int32_t> labels_;
    GradientCheck result_;
};

}  // namespace detail

/// Compares each gradient that a network computes for its inputs and parameters, at a random point
/// that the seed decides, with the slope of a scalar function of its outputs: a random weighting of
/// them, or cross entropy against random labels. For kinks (ReLU, max pools) the point is on one
/// side with certainty that is almost complete.
template <class Net>
GradientCheck check_network_gradients(
    Seed seed = {}, CheckedFunction function = CheckedFunction::weighted_outputs) {
    return detail::GradientChecker<Net>{seed, function}.run();
}

/// The same for one layer: `check_gradients<Swish>()`, or with another input than a map of 3x5x4,
/// `check_gradients<Swish, Input<10>>()`. Made for layers from outside the library (CustomLayer).
template <class L, class In = Input<3, 5, 4>>
GradientCheck check_gradients(Seed seed = {}) {
    return check_network_gradients<Network<In, L>>(seed);
}

}  // namespace typenet
