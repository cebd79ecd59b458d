// Training: forward, loss, backward, update.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "typenet/data/loader.hpp"
#include "typenet/training/losses.hpp"
#include "typenet/training/model.hpp"
#include "typenet/training/optimizers.hpp"
#include "typenet/training/rules.hpp"

namespace typenet {

/// Trains a model by steps over batches. After construction a step allocates nothing. A step that
/// throws leaves parameters, optimizer state and `steps()` as they were.
///
/// `Policies` are types that decide what is planned and fused: KeepGradients, Freeze,
/// ClipNorm.
template <class Model, class Loss, class Optimizer, class... Policies>
class Trainer : detail::StageRunner<Model, Training<Optimizer, Policies...>> {
    using Mode = Training<Optimizer, Policies...>;
    using Base = detail::StageRunner<Model, Mode>;
    using Base::count;
    using Base::parameters;
    using Base::table;
    using typename Base::StageIo;
    static_assert(require_loss<typename Model::network, Loss>());
    static_assert(count > 0, "a network whose stages all belong to the loss has nothing to train");
    static_assert(require_names<typename Model::network>(typename Mode::Frozen{}));
    static_assert(parameters.count == 0 || parameters.learnt_count > 0,
                  "all layers with parameters are frozen: nothing is left to train");

public:
    using Net = typename Model::network;
    using Backend = typename Model::backend;

    /// Plans for at most `batch` samples a step. The seed decides over dropout. Throws Error when
    /// memory does not suffice or a hyper-parameter is out of range.
    Trainer(Model& model, Loss loss, Optimizer optimizer, Batch batch, Seed seed = {},
            Policies... policies)
        : Base(model, batch),
          loss_(loss),
          optimizer_(optimizer),
          seed_(seed),
          max_norm_(detail::max_norm_of(policies...)),
          step_values_(values_of_step()),
          gradients_(4 * (Mode::keeps_gradients ? parameters.learnt_count : parameters.kept)) {
        if constexpr (requires { loss.require_hyperparameters(); }) loss.require_hyperparameters();
        for (auto& state : state_) state = typename Backend::Arena(parameters.learnt_count * 4);
    }

    /// One step over byte images and their labels.
    void step(const ImageBatch& batch, const Normalization& normalization = Normalization::unit()) {
        require_labels(batch.size(), batch.labels);
        finish_step(this->load(batch, normalization), batch.labels);
    }
    /// One step over images of a data set where the model computes, which `batch` names by their
    /// indices. Throws ShapeError where it names others.
    void step(const DeviceImages<Backend>& images, const ImageBatch& batch,
              const Normalization& normalization = Normalization::unit()) {
        finish_step(this->load(images, batch, normalization), batch.labels);
    }
    /// One step over canonical samples [n][channel][row][column] and their labels.
    void step(Samples<Net> samples, std::span<const std::int32_t> labels) {
        const std::int64_t loaded = this->load(samples.values);
        require_labels(loaded, labels);
        finish_step(loaded, labels);
    }

    /// Mean loss of the last step's samples, and how many of them were predicted right. These wait
    /// for the step to finish.
    float loss() const {
        return last_batch_ == 0
                   ? 0.0f
                   : static_cast<float>(value().sum / static_cast<double>(last_batch_));
    }
    std::int64_t correct() const { return last_batch_ == 0 ? 0 : value().correct; }

    /// Steps done so far; set to continue an earlier run (dropout and Adam depend on it).
    std::int64_t steps() const { return steps_; }
    void set_steps(std::int64_t steps) { steps_ = steps; }
    const Optimizer& optimizer() const { return optimizer_; }
    void set_learning_rate(float rate) { optimizer_.learning_rate = rate; }

    /// A canonical copy of the optimizer's buffer for a parameter: SGD's momentum (slot 0), Adam's
    /// first and second moment (slots 0 and 1). Throws Error for a parameter that is frozen.
    std::vector<float> get_state(std::string_view name, int slot) const {
        const ParameterInfo& parameter = this->model_->find_parameter(name);
        return this->model_->unpack(parameter, state(slot).floats() + place(parameter));
    }
    void set_state(std::string_view name, int slot, std::span<const float> values) {
        const ParameterInfo& parameter = this->model_->find_parameter(name);
        if (static_cast<std::int64_t>(values.size()) != parameter.size())
            throw ShapeError("state of " + parameter.name + ": " + std::to_string(values.size()) +
                             " values given for " + std::to_string(parameter.size()));
        this->model_->pack(parameter, values, state(slot).floats() + place(parameter));
    }

