// A network with parameters: the type comes to life on a backend.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#ifndef __CUDACC__  // nvcc does not take the CPU's kernels; programs for the GPU name its backend
    #include "typenet/backends/cpu/cpu.hpp"
#endif
#include "typenet/core/error.hpp"
#include "typenet/core/memory_plan.hpp"
#include "typenet/core/parameter_shapes.hpp"
#include "typenet/core/stages.hpp"
#include "typenet/core/threads.hpp"
#include "typenet/core/torch_generator.hpp"
#include "typenet/data/loader.hpp"
#include "typenet/data/transforms.hpp"
#include "typenet/training/device_images.hpp"
#include "typenet/training/initialization.hpp"
#include "typenet/training/parameter.hpp"
#include "typenet/training/samples.hpp"

namespace typenet {

template <class T>
struct Cpu;

/// Samples that one step takes at most.
struct Batch {
    std::int64_t size = 1;
};

/// One tensor of a network under its public name, in canonical layout.
struct ParameterInfo {
    std::string name;                 ///< "cn1.weight"
    std::vector<std::int64_t> shape;  ///< [out, in / groups, kernel height, width] or [out, in]
    std::size_t stage = 0;            ///< the stage of inference that holds it
    TensorKind kind = TensorKind::weight;

    std::int64_t size() const {
        std::int64_t product = 1;
        for (const std::int64_t extent : shape) product *= extent;
        return product;
    }
};

/// The tensors of a network: its parameters in the order of its layers (weight, then bias), and
/// behind them, in the same order, the running statistics.
template <class Net>
std::vector<ParameterInfo> tensors_of() {
    std::vector<ParameterInfo> tensors;
    constexpr auto& table = stages_of<Net, Phase::inference>;
    for (TensorShape& tensor : parameter_shapes(Net::layers)) {
        std::size_t stage = 0;
        while (table.stages[stage].layer != tensor.layer ||
               !has_parameters(table.stages[stage].geometry))
            ++stage;
        tensors.push_back({std::move(tensor.name), std::move(tensor.shape), stage, tensor.kind});
    }
    std::stable_partition(tensors.begin(), tensors.end(), [](const ParameterInfo& tensor) {
        return tensor.kind == TensorKind::weight || tensor.kind == TensorKind::bias;
    });
    return tensors;
}

/// Parameters of `Net` on a backend, packed as its kernels want them. It can be moved before a
/// Trainer or Predictor uses it, but neither copied nor assigned: set(), initialize() and load()
/// give it other values.
template <class Net, class Backend = Cpu<float>>
class Model {
public:
    using network = Net;
    using backend = Backend;
    static_assert(stages_of<Net, Phase::inference>.count > 0,
                  "a network needs at least one layer that computes something");

    /// Draws initial parameters. Throws Error when memory does not suffice or `threads` is
    /// negative.
    explicit Model(Seed seed = {}, Initialization how = Initialization::pytorch,
                   Threads threads = {})
        : Model(threads) {
        initialize(seed, how);
    }
    /// The same with the bits that PyTorch draws from that state of its generator.
    explicit Model(TorchGenerator& generator, Threads threads = {}) : Model(threads) {
        initialize(generator);
    }

    Model(Model&&) = default;
    Model& operator=(Model&&) = delete;  // a Trainer or Predictor may hold it

    /// Draws all parameters anew and resets the running statistics.
    void initialize(Seed seed, Initialization how) {
        initialize_with([&](const LayerInfo& layer, bool bias) {
            return InitialValues{layer, bias, how, seed};
        });
    }
    /// The same as PyTorch draws them where its modules are made in the order of the layers:
    /// those of a branch before those of the next one, a shortcut's after those that it bypasses.
    void initialize(TorchGenerator& generator) {
        initialize_with([&](const LayerInfo& layer, bool bias) {
            return TorchInitialValues{layer, bias, generator};
        });
    }

