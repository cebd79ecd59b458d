// Network<Input, Layers...>: a flat pack of layers and what the compiler infers from it.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
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

template <std::size_t count>
constexpr bool name_is_taken(const std::array<LayerInfo, count>& layers, std::size_t index) {
    const LayerInfo& layer = layers[index];
    for (std::size_t i = 0; i < index; ++i) {
        const bool both_unnamed = layer.name.empty() && layers[i].name.empty();
        if (both_unnamed) continue;
        if (layer.name.empty() ? is_called(layer, layers[i].name)
                               : is_called(layers[i], layer.name))
            return true;
    }
    return false;
}

/// Walks the layers from the input on; the single place where shapes are inferred.
template <class In, class... Layers>
consteval Inferred<sizeof...(Layers)> infer_network() {
    Inferred<sizeof...(Layers)> result;
    Shape shape;
    if constexpr (HasShape<In>) shape = In::shape;
    const auto fault = [&](Reason reason, std::size_t at, Shape wanted) {
        result.fault = reason;
        result.at = at;
        result.got = shape;
        result.wanted = wanted;
    };
    if (!HasShape<In>)
        fault(Reason::network_has_no_input, 0, {});
    else if (shape.channels < 1 || shape.height < 0 || shape.width < 0 ||
             (shape.height == 0) != (shape.width == 0))
        fault(Reason::sizes_must_be_positive, 0, {});
    else if (sizeof...(Layers) == 0)
        fault(Reason::network_has_no_layers, 0, {});
    if (result.fault != Reason::none) {
        result.at_input = true;
        return result;
    }
    std::size_t index = 0;
    for (const LayerSpec* spec : std::initializer_list<const LayerSpec*>{spec_of<Layers>()...}) {
        const Inference step = spec->infer(shape);
        if (step.fault != Reason::none) {
            fault(step.fault, index, step.wanted);
            break;
        }
        LayerInfo& layer = result.layers[index];
        layer = step.info;
        layer.index = static_cast<int>(index);
        layer.source = static_cast<int>(index) - 1;
        if (name_is_taken(result.layers, index)) {
            fault(layer.name.empty() ? Reason::index_is_a_name : Reason::duplicate_name, index, {});
            break;
        }
        shape = layer.output;
        ++index;
    }
    return result;
}

template <class In, class... Layers>
inline constexpr Inferred<sizeof...(Layers)> inferred = infer_network<In, Layers...>();

template <class In, class... Layers>
constexpr auto place_of_fault() {
    if constexpr (inferred<In, Layers...>.at_input)
        return type_tag<at_input<In>>{};
    else
        return locate<inferred<In, Layers...>.at>(
            indexer<std::make_index_sequence<sizeof...(Layers)>, Layers...>{});
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
/// `shape_error` (core/shape_error.hpp).
template <class In, class... Layers>
struct Network {
    static_assert(detail::require_fit<In, Layers...>());

    static constexpr std::size_t layer_count = sizeof...(Layers);
    /// One entry a layer: kind, shapes, parameters, multiply-accumulates.
    /// (`auto`, for nvcc 13 takes the spelled-out type for a second initialisation.)
    static constexpr const auto& layers = detail::inferred<In, Layers...>.layers;
    static constexpr Shape input_shape = In::shape;
    static constexpr Shape output_shape = layers[layer_count - 1].output;

    static constexpr std::int64_t parameter_count = [] {
        std::int64_t sum = 0;
        for (const LayerInfo& layer : layers) sum += layer.parameter_count();
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
    return locate<index>(indexer<std::make_index_sequence<sizeof...(Layers)>, Layers...>{});
}
template <class In, class... Layers>
constexpr type_tag<at_input<In>> locate_input(const Network<In, Layers...>*) {
    return {};
}

}  // namespace detail
}  // namespace typenet