    /// A canonical copy of a parameter's gradient in the last step, as it was before ClipNorm.
    /// Throws Error for one that is frozen.
    std::vector<float> gradient(std::string_view name) const requires(Mode::keeps_gradients) {
        const ParameterInfo& parameter = this->model_->find_parameter(name);
        return this->model_->unpack(parameter, gradients_.floats() + place(parameter));
    }

    /// Whether training changes the parameter of that name; false for one that is frozen or that
    /// the model does not have.
    bool changes(const ParameterInfo& parameter) const {
        for (const ParameterInfo& own : this->model_->parameters())
            if (own.name == parameter.name) return find_place(own) >= 0;
        return false;
    }

private:
    /// Where a parameter lies among those that learn, or -1.
    static std::int64_t find_place(const ParameterInfo& parameter) {
        const std::int64_t offset = Model::offset(parameter);
        for (std::size_t s = 0; s < count; ++s) {
            const Geometry& g = table.stages[s].geometry;
            const std::int64_t first = parameters.weights[s];
            const std::int64_t end = parameters.biases[s] + Backend::bias_count(g);
            if (learns(g) && offset >= first && offset < end)
                return parameters.learnt[s] + offset - first;
        }
        return -1;
    }
    static std::int64_t place(const ParameterInfo& parameter) {
        const std::int64_t place = find_place(parameter);
        if (place < 0)
            throw Error(parameter.name + " is frozen: it has neither gradient nor optimizer state");
        return place;
    }
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

    using StepValues = detail::StepValues<typename Optimizer::Rule, count>;

    StepValues values_of_step() const {
        StepValues values{optimizer_.rule(steps_ + 1), {}};
        for (std::size_t s = 0; s < count; ++s)
            values.masks[s] = {seed_, static_cast<std::uint64_t>(steps_),
                               table.stages[s].dropout_layer, table.stages[s].rate};
        return values;
    }
    LossValue value() const { return this->outputs_.value(this->model_->context()); }

    /// Whether a batch normalisation sees one pixel a sample.
    static constexpr bool normalizes_pixels = [] {
        for (std::size_t s = 0; s < count; ++s) {
            const Geometry& g = table.stages[s].geometry;
            if (g.op == Op::batch_norm && g.input.pixels() == 1) return true;
        }
        return false;
    }();

    void finish_step(std::int64_t batch, std::span<const std::int32_t> labels) {
        if (normalizes_pixels && batch == 1)
            throw ShapeError(
                "a batch of 1 sample gives BatchNorm2d one value a channel, which has no variance; "
                "train with batches of 2 or more");
        typename Backend::Context& context = this->model_->context();
        step_values_.set(context, values_of_step());
        this->outputs_.set_labels(context, labels);
        const auto forward = [&] {
            Base::forward(batch, [&](std::size_t s) { return mask(s); });
            this->outputs_.evaluate(context, loss_, this->output(),
                                    this->output_gradient(count - 1), batch);
        };
        // What updates parameters is recorded: it happens as a whole or not at all.
        constexpr bool records_loss = Backend::Outputs::template computes<Loss>;
        if constexpr (!records_loss) forward();
        this->recording_.run(context, batch, [&] {
            if constexpr (records_loss) forward();
            backward(batch);
        });
        this->model_->note_change();
        ++steps_;
        last_batch_ = batch;
    }

    /// The dropout mask of a stage, where kernels read it, or null.
    const DropoutMask* mask(std::size_t s) const {
        return table.stages[s].dropout_layer < 0 ? nullptr : step_values_.get()->masks + s;
    }

