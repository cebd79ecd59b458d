// Lowers the layers of a network to stages: the fused steps that a backend runs.
//
// Layers stay single things for the user; stages are what the CPU and the GPU execute. Lowering is
// one pass over the array of layers, so nothing here is a template per layer.
#pragma once

#include <array>
#include <boost/hana/tuple.hpp>
#include <boost/hana/type.hpp>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "typenet/core/geometry.hpp"
#include "typenet/core/layer.hpp"
#include "typenet/core/network.hpp"

namespace typenet {

/// A stage of one network: its geometry and where it came from.
struct StageInfo {
    Geometry geometry;
    int layer = 0;  ///< index of the layer that it computes (and whose parameters it holds)
    int dropout_layer = -1;
    float rate = 0;   ///< of the dropout
    int source = -1;  ///< index of the stage that feeds it; -1 is the network's input
};

template <std::size_t capacity>
struct StageTable {
    std::array<StageInfo, capacity> stages{};
    std::size_t count = 0;
};

namespace detail {

constexpr Op op_of(LayerKind kind) {
    switch (kind) {
        case LayerKind::conv2d:
            return Op::convolution;
        case LayerKind::linear:
            return Op::linear;
        case LayerKind::max_pool2d:
            return Op::max_pool;
        case LayerKind::adaptive_avg_pool2d:
            return Op::adaptive_avg_pool;
        case LayerKind::dropout:
            return Op::dropout;
        case LayerKind::softmax:
            return Op::softmax;
        case LayerKind::resize:
            return Op::resize;
        case LayerKind::local_response_norm:
            return Op::local_response_norm;
        case LayerKind::relu:
        case LayerKind::flatten:
        case LayerKind::expect:
            break;
    }
    return Op::relu;
}

/// Layers that only rename or assert.
constexpr bool is_transparent(const LayerInfo& layer) {
    return layer.kind == LayerKind::flatten || layer.kind == LayerKind::expect;
}

/// A max pool can be fused when a byte can say which of its window's values won.
constexpr bool fits_a_code(const Window& pool) {
    return pool.kernel_height * pool.kernel_width < 255;
}

template <std::size_t count>
consteval StageTable<count> lower(const std::array<LayerInfo, count>& layers, Phase phase,
                                  bool loss_includes_softmax) {
    StageTable<count> table;
    std::size_t end = count;
    if (loss_includes_softmax && count > 0 && layers[count - 1].kind == LayerKind::softmax) --end;
    Shape memory = layers[0].input;  // the shape in memory, which Flatten leaves alone
    bool learns = false;             // whether a stage before this one holds parameters
    for (std::size_t i = 0; i < end; ++i) {
        const LayerInfo& layer = layers[i];
        const bool idle_dropout =
            layer.kind == LayerKind::dropout && (phase == Phase::inference || layer.rate == 0);
        if (is_transparent(layer) || idle_dropout) continue;

        StageInfo stage;
        Geometry& g = stage.geometry;
        g.op = op_of(layer.kind);
        g.input = memory;
        // A flat result of a flat view lies in memory as its input does.
        g.output = g.middle = layer.input == layer.output ? memory : layer.output;
        g.window = layer.window;
        g.groups = layer.groups;
        g.input_gradient = phase == Phase::training && learns;
        stage.layer = static_cast<int>(i);
        stage.source = static_cast<int>(table.count) - 1;
        if (layer.kind == LayerKind::dropout) {
            stage.dropout_layer = stage.layer;
            stage.rate = layer.rate;
        }
        learns = learns || layer.parameter_count() > 0;

        // Fuse what follows. `next` skips layers that compute nothing.
        const auto next = [&](std::size_t after) {
            for (++after; after < end; ++after)
                if (!is_transparent(layers[after])) break;
            return after;
        };
        std::size_t follower = next(i);
        if (g.op == Op::convolution) {
            if (follower < end && layers[follower].kind == LayerKind::relu) {
                g.relu = true;
                i = follower;
                follower = next(i);
            }
            if (follower < end && layers[follower].kind == LayerKind::max_pool2d &&
                fits_a_code(layers[follower].window)) {
                g.pool = layers[follower].window;
                g.output = layers[follower].output;
                i = follower;
            }
        } else if (g.op == Op::linear) {
            // Dropout scales by a positive number, so it and ReLU commute.
            while (follower < end) {
                const LayerInfo& candidate = layers[follower];
                if (candidate.kind == LayerKind::relu && !g.relu) {
                    g.relu = true;
                } else if (candidate.kind == LayerKind::dropout && !g.dropout) {
                    if (phase == Phase::training && candidate.rate > 0) {
                        g.dropout = true;
                        stage.dropout_layer = static_cast<int>(follower);
                        stage.rate = candidate.rate;
                    }
                } else {
                    break;
                }
                i = follower;
                follower = next(i);
            }
        }
        // Few channels straight from the input stay planar for a convolution, also through a
        // resize.
        const bool planar_source =
            table.count == 0 || (table.stages[table.count - 1].geometry.op == Op::resize &&
                                 table.stages[table.count - 1].geometry.planar_input);
        g.planar_input = planar_source && !g.input.is_flat() &&
                         g.input.channels <= planar_channel_limit &&
                         (g.op == Op::convolution || g.op == Op::resize);
        if (g.op == Op::convolution)
            g.input_halo = {g.window.pad_top, g.window.pad_left, g.window.pad_bottom,
                            g.window.pad_right};
        if (table.count > 0) table.stages[table.count - 1].geometry.output_halo = g.input_halo;
        memory = g.output;
        table.stages[table.count++] = stage;
    }
    // A planar resize hands planes on, so what follows it must read planes.
    for (std::size_t i = 0; i < table.count; ++i) {
        Geometry& g = table.stages[i].geometry;
        if (g.op == Op::resize && g.planar_input &&
            (i + 1 == table.count || !table.stages[i + 1].geometry.planar_input))
            g.planar_input = false;
    }
    return table;
}

}  // namespace detail

/// The stages of a network for one phase. In training under a loss that includes the softmax
/// (cross entropy), a final Softmax layer is left to the loss.
template <class Net, Phase phase>
inline constexpr StageTable<Net::layer_count> stages_of = detail::lower(Net::layers, phase,
                                                                        phase == Phase::training);

/// A stage as a type: its place in the network and its geometry.
template <std::size_t place, Geometry g>
struct Stage {
    static constexpr std::size_t index = place;
    static constexpr Geometry geometry = g;
};

namespace detail {
template <class Net, Phase phase, std::size_t... indices>
constexpr auto stage_tuple(std::index_sequence<indices...>) {
    return boost::hana::tuple_t<Stage<indices, stages_of<Net, phase>.stages[indices].geometry>...>;
}
}  // namespace detail

/// The stages of a network as a Hana tuple of `hana::type<Stage<...>>`, first to last.
template <class Net, Phase phase>
inline constexpr auto stage_types =
    detail::stage_tuple<Net, phase>(std::make_index_sequence<stages_of<Net, phase>.count>{});

}  // namespace typenet
