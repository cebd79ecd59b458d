// Cuda<float>, Cuda<tf32>, Cuda<bf16>: the backend that computes on an NVIDIA GPU, with its facts
// for the memory plan and the ways of data into and out of its layouts.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "typenet/backends/cuda/context.hpp"
#include "typenet/backends/cuda/stages.hpp"
#include "typenet/backends/cuda/transfer.hpp"
#include "typenet/core/error.hpp"
#include "typenet/core/geometry.hpp"
#include "typenet/core/precision.hpp"
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
        return cuda::round_up(cuda::code_count(g), 64);
    }
    static constexpr std::int64_t weight_count(const Geometry& g) {
        return cuda::packed_weight_count(g);
    }
    static constexpr std::int64_t bias_count(const Geometry& g) {
        return cuda::packed_bias_count(g);
    }
    static constexpr bool updates_in_backward(const Geometry&) { return false; }
    /// A parameter as float and, where products want another type, its copy.
    static constexpr std::int64_t parameter_bytes =
        4 + (sizeof(Value) == 4 ? 0 : static_cast<std::int64_t>(sizeof(Value)));
    static constexpr std::int64_t workspace_bytes(const Geometry& g, Phase phase,
                                                  std::int64_t batch, int /*threads*/) {
        return cuda::workspace_plan<Value>(g, phase == Phase::training, batch, workspace_limit)
            .bytes;
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

    template <Geometry g>
    static void use_workspace(StageIo& io, std::byte* workspace, Phase, std::int64_t) {
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
    /// Applies a rule, which lies in the GPU's memory, to `count` parameters (a multiple of 8).
    template <class Rule>
    static void update(Context& context, const Rule* rule, std::int64_t count, float* parameters,
                       const float* gradients, float* state0, float* state1) {
        Value* copies = nullptr;
        if constexpr (sizeof(Value) != 4) copies = context.template copy_of<Value>(parameters);
        cuda::launch(
            cuda::update_parameters<Value, Rule>,
            dim3(static_cast<unsigned>(cuda::divide_up(count / 4, 4 * cuda::threads_per_block))),
            dim3(cuda::threads_per_block), 0, context.stream(), rule, count / 4, parameters,
            gradients, state0, state1, copies);
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
                            std::int64_t batch, float* input) {
        const cuda::Context::Turn turn(context);
        const void* sent =
            context.staging().send(context.stream(), values, batch * first.input.size() * 4);
        cuda::fill_map<Value, cuda::FromCanonical>(context.stream(), cuda::input_map(first), batch,
                                                   reinterpret_cast<Value*>(input),
                                                   static_cast<const float*>(sent));
        context.staging().consumed(context.stream());
    }

    /// Byte images of `batch` samples, resized where their size differs from the network's and
    /// normalised, into the network's input; all but the copy is the GPU's work.
    static void load_images(Context& context, const Geometry& first, const std::uint8_t* pixels,
                            const Shape& image, const Normalization& normalization,
                            std::int64_t batch, float* input) {
        require_images(image, first.input);
        cuda::Images images{};
        images.height = image.height;
        images.width = image.width;
        std::copy(normalization.mean.begin(), normalization.mean.end(), images.mean);
        std::copy(normalization.deviation.begin(), normalization.deviation.end(), images.deviation);
        const cuda::Context::Turn turn(context);
        images.pixels = static_cast<const std::uint8_t*>(
            context.staging().send(context.stream(), pixels, batch * image.size()));
        cuda::fill_map<Value, cuda::FromImages>(context.stream(), cuda::input_map(first), batch,
                                                reinterpret_cast<Value*>(input), images);
        context.staging().consumed(context.stream());
    }

private:
    static constexpr std::int64_t bytes_of(const cuda::Map& map) {
        return cuda::round_up(map.sample() * static_cast<std::int64_t>(sizeof(Value)), 64);
    }
};

}  // namespace typenet
