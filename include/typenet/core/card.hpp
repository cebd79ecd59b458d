// The model card: what each layer of a network reads, writes and computes, as constexpr data.
//
// io/model_card.hpp prints it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "typenet/core/layer.hpp"
#include "typenet/core/network.hpp"
#include "typenet/core/shape.hpp"
#include "typenet/core/stages.hpp"

namespace typenet {

/// What a machine does at most in a second.
struct Peak {
    double flops = 0;  ///< floating-point operations
    double bytes = 0;  ///< to and from memory
};

/// What the forward pass of a layer, or of all layers, costs for a batch. Each layer by itself
/// reads its inputs, parameters and running statistics once and writes its output once; Flatten and
/// Expect touch nothing. Stages fuse layers and so move less.
struct Cost {
    std::int64_t flops = 0;          ///< two a multiply-accumulate; nothing else is counted
    std::int64_t bytes_read = 0;     ///< inputs and parameters
    std::int64_t bytes_written = 0;  ///< the output

    constexpr std::int64_t bytes() const { return bytes_read + bytes_written; }
    /// Arithmetic intensity: operations a byte moved; 0 where nothing moves.
    constexpr double intensity() const {
        return bytes() == 0 ? 0 : static_cast<double>(flops) / static_cast<double>(bytes());
    }
    /// Least time in seconds on a machine of which neither limit is 0. Source: Williams, Waterman
    /// and Patterson, "Roofline", 2009.
    constexpr double seconds(const Peak& peak) const {
        const double computing = static_cast<double>(flops) / peak.flops;
        const double moving = static_cast<double>(bytes()) / peak.bytes;
        return computing < moving ? moving : computing;
    }
    friend constexpr bool operator==(const Cost&, const Cost&) = default;
};

/// A layer with its cost.
struct LayerCard {
    LayerInfo layer;
    Cost cost;
};

/// A network's layers with their costs for a batch.
template <std::size_t layer_count>
struct ModelCard {
    Shape input;
    std::int64_t batch = 0;
    int element_bytes = 0;  ///< of an activation and of a parameter
    std::array<LayerCard, layer_count> layers{};

    /// All layers together.
    constexpr Cost total() const {
        Cost sum;
        for (const LayerCard& card : layers) {
            sum.flops += card.cost.flops;
            sum.bytes_read += card.cost.bytes_read;
            sum.bytes_written += card.cost.bytes_written;
        }
        return sum;
    }
    /// Least time in seconds of the layers one after the other.
    constexpr double seconds(const Peak& peak) const {
        double sum = 0;
        for (const LayerCard& card : layers) sum += card.cost.seconds(peak);
        return sum;
    }
};

/// The card of `Net` for `batch` samples of `element_bytes` bytes a value:
/// `static_assert(model_card<AlexNet>(64).total().flops == 64 * AlexNet::flops)`.
template <class Net>
constexpr ModelCard<Net::layer_count> model_card(std::int64_t batch = 1, int element_bytes = 4) {
    ModelCard<Net::layer_count> card{Net::input_shape, batch, element_bytes, {}};
    for (std::size_t i = 0; i < Net::layer_count; ++i) {
        const LayerInfo& layer = card.layers[i].layer = Net::layers[i];
        if (detail::is_transparent(layer, Phase::training)) continue;
        Cost& cost = card.layers[i].cost;
        cost.flops = 2 * layer.macs * batch;
        std::int64_t inputs = 0;
        for (const int source : layer.sources)
            inputs += source < 0 ? Net::input_shape.size()
                                 : Net::layers[static_cast<std::size_t>(source)].output.size();
        const std::int64_t tensors = layer.parameter_count() + layer.statistic_count;
        cost.bytes_read = (inputs * batch + tensors) * element_bytes;
        cost.bytes_written = layer.output.size() * batch * element_bytes;
    }
    return card;
}

}  // namespace typenet
