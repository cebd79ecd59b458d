// Training: forward, loss, backward, update.
#pragma once

#include <algorithm>
#include <array>
#include <boost/hana/reverse.hpp>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "typenet/data/loader.hpp"
#include "typenet/training/losses.hpp"
#include "typenet/training/model.hpp"
#include "typenet/training/optimizers.hpp"

namespace typenet {

/// Trains a model by steps over batches. After construction a step allocates nothing.
///
/// `Policies` are types that decide what is planned and fused: KeepGradients.
template <class Model, class Loss, class Optimizer, class... Policies>
class Trainer : detail::StageRunner<Model, Training<Optimizer, Policies...>> {
    using Mode = Training<Optimizer, Policies...>;
    using Base = detail::StageRunner<Model, Mode>;
    using Base::count;
    using Base::parameters;
    using Base::table;

public:
    using Net = typename Model::network;
    using Backend = typename Model::backend;

    /// Plans for at most `batch` samples a step. The seed decides over dropout. Throws Error when
    /// memory does not suffice or a hyper-parameter is out of range.
    Trainer(Model& model, Loss loss, Optimizer optimizer, Batch batch, Seed seed = {}, Policies...)
        : Base(model, batch),
          loss_(loss),
          optimizer_(optimizer),
          seed_(seed),
          gradients_(4 * (Mode::keeps_gradients ? parameters.count : parameters.most)),
          logits_(static_cast<std::size_t>(batch.size * Net::output_shape.size())),
          logit_gradients_(logits_.size()) {
        optimizer_.rule(1);
        for (auto& state : state_) state = typename Backend::Arena(parameters.count * 4);
    }

    /// One step over byte images and their labels.
    void step(const ImageBatch& batch, const Normalization& normalization = Normalization::unit()) {
        require_labels(batch.size(), batch.labels);
        finish_step(this->load(batch, normalization), batch.labels);
    }
    /// One step over canonical samples [n][channel][row][column] and their labels.
    void step(std::span<const float> samples, std::span<const std::int32_t> labels) {
        const std::int64_t loaded = this->load(samples);
        require_labels(loaded, labels);
        finish_step(loaded, labels);
    }

    /// Mean loss of the last step's samples, and how many of them were predicted right.
    float loss() const { return last_loss_; }
    std::int64_t correct() const { return last_correct_; }

    /// Steps done so far; set to continue an earlier run (dropout and Adam depend on it).
    std::int64_t steps() const { return steps_; }
    void set_steps(std::int64_t steps) { steps_ = steps; }
    const Optimizer& optimizer() const { return optimizer_; }
    void set_learning_rate(float rate) { optimizer_.learning_rate = rate; }

    /// A canonical copy of the optimizer's buffer for a parameter: SGD's momentum (slot 0), Adam's
    /// first and second moment (slots 0 and 1).
    std::vector<float> get_state(std::string_view name, int slot) const {
        return this->model_->unpack(this->model_->find(name), state(slot).floats());
    }
    void set_state(std::string_view name, int slot, std::span<const float> values) {
        const ParameterInfo& parameter = this->model_->find(name);
        if (static_cast<std::int64_t>(values.size()) != parameter.size())
            throw ShapeError("state of " + parameter.name + ": " + std::to_string(values.size()) +
                             " values given for " + std::to_string(parameter.size()));
        this->model_->pack(parameter, values, state(slot).floats());
    }

    /// A canonical copy of a parameter's gradient in the last step.
    std::vector<float> gradient(std::string_view name) const requires(Mode::keeps_gradients) {
        return this->model_->unpack(this->model_->find(name), gradients_.floats());
    }

private:
    const typename Backend::Arena& state(int slot) const {
        if (slot < 0 || slot >= Optimizer::state_count)
            throw Error("optimizer state " + std::to_string(slot) + ": this optimizer has " +
                        std::to_string(Optimizer::state_count));
        return state_[static_cast<std::size_t>(slot)];
    }
    static void require_labels(std::int64_t samples, std::span<const std::int32_t> labels) {
        if (static_cast<std::int64_t>(labels.size()) != samples)
            throw ShapeError(std::to_string(samples) + " samples came with " +
                             std::to_string(labels.size()) + " labels");
    }