    /// What an optimizer changes.
    std::span<const ParameterInfo> parameters() const {
        const auto learnt =
            std::ranges::find(tensors_, TensorKind::running_mean, &ParameterInfo::kind);
        return {tensors_.begin(), learnt};
    }
    /// The parameters and, behind them, the running statistics.
    std::span<const ParameterInfo> tensors() const { return tensors_; }

    /// A canonical copy of a tensor; throws Error for a name that the network does not have.
    std::vector<float> get(std::string_view name) const {
        const ParameterInfo& tensor = find(name);
        return unpack(tensor, arena_.floats() + offset(tensor));
    }
    /// Replaces a tensor. Throws Error for an unknown name, ShapeError for a wrong size.
    void set(std::string_view name, std::span<const float> values) {
        const ParameterInfo& parameter = find(name);
        if (static_cast<std::int64_t>(values.size()) != parameter.size())
            throw ShapeError(parameter.name + ": " + std::to_string(values.size()) +
                             " values given for " + std::to_string(parameter.size()));
        pack(parameter, values, arena_.floats() + offset(parameter));
        note_change();
    }
    /// The parameter of a name that the compiler checks: `model["decision.weight"_name].get()`,
    /// with `using namespace typenet::literals`.
    template <char... letters>
    auto operator[](boost::hana::string<letters...> name) {
        return Parameter<Model, detail::as_text(decltype(name){})>{*this};
    }
    template <char... letters>
    auto operator[](boost::hana::string<letters...> name) const {
        return Parameter<const Model, detail::as_text(decltype(name){})>{*this};
    }

    /// Canonical values from packed ones, which are those of the parameter itself, its gradient or
    /// an optimizer's state, and back.
    std::vector<float> unpack(const ParameterInfo& parameter, const float* packed_values) const {
        std::vector<float> values(static_cast<std::size_t>(parameter.size()));
        Backend::view(context(), packed_values, packed_count(parameter), [&](const float* packed) {
            visit(parameter, [&](std::int64_t canonical, std::int64_t place) {
                values[static_cast<std::size_t>(canonical)] = packed[place];
            });
        });
        return values;
    }
    void pack(const ParameterInfo& parameter, std::span<const float> values,
              float* packed_values) const {
        edit(parameter, packed_values,
             [&](std::int64_t canonical) { return values[static_cast<std::size_t>(canonical)]; });
    }

    /// The tensor of that name; throws Error where there is none.
    const ParameterInfo& find(std::string_view name) const { return find_in(tensors(), name); }
    /// The same among the parameters alone.
    const ParameterInfo& find_parameter(std::string_view name) const {
        return find_in(parameters(), name);
    }

    typename Backend::Context& context() const { return *context_; }
    float* data() const { return arena_.floats(); }
    /// How often parameters have been changed: what keeps a transformed copy of them compares it.
    std::uint64_t version() const { return version_; }
    /// To be called by whoever writes to data().
    void note_change() const { ++version_; }
    /// Offsets within the arena, the same for inference and training.
    static constexpr auto& plan = parameter_plan<Net, Backend, Predicting>;
    /// Where the packed values of a tensor start there.
    static std::int64_t offset(const ParameterInfo& tensor) {
        switch (tensor.kind) {
            case TensorKind::weight:
                return plan.weights[tensor.stage];
            case TensorKind::bias:
                return plan.biases[tensor.stage];
            case TensorKind::running_mean:
                return plan.statistics[tensor.stage];
            case TensorKind::running_var:
                break;
        }
        return plan.statistics[tensor.stage] + packed_count(tensor);
    }

private:
    explicit Model(Threads threads)
        : context_(std::make_unique<typename Backend::Context>(threads)),
          arena_(Backend::parameter_arena(*context_, plan.count + plan.statistic_count)),
          tensors_(tensors_of<Net>()) {}

