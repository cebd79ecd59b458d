// Network<Input, Layers...>: a flat pack of layers and what the compiler infers from it.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "typenet/core/layer.hpp"
#include "typenet/core/shape.hpp"
#include "typenet/core/shape_error.hpp"

namespace typenet {

/// The shape of the samples that a network takes: channels, height, width; or a flat width.
template <int channels, int height = 0, int width = 0>
struct Input {
    static constexpr Shape shape{channels, height, width};
};

namespace detail {

template <class In>
concept HasShape = requires {
    { In::shape } -> std::convertible_to<Shape>;
};

/// Result of the inference: a description of each layer, and the first fault if there is one.
template <std::size_t count>
struct Inferred {
    std::array<LayerInfo, count> layers{};
    std::array<std::size_t, count> named{};  ///< indices of the layers that have a name
    std::size_t named_count = 0;
    Reason fault = Reason::none;
    std::size_t at = 0;     ///< index of the faulty layer
    bool at_input = false;  ///< the fault lies before the first layer
    Shape got{};
    Shape wanted{};
};

/// Whether a layer goes by `name`: its own or, where it has none but has parameters, its index.
constexpr bool is_called(const LayerInfo& layer, std::string_view name) {
    if (!layer.name.empty()) return layer.name == name;
    if (layer.parameter_count() == 0) return false;
    std::size_t digits = name.size();
    for (int rest = layer.index; digits > 0; rest /= 10) {
        if (name[--digits] != '0' + rest % 10) return false;
        if (rest < 10) return digits == 0;
    }
    return false;
}

/// Whether a layer is among those called `name`: it is called so itself, or its name continues that
/// after a dot, as "features.0" continues "features".
constexpr bool goes_by(const LayerInfo& layer, std::string_view name) {
    return is_called(layer, name) ||
           (layer.name.starts_with(name) && layer.name.substr(name.size()).starts_with('.'));
}

/// Whether an earlier layer goes by the name of layer `index`. Looks at named layers only and,
/// where the name is a number, at the layer of that number: deep networks stay within compilers'
/// limits.
template <std::size_t count>
constexpr bool name_is_taken(const Inferred<count>& result, std::size_t index) {
    const LayerInfo& layer = result.layers[index];
    for (std::size_t i = 0; i < result.named_count; ++i) {
        const std::string_view other = result.layers[result.named[i]].name;
        if (layer.name.empty() ? is_called(layer, other) : layer.name == other) return true;
    }
    if (layer.name.empty()) return false;
    std::size_t number = 0;
    for (const char digit : layer.name) {
        if (digit < '0' || digit > '9' || number >= index) return false;
        number = 10 * number + static_cast<std::size_t>(digit - '0');
    }
    return number < index && is_called(result.layers[number], layer.name);
}

/// What flows from layer to layer: its shape, and the index of the layer that made it.
struct Flow {
    int source = -1;
    Shape shape;
};

/// Appends the entries of a layer, those of its branches before its own. Returns whether it fits.
template <std::size_t count>
constexpr bool infer_layer(Inferred<count>& result, std::size_t& index, const LayerSpec& spec,
                           Flow& flow) {
    const auto fault = [&](Reason reason, std::size_t at, const Shape& got, const Shape& wanted) {
        result.fault = reason;
        result.at = at;
        result.got = got;
        result.wanted = wanted;
        return false;
    };
    Sources sources;
    Inference step;
    if (spec.join == nullptr) {
        sources.add(flow.source);
        step = spec.infer(flow.shape);
        if (step.fault != Reason::none) return fault(step.fault, index, flow.shape, step.wanted);
    } else {
        if (spec.branch_count < 1 || spec.branch_count > most_sources)
            return fault(Reason::number_of_branches, index + spec.entries - 1, flow.shape, {});
        Shape shapes[most_sources]{};
        for (int branch = 0; branch < spec.branch_count; ++branch) {
            const Chain& chain = spec.branches[branch];
            Flow inside = flow;
            for (std::size_t i = 0; i < chain.count; ++i)
                if (!infer_layer(result, index, *chain.layers[i], inside)) return false;
            shapes[branch] = inside.shape;
            sources.add(inside.source);
        }
        step = spec.join(shapes, spec.branch_count);
        if (step.fault != Reason::none)
            return fault(step.fault, index, step.info.input, step.wanted);
    }
    LayerInfo& layer = result.layers[index];
    layer = step.info;
    layer.index = static_cast<int>(index);
    layer.sources = sources;
    if (name_is_taken(result, index))
        return fault(layer.name.empty() ? Reason::index_is_a_name : Reason::duplicate_name, index,
                     layer.input, {});
    if (!layer.name.empty()) result.named[result.named_count++] = index;
    flow = {layer.index, layer.output};
    ++index;
    return true;
}

/// Walks the layers from the input on; the single place where shapes are inferred.
template <class In, class... Layers>
consteval auto infer_network() {
    Inferred<sum_of({spec_of<Layers>()->entries...})> result;
    Flow flow;
    if constexpr (HasShape<In>) flow.shape = In::shape;
    const Shape& shape = flow.shape;
    if (!HasShape<In>)
        result.fault = Reason::network_has_no_input;
    else if (shape.channels < 1 || shape.height < 0 || shape.width < 0 ||
             (shape.height == 0) != (shape.width == 0))
        result.fault = Reason::sizes_must_be_positive;
    else if (sizeof...(Layers) == 0)
        result.fault = Reason::network_has_no_layers;
    if (result.fault != Reason::none) {
        result.at_input = true;
        result.got = shape;
        return result;
    }
    std::size_t index = 0;
    for (const LayerSpec* spec : specs_of<Layers...>)
        if (!infer_layer(result, index, *spec, flow)) break;
    return result;
}

template <class In, class... Layers>
inline constexpr auto inferred = infer_network<In, Layers...>();

template <class In, class... Layers>
constexpr auto place_of_fault() {
    if constexpr (inferred<In, Layers...>.at_input) {
        return type_tag<at_input<In>>{};
    } else {
        constexpr std::size_t at = inferred<In, Layers...>.at;
        return locate<at, at>(type_tag<Parts<Layers...>>{});
    }
}

template <class In, class... Layers>
constexpr bool require_fit() {
    constexpr const auto& result = inferred<In, Layers...>;
    if constexpr (result.fault == Reason::none) {
        return true;
    } else {
        return fire(compose(
            place_of_fault<In, Layers...>(),
            extents<got, result.got.channels, result.got.height, result.got.width>(),
            extents<wanted, result.wanted.channels, result.wanted.height, result.wanted.width>(),
            explain<result.fault>()));
    }
}

}  // namespace detail

/// A neural network as a type. Layers stand in the order in which data pass them; every shape is
/// inferred from the input's, and a layer that does not fit is refused by the compiler with a
/// `shape_error` (core/shape_error.hpp). A layer may consist of branches (Residual, Concat): the
/// network is then a graph.
template <class In, class... Layers>
struct Network {
    static_assert(detail::require_fit<In, Layers...>());

