// Stages that are layers from outside the library: their functions see canonical values, so a
// sample is copied out of the layout of the kernels and its results back in.
#pragma once

#include <algorithm>
#include <cstdint>

#include "typenet/backends/cpu/layout.hpp"
#include "typenet/backends/cpu/stage_io.hpp"
#include "typenet/core/geometry.hpp"
#include "typenet/core/layer.hpp"

namespace typenet::cpu {

/// Calls f(canonical index, index in the layout) for each value of a sample.
template <class F>
void for_each_place(const Shape& shape, const MapLayout& layout, const F& f) {
    std::int64_t canonical = 0;
    for (int c = 0; c < shape.channels; ++c)
        for (int y = 0; y < (shape.is_flat() ? 1 : shape.height); ++y)
            for (int x = 0; x < (shape.is_flat() ? 1 : shape.width); ++x)
                f(canonical++, index_in(layout, c, y, x));
}
/// One sample out of its layout.
template <class Value>
void copy_out(const Shape& shape, const MapLayout& layout, const Value* sample, float* canonical) {
    for_each_place(shape, layout, [&](auto from, auto to) { canonical[from] = sample[to]; });
}
/// One sample into its layout, with zeros in the halo and in missing channels.
template <class Value>
void copy_in(const Shape& shape, const MapLayout& layout, const float* canonical, Value* sample) {
    std::fill_n(sample, layout.sample, Value(0.0f));
    for_each_place(shape, layout, [&](auto from, auto to) { sample[to] = canonical[from]; });
}

/// A pass over samples; each worker has canonical copies in its scratch.
template <class Value>
struct CustomStage {
    const StageIo<Value>& io;
    const Geometry& g;

    float* weight_gradient() const { return g.frozen ? io.workspace : io.weight_gradient; }
    float* bias_gradient() const {
        return g.frozen ? io.workspace + packed_weight_count(g) : io.bias_gradient;
    }

    void forward(std::int64_t n, int worker) const {
        float* input = io.scratch + worker * io.scratch_stride;
        float* output = input + g.input.size();
        const MapLayout in = input_layout(g), out = output_layout(g);
        copy_out(g.input, in, io.input + n * in.sample, input);
        io.layer->custom->forward(
            ForwardPass<float>{*io.layer, input, io.weights, io.biases, output});
        copy_in(g.output, out, output, io.output + n * out.sample);
    }
    void backward(std::int64_t n, int worker) const {
        float* input = io.scratch + worker * io.scratch_stride;
        float* output = input + g.input.size();
        float* input_gradient = output + g.output.size();
        float* output_gradient = input_gradient + g.input.size();
        const MapLayout in = input_layout(g), out = output_layout(g);
        const MapLayout gradient_in = layout_of(g.input, {}, false);
        const MapLayout gradient_out = gradient_layout(g);
        copy_out(g.input, in, io.input + n * in.sample, input);
        copy_out(g.output, out, io.output + n * out.sample, output);
        copy_out(g.output, gradient_out, io.output_gradient + n * gradient_out.sample,
                 output_gradient);
        std::fill_n(input_gradient, g.input.size(), 0.0f);
        io.layer->custom->backward(BackwardPass<float>{*io.layer, input, output, io.weights,
                                                       io.biases, output_gradient, input_gradient,
                                                       weight_gradient(), bias_gradient()});
        if (io.input_gradient != nullptr)
            copy_in(g.input, gradient_in, input_gradient,
                    io.input_gradient + n * gradient_in.sample);
    }
};

template <class Value>
void custom_forward(const StageIo<Value>& io, const Geometry& g) {
    const CustomStage<Value> stage{io, g};
    io.pool->parallel_for(
        io.batch,
        [](const void* s, std::int64_t n, int worker) {
            static_cast<const CustomStage<Value>*>(s)->forward(n, worker);
        },
        &stage);
}

/// Gradients of parameters are sums over the batch: there samples come one after the other, so that
/// the order of the sum does not depend on the threads.
template <class Value>
void custom_backward(const StageIo<Value>& io, const Geometry& g) {
    const CustomStage<Value> stage{io, g};
    if (has_parameters(g)) {
        std::fill_n(stage.weight_gradient(), packed_weight_count(g), 0.0f);
        std::fill_n(stage.bias_gradient(), packed_bias_count(g), 0.0f);
        for (std::int64_t n = 0; n < io.batch; ++n) stage.backward(n, 0);
        return;
    }
    io.pool->parallel_for(
        io.batch,
        [](const void* s, std::int64_t n, int worker) {
            static_cast<const CustomStage<Value>*>(s)->backward(n, worker);
        },
        &stage);
}

}  // namespace typenet::cpu
