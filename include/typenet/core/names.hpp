// Shapes and layers as text. Apart from the rest of core, since <string> takes the compiler longer
// than a network's type does.
#pragma once

#include <string>

#include "typenet/core/layer.hpp"
#include "typenet/core/shape.hpp"

namespace typenet {

/// "3x227x227", or "10" for a flat shape.
inline std::string to_string(const Shape& shape) {
    std::string text = std::to_string(shape.channels);
    if (!shape.is_flat())
        text += "x" + std::to_string(shape.height) + "x" + std::to_string(shape.width);
    return text;
}

/// The name under which a layer's parameters are stored: the user's, or the layer's index.
inline std::string name_of(const LayerInfo& layer) {
    return layer.name.empty() ? std::to_string(layer.index) : std::string{layer.name};
}

}  // namespace typenet
