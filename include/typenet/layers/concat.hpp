// Branches whose outputs are put one behind the other.
#pragma once

#include <array>
#include <cstddef>

#include "typenet/core/layer.hpp"
#include "typenet/layers/branch.hpp"

namespace typenet {

namespace detail {
template <class L>
struct as_branch {
    using type = InBranch<L>;
};
template <class... Layers>
struct as_branch<Branch<Layers...>> {
    using type = InBranch<Layers...>;
};
}  // namespace detail

/// `Concat<Branch<...>, Branch<...>, ...>`: every branch reads the input; the outputs, maps of
/// equal height and width (or flat vectors), are put one behind the other by channels. 1 to 8
/// branches; a layer that stands in a Branch's place is a branch of one layer. PyTorch:
/// torch.cat(..., dim=1).
template <class... Branches>
struct Concat {
    using parts = detail::Parts<typename detail::as_branch<Branches>::type...>;

    static constexpr Inference join(const Shape* shapes, int count) {
        const Shape& first = shapes[0];
        LayerInfo info = detail::elementwise(LayerKind::concat, "Concat", first);
        for (int i = 1; i < count; ++i) {
            const Shape wanted{shapes[i].channels, first.height, first.width};
            if (shapes[i] != wanted) {
                Inference refusal = Inference::refuse(Reason::sizes_of_a_concat_differ, wanted);
                refusal.info.input = shapes[i];
                return refusal;
            }
            info.output.channels += shapes[i].channels;
        }
        return {info};
    }

private:
    static constexpr std::array<Chain, sizeof...(Branches)> branches{
        detail::as_branch<Branches>::type::chain...};

public:
    static constexpr LayerSpec spec{
        nullptr, &join, branches.data(), sizeof...(Branches),
        (std::size_t{1} + ... + detail::as_branch<Branches>::type::entries)};
};

}  // namespace typenet
