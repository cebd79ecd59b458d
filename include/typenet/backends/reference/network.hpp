// Whole networks on the reference backend: an executor that trains, and a function that evaluates a
// tiny network inside a static_assert.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "typenet/backends/reference/layers.hpp"
#include "typenet/backends/reference/math.hpp"
#include "typenet/core/error.hpp"
#include "typenet/core/names.hpp"
#include "typenet/core/network.hpp"
#include "typenet/core/random.hpp"

namespace typenet::reference {

/// A loss (the mean over the batch) and its gradient by the logits [batch, classes].
template <class T>
struct Loss {
    T value = 0;
    std::vector<T> gradient;
};

/// Cross entropy of softmax(logits) against class numbers: the mean over the batch of
/// log(sum_j exp(x_j - max x)) - (x_label - max x). `logits` is [batch, classes] with the batch as
/// large as `labels`. Throws ShapeError where it is not, Error for a label out of range.
/// PyTorch: nn.CrossEntropyLoss.
template <class T>
Loss<T> cross_entropy(std::span<const T> logits, std::span<const std::int32_t> labels) {
    if (labels.empty() || logits.empty() || logits.size() % labels.size() != 0)
        throw ShapeError("cross_entropy: " + std::to_string(logits.size()) + " logits for " +
                         std::to_string(labels.size()) +
                         " labels; give one label and as many logits as classes to each sample");
    const std::size_t classes = logits.size() / labels.size();
    const T batch = static_cast<T>(labels.size());
    Loss<T> loss;
    loss.gradient.resize(logits.size());
    for (std::size_t sample = 0; sample < labels.size(); ++sample) {
        const auto label = static_cast<std::size_t>(labels[sample]);
        if (labels[sample] < 0 || label >= classes)
            throw Error("cross_entropy: label " + std::to_string(labels[sample]) + " of sample " +
                        std::to_string(sample) + " is out of range; with " +
                        std::to_string(classes) + " classes give 0 to " +
                        std::to_string(classes - 1));
        const std::span<const T> x = logits.subspan(sample * classes, classes);
        const T largest = *std::max_element(x.begin(), x.end());
        T sum = 0;
        for (const T logit : x) sum += exp(logit - largest);
        loss.value += (log(sum) - (x[label] - largest)) / batch;
        for (std::size_t i = 0; i < classes; ++i) {
            const T probability = exp(x[i] - largest) / sum;
            loss.gradient[sample * classes + i] = (probability - (i == label ? 1 : 0)) / batch;
        }
    }
    return loss;
}

/// What decides which values a training pass drops.
struct TrainingStep {
    Seed seed;
    std::uint64_t step = 0;  ///< optimizer steps done before this one
};

/// Runs and differentiates a network one layer and one sample after the other. Nothing is fused and
/// every activation stays readable. Batches are [batch, ...] in canonical layout.
template <class Net, class T = double>
class Executor {
public:
    struct Parameters {
        std::vector<T> weight;  ///< canonical: [out, in / groups, rows, columns] or [out, in]
        std::vector<T> bias;    ///< [out]
    };
    using AllParameters = std::array<Parameters, Net::layer_count>;
    /// Running statistics of batch normalisations.
    struct Statistics {
        std::vector<T> mean;
        std::vector<T> variance;
    };

    /// One entry a layer, empty where it has none; zero at first.
    AllParameters parameters = zeros();
    /// The same; means are zero at first and variances one.
    std::array<Statistics, Net::layer_count> statistics = first_statistics();