    /// `values_of(layer, bias)` gives what draws the values of a tensor.
    template <class ValuesOf>
    void initialize_with(const ValuesOf& values_of) {
        for (const ParameterInfo& tensor : tensors_) {
            const bool as_bias =
                tensor.kind == TensorKind::bias || tensor.kind == TensorKind::running_mean;
            auto values = values_of(layer_of(tensor), as_bias);
            edit(tensor, arena_.floats() + offset(tensor),
                 [&](std::int64_t) { return values.next(); });
        }
        note_change();
    }

    static const ParameterInfo& find_in(std::span<const ParameterInfo> tensors,
                                        std::string_view name) {
        for (const ParameterInfo& tensor : tensors)
            if (tensor.name == name) return tensor;
        std::string known;
        for (const ParameterInfo& tensor : tensors) known += " " + tensor.name;
        throw Error("the network has no parameter '" + std::string{name} + "'; it has" + known);
    }

    static const LayerInfo& layer_of(const ParameterInfo& parameter) {
        const int layer = stages_of<Net, Phase::inference>.stages[parameter.stage].layer;
        return Net::layers[static_cast<std::size_t>(layer)];
    }
    static const Geometry& geometry_of(const ParameterInfo& parameter) {
        return stages_of<Net, Phase::inference>.stages[parameter.stage].geometry;
    }
    static std::int64_t packed_count(const ParameterInfo& parameter) {
        return parameter.kind == TensorKind::weight ? Backend::weight_count(geometry_of(parameter))
                                                    : Backend::bias_count(geometry_of(parameter));
    }
    /// Sets each value of a parameter to value_of(canonical index), called in canonical order.
    template <class ValueOf>
    void edit(const ParameterInfo& parameter, float* packed_values, const ValueOf& value_of) const {
        Backend::edit(context(), packed_values, packed_count(parameter), [&](float* packed) {
            visit(parameter, [&](std::int64_t canonical, std::int64_t place) {
                packed[place] = value_of(canonical);
            });
        });
    }
    /// Calls f(canonical index, packed index) for each value of a parameter.
    template <class F>
    static void visit(const ParameterInfo& parameter, const F& f) {
        if (parameter.shape.size() == 1)
            for (std::int64_t i = 0; i < parameter.size(); ++i) f(i, i);
        else
            Backend::visit_weights(geometry_of(parameter), f);
    }

    std::unique_ptr<typename Backend::Context> context_;
    typename Backend::Arena arena_;
    std::vector<ParameterInfo> tensors_;
    mutable std::uint64_t version_ = 0;
};

namespace detail {

/// Runs the stages of one phase of a model over planned buffers. Shared by Trainer and Predictor.
template <class Model, class Mode>
class StageRunner {
public:
    using Net = typename Model::network;
    using Backend = typename Model::backend;
    static constexpr Phase phase = Mode::phase;
    static constexpr auto& table = stages_in<Net, Mode>;
    static constexpr auto& buffers = buffer_plan<Net, Backend, Mode>;
    static constexpr auto& parameters = parameter_plan<Net, Backend, Mode>;
    static constexpr auto& transformed = transformed_plan<Net, Backend, Mode>;
    static constexpr std::size_t count = table.count;
    using Context = typename Backend::Context;
    using StageIo = typename Backend::StageIo;
    using Value = typename Backend::Value;  ///< of an activation
    static constexpr const auto& first = table.stages[0].geometry;
    static constexpr const auto& last = table.stages[count - 1].geometry;

    StageRunner(const Model& model, Batch batch)
        : model_(&model),
          capacity_(checked(model, batch)),
          activations_(plan(model, capacity_).activations),
          workspace_(plan(model, capacity_).workspace),
          transformed_(plan(model, capacity_).transformed_weights),
          outputs_(last, capacity_, phase == Phase::training) {
        for (int s = 0; s < static_cast<int>(count); ++s)
            operands_[static_cast<std::size_t>(s)] = operands_of(s);
        transform_weights();
    }

    std::int64_t capacity() const { return capacity_; }
    Value* input() const { return activation(-1); }

