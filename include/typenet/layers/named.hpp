// A name for a layer, under which its parameters are read, written and frozen.
#pragma once

#include <cstddef>

#include "typenet/core/layer.hpp"
#include "typenet/core/shape_error.hpp"
#include "typenet/core/text.hpp"

namespace typenet {

/// `Named<"features.0", Conv2d<...>>`: the layer itself, whose parameters are then called
/// "features.0.weight" and "features.0.bias". A layer without a name is called by its index.
template <Text text, class L>
struct Named {
    static constexpr Inference infer(const Shape& input) {
        Inference result = detail::spec_of<L>()->infer(input);
        result.info.name = name.view();
        return result;
    }
    static constexpr LayerSpec spec{&infer};

private:
    static constexpr Text name = text;
};

namespace detail {

template <std::size_t index, class L, class Name>
constexpr type_tag<at_layer<static_cast<int>(index), L, Name>> place(type_tag<Name>) {
    return {};
}
/// The place of a layer with its name beside it.
template <std::size_t index, Text text, class L>
constexpr auto locate(indexed<index, Named<text, L>>) {
    return place<index, L>(spell<named, text>());
}

}  // namespace detail
}  // namespace typenet
