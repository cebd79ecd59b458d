// Cuda<float>, Cuda<tf32>, Cuda<bf16>: the backend that computes on an NVIDIA GPU, with its facts
// for the memory plan and the ways of data into and out of its layouts.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "typenet/backends/cuda/context.hpp"
#include "typenet/backends/cuda/stages.hpp"
#include "typenet/backends/cuda/transfer.hpp"
#include "typenet/core/error.hpp"
#include "typenet/core/geometry.hpp"
#include "typenet/core/precision.hpp"
#include "typenet/data/dataset.hpp"
#include "typenet/data/transforms.hpp"

namespace typenet {

/// An NVIDIA GPU, the current one of the thread that makes the model. `workspace_limit` bounds, in
/// bytes, what a convolution over a large batch takes for itself: it is cut into chunks.
template <class Precision = float, std::int64_t workspace_limit = std::int64_t{128} << 20>
struct Cuda {
    using Value = typename cuda::Format<Precision>::Value;

    /// What a model computes with. Threads are the CPU's affair.
    struct Context : cuda::Context {
        explicit Context(Threads = {}) : cuda::Context(cuda::Format<Precision>::math) {}
    };
    using Arena = cuda::Arena;
    using StageIo = cuda::StageIo;
    using Operand = cuda::Operand;
    using Recording = cuda::Recording;
    using Outputs = cuda::Outputs<Value>;
    template <class T>
    using Shared = cuda::Shared<T>;
    /// The rule of a backward pass that leaves gradients in memory, as all do here.
    struct KeepGradient {};

    // Facts for the memory plan: sizes of one sample in bytes, counts of packed parameters.
    static constexpr std::int64_t input_bytes(const Geometry& g) {
        return bytes_of(cuda::input_map(g));
    }
    static constexpr std::int64_t output_bytes(const Geometry& g) {
        return bytes_of(cuda::output_map(g));
    }
    static constexpr std::int64_t gradient_bytes(const Geometry& g) {
        return bytes_of(cuda::output_map(g));
    }
    static constexpr std::int64_t code_bytes(const Geometry& g) {
        return cuda::round_up(cuda::code_bytes(g), 64);
    }
    static constexpr std::int64_t weight_count(const Geometry& g) {
        return cuda::packed_weight_count(g);
    }
    static constexpr std::int64_t bias_count(const Geometry& g) {
        return cuda::packed_bias_count(g);
    }
    static constexpr bool updates_in_backward(const Geometry&) { return false; }
    /// One kernel over the whole arena of parameters ends a step.
    static constexpr bool updates_at_once = true;
    /// Whether the backward pass of a stage changes the gradient that it reads.
    static constexpr bool writes_to_output_gradient(const Geometry& g) {
        return g.op == Op::linear || (g.op == Op::convolution && g.relu && !g.pool);
    }
    /// A parameter as float and, where products want another type, its copy.
    static constexpr std::int64_t parameter_bytes =
        4 + (sizeof(Value) == 4 ? 0 : static_cast<std::int64_t>(sizeof(Value)));
    static constexpr std::int64_t workspace_bytes(const Geometry& g, Phase phase,
                                                  std::int64_t batch, int /*threads*/) {
        return cuda::workspace_plan<Value>(g, phase == Phase::training, batch, workspace_limit)
            .bytes;
    }

    /// What a model's context takes of the GPU's memory: staging and cuBLAS's workspace.
    static constexpr std::int64_t context_bytes = cuda::Context::device_bytes;
    /// What a trainer or predictor takes beside the planned buffers: outputs, labels, losses, and
    /// `step_bytes` of values that change from step to step.
    static constexpr std::int64_t transfer_bytes(const Geometry& last, Phase phase,
                                                 std::int64_t batch, std::int64_t step_bytes) {
        return Outputs::device_bytes(last, batch, phase == Phase::training) +
               cuda::round_up(step_bytes, 4);
    }