    /// Whether the backward pass of a stage applies the optimizer's rule to its weights.
    static constexpr bool fuses(const Geometry& g) {
        return learns(g) && Backend::updates_in_backward(g) && !Mode::keeps_gradients;
    }
    using Rule = typename Optimizer::Rule;
    using Backward = void (*)(typename Backend::Context&, StageIo&, const Rule*);
    template <Geometry g>
    static void backward_of(typename Backend::Context& context, StageIo& io, const Rule* rule) {
        constexpr typename Backend::KeepGradient keep{};
        if constexpr (fuses(g))
            Backend::template backward<g>(context, io, rule);
        else if constexpr (has_backward(g))
            Backend::template backward<g>(context, io, &keep);
    }
    static constexpr std::array<Backward, count> backwards =
        []<std::size_t... s>(std::index_sequence<s...>) {
        return std::array<Backward, count>{&backward_of<table.stages[s].geometry>...};
    }
    (std::make_index_sequence<count>{});

    /// Whether the optimizer waits for all gradients.
    static constexpr bool updates_at_once = Backend::updates_at_once || Mode::clips;

    void backward(std::int64_t batch) {
        for (std::size_t s = count; s-- > 0;)
            if (has_backward(table.stages[s].geometry)) backward_stage(s, batch);
        if (updates_at_once) update_all();
    }

    void backward_stage(std::size_t s, std::int64_t batch) {
        const Geometry& g = table.stages[s].geometry;
        StageIo io = this->describe(s, batch);
        io.dropout = mask(s);
        io.output_gradient = this->output_gradient(s);
        io.input_gradient = this->input_gradient(s, 0);
        const bool fused = fuses(g);
        const std::int64_t weight_count = Backend::weight_count(g);
        // Gradients that are kept lie as the parameters do; otherwise each stage's start at 0.
        constexpr bool kept = Mode::keeps_gradients || updates_at_once;
        float* gradients = gradients_.floats() + (kept ? parameters.learnt[s] : 0);
        if (learns(g)) {
            io.weight_gradient = fused ? nullptr : gradients;
            io.bias_gradient = fused ? gradients : gradients + weight_count;
            for (std::size_t slot = 0; slot < state_.size(); ++slot)
                io.weight_state[slot] = state_[slot].floats() + parameters.learnt[s];
        }
        backwards[s](this->model_->context(), io, &step_values_.get()->rule);
        if (updates_at_once || !learns(g)) return;
        const std::int64_t done = fused ? weight_count : 0;
        apply(parameters.weights[s] + done, parameters.learnt[s] + done,
              weight_count + Backend::bias_count(g) - done, gradients, nullptr);
    }

    /// Where kernels find the factor of all gradients; null where nothing is clipped.
    const float* clip_scale() const {
        if constexpr (Mode::clips && parameters.learnt_count > 0)
            if (max_norm_ < std::numeric_limits<float>::infinity())
                return Backend::clip_scale(this->model_->context(), max_norm_,
                                           parameters.learnt_count, gradients_.floats(),
                                           this->workspace_.bytes());
        return nullptr;
    }

    /// Updates all parameters whose gradients are in memory, each stretch of them at once.
    void update_all() {
        const float* scale = clip_scale();
        std::int64_t first = 0, place = 0, size = 0;
        const auto finish = [&] {
            if (size > 0) apply(first, place, size, gradients_.floats() + place, scale);
        };
        for (std::size_t s = 0; s < count; ++s) {
            const Geometry& g = table.stages[s].geometry;
            if (!learns(g)) continue;
            if (parameters.weights[s] != first + size) {
                finish();
                first = parameters.weights[s];
                place = parameters.learnt[s];
                size = 0;
            }
            size += Backend::weight_count(g) + Backend::bias_count(g);
        }
        finish();
    }

    /// Updates `size` parameters from `first` on, which lie at `place` among those that learn, by
    /// their gradients times *scale.
    void apply(std::int64_t first, std::int64_t place, std::int64_t size, const float* gradients,
               const float* scale) {
        if (size == 0) return;
        const auto state = [&](std::size_t slot) {
            return slot < state_.size() ? state_[slot].floats() + place : nullptr;
        };
        Backend::update(this->model_->context(), &step_values_.get()->rule, size,
                        this->model_->data() + first, gradients, state(0), state(1), scale);
    }

    Loss loss_;
    Optimizer optimizer_;
    Seed seed_;
    float max_norm_;
    std::int64_t steps_ = 0;
    std::int64_t last_batch_ = 0;
    typename Backend::template Shared<StepValues> step_values_;
    typename Backend::Arena gradients_;
    std::array<typename Backend::Arena, Optimizer::state_count> state_;
};

}  // namespace typenet
