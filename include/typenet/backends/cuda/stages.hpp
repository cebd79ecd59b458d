// The stages of a network on the GPU: which kernels and products run, on what, in which order.
#pragma once

#include <algorithm>
#include <cstdint>

#include "typenet/backends/cuda/batch_norm.hpp"
#include "typenet/backends/cuda/context.hpp"
#include "typenet/backends/cuda/joins.hpp"
#include "typenet/backends/cuda/kernels/convolution.cuh"
#include "typenet/backends/cuda/kernels/elementwise.cuh"
#include "typenet/backends/cuda/kernels/normalization.cuh"
#include "typenet/backends/cuda/kernels/pooling.cuh"
#include "typenet/backends/cuda/kernels/resize.cuh"
#include "typenet/backends/cuda/layout.hpp"
#include "typenet/backends/cuda/products.hpp"
#include "typenet/backends/cuda/stage_io.hpp"
#include "typenet/core/layer.hpp"
#include "typenet/core/random.hpp"

namespace typenet::cuda {

/// How a stage's workspace is cut.
struct WorkspacePlan {
    std::int64_t chunk = 0;         ///< samples that pass a convolution together
    std::int64_t patches = 0;       ///< offset in bytes; gradients of patches lie there as well
    std::int64_t middle = 0;        ///< what lies between a convolution and its max pool
    std::int64_t partial_sums = 0;  ///< of bias gradients
    std::int64_t bytes = 0;
};

template <class T>
constexpr WorkspacePlan workspace_plan(const Geometry& g, bool training, std::int64_t batch,
                                       std::int64_t limit) {
    constexpr auto size = static_cast<std::int64_t>(sizeof(T));
    WorkspacePlan plan;
    if (g.op == Op::convolution) {
        const Patches p = patches_of(g);
        const std::int64_t patches = p.trivial() ? 0 : p.sample() * size;
        const std::int64_t middle = g.pool ? middle_map(g).sample() * size : 0;
        const std::int64_t sample = patches + middle;
        plan.chunk = sample == 0 ? batch : std::clamp<std::int64_t>(limit / sample, 1, batch);
        plan.middle = round_up(plan.chunk * patches, 256);
        plan.bytes = plan.middle + round_up(plan.chunk * middle, 256);
    }
    plan.partial_sums = plan.bytes;
    if (training && learns(g))
        plan.bytes += most_partial_sums * channels_in_memory(g.middle.channels) * 4;
    return plan;
}

/// The pool of a stage, alone or behind a convolution.
constexpr Pool pool_of(const Geometry& g) {
    if (g.op == Op::convolution) return {middle_map(g), output_map(g), g.pool, g.relu};
    return {input_map(g), output_map(g), g.window, false};
}

inline dim3 one_warp_a_sample(std::int64_t samples) {
    return dim3(static_cast<unsigned>(divide_up(samples, warps_per_block)));
}
inline NormParameters norm_of(const LayerInfo& layer) {
    return {layer.norm_size / 2, layer.norm_alpha / static_cast<float>(layer.norm_size),
            layer.norm_beta, layer.norm_k};
}

template <class Precision, std::int64_t limit, Geometry g>
struct StageRun {
    using T = typename Format<Precision>::Value;
    static constexpr Map in = input_map(g);
    static constexpr Map middle = middle_map(g);
    static constexpr Map out = output_map(g);

    Context& context;
    const StageIo& io;
    cudaStream_t stream = context.stream();
    const T* input = static_cast<const T*>(io.input);
    T* output = static_cast<T*>(io.output);
    T* output_gradient = static_cast<T*>(io.output_gradient);
    T* input_gradient = static_cast<T*>(io.input_gradient);
    const T* weights = has_parameters(g) ? context.copy_of<T>(io.weights) : nullptr;

    static_assert(g.op != Op::custom,
                  "a layer from outside the library runs on the processor only: use Cpu<float>");