    /// Computes the outputs [batch, output shape], valid until the next call. With a training step,
    /// dropout layers drop what its masks say and batch normalisations use the batch's statistics
    /// and move the running ones; without, nothing is dropped and the running statistics are used.
    /// Throws ShapeError unless `inputs` is [batch, input shape] with batch > 0.
    std::span<const T> forward(std::span<const T> inputs, int batch,
                               std::optional<TrainingStep> training = {}) {
        require_size("inputs", inputs.size(), batch, Net::input_shape);
        batch_ = batch;
        training_ = training;
        inputs_.assign(inputs.begin(), inputs.end());
        for (const LayerInfo& layer : Net::layers) {
            activations_[place(layer)].resize(count(batch_, layer.output));
            if (layer.kind == LayerKind::batch_norm2d)
                normalize_batch(layer);
            else
                for (int sample = 0; sample < batch_; ++sample) forward_sample(layer, sample);
        }
        return outputs();
    }

    /// Propagates gradients by the outputs of the last forward pass to `gradients()` and
    /// `input_gradients()`, which it sets anew. Throws ShapeError unless `grad_outputs` is
    /// [batch, output shape].
    void backward(std::span<const T> grad_outputs) {
        require_size("output gradients", grad_outputs.size(), batch_, Net::output_shape);
        backward_from(Net::layer_count, grad_outputs);
    }

    /// Cross entropy of the last forward pass' logits, propagated backwards. Returns the loss.
    /// Throws ShapeError unless there is one label a sample, Error for a label out of range.
    T backward_cross_entropy(std::span<const std::int32_t> labels) {
        if (batch_ == 0 || labels.size() != static_cast<std::size_t>(batch_))
            throw ShapeError("Executor: " + std::to_string(labels.size()) +
                             " labels for a batch of " + std::to_string(batch_) +
                             "; run forward first and give one label to each sample");
        const Loss<T> loss = cross_entropy(logits(), labels);
        backward_from(logits_end, loss.gradient);
        return loss.value;
    }

    std::span<const T> outputs() const { return activations_[Net::layer_count - 1]; }
    /// What cross entropy reads: the outputs, or where the network ends with Softmax that layer's
    /// inputs.
    std::span<const T> logits() const {
        if constexpr (logits_end == 0)
            return inputs_;
        else
            return activations_[logits_end - 1];
    }
    /// What a layer put out in the last forward pass, [batch, its output shape].
    std::span<const T> activations(std::size_t layer) const { return activations_[layer]; }
    /// Of the last backward pass, summed over the batch.
    const AllParameters& gradients() const { return gradients_; }
    std::span<const T> input_gradients() const { return input_gradients_; }

private:
    /// The logits are the output of the layer before this one.
    static constexpr std::size_t logits_end =
        Net::layer_count - (Net::layers[Net::layer_count - 1].kind == LayerKind::softmax ? 1 : 0);

    static std::size_t place(const LayerInfo& layer) {
        return static_cast<std::size_t>(layer.index);
    }
    static std::size_t count(int batch, const Shape& shape) {
        return static_cast<std::size_t>(batch * shape.size());
    }
    template <class Values>
    static auto of_sample(Values& values, int sample, const Shape& shape) {
        return values.data() + sample * shape.size();
    }
    static void require_size(const char* what, std::size_t size, int batch, const Shape& shape) {
        if (batch < 1 || size != count(batch, shape))
            throw ShapeError("Executor: " + std::to_string(size) + " " + what + " for a batch of " +
                             std::to_string(batch) + "; give one or more of " + to_string(shape) +
                             ", " + std::to_string(shape.size()) + " values each");
    }
    static AllParameters zeros() {
        AllParameters all;
        for (const LayerInfo& layer : Net::layers) {
            all[place(layer)].weight.resize(static_cast<std::size_t>(layer.weight_count));
            all[place(layer)].bias.resize(static_cast<std::size_t>(layer.bias_count));
        }
        return all;
    }

    static auto first_statistics() {
        std::array<Statistics, Net::layer_count> all;
        for (const LayerInfo& layer : Net::layers) {
            const auto channels = static_cast<std::size_t>(layer.statistic_count / 2);
            all[place(layer)].mean.assign(channels, T{0});
            all[place(layer)].variance.assign(channels, T{1});
        }
        return all;
    }