    void finish_step(std::int64_t batch, std::span<const std::int32_t> labels) {
        const auto rule = optimizer_.rule(steps_ + 1);
        const std::array<DropoutMask, count> masks =
            dropout_masks(std::make_index_sequence<count>{});
        const auto mask = [&](std::size_t s) {
            return table.stages[s].dropout_layer < 0 ? nullptr : &masks[s];
        };
        this->forward(batch, mask);

        const std::size_t outputs =
            labels.size() * static_cast<std::size_t>(Net::output_shape.size());
        const std::span logits{logits_.data(), outputs};
        const std::span logit_gradients{logit_gradients_.data(), outputs};
        this->read_outputs(batch, logits);
        const LossValue value = loss_(logits, labels, logit_gradients);
        write_output_gradients(batch, logit_gradients);

        backward(batch, mask, rule);
        ++steps_;
        last_loss_ = static_cast<float>(value.sum / static_cast<double>(batch));
        last_correct_ = value.correct;
    }

    template <std::size_t... indices>
    std::array<DropoutMask, count> dropout_masks(std::index_sequence<indices...>) const {
        return {DropoutMask{seed_, static_cast<std::uint64_t>(steps_),
                            table.stages[indices].dropout_layer, table.stages[indices].rate}...};
    }

    void write_output_gradients(std::int64_t batch, std::span<const float> canonical) {
        const std::int64_t stride = Backend::gradient_layout(Base::last).sample;
        float* target =
            this->template buffer<float>(BufferRole::gradient, static_cast<int>(count) - 1);
        if (target == nullptr) return;  // nothing learns
        std::fill_n(target, batch * stride, 0.0f);
        const std::vector<std::int64_t>& offsets = gradient_offsets_;
        std::size_t i = 0;
        for (std::int64_t n = 0; n < batch; ++n)
            for (const std::int64_t offset : offsets) target[n * stride + offset] = canonical[i++];
    }

    template <class Mask, class Rule>
    void backward(std::int64_t batch, const Mask& mask, const Rule& rule) {
        boost::hana::for_each(boost::hana::reverse(stage_types<Net, Phase::training>),
                              [&](auto stage) {
                                  using S = typename decltype(stage)::type;
                                  if constexpr (has_backward(S::geometry))
                                      backward_stage<S>(batch, mask(S::index), rule);
                              });
    }

    template <class S, class Rule>
    void backward_stage(std::int64_t batch, const DropoutMask* mask, const Rule& rule) {
        constexpr int s = static_cast<int>(S::index);
        constexpr Geometry g = S::geometry;
        constexpr std::int64_t weights = parameters.weights[S::index];
        constexpr std::int64_t biases = parameters.biases[S::index];
        constexpr std::int64_t weight_count = Backend::weight_count(g);
        constexpr std::int64_t bias_count = Backend::bias_count(g);
        constexpr bool fused = Backend::updates_in_backward(g) && !Mode::keeps_gradients;
        typename Backend::StageIo io = this->template describe<S>(batch);
        io.dropout = mask;
        io.output_gradient = this->template buffer<float>(BufferRole::gradient, s);
        if constexpr (g.input_gradient)
            io.input_gradient = this->template buffer<float>(BufferRole::gradient, s - 1);
        // Gradients that are kept lie as the parameters do; otherwise each stage's start at 0.
        float* gradients = gradients_.floats() + (Mode::keeps_gradients ? weights : 0);
        io.weight_gradient = fused ? nullptr : gradients;
        io.bias_gradient = fused ? gradients : gradients + (biases - weights);
        for (std::size_t slot = 0; slot < state_.size(); ++slot)
            io.weight_state[slot] = state_[slot].floats() + weights;
        if constexpr (fused)
            Backend::template backward<g>(this->model_->context(), io, rule);
        else
            Backend::template backward<g>(this->model_->context(), io,
                                          typename Backend::KeepGradient{});
        if constexpr (weight_count > 0)
            apply(rule, fused ? biases : weights, fused ? bias_count : weight_count + bias_count,
                  gradients);
    }

    template <class Rule>
    void apply(const Rule& rule, std::int64_t first, std::int64_t size, const float* gradients) {
        Backend::update(this->model_->context(), rule, size, this->model_->data() + first,
                        gradients, state_[0].floats() + first,
                        state_.size() > 1 ? state_[1].floats() + first : nullptr);
    }

    Loss loss_;
    Optimizer optimizer_;
    Seed seed_;
    typename Backend::Arena gradients_;
    std::array<typename Backend::Arena, Optimizer::state_count> state_;
    std::vector<float> logits_;
    std::vector<float> logit_gradients_;
    std::vector<std::int64_t> gradient_offsets_ =
        Backend::canonical_offsets(Base::last.output, Backend::gradient_layout(Base::last));
    std::int64_t steps_ = 0;
    float last_loss_ = 0;
    std::int64_t last_correct_ = 0;
};

}  // namespace typenet
