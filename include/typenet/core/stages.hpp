// Lowers the layers of a network to stages: the fused steps that a backend runs.
//
// Layers stay single things for the user; stages are what the CPU and the GPU execute. Lowering is
// one pass over the array of layers, so nothing here is a template per layer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "typenet/core/geometry.hpp"
#include "typenet/core/layer.hpp"
#include "typenet/core/network.hpp"
#include "typenet/core/text.hpp"

namespace typenet {

/// A stage of one network: its geometry and where it came from.
struct StageInfo {
    Geometry geometry;
    int layer = 0;  ///< index of the layer that it computes (and whose parameters it holds)
    int dropout_layer = -1;
    float rate = 0;   ///< of the dropout
    Sources sources;  ///< indices of the stages whose outputs it reads
    int fork =
        -1;  ///< the stage that sums the gradients of its output's readers, or -1: it has one
};

template <std::size_t capacity>
struct StageTable {
    std::array<StageInfo, capacity> stages{};
    std::size_t count = 0;

    constexpr const StageInfo& operator[](int stage) const {
        return stages[static_cast<std::size_t>(stage)];
    }
    /// Whether operand `operand` of a stage passes a gradient on to what it comes from.
    constexpr bool passes_gradient(int stage, int operand) const {
        const int source = (*this)[stage].sources[operand];
        return source >= 0 && has_backward((*this)[source].geometry);
    }
    /// The stage whose backward pass reads the gradient of operand `operand` of a stage.
    constexpr int gradient_reader(int stage, int operand) const {
        const int source = (*this)[stage].sources[operand];
        const int fork = (*this)[source].fork;
        return fork >= 0 && fork != stage ? fork : source;
    }
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
        case LayerKind::batch_norm2d:
            return Op::batch_norm;
        case LayerKind::avg_pool2d:
            return Op::avg_pool;
        case LayerKind::add:
            return Op::add;
        case LayerKind::concat:
            return Op::concat;
        case LayerKind::custom:
            return Op::custom;
        case LayerKind::relu:
        case LayerKind::flatten:
        case LayerKind::expect:
            break;
    }
    return Op::relu;
}

/// Layers that pass on what they read: they rename or assert, drop nothing, or join one branch.
constexpr bool is_transparent(const LayerInfo& layer, Phase phase) {
    switch (layer.kind) {
        case LayerKind::flatten:
        case LayerKind::expect:
            return true;
        case LayerKind::dropout:
            return phase == Phase::inference || layer.rate == 0;
        case LayerKind::concat:
            return layer.sources.count == 1;
        default:
            return false;
    }
}

/// A max pool can be fused when a byte can say which of its window's values won.
constexpr bool fits_a_code(const Window& pool) {
    return pool.kernel_height * pool.kernel_width < 255;
}

/// Most stages that layers are lowered to, and most operands of them all: one for each layer, and
/// where there are branches, forks, further operands, and copies before what reads no halo.
template <std::size_t count>
constexpr std::size_t stage_capacity(const std::array<LayerInfo, count>& layers) {
    int branches = 0, copies = 0;
    for (const LayerInfo& layer : layers) {
        if (layer.sources.count > 1) branches += layer.sources.count;
        copies += layer.kind == LayerKind::linear || layer.kind == LayerKind::softmax;
    }
    return count + static_cast<std::size_t>(branches == 0 ? 0 : branches + copies);
}

/// The output of a layer, or the network's input.
struct Value {
    std::size_t made_by = 0;  ///< place of the value itself, or of the one that is passed on
    int readers = 0;          ///< inputs of layers that compute
    std::size_t reader = 0;   ///< the last of them
    Halo halo;                ///< the most that a convolution wants around it
    bool planar = true;       ///< whether it lies plane by plane
    int stage = -1;           ///< that computes it
    Shape memory;             ///< its shape in memory, which Flatten leaves alone
};