    const std::vector<T>& input_of(const LayerInfo& layer, int operand = 0) const {
        const int source = layer.sources[operand];
        return source < 0 ? inputs_ : activations_[static_cast<std::size_t>(source)];
    }
    /// Values of one sample of a layer's operand in `values`, and how many.
    template <class Values>
    std::pair<Values*, std::int64_t> operand(Values* values, std::size_t size, int sample) const {
        const auto own = static_cast<std::int64_t>(size) / batch_;
        return {values + sample * own, own};
    }

    void forward_sample(const LayerInfo& layer, int sample) {
        const Parameters& own = parameters[place(layer)];
        T* output = of_sample(activations_[place(layer)], sample, layer.output);
        if (layer.kind == LayerKind::add || layer.kind == LayerKind::concat) {
            std::fill_n(output, layer.output.size(), T{0});
            for_each_operand(
                layer,
                [&](int i) {
                    return operand(input_of(layer, i).data(), input_of(layer, i).size(), sample);
                },
                output,
                [](const T* from, T* to, std::int64_t size) {
                    for (std::int64_t i = 0; i < size; ++i) to[i] += from[i];
                });
            return;
        }
        const std::optional<DropoutMask> mask = mask_of(layer);
        reference::forward(layer, own.weight.data(), own.bias.data(),
                           of_sample(input_of(layer), sample, layer.input), output,
                           mask ? &*mask : nullptr, static_cast<std::uint32_t>(sample));
    }
    void normalize_batch(const LayerInfo& layer) {
        const Parameters& own = parameters[place(layer)];
        Statistics& running = statistics[place(layer)];
        const std::vector<T>& input = input_of(layer);
        std::vector<T>& output = activations_[place(layer)];
        if (training_) {
            batch_norm_forward(layer, batch_, own.weight.data(), own.bias.data(), input.data(),
                               output.data(), running.mean.data(), running.variance.data());
            return;
        }
        for (int sample = 0; sample < batch_; ++sample)
            for (int c = 0; c < layer.input.channels; ++c) {
                const auto channel = static_cast<std::size_t>(c);
                const std::int64_t start = c * layer.input.pixels();
                normalize(layer, running.mean[channel], running.variance[channel],
                          own.weight[channel], own.bias[channel],
                          of_sample(input, sample, layer.input) + start,
                          of_sample(output, sample, layer.output) + start);
            }
    }
    std::optional<DropoutMask> mask_of(const LayerInfo& layer) const {
        if (layer.kind != LayerKind::dropout || !training_) return {};
        return DropoutMask(training_->seed, training_->step, layer.index, layer.rate);
    }

    /// Backwards from the output of layer `end - 1`.
    void backward_from(std::size_t end, std::span<const T> grad_outputs) {
        gradients_ = zeros();
        std::array<std::vector<T>, Net::layer_count> flowing;
        for (std::size_t i = 0; i < end; ++i) flowing[i].resize(activations_[i].size());
        input_gradients_.assign(inputs_.size(), T{0});
        std::vector<T>& last = end == 0 ? input_gradients_ : flowing[end - 1];
        last.assign(grad_outputs.begin(), grad_outputs.end());

        const auto gradient_of = [&](const LayerInfo& layer, int operand) -> std::vector<T>& {
            const int source = layer.sources[operand];
            return source < 0 ? input_gradients_ : flowing[static_cast<std::size_t>(source)];
        };
        for (std::size_t i = end; i-- > 0;) {
            const LayerInfo& layer = Net::layers[i];
            if (layer.kind == LayerKind::batch_norm2d) {
                batch_norm_backward(layer, batch_, parameters[i].weight.data(),
                                    input_of(layer).data(), flowing[i].data(),
                                    gradient_of(layer, 0).data(), gradients_[i].weight.data(),
                                    gradients_[i].bias.data());
                continue;
            }
            const bool joins = layer.kind == LayerKind::add || layer.kind == LayerKind::concat;
            const std::optional<DropoutMask> mask = mask_of(layer);
            for (int sample = 0; sample < batch_; ++sample) {
                const T* gradient = of_sample(std::as_const(flowing[i]), sample, layer.output);
                if (joins)
                    for_each_operand(
                        layer,
                        [&](int o) {
                            std::vector<T>& into = gradient_of(layer, o);
                            return operand(into.data(), into.size(), sample);
                        },
                        gradient,
                        [](T* to, const T* from, std::int64_t size) {
                            for (std::int64_t k = 0; k < size; ++k) to[k] += from[k];
                        });
                else
                    reference::backward(
                        layer, parameters[i].weight.data(), parameters[i].bias.data(),
                        of_sample(input_of(layer), sample, layer.input),
                        of_sample(std::as_const(activations_[i]), sample, layer.output), gradient,
                        of_sample(gradient_of(layer, 0), sample, layer.input),
                        gradients_[i].weight.data(), gradients_[i].bias.data(),
                        mask ? &*mask : nullptr, static_cast<std::uint32_t>(sample));
            }
        }
    }