    void forward() const {
        const std::int64_t rows = io.batch * out.pixels();
        if constexpr (g.op == Op::convolution) {
            convolution_forward();
        } else if constexpr (g.op == Op::linear) {
            products(io.batch).forward(input, weights, output);
            compute<T, out.pixel>(
                stream, Activation<T, out, g.relu>{output, io.biases, io.dropout, io.keep_scale},
                output, rows);
        } else if constexpr (g.op == Op::relu) {
            compute<T, out.pixel>(stream, Activation<T, out, true>{input, nullptr, nullptr, 1},
                                  output, rows);
        } else if constexpr (g.op == Op::dropout) {
            compute<T, out.pixel>(
                stream, Activation<T, out, false>{input, nullptr, io.dropout, io.keep_scale},
                output, rows);
        } else if constexpr (g.op == Op::max_pool) {
            compute<T, out.pixel>(stream, MaxPool<T, pool_of(g)>{input, nullptr, io.codes}, output,
                                  rows);
        } else if constexpr (g.op == Op::adaptive_avg_pool) {
            compute<T, out.pixel>(stream, AveragePool<T, in, out>{input}, output, rows);
        } else if constexpr (g.op == Op::avg_pool) {
            compute<T, out.pixel>(stream, WindowAverage<T, pool_of(g)>{input}, output, rows);
        } else if constexpr (g.op == Op::batch_norm) {
            batch_norm_forward<T>(stream, io, g, partial_sums());
        } else if constexpr (g.op == Op::add) {
            add_forward<T>(stream, io, g);
        } else if constexpr (g.op == Op::concat) {
            concat_forward<T>(stream, io, g);
        } else if constexpr (g.op == Op::fork) {
            // Its readers read what it stands behind.
        } else if constexpr (g.op == Op::resize) {
            compute<T, out.pixel>(stream, Resized<T, in, out>{input}, output, rows);
        } else if constexpr (g.op == Op::local_response_norm) {
            compute<T, out.pixel>(stream, LocalResponseNorm<T, out>{input, norm_of(*io.layer)},
                                  output, rows);
        } else {
            static_assert(g.op == Op::softmax);
            launch(softmax_forward<T>, one_warp_a_sample(io.batch), dim3(32, warps_per_block), 0,
                   stream, out, input, output, io.batch);
        }
    }

    void backward() const {
        const std::int64_t rows = io.batch * in.pixels();
        if constexpr (g.op == Op::convolution) {
            convolution_backward();
        } else if constexpr (g.op == Op::linear) {
            activation_backward<out>(output_gradient, output, io.batch, 0);
            if constexpr (learns(g))
                products(io.batch).weight_gradient(output_gradient, input, io.weight_gradient,
                                                   false);
            if constexpr (g.input_gradient)
                products(io.batch).input_gradient(output_gradient, weights, input_gradient);
        } else if constexpr (g.op == Op::relu) {
            compute<T, in.pixel>(
                stream, ActivationGradient<T, in, true>{output_gradient, output, nullptr, 1},
                input_gradient, rows);
        } else if constexpr (g.op == Op::dropout) {
            compute<T, in.pixel>(stream,
                                 ActivationGradient<T, in, false>{output_gradient, nullptr,
                                                                  io.dropout, io.keep_scale},
                                 input_gradient, rows);
        } else if constexpr (g.op == Op::max_pool) {
            compute<T, in.pixel>(stream, MaxPoolGradient<T, pool_of(g)>{output_gradient, io.codes},
                                 input_gradient, rows);
        } else if constexpr (g.op == Op::adaptive_avg_pool) {
            compute<T, in.pixel>(stream, AveragePoolGradient<T, in, out>{output_gradient},
                                 input_gradient, rows);
        } else if constexpr (g.op == Op::avg_pool) {
            compute<T, in.pixel>(stream, WindowAverageGradient<T, pool_of(g)>{output_gradient},
                                 input_gradient, rows);
        } else if constexpr (g.op == Op::batch_norm) {
            batch_norm_backward<T>(stream, io, g, partial_sums());
        } else if constexpr (g.op == Op::add) {
            add_backward<T>(stream, io, g);
        } else if constexpr (g.op == Op::concat) {
            concat_backward<T>(stream, io, g);
        } else if constexpr (g.op == Op::fork) {
            fork_backward<T>(stream, io, g);
        } else if constexpr (g.op == Op::resize) {
            compute<T, in.pixel>(stream, ResizedGradient<T, in, out>{output_gradient},
                                 input_gradient, rows);
        } else if constexpr (g.op == Op::local_response_norm) {
            compute<T, in.pixel>(
                stream,
                LocalResponseNormGradient<T, in>{input, output_gradient, norm_of(*io.layer)},
                input_gradient, rows);
        } else {
            static_assert(g.op == Op::softmax);
            launch(softmax_backward<T>, one_warp_a_sample(io.batch), dim3(32, warps_per_block), 0,
                   stream, out, static_cast<const T*>(output),
                   static_cast<const T*>(output_gradient), input_gradient, io.batch);
        }
    }

private:
    /// The products of a convolution over some samples, or of a linear layer.
    Products<Precision> products(std::int64_t samples) const {
        if constexpr (g.op == Op::convolution) {
            constexpr Patches p = patches_of(g);
            return {context, samples * p.pixels(), p.outputs, p.length, middle.pixel, p.groups};
        } else {
            return {context, samples, out.pixel, in.sample(), out.pixel, 1};
        }
    }