    /// Throws ShapeError where a batch does not fit.
    void require_batch(std::int64_t size) const {
        if (size < 1 || size > capacity_)
            throw ShapeError("a batch of " + std::to_string(size) +
                             " samples was given where 1 to " + std::to_string(capacity_) +
                             " fit; make the Batch larger");
    }

    /// Canonical values of whole samples; returns how many. Throws ShapeError where they do not
    /// fit.
    std::int64_t load(std::span<const float> values) const {
        const std::int64_t sample = Net::input_shape.size();
        const auto size = static_cast<std::int64_t>(values.size());
        if (size % sample != 0)
            throw ShapeError(std::to_string(size) + " values are no whole number of samples of " +
                             to_string(Net::input_shape) + " (" + std::to_string(sample) +
                             " values each)");
        require_batch(size / sample);
        Backend::load_values(model_->context(), first, values.data(), size / sample, input());
        return size / sample;
    }
    /// Byte images, resized to the network's input and normalised; returns how many.
    std::int64_t load(const ImageBatch& images, const Normalization& normalization) const {
        require_batch(images.size());
        require_images(images.image_shape, Net::input_shape);
        require_pixels(images);
        Backend::load_images(model_->context(), first, images.pixels.data(), images.image_shape,
                             normalization, images.size(), input());
        return images.size();
    }

    /// Those of a data set that `batch` names by its indices; returns how many.
    std::int64_t load(const DeviceImages<Backend>& images, const ImageBatch& batch,
                      const Normalization& normalization) const {
        require_batch(batch.size());
        const Shape& shape = images.dataset().image_shape;
        require_images(shape, Net::input_shape);
        require_indices(batch, images.dataset());
        Backend::load_images(model_->context(), first, images.store(), batch.indices, shape,
                             normalization, input());
        return batch.size();
    }

    /// Runs all stages over the loaded input. `dropout(stage)` gives the stage's mask or null.
    template <class Dropout>
    void forward(std::int64_t batch, const Dropout& dropout) const {
        for (std::size_t s = 0; s < count; ++s) {
            StageIo io = describe(s, batch);
            io.dropout = dropout(s);
            forwards[s](model_->context(), io);
        }
    }
    /// Inference: all stages, without dropout.
    void forward(std::int64_t batch) {
        transform_weights();
        recording_.run(model_->context(), batch, [&] {
            forward(batch, [](std::size_t) -> const DropoutMask* { return nullptr; });
        });
    }

    /// Canonical outputs of the last forward pass, [batch][outputs].
    void read_outputs(std::int64_t batch, std::span<float> canonical) const {
        outputs_.read(model_->context(), output(), batch, canonical);
    }

protected:
    /// What computes each stage: functions of its geometry alone, so equal stages share theirs.
    using Forward = void (*)(Context&, StageIo&);
    static constexpr std::array<Forward, count> forwards =
        []<std::size_t... s>(std::index_sequence<s...>) {
        return std::array<Forward, count>{
            &Backend::template forward<forward_geometry(table.stages[s].geometry)>...};
    }
    (std::make_index_sequence<count>{});

    /// For Winograd's algorithm, where the weights have changed since.
    void transform_weights() {
        if constexpr (Mode::winograd) {
            if (transformed_version_ == model_->version()) return;
            for (std::size_t s = 0; s < count; ++s)
                if (table.stages[s].geometry.winograd)
                    Backend::transform_weights(model_->context(), table.stages[s].geometry,
                                               model_->data() + parameters.weights[s],
                                               transformed_.floats() + transformed[s]);
            transformed_version_ = model_->version();
        }
    }

    Value* output() const { return activation(static_cast<int>(count) - 1); }

