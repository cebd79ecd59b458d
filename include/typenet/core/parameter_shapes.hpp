// The tensors that a network has, as data: their public names and their shapes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "typenet/core/layer.hpp"
#include "typenet/core/names.hpp"

namespace typenet {

/// What a tensor of a network is to its layer. The optimizer changes weights and biases; running
/// statistics follow the batches of training by themselves.
enum class TensorKind : std::uint8_t { weight, bias, running_mean, running_var };

constexpr std::string_view to_string(TensorKind kind) {
    switch (kind) {
        case TensorKind::weight:
            return "weight";
        case TensorKind::bias:
            return "bias";
        case TensorKind::running_mean:
            return "running_mean";
        case TensorKind::running_var:
            break;
    }
    return "running_var";
}

/// A tensor's name in a file, "cn1.weight", and its shape in C order.
struct TensorShape {
    std::string name;
    std::vector<std::int64_t> shape;
    int layer = 0;  ///< index of the layer that it belongs to
    TensorKind kind = TensorKind::weight;
};

/// The tensors in the order of the layers, weight then bias, in PyTorch's layouts:
/// [out, in / groups, kernel height, width], [out, in] and [out]; a batch normalisation has its
/// running mean and variance as well, all [channels]; those of a custom layer are as long as it
/// says.
inline std::vector<TensorShape> parameter_shapes(std::span<const LayerInfo> layers) {
    std::vector<TensorShape> shapes;
    for (const LayerInfo& layer : layers) {
        const auto add = [&](TensorKind kind, std::vector<std::int64_t> shape) {
            shapes.push_back({name_of(layer) + "." + std::string{to_string(kind)}, std::move(shape),
                              layer.index, kind});
        };
        std::vector<std::int64_t> weight{layer.weight_count};
        if (layer.kind == LayerKind::conv2d || layer.kind == LayerKind::linear)
            weight = {layer.output.channels, layer.input.channels / layer.groups};
        if (layer.kind == LayerKind::conv2d)
            weight.insert(weight.end(), {layer.window.kernel_height, layer.window.kernel_width});
        if (layer.weight_count > 0) add(TensorKind::weight, weight);
        if (layer.bias_count > 0) add(TensorKind::bias, {layer.bias_count});
        if (layer.statistic_count == 0) continue;
        add(TensorKind::running_mean, {layer.statistic_count / 2});
        add(TensorKind::running_var, {layer.statistic_count / 2});
    }
    return shapes;
}

}  // namespace typenet