    /// What the products of a convolution read for some samples.
    const T* patches(const T* samples, std::int64_t count, T* workspace) const {
        constexpr Patches p = patches_of(g);
        if constexpr (p.trivial()) {
            return samples;
        } else {
            compute<T, p.length>(stream, PatchRows<T, p>{samples, count}, workspace,
                                 p.groups * count * p.pixels());
            return workspace;
        }
    }

    void convolution_forward() const {
        const WorkspacePlan plan = workspace_plan<T>(g, false, io.batch, limit);
        T* const patch_space = reinterpret_cast<T*>(io.workspace + plan.patches);
        T* const middle_space = reinterpret_cast<T*>(io.workspace + plan.middle);
        for (std::int64_t first = 0; first < io.batch; first += plan.chunk) {
            const std::int64_t count = (std::min)(plan.chunk, io.batch - first);
            const T* read = patches(input + first * in.sample(), count, patch_space);
            T* const result = output + first * out.sample();
            if constexpr (static_cast<bool>(g.pool)) {
                products(count).forward(read, weights, middle_space);
                std::uint8_t* const codes =
                    io.codes == nullptr ? nullptr : io.codes + first * out.sample();
                compute<T, out.pixel>(stream,
                                      MaxPool<T, pool_of(g)>{middle_space, io.biases, codes},
                                      result, count * out.pixels());
            } else {
                products(count).forward(read, weights, result);
                compute<T, out.pixel>(stream,
                                      Activation<T, out, g.relu>{result, io.biases, nullptr, 1},
                                      result, count * out.pixels());
            }
        }
    }

    void convolution_backward() const {
        constexpr Patches p = patches_of(g);
        const WorkspacePlan plan = workspace_plan<T>(g, true, io.batch, limit);
        T* const patch_space = reinterpret_cast<T*>(io.workspace + plan.patches);
        T* const middle_space = reinterpret_cast<T*>(io.workspace + plan.middle);
        for (std::int64_t first = 0; first < io.batch; first += plan.chunk) {
            const std::int64_t count = (std::min)(plan.chunk, io.batch - first);
            T* gradient = output_gradient + first * out.sample();
            if constexpr (static_cast<bool>(g.pool)) {
                compute_bias_gradient<middle>(
                    MaxPoolGradient<T, pool_of(g)>{gradient, io.codes + first * out.sample()},
                    middle_space, count, first);
                gradient = middle_space;
            } else {
                activation_backward<out>(gradient, output + first * out.sample(), count, first);
            }
            if constexpr (learns(g))
                products(count).weight_gradient(
                    gradient, patches(input + first * in.sample(), count, patch_space),
                    io.weight_gradient, first > 0);
            if constexpr (g.input_gradient) {
                T* const result = input_gradient + first * in.sample();
                if constexpr (p.trivial()) {
                    products(count).input_gradient(gradient, weights, result);
                } else {
                    products(count).input_gradient(gradient, weights, patch_space);
                    compute<T, in.pixel>(stream, PatchesGradient<T, p>{patch_space, count}, result,
                                         count * in.pixels());
                }
            }
        }
    }

    /// From the gradient behind bias, dropout and ReLU to the one before, in place, and the bias's.
    template <Map map>
    void activation_backward(T* gradient, const T* values, std::int64_t samples,
                             std::int64_t first) const {
        T* const target = g.relu || io.dropout != nullptr ? gradient : nullptr;
        compute_bias_gradient<map>(
            ActivationGradient<T, map, g.relu>{gradient, values, io.dropout, io.keep_scale}, target,
            samples, first);
    }
    /// Rows of a map's gradient into `target`, unless it is null, and their sum into the bias's
    /// gradient, unless the stage is frozen.
    template <Map map, class Rows>
    void compute_bias_gradient(const Rows& rows, T* target, std::int64_t samples,
                               std::int64_t first) const {
        if constexpr (learns(g))
            compute_with_sums<T, map.pixel>(stream, rows, target, samples * map.pixels(),
                                            partial_sums(), io.bias_gradient, first > 0);
        else if (target != nullptr)
            compute<T, map.pixel>(stream, rows, target, samples * map.pixels());
    }
    float* partial_sums() const {
        const WorkspacePlan plan = workspace_plan<T>(g, io.training, io.batch, limit);
        return reinterpret_cast<float*>(io.workspace + plan.partial_sums);
    }
};

}  // namespace typenet::cuda