/// The shape in memory of what a layer joins: flat where the shapes of its inputs do not fit.
template <class ReadBy>
constexpr Shape joined(const LayerInfo& layer, const ReadBy& read_by) {
    Shape shape = read_by(layer, 0).memory;
    for (int operand = 1; operand < layer.sources.count; ++operand) {
        const Shape& other = read_by(layer, operand).memory;
        if (other.height != shape.height || other.width != shape.width) return layer.output;
        if (layer.kind == LayerKind::concat)
            shape.channels += other.channels;
        else if (other.channels != shape.channels)
            return layer.output;
    }
    return shape;
}

/// Lowers layers in their order. Place 0 among the values is the network's input, place i + 1 what
/// layer i puts out.
template <std::size_t capacity, std::size_t count>
consteval StageTable<capacity> lower(const std::array<LayerInfo, count>& layers, Phase phase,
                                     bool loss_includes_softmax,
                                     const std::array<bool, count>& frozen = {}) {
    StageTable<capacity> table;
    std::size_t end = count;
    if (loss_includes_softmax && count > 0 && layers[count - 1].kind == LayerKind::softmax) --end;

    std::array<Value, count + 1> values{};
    const auto read_by = [&](const LayerInfo& layer, int operand) -> Value& {
        const auto place = static_cast<std::size_t>(layer.sources[operand] + 1);
        return values[values[place].made_by];
    };
    for (std::size_t i = 0; i < end; ++i) {
        const LayerInfo& layer = layers[i];
        if (is_transparent(layer, phase)) {
            values[i + 1].made_by = values[static_cast<std::size_t>(layer.sources[0] + 1)].made_by;
            continue;
        }
        values[i + 1].made_by = i + 1;
        for (int operand = 0; operand < layer.sources.count; ++operand) {
            Value& value = read_by(layer, operand);
            ++value.readers;
            value.reader = i;
            if (layer.kind != LayerKind::conv2d) continue;
            const Window& w = layer.window;
            value.halo = {larger(value.halo.top, w.pad_top), larger(value.halo.left, w.pad_left),
                          larger(value.halo.bottom, w.pad_bottom),
                          larger(value.halo.right, w.pad_right)};
        }
    }
    // Few channels straight from the input stay planar, also through a resize, when convolutions
    // are all that read them.
    for (std::size_t i = end; i-- > 0;) {
        const LayerInfo& layer = layers[i];
        const Value& own = values[i + 1];
        const bool wants_planes =
            layer.kind == LayerKind::conv2d ||
            (layer.kind == LayerKind::resize && own.readers > 0 && own.planar);
        if (wants_planes || is_transparent(layer, phase)) continue;
        for (int operand = 0; operand < layer.sources.count; ++operand)
            read_by(layer, operand).planar = false;
    }
    const Shape& input = layers[0].input;
    values[0].memory = input;
    values[0].planar =
        values[0].planar && !input.is_flat() && input.channels <= planar_channel_limit;

    std::array<bool, count> fused{};
    // The layer that alone reads what layer `i` puts out, or `end`.
    const auto follower = [&](std::size_t i) {
        return values[i + 1].readers == 1 ? values[i + 1].reader : end;
    };
    for (std::size_t i = 0; i < end; ++i) {
        const LayerInfo& layer = layers[i];
        if (fused[i] || is_transparent(layer, phase)) continue;

        const Value* source = &read_by(layer, 0);
        StageInfo stage;
        stage.layer = static_cast<int>(i);
        Geometry& g = stage.geometry;
        g.op = op_of(layer.kind);
        g.frozen = frozen[i];
        g.input = source->memory;
        g.input_halo = source->halo;
        g.planar_input = source->planar;
        for (int operand = 0; operand < layer.sources.count; ++operand) {
            const int from = read_by(layer, operand).stage;
            stage.sources.add(from);
            if (phase == Phase::training && from >= 0 && has_backward(table[from].geometry))
                g.input_gradient = true;
        }
        if ((g.op == Op::linear || g.op == Op::softmax) && g.input_halo != Halo{}) {
            StageInfo copy = stage;
            copy.geometry.op = Op::add;
            copy.geometry.frozen = false;
            copy.geometry.output = copy.geometry.middle = g.input;
            stage.sources = {};
            stage.sources.add(static_cast<int>(table.count));
            g.input_halo = {};
            table.stages[table.count++] = copy;
        }
        // What keeps the shape of a flat view lies in memory as its input does.
        const bool keeps_shape = layer.input == layer.output && layer.kind != LayerKind::linear;
        g.output = g.middle = keeps_shape ? g.input : layer.output;
        if (layer.sources.count > 1) g.output = g.middle = joined(layer, read_by);
        g.window = layer.window;
        g.groups = layer.groups;
        if (layer.kind == LayerKind::custom) {
            g.custom_weights = layer.weight_count;
            g.custom_biases = layer.bias_count;
        }
        if (layer.kind == LayerKind::dropout) {
            stage.dropout_layer = stage.layer;
            stage.rate = layer.rate;
        }

        // Fuse what follows.
        std::size_t last = i;
        const auto fuse_relu = [&] {
            const std::size_t next = follower(last);
            if (next == end || layers[next].kind != LayerKind::relu) return;
            g.relu = true;
            last = next;
        };
        if (g.op == Op::convolution) {
            fuse_relu();
            const std::size_t next = follower(last);
            if (next < end && layers[next].kind == LayerKind::max_pool2d &&
                fits_a_code(layers[next].window)) {
                g.pool = layers[next].window;
                g.output = layers[next].output;
                fused[last] = true;
                last = next;
            }
        } else if (g.op == Op::batch_norm || g.op == Op::add) {
            fuse_relu();
        } else if (g.op == Op::linear) {
            // Dropout scales by a positive number, so it and ReLU commute.
            for (std::size_t next = follower(last); next < end; next = follower(last)) {
                const LayerInfo& candidate = layers[next];
                if (candidate.kind == LayerKind::relu && !g.relu) {
                    g.relu = true;
                } else if (candidate.kind == LayerKind::dropout && !g.dropout) {
                    g.dropout = true;
                    stage.dropout_layer = static_cast<int>(next);
                    stage.rate = candidate.rate;
                } else {
                    break;
                }
                fused[last] = true;
                last = next;
            }
        }
        fused[last] = true;
        Value& value = values[last + 1];
        value.stage = static_cast<int>(table.count);
        value.memory = g.output;
        value.planar = value.planar && g.op == Op::resize && g.planar_input;
        g.output_halo = value.halo;
        table.stages[table.count++] = stage;

        if (phase == Phase::training && value.readers > 1 && has_backward(g)) {
            StageInfo fork;
            fork.geometry.op = Op::fork;
            fork.geometry.input = fork.geometry.middle = fork.geometry.output = g.output;
            fork.geometry.input_gradient = true;
            fork.layer = stage.layer;
            fork.sources.add(value.stage);
            table.stages[table.count - 1].fork = static_cast<int>(table.count);
            table.stages[table.count++] = fork;
        }
    }
    return table;
}

}  // namespace detail

