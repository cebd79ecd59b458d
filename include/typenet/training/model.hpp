// A network with parameters: the type comes to life on a backend.
#pragma once

#include <algorithm>
#include <boost/hana/for_each.hpp>
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
#include "typenet/core/names.hpp"
#include "typenet/core/stages.hpp"
#include "typenet/core/threads.hpp"
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

/// One parameter tensor of a network under its public name, in canonical layout.
struct ParameterInfo {
    std::string name;                 ///< "cn1.weight"
    std::vector<std::int64_t> shape;  ///< [out, in / groups, kernel height, width] or [out, in]
    std::size_t stage = 0;            ///< the stage of inference that holds it
    bool bias = false;

    std::int64_t size() const {
        std::int64_t product = 1;
        for (const std::int64_t extent : shape) product *= extent;
        return product;
    }
};

/// The parameters of a network, in the order of its layers: weight, then bias.
template <class Net>
std::vector<ParameterInfo> parameters_of() {
    std::vector<ParameterInfo> parameters;
    constexpr auto& table = stages_of<Net, Phase::inference>;
    for (std::size_t s = 0; s < table.count; ++s) {
        const LayerInfo& layer = Net::layers[static_cast<std::size_t>(table.stages[s].layer)];
        if (layer.weight_count == 0) continue;
        std::vector<std::int64_t> shape{layer.output.channels, layer.input.channels / layer.groups};
        if (layer.kind == LayerKind::conv2d)
            shape.insert(shape.end(), {layer.window.kernel_height, layer.window.kernel_width});
        parameters.push_back({name_of(layer) + ".weight", shape, s, false});
        parameters.push_back({name_of(layer) + ".bias", {layer.output.channels}, s, true});
    }
    return parameters;
}

/// Parameters of `Net` on a backend, packed as its kernels want them. Movable, not copyable.
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
        : context_(std::make_unique<typename Backend::Context>(threads)),
          arena_(Backend::parameter_arena(*context_, plan.count)),
          parameters_(parameters_of<Net>()) {
        initialize(seed, how);
    }

    /// Draws all parameters anew.
    void initialize(Seed seed, Initialization how) {
        for (const ParameterInfo& parameter : parameters_) {
            InitialValues values{layer_of(parameter), parameter.bias, how, seed};
            edit(parameter, arena_.floats(), [&](std::int64_t) { return values.next(); });
        }
    }

    std::span<const ParameterInfo> parameters() const { return parameters_; }

    /// A canonical copy of a parameter; throws Error for a name that the network does not have.
    std::vector<float> get(std::string_view name) const {
        return unpack(find(name), arena_.floats());
    }
    /// Replaces a parameter. Throws Error for an unknown name, ShapeError for a wrong size.
    void set(std::string_view name, std::span<const float> values) {
        const ParameterInfo& parameter = find(name);
        if (static_cast<std::int64_t>(values.size()) != parameter.size())
            throw ShapeError(parameter.name + ": " + std::to_string(values.size()) +
                             " values given for " + std::to_string(parameter.size()));
        pack(parameter, values, arena_.floats());
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

    /// Canonical values of a parameter from an arena laid out as the model's (the parameters, an
    /// optimizer's state, gradients), and back.
    std::vector<float> unpack(const ParameterInfo& parameter, const float* arena) const {
        std::vector<float> values(static_cast<std::size_t>(parameter.size()));
        Backend::view(context(), arena + offset(parameter), packed_count(parameter),
                      [&](const float* packed) {
                          visit(parameter, [&](std::int64_t canonical, std::int64_t place) {
                              values[static_cast<std::size_t>(canonical)] = packed[place];
                          });
                      });
        return values;
    }
    void pack(const ParameterInfo& parameter, std::span<const float> values, float* arena) const {
        edit(parameter, arena,
             [&](std::int64_t canonical) { return values[static_cast<std::size_t>(canonical)]; });
    }

    /// The parameter of that name; throws Error where there is none.
    const ParameterInfo& find(std::string_view name) const {
        for (const ParameterInfo& parameter : parameters_)
            if (parameter.name == name) return parameter;
        std::string known;
        for (const ParameterInfo& parameter : parameters_) known += " " + parameter.name;
        throw Error("the network has no parameter '" + std::string{name} + "'; it has" + known);
    }

    typename Backend::Context& context() const { return *context_; }
    float* data() const { return arena_.floats(); }
    /// Offsets within the arena, the same for inference and training.
    static constexpr auto& plan = parameter_plan<Net, Backend, Phase::inference>;

private:
    static const LayerInfo& layer_of(const ParameterInfo& parameter) {
        const int layer = stages_of<Net, Phase::inference>.stages[parameter.stage].layer;
        return Net::layers[static_cast<std::size_t>(layer)];
    }
    static const Geometry& geometry_of(const ParameterInfo& parameter) {
        return stages_of<Net, Phase::inference>.stages[parameter.stage].geometry;
    }
    static std::int64_t offset(const ParameterInfo& parameter) {
        return parameter.bias ? plan.biases[parameter.stage] : plan.weights[parameter.stage];
    }
    static std::int64_t packed_count(const ParameterInfo& parameter) {
        return parameter.bias ? Backend::bias_count(geometry_of(parameter))
                              : Backend::weight_count(geometry_of(parameter));
    }
    /// Sets each value of a parameter to value_of(canonical index), called in canonical order.
    template <class ValueOf>
    void edit(const ParameterInfo& parameter, float* arena, const ValueOf& value_of) const {
        Backend::edit(context(), arena + offset(parameter), packed_count(parameter),
                      [&](float* packed) {
                          visit(parameter, [&](std::int64_t canonical, std::int64_t place) {
                              packed[place] = value_of(canonical);
                          });
                      });
    }
    /// Calls f(canonical index, packed index) for each value of a parameter.
    template <class F>
    static void visit(const ParameterInfo& parameter, const F& f) {
        if (parameter.bias)
            for (std::int64_t i = 0; i < parameter.size(); ++i) f(i, i);
        else
            Backend::visit_weights(geometry_of(parameter), f);
    }

    std::unique_ptr<typename Backend::Context> context_;
    typename Backend::Arena arena_;
    std::vector<ParameterInfo> parameters_;
};

