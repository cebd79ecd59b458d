// Fine-tuning on cached features: a network is cut where learning begins. What lies before gives
// the same outputs for an image every time, so they need to be computed but once.
#pragma once

#include <cstddef>
#include <span>
#include <tuple>
#include <utility>

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

/// Calls f(a tensor of the whole network, its name in the part) for all of a part's tensors, the
/// `skipped` parameters and statistics of what lies before it left out.
template <class Whole, class Part, class F>
void for_each_shared(const Whole& whole, const Part& part, std::size_t skipped_parameters,
                     std::size_t skipped_statistics, const F& f) {
    const std::size_t parameters = part.parameters().size();
    const std::size_t of_whole = whole.parameters().size();
    for (std::size_t i = 0; i < part.tensors().size(); ++i) {
        const std::size_t place = i < parameters ? skipped_parameters + i
                                                 : of_whole + skipped_statistics + i - parameters;
        f(whole.tensors()[place], part.tensors()[i]);
    }
}

template <class Fixed>
std::size_t statistics_of(const Fixed& fixed) {
    return fixed.tensors().size() - fixed.parameters().size();
}

}  // namespace detail

/// Copies a model's tensors into models of its two parts.
template <class Whole, class Fixed, class Learning>
void split(const Whole& whole, Fixed& fixed, Learning& learning) {
    detail::for_each_shared(whole, fixed, 0, 0, [&](const auto& from, const auto& to) {
        fixed.set(to.name, whole.get(from.name));
    });
    detail::for_each_shared(
        whole, learning, fixed.parameters().size(), detail::statistics_of(fixed),
        [&](const auto& from, const auto& to) { learning.set(to.name, whole.get(from.name)); });
}
/// Copies what was learnt back into the model of the whole network.
template <class Whole, class Fixed, class Learning>
void join(Whole& whole, const Fixed& fixed, const Learning& learning) {
    detail::for_each_shared(
        whole, learning, fixed.parameters().size(), detail::statistics_of(fixed),
        [&](const auto& to, const auto& from) { whole.set(to.name, learning.get(from.name)); });
}

}  // namespace typenet
