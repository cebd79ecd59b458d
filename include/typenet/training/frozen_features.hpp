// Fine-tuning on cached features: a network is cut where learning begins. What lies before gives
// the same outputs for an image every time, so they need to be computed but once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "typenet/core/error.hpp"
#include "typenet/core/network.hpp"
#include "typenet/core/stages.hpp"
#include "typenet/training/model.hpp"

namespace typenet {

namespace detail {

/// How many of the layers in a network's type come before the first that learns or drops values,
/// without those that only rename at their end: kernels then see the layout of the whole network.
template <class Frozen, class In, class... Layers>
consteval std::size_t count_fixed(const Network<In, Layers...>*) {
    const auto& layers = Network<In, Layers...>::layers;
    std::size_t fixed = 0, place = 0, entry = 0;
    for (const LayerSpec* spec : specs_of<Layers...>) {
        bool computes = false;
        for (const std::size_t end = entry + spec->entries; entry < end; ++entry) {
            const LayerInfo& layer = layers[entry];
            const bool learns = layer.parameter_count() > 0 && !Frozen::covers(layer);
            if (learns || (layer.kind == LayerKind::dropout && layer.rate > 0)) return fixed;
            computes = computes || !is_transparent(layer, Phase::inference);
        }
        ++place;
        if (computes) fixed = place;
    }
    return fixed;
}

template <class Frozen, class Net>
struct Cut;
template <class Frozen, class In, class... Layers>
struct Cut<Frozen, Network<In, Layers...>> {
    using Net = Network<In, Layers...>;
    static constexpr std::size_t fixed = count_fixed<Frozen>(static_cast<const Net*>(nullptr));
    static_assert(fixed > 0, "the first layer learns or drops values: nothing before it is fixed");
    static_assert(fixed < sizeof...(Layers), "no layer learns: there is nothing to train");

    template <class From, std::size_t first, std::size_t... indices>
    static Network<From, std::tuple_element_t<first + indices, std::tuple<Layers...>>...> slice(
        std::index_sequence<indices...>);

    using Fixed = decltype(slice<In, 0>(std::make_index_sequence<fixed>{}));
    static constexpr Shape between = Fixed::output_shape;
    using Learning = decltype(slice<Input<between.channels, between.height, between.width>, fixed>(
        std::make_index_sequence<sizeof...(Layers) - fixed>{}));
};

}  // namespace detail

/// The layers before the first that learns under a Freeze (or is a Dropout), as a network:
/// `FixedPart<Net, Freeze<"features">>`.
template <class Net, class Frozen>
using FixedPart = typename detail::Cut<Frozen, Net>::Fixed;
/// The rest as a network, whose input is the fixed part's output. Layers without a name go by an
/// index of their own there.
template <class Net, class Frozen>
using LearningPart = typename detail::Cut<Frozen, Net>::Learning;

namespace detail {
template <class Net>
consteval bool names_its_parameters() {
    for (const LayerInfo& layer : Net::layers)
        if (layer.parameter_count() > 0 && layer.name.empty()) return false;
    return true;
}
}  // namespace detail

/// The two parts of a network in models of their own, which together go by the tensors of the whole
/// network: what `save`, `load` and the checkpoints of io/weights.hpp do to a Model, they do to
/// this. The parts take no more memory than the whole.
///
///     CutModel<Net, Freeze<"features">> model;
///     load(model, "pretrained.safetensors");
///     Predictor features{model.fixed(), Batch{64}};
///     Trainer trainer{model.learning(), CrossEntropy{}, Sgd{}, Batch{64}};
///     trainer.step(features(images), labels);
///     save_checkpoint(model, trainer, "checkpoint.safetensors");
///
/// Every layer with parameters must have a name, so that the whole and the part call it the same.
template <class Net, class Frozen, class Backend = Cpu<float>>
class CutModel {
public:
    using network = Net;
    using backend = Backend;
    using Fixed = Model<FixedPart<Net, Frozen>, Backend>;
    using Learning = Model<LearningPart<Net, Frozen>, Backend>;
    static_assert(detail::names_its_parameters<Net>(),
                  "a layer with parameters has no name: put it into Named<...>");

    /// Its parameters are to be loaded or set. Throws Error when memory does not suffice.
    explicit CutModel(Threads threads = {})
        : fixed_({}, Initialization::pytorch, threads),
          learning_({}, Initialization::pytorch, threads),
          tensors_(tensors_of<Net>()) {}

    Fixed& fixed() { return fixed_; }
    const Fixed& fixed() const { return fixed_; }
    Learning& learning() { return learning_; }
    const Learning& learning() const { return learning_; }

    /// Draws the parameters of one layer: those that a Model of the whole network has with this
    /// seed. Throws Error for an unknown name.
    void initialize(std::string_view layer, Seed seed, Initialization how) {
        initialize_with(layer, [&](const LayerInfo& info, bool bias) {
            return InitialValues{info, bias, how, seed};
        });
    }
    /// The same with what PyTorch draws for that layer from that state of its generator.
    void initialize(std::string_view layer, TorchGenerator& generator) {
        initialize_with(layer, [&](const LayerInfo& info, bool bias) {
            return TorchInitialValues{info, bias, generator};
        });
    }

    /// The whole network's parameters, and behind them its running statistics.
    std::span<const ParameterInfo> tensors() const { return tensors_; }
    std::span<const ParameterInfo> parameters() const {
        return tensors().first(fixed_.parameters().size() + learning_.parameters().size());
    }

    /// A canonical copy of a tensor; throws Error for a name that the network does not have.
    std::vector<float> get(std::string_view name) const {
        return is_fixed(name) ? fixed_.get(name) : learning_.get(name);
    }
    /// Replaces a tensor. Throws Error for an unknown name, ShapeError for a wrong size.
    void set(std::string_view name, std::span<const float> values) {
        if (is_fixed(name))
            fixed_.set(name, values);
        else
            learning_.set(name, values);
    }

private:
    bool is_fixed(std::string_view name) const {
        return std::ranges::find(fixed_.tensors(), name, &ParameterInfo::name) !=
               fixed_.tensors().end();
    }

    template <class ValuesOf>
    void initialize_with(std::string_view layer, const ValuesOf& values_of) {
        const auto info = std::ranges::find(Net::layers, layer, [](const LayerInfo& candidate) {
            return std::string_view{candidate.name};
        });
        if (info == Net::layers.end() || info->parameter_count() == 0)
            throw Error("initialize: the network has no layer '" + std::string{layer} +
                        "' with parameters");
        for (const bool bias : {false, true}) {
            const std::int64_t count = bias ? info->bias_count : info->weight_count;
            if (count == 0) continue;
            auto drawn = values_of(*info, bias);
            std::vector<float> values(static_cast<std::size_t>(count));
            for (float& value : values) value = drawn.next();
            set(std::string{layer} + (bias ? ".bias" : ".weight"), values);
        }
    }

    Fixed fixed_;
    Learning learning_;
    std::vector<ParameterInfo> tensors_;
};

}  // namespace typenet