    /// What clipping `count` gradients needs: the sums of the blocks and the factor.
    static constexpr std::int64_t clip_bytes(std::int64_t count) {
        return cuda::round_up(8 * cuda::square_blocks(count) + 4, 64);
    }

    /// The memory of a model's `count` parameters, which start at its floats().
    static Arena parameter_arena(Context& context, std::int64_t count) {
        Arena arena(count * parameter_bytes);
        context.template set_parameters<Value>(arena.floats(), count);
        return arena;
    }
    /// Throws CudaError where `bytes_of(batch)` do not fit, and says which batch would.
    template <class BytesOf>
    static void require_memory(Context&, std::int64_t batch, const BytesOf& bytes_of) {
        std::size_t free = 0, total = 0;
        TYPENET_CUDA_CHECK(cudaMemGetInfo(&free, &total));
        const auto available = static_cast<std::int64_t>(free);
        if (bytes_of(batch) <= available) return;
        std::int64_t fits = 0, too_many = batch;
        while (too_many - fits > 1) {
            const std::int64_t middle = (fits + too_many) / 2;
            (bytes_of(middle) <= available ? fits : too_many) = middle;
        }
        throw CudaError("the GPU's memory does not suffice: a batch of " + std::to_string(batch) +
                        " takes " + std::to_string(bytes_of(batch) >> 20) + " MiB, " +
                        std::to_string(available >> 20) + " of " + std::to_string(total >> 20) +
                        " MiB are free; " +
                        (fits == 0 ? "end other programs on the GPU, or use a larger one"
                                   : "a batch of " + std::to_string(fits) + " would fit"));
    }

    static void use_workspace(const Geometry&, StageIo& io, std::byte* workspace, Phase,
                              std::int64_t) {
        io.workspace = workspace;
    }
    template <Geometry g>
    static void forward(Context& context, StageIo& io) {
        cuda::StageRun<Precision, workspace_limit, g>{context, io}.forward();
    }
    template <Geometry g, class Rule>
    static void backward(Context& context, StageIo& io, const Rule*) {
        cuda::StageRun<Precision, workspace_limit, g>{context, io}.backward();
    }
    /// Applies a rule, which lies in the GPU's memory, to `count` parameters (a multiple of 8), by
    /// their gradients times *scale unless it is null.
    template <class Rule>
    static void update(Context& context, const Rule* rule, std::int64_t count, float* parameters,
                       const float* gradients, float* state0, float* state1, const float* scale) {
        Value* copies = nullptr;
        if constexpr (sizeof(Value) != 4) copies = context.template copy_of<Value>(parameters);
        cuda::launch(
            cuda::update_parameters<Value, Rule>,
            dim3(static_cast<unsigned>(cuda::divide_up(count / 4, 4 * cuda::threads_per_block))),
            dim3(cuda::threads_per_block), 0, context.stream(), rule, count / 4, parameters,
            gradients, scale, state0, state1, copies);
    }
    /// The factor of `count` gradients (a multiple of 8) under ClipNorm, in a workspace of at least
    /// `clip_bytes`.
    static const float* clip_scale(Context& context, float max_norm, std::int64_t count,
                                   const float* gradients, std::byte* workspace) {
        const std::int64_t blocks = cuda::square_blocks(count);
        auto* sums = reinterpret_cast<double*>(workspace);
        auto* scale = reinterpret_cast<float*>(sums + blocks);
        cuda::launch(cuda::sum_squares<cuda::threads_per_block>,
                     dim3(static_cast<unsigned>(blocks)), dim3(cuda::threads_per_block), 0,
                     context.stream(), gradients, count / 4, sums);
        cuda::launch(cuda::find_clip_scale<cuda::threads_per_block>, dim3(1),
                     dim3(cuda::threads_per_block), 0, context.stream(), sums,
                     static_cast<int>(blocks), max_norm, scale);
        return scale;
    }