    static std::int64_t checked(const Model& model, Batch batch) {
        if (batch.size < 1)
            throw Error("batch: " + std::to_string(batch.size) + " given; use 1 or more");
        Backend::require_memory(model.context(), batch.size, [&](std::int64_t size) {
            const MemoryPlan needed = plan(model, size);
            return needed.total - needed.parameters - Backend::context_bytes;
        });
        return batch.size;
    }
    static MemoryPlan plan(const Model& model, std::int64_t batch) {
        return memory_plan<Net, Backend, Mode>(batch, model.context().threads());
    }

    /// Everything about a stage's data but what only the backward pass needs.
    StageIo describe(std::size_t s, std::int64_t batch) const {
        const StageInfo& stage = table.stages[s];
        StageIo io;
        io.layer = &Net::layers[static_cast<std::size_t>(stage.layer)];
        io.batch = batch;
        io.training = phase == Phase::training && !stage.geometry.frozen;
        io.input = activation(stage.sources[0]);
        io.output = activation(static_cast<int>(s));
        io.codes = buffer<std::uint8_t>(BufferRole::code, static_cast<int>(s));
        io.operands = operands_[s].data();
        io.operand_count = static_cast<int>(operands_[s].size());
        io.weights = model_->data() + parameters.weights[s];
        io.biases = model_->data() + parameters.biases[s];
        if constexpr (Mode::winograd)
            io.transformed_weights = transformed_.floats() + transformed[s];
        io.statistics = model_->data() + parameters.statistics[s];
        io.keep_scale = 1 / (1 - stage.rate);
        Backend::use_workspace(stage.geometry, io, workspace_.bytes(), phase, batch);
        return io;
    }

    /// Start of a planned buffer, or null where the plan has none.
    template <class T>
    T* buffer(BufferRole role, int stage) const {
        return buffer_at<T>(buffers.find(role, stage));
    }
    template <class T>
    T* buffer_at(int index) const {
        if (index < 0) return nullptr;
        return reinterpret_cast<T*>(activations_.bytes() +
                                    buffers.buffers[static_cast<std::size_t>(index)].offset *
                                        capacity_);
    }
    Value* activation(int stage) const { return buffer<Value>(BufferRole::activation, stage); }
    /// Gradient of a stage's output and of its operand, or null. (A GPU's are of type Value.)
    float* output_gradient(std::size_t stage) const {
        return buffer_at<float>(buffers.output_gradients[stage]);
    }
    float* input_gradient(std::size_t stage, int operand) const {
        return buffer_at<float>(buffers.input_gradients[stage][static_cast<std::size_t>(operand)]);
    }

    /// What a stage that joins reads; of a fork, what its readers do to the output it stands
    /// behind.
    std::vector<typename Backend::Operand> operands_of(int stage) const {
        std::vector<typename Backend::Operand> operands;
        const auto add = [&](int s, int operand) {
            const int source = table[s].sources[operand];
            operands.push_back(
                {activation(source), input_gradient(static_cast<std::size_t>(s), operand),
                 source < 0 ? Net::input_shape : table[source].geometry.output,
                 source < 0 ? first.input_halo : table[source].geometry.output_halo});
        };
        const Op op = table[stage].geometry.op;
        if (op == Op::add || op == Op::concat)
            for (int operand = 0; operand < table[stage].sources.count; ++operand)
                add(stage, operand);
        if (op == Op::fork)
            for (int s = stage + 1; s < static_cast<int>(count); ++s)
                for (int operand = 0; operand < table[s].sources.count; ++operand)
                    if (table[s].sources[operand] == table[stage].sources[0]) add(s, operand);
        return operands;
    }

    const Model* model_;
    std::int64_t capacity_;
    typename Backend::Arena activations_;
    typename Backend::Arena workspace_;
    typename Backend::Arena transformed_;  ///< weights, for Winograd's algorithm
    std::uint64_t transformed_version_ = 0;
    typename Backend::Outputs outputs_;
    typename Backend::Recording recording_;
    std::array<std::vector<typename Backend::Operand>, count> operands_;
};

}  // namespace detail
}  // namespace typenet
