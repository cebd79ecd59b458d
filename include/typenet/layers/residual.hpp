// Layers with a way around them.
#pragma once

#include <array>
#include <cstddef>
#include <utility>

#include "typenet/core/layer.hpp"
#include "typenet/layers/branch.hpp"

namespace typenet {

namespace detail {

/// A Shortcut that ends a Residual, as a branch; anything else is a layer of its body.
template <bool last, class L>
struct as_shortcut {
    using type = L;
    static constexpr bool value = false;
    static constexpr Chain chain{};
};
template <class... Layers>
struct as_shortcut<true, Shortcut<Layers...>> {
    using type = InBranch<Layers...>;
    static constexpr bool value = true;
    static constexpr Chain chain = type::chain;
};

template <class Indices, class... Layers>
struct ResidualParts;
template <std::size_t... indices, class... Layers>
struct ResidualParts<std::index_sequence<indices...>, Layers...> {
    using type = Parts<typename as_shortcut<indices + 1 == sizeof...(Layers), Layers>::type...>;
    static constexpr std::size_t entries = sum_of(
        {entries_of<typename as_shortcut<indices + 1 == sizeof...(Layers), Layers>::type>()...});
    /// The body and the way around it.
    static constexpr std::array<Chain, 2> branches = [] {
        constexpr bool ends_in_shortcut =
            (false || ... || as_shortcut<indices + 1 == sizeof...(Layers), Layers>::value);
        constexpr Chain shortcuts[] = {
            Chain{}, as_shortcut<indices + 1 == sizeof...(Layers), Layers>::chain...};
        return std::array<Chain, 2>{
            Chain{specs_of<Layers...>.data(), sizeof...(Layers) - ends_in_shortcut},
            shortcuts[sizeof...(Layers)]};
    }();
};

}  // namespace detail

/// `Residual<Layers...>`: layers(x) + x. `Residual<Layers..., Shortcut<Others...>>`: layers(x) +
/// others(x), for layers that change the shape. Both sides must have the same shape.
/// Source: He et al., 2015.
template <class... Layers>
struct Residual {
private:
    using Split = detail::ResidualParts<std::index_sequence_for<Layers...>, Layers...>;

public:
    using parts = typename Split::type;

    static constexpr Inference join(const Shape* shapes, int) {
        if (shapes[0] != shapes[1]) {
            Inference refusal = Inference::refuse(Reason::shapes_of_a_residual_differ, shapes[1]);
            refusal.info.input = shapes[0];
            return refusal;
        }
        return {detail::elementwise(LayerKind::add, "Residual", shapes[0])};
    }
    static constexpr LayerSpec spec{nullptr, &join, Split::branches.data(), 2, 1 + Split::entries};
};

}  // namespace typenet