    /// One entry a layer: kind, shapes, parameters, multiply-accumulates. Those of a composite
    /// layer's branches stand, in their order, before the entry that joins them.
    /// (`auto`, for nvcc 13 takes the spelled-out type for a second initialisation.)
    static constexpr const auto& layers = detail::inferred<In, Layers...>.layers;
    static constexpr std::size_t layer_count = layers.size();
    static constexpr Shape input_shape = In::shape;
    static constexpr Shape output_shape = layers[layer_count - 1].output;

    static constexpr std::int64_t parameter_count = [] {
        std::int64_t sum = 0;
        for (const LayerInfo& layer : layers) sum += layer.parameter_count();
        return sum;
    }();
    /// Running statistics that no optimizer touches.
    static constexpr std::int64_t statistic_count = [] {
        std::int64_t sum = 0;
        for (const LayerInfo& layer : layers) sum += layer.statistic_count;
        return sum;
    }();
    /// Multiply-accumulates of one sample's forward pass.
    static constexpr std::int64_t macs = [] {
        std::int64_t sum = 0;
        for (const LayerInfo& layer : layers) sum += layer.macs;
        return sum;
    }();
    /// Floating-point operations of one sample's forward pass: two a multiply-accumulate.
    static constexpr std::int64_t flops = 2 * macs;
};

namespace detail {

/// Where a fault lies that shows only once the network is used.
template <std::size_t index, class In, class... Layers>
constexpr auto locate_in(const Network<In, Layers...>*) {
    return locate<index, index>(type_tag<Parts<Layers...>>{});
}
template <class In, class... Layers>
constexpr type_tag<at_input<In>> locate_input(const Network<In, Layers...>*) {
    return {};
}

}  // namespace detail
}  // namespace typenet
