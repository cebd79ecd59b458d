// A name for a layer, under which its parameters are read, written and frozen.
#pragma once

#include <cstddef>

#include "typenet/core/layer.hpp"
#include "typenet/core/shape_error.hpp"
#include "typenet/core/text.hpp"

namespace typenet {

/// `Named<"features.0", Conv2d<...>>`: the layer itself, whose parameters are then called
/// "features.0.weight" and "features.0.bias". A layer without a name is called by its index. Of a
/// composite layer the name is the joining entry's; its inner layers keep names of their own.
template <Text text, class L>
struct Named {
    static constexpr Inference infer(const Shape& input) {
        return named(detail::spec_of<L>()->infer(input));
    }
    static constexpr Inference join(const Shape* shapes, int count) {
        return named(detail::spec_of<L>()->join(shapes, count));
    }
    static constexpr LayerSpec spec = [] {
        LayerSpec result = *detail::spec_of<L>();
        if (result.join == nullptr)
            result.infer = &infer;
        else
            result.join = &join;
        return result;
    }();

private:
    static constexpr Text name = text;
    static constexpr Inference named(Inference result) {
        result.info.name = name.view();
        return result;
    }
};

namespace detail {

template <std::size_t index, class L, class Name>
constexpr type_tag<at_layer<static_cast<int>(index), L, Name>> place(type_tag<Name>) {
    return {};
}
/// The place of a layer with its name beside it.
template <std::size_t index, std::size_t entry, Text text, class L>
constexpr auto descend(type_tag<Named<text, L>>) {
    if constexpr (entry + 1 < entries_of<L>())
        return descend<index, entry>(type_tag<L>{});
    else
        return place<index, L>(spell<named, text>());
}

}  // namespace detail
}  // namespace typenet