namespace detail {

/// Runs the stages of one phase of a model over planned buffers. Shared by Trainer and Predictor.
template <class Model, class Mode>
class StageRunner {
public:
    using Net = typename Model::network;
    using Backend = typename Model::backend;
    static constexpr Phase phase = Mode::phase;
    static constexpr auto& table = stages_of<Net, phase>;
    static constexpr auto& buffers = buffer_plan<Net, Backend, Mode>;
    static constexpr auto& parameters = parameter_plan<Net, Backend, phase>;
    static constexpr std::size_t count = table.count;
    static constexpr const auto& first = table.stages[0].geometry;
    static constexpr const auto& last = table.stages[count - 1].geometry;

    StageRunner(const Model& model, Batch batch)
        : model_(&model),
          capacity_(checked(model, batch)),
          activations_(plan(model, capacity_).activations),
          workspace_(plan(model, capacity_).workspace),
          outputs_(last, capacity_, phase == Phase::training) {}

    std::int64_t capacity() const { return capacity_; }
    float* input() const { return buffer<float>(BufferRole::activation, -1); }

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
        boost::hana::for_each(stage_types<Net, phase>, [&](auto stage) {
            using S = typename decltype(stage)::type;
            typename Backend::StageIo io = describe<S>(batch);
            io.dropout = dropout(S::index);
            Backend::template forward<S::geometry>(model_->context(), io);
        });
    }
    /// Inference: all stages, without dropout.
    void forward(std::int64_t batch) {
        recording_.run(model_->context(), batch, [&] {
            forward(batch, [](std::size_t) -> const DropoutMask* { return nullptr; });
        });
    }

    /// Canonical outputs of the last forward pass, [batch][outputs].
    void read_outputs(std::int64_t batch, std::span<float> canonical) const {
        outputs_.read(model_->context(), output(), batch, canonical);
    }

protected:
    float* output() const {
        return buffer<float>(BufferRole::activation, static_cast<int>(count) - 1);
    }

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
    template <class S>
    typename Backend::StageIo describe(std::int64_t batch) const {
        constexpr int s = static_cast<int>(S::index);
        typename Backend::StageIo io;
        io.layer = &Net::layers[static_cast<std::size_t>(table.stages[S::index].layer)];
        io.batch = batch;
        io.input = buffer<const float>(BufferRole::activation, s - 1);
        io.output = buffer<float>(BufferRole::activation, s);
        io.codes = buffer<std::uint8_t>(BufferRole::code, s);
        io.weights = model_->data() + parameters.weights[S::index];
        io.biases = model_->data() + parameters.biases[S::index];
        io.keep_scale = 1 / (1 - table.stages[S::index].rate);
        Backend::template use_workspace<S::geometry>(io, workspace_.bytes(), phase, batch);
        return io;
    }

    /// Start of a planned buffer, or null where the plan has none.
    template <class T>
    T* buffer(BufferRole role, int stage) const {
        const int index = buffers.find(role, stage);
        if (index < 0) return nullptr;
        return reinterpret_cast<T*>(activations_.bytes() +
                                    buffers.buffers[static_cast<std::size_t>(index)].offset *
                                        capacity_);
    }
    const Model* model_;
    std::int64_t capacity_;
    typename Backend::Arena activations_;
    typename Backend::Arena workspace_;
    typename Backend::Outputs outputs_;
    typename Backend::Recording recording_;
};

}  // namespace detail
}  // namespace typenet