    int batch_ = 0;
    std::optional<TrainingStep> training_;
    std::vector<T> inputs_;
    std::array<std::vector<T>, Net::layer_count> activations_;
    AllParameters gradients_ = zeros();
    std::vector<T> input_gradients_;
};

/// One sample through a network in inference, also inside a static_assert, where a compiler's
/// limits allow about 100,000 multiply-accumulates. `parameters` holds each layer's weight and then
/// its bias, in the order of the layers; `statistics`, each batch normalisation's running means and
/// then its running variances.
template <class Net, class T>
constexpr std::array<T, static_cast<std::size_t>(Net::output_shape.size())> evaluate(
    const std::array<T, static_cast<std::size_t>(Net::parameter_count)>& parameters,
    const std::array<T, static_cast<std::size_t>(Net::input_shape.size())>& input,
    const std::array<T, static_cast<std::size_t>(Net::statistic_count)>& statistics = {}) {
    constexpr std::size_t values_of_all_layers = [] {
        std::int64_t size = 0;
        for (const LayerInfo& layer : Net::layers) size += layer.output.size();
        return static_cast<std::size_t>(size);
    }();
    std::array<T, values_of_all_layers> values{};
    std::array<std::int64_t, Net::layer_count> starts{};
    const auto operand = [&](const LayerInfo& layer, int i) -> std::pair<const T*, std::int64_t> {
        const int source = layer.sources[i];
        if (source < 0) return {input.data(), Net::input_shape.size()};
        const auto place = static_cast<std::size_t>(source);
        return {values.data() + starts[place], Net::layers[place].output.size()};
    };
    std::int64_t start = 0;
    const T* weight = parameters.data();
    const T* mean = statistics.data();
    for (const LayerInfo& layer : Net::layers) {
        starts[static_cast<std::size_t>(layer.index)] = start;
        T* output = values.data() + start;
        const T* bias = weight + layer.weight_count;
        const T* from = operand(layer, 0).first;
        if (layer.kind == LayerKind::batch_norm2d) {
            for (int c = 0; c < layer.input.channels; ++c)
                normalize(layer, mean[c], mean[layer.input.channels + c], weight[c], bias[c],
                          from + c * layer.input.pixels(), output + c * layer.input.pixels());
        } else if (layer.kind == LayerKind::add || layer.kind == LayerKind::concat) {
            for_each_operand(
                layer, [&](int i) { return operand(layer, i); }, output,
                [](const T* term, T* sum, std::int64_t size) {
                    for (std::int64_t i = 0; i < size; ++i) sum[i] += term[i];
                });
        } else {
            forward(layer, weight, bias, from, output);
        }
        weight = bias + layer.bias_count;
        mean += layer.statistic_count;
        start += layer.output.size();
    }
    std::array<T, static_cast<std::size_t>(Net::output_shape.size())> output{};
    std::copy_n(values.end() - static_cast<std::ptrdiff_t>(output.size()), output.size(),
                output.begin());
    return output;
}

}  // namespace typenet::reference