/// A trainer's policy, best written `freeze<"features", "classifier.1">`: the layers that go by
/// these names (or whose names continue them after a dot) keep their parameters. No gradients are
/// computed or planned for them, nor for what lies before the first layer that learns, and no state
/// of an optimizer. A frozen BatchNorm2d normalises by its running statistics and leaves them
/// alone; Dropout drops as ever.
template <Text... names>
struct Freeze {
    /// Whether a layer's parameters stay as they are.
    static constexpr bool covers(const LayerInfo& layer) {
        return layer.parameter_count() > 0 && (detail::goes_by(layer, names.view()) || ...);
    }
};
template <Text... names>
inline constexpr Freeze<names...> freeze{};

namespace detail {
template <class Frozen, std::size_t count>
consteval std::array<bool, count> frozen_among(const std::array<LayerInfo, count>& layers) {
    std::array<bool, count> frozen{};
    for (std::size_t i = 0; i < count; ++i) frozen[i] = Frozen::covers(layers[i]);
    return frozen;
}
}  // namespace detail

/// The stages of a network for one phase. In training under a loss that includes the softmax
/// (cross entropy), a final Softmax layer is left to the loss.
template <class Net, Phase phase, class Frozen = Freeze<>>
inline constexpr auto stages_of = detail::lower<detail::stage_capacity(Net::layers)>(
    Net::layers, phase, phase == Phase::training, detail::frozen_among<Frozen>(Net::layers));

}  // namespace typenet