    // Between the host's memory and the GPU's.

    /// Calls f(const float*) on a host's copy of `count` packed values.
    template <class F>
    static void view(Context& context, const float* packed, std::int64_t count, const F& f) {
        std::vector<float> values(static_cast<std::size_t>(count));
        download(context, packed, values);
        f(values.data());
    }
    /// Calls f(float*), which sets packed values; what it leaves alone is padding and is zero.
    template <class F>
    static void edit(Context& context, float* packed, std::int64_t count, const F& f) {
        std::vector<float> values(static_cast<std::size_t>(count));
        f(values.data());
        upload(context, packed, values);
    }
    static void upload(Context& context, float* target, std::span<const float> values) {
        const cuda::Context::Turn turn(context);
        TYPENET_CUDA_CHECK(cudaMemcpyAsync(target, values.data(), values.size_bytes(),
                                           cudaMemcpyHostToDevice, context.stream()));
        if constexpr (sizeof(Value) != 4) {
            const auto quads = static_cast<std::int64_t>(values.size()) / 4;
            if (context.is_parameter(target))
                cuda::launch(
                    cuda::copy_parameters<Value>,
                    dim3(static_cast<unsigned>(cuda::divide_up(quads, cuda::threads_per_block))),
                    dim3(cuda::threads_per_block), 0, context.stream(), target, quads,
                    context.template copy_of<Value>(target));
        }
        context.synchronize();
    }
    static void download(Context& context, const float* source, std::span<float> values) {
        const cuda::Context::Turn turn(context);
        TYPENET_CUDA_CHECK(cudaMemcpyAsync(values.data(), source, values.size_bytes(),
                                           cudaMemcpyDeviceToHost, context.stream()));
        context.synchronize();
    }

    /// Canonical weights of a stage ([output][input][kernel row][kernel column] or
    /// [output][input]) to packed ones. Padding is left as it is: zero.
    template <class Visit>
    static void visit_weights(const Geometry& g, const Visit& visit) {
        std::int64_t canonical = 0;
        if (g.op == Op::convolution) {
            const cuda::Patches p = cuda::patches_of(g);
            for (int o = 0; o < g.middle.channels; ++o)
                for (int i = 0; i < g.input.channels / g.groups; ++i)
                    for (int y = 0; y < g.window.kernel_height; ++y)
                        for (int x = 0; x < g.window.kernel_width; ++x)
                            visit(canonical++, cuda::packed_convolution_index(p, o, i, y, x));
        } else if (g.op == Op::linear) {
            const cuda::Map map = cuda::input_map(g);
            for (int o = 0; o < g.output.channels; ++o)
                for (int c = 0; c < map.channels; ++c)
                    for (int y = 0; y < map.height; ++y)
                        for (int x = 0; x < map.width; ++x)
                            visit(canonical++, o * map.sample() + map.at(c, y, x));
        }
    }

    /// Canonical values of `batch` samples (channel, row, column) into the network's input.
    static void load_values(Context& context, const Geometry& first, const float* values,
                            std::int64_t batch, Value* input) {
        const cuda::Context::Turn turn(context);
        const cuda::Map map = cuda::input_map(first);
        context.staging().send(
            context.stream(), values, first.input.size() * 4, batch,
            [&](const std::byte* sent, std::int64_t sample, std::int64_t count) {
                const cuda::FromCanonical source{map, reinterpret_cast<const float*>(sent)};
                fill_input(context, source, input, sample, count);
            });
    }

    /// The pixels of a data set in the GPU's memory or, where that does not suffice, the host's.
    class ImageStore {
    public:
        ImageStore(Context& context, const Dataset& dataset) : host_(dataset.pixels) {
            const cuda::Context::Turn turn(context);
            std::size_t free = 0, total = 0;
            TYPENET_CUDA_CHECK(cudaMemGetInfo(&free, &total));
            if (host_.size() + left_free > free) return;
            device_ = cuda::Arena(static_cast<std::int64_t>(host_.size()));
            TYPENET_CUDA_CHECK(cudaMemcpyAsync(device_.bytes(), host_.data(), host_.size(),
                                               cudaMemcpyHostToDevice, context.stream()));
            context.synchronize();
        }
        bool is_on_device() const { return device_.bytes() != nullptr; }

