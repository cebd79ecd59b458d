// The tensors of parameters that a network has, as data: their public names and their shapes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "typenet/core/layer.hpp"
#include "typenet/core/names.hpp"

namespace typenet {

/// A tensor's name in a file, "cn1.weight", and its shape in C order.
struct TensorShape {
    std::string name;
    std::vector<std::int64_t> shape;
};

/// The tensors in the order of the layers, weight then bias, in PyTorch's layouts:
/// [out, in / groups, kernel height, width], [out, in] and [out]; a batch normalisation has its
/// running mean and variance as well, all [channels]; those of a custom layer are as long as it
/// says.
inline std::vector<TensorShape> parameter_shapes(std::span<const LayerInfo> layers) {
    std::vector<TensorShape> shapes;
    for (const LayerInfo& layer : layers) {
        if (layer.kind == LayerKind::custom) {
            if (layer.weight_count > 0)
                shapes.push_back({name_of(layer) + ".weight", {layer.weight_count}});
            if (layer.bias_count > 0)
                shapes.push_back({name_of(layer) + ".bias", {layer.bias_count}});
            continue;
        }
        if (layer.weight_count == 0) continue;
        std::vector<std::int64_t> shape{layer.output.channels};
        if (layer.kind != LayerKind::batch_norm2d)
            shape.push_back(layer.input.channels / layer.groups);
        if (layer.kind == LayerKind::conv2d)
            shape.insert(shape.end(), {layer.window.kernel_height, layer.window.kernel_width});
        shapes.push_back({name_of(layer) + ".weight", shape});
        shapes.push_back({name_of(layer) + ".bias", {layer.output.channels}});
        if (layer.kind != LayerKind::batch_norm2d) continue;
        shapes.push_back({name_of(layer) + ".running_mean", {layer.output.channels}});
        shapes.push_back({name_of(layer) + ".running_var", {layer.output.channels}});
    }
    return shapes;
}

}  // namespace typenet
