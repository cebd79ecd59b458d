// A name for a layer, under which its parameters are read, written and frozen.
#pragma once

#include "typenet/core/layer.hpp"
#include "typenet/core/text.hpp"

namespace typenet {

/// `Named<"features.0", Conv2d<...>>`: the layer itself, whose parameters are then called
/// "features.0.weight" and "features.0.bias". A layer without a name is called by its index.
template <Text text, Layer L>
struct Named {
    static constexpr Inference infer(const Shape& input) {
        Inference result = L::spec.infer(input);
        result.info.name = name.view();
        return result;
    }
    static constexpr LayerSpec spec{&infer};

private:
    static constexpr Text name = text;
};

}  // namespace typenet