    private:
        friend Cuda;
        /// Bytes that stay free for recorded graphs.
        static constexpr std::size_t left_free = std::size_t{64} << 20;
        std::span<const std::uint8_t> host_;
        cuda::Arena device_;
    };

    /// Byte images of `batch` samples, resized where their size differs from the network's and
    /// normalised, into the network's input; all but the copy is the GPU's work.
    static void load_images(Context& context, const Geometry& first, const std::uint8_t* pixels,
                            const Shape& image, const Normalization& normalization,
                            std::int64_t batch, Value* input) {
        const cuda::Context::Turn turn(context);
        const cuda::FromImages source = source_of(first, image, normalization);
        context.staging().send(context.stream(), pixels, image.size(), batch,
                               fill_from_sent(context, source, input));
    }
    /// The same for images of a store. Those in the GPU's memory are not copied, only `indices` is.
    static void load_images(Context& context, const Geometry& first, const ImageStore& store,
                            std::span<const std::uint32_t> indices, const Shape& image,
                            const Normalization& normalization, Value* input) {
        const cuda::Context::Turn turn(context);
        cuda::FromImages source = source_of(first, image, normalization);
        const auto batch = static_cast<std::int64_t>(indices.size());
        if (store.is_on_device()) {
            source.images.pixels = store.device_.template as<const std::uint8_t>();
            context.staging().send(
                context.stream(), indices.data(), 4, batch,
                [&](const std::byte* sent, std::int64_t sample, std::int64_t count) {
                    source.images.indices = reinterpret_cast<const std::uint32_t*>(sent);
                    fill_input(context, source, input, sample, count);
                });
            return;
        }
        const auto size = static_cast<std::size_t>(image.size());
        context.staging().send(
            context.stream(), image.size(), batch,
            [&](std::byte* target, std::int64_t sample, std::int64_t count) {
                for (std::int64_t n = sample; n < sample + count; ++n, target += size)
                    std::memcpy(target,
                                store.host_.data() + indices[static_cast<std::size_t>(n)] * size,
                                size);
            },
            fill_from_sent(context, source, input));
    }

private:
    /// Images of one shape, whose place is still to be set.
    static cuda::FromImages source_of(const Geometry& first, const Shape& image,
                                      const Normalization& normalization) {
        cuda::FromImages source{cuda::input_map(first), {}};
        source.images.height = image.height;
        source.images.width = image.width;
        std::copy(normalization.mean.begin(), normalization.mean.end(), source.images.mean);
        std::copy(normalization.deviation.begin(), normalization.deviation.end(),
                  source.images.deviation);
        return source;
    }
    /// Samples `sample` to `sample + count - 1` of the network's input.
    template <class Source>
    static void fill_input(Context& context, const Source& source, Value* input,
                           std::int64_t sample, std::int64_t count) {
        cuda::fill_map(context.stream(), source, count, input + sample * source.map.sample());
    }
    /// What fills the input from images that were sent side by side.
    static auto fill_from_sent(Context& context, const cuda::FromImages& source, Value* input) {
        return [&context, source, input](const std::byte* sent, std::int64_t sample,
                                         std::int64_t count) {
            cuda::FromImages own = source;
            own.images.pixels = reinterpret_cast<const std::uint8_t*>(sent);
            fill_input(context, own, input, sample, count);
        };
    }
    static constexpr std::int64_t bytes_of(const cuda::Map& map) {
        return cuda::round_up(map.sample() * static_cast<std::int64_t>(sizeof(Value)), 64);
    }
};

}  // namespace typenet
