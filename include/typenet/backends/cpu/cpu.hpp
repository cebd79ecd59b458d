// The backend that computes on the processor, and the ways of data into and out of its layouts; and
// Cpu<float>, whose values are floats.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "typenet/backends/cpu/arena.hpp"
#include "typenet/backends/cpu/custom.hpp"
#include "typenet/backends/cpu/isa.hpp"
#include "typenet/backends/cpu/kernels.hpp"
#include "typenet/backends/cpu/layout.hpp"
#include "typenet/backends/cpu/memory.hpp"
#include "typenet/backends/cpu/stage_io.hpp"
#include "typenet/backends/cpu/thread_pool.hpp"
#include "typenet/backends/cpu/values.hpp"
#include "typenet/backends/cpu/winograd_weights.hpp"
#include "typenet/core/error.hpp"
#include "typenet/core/stages.hpp"
#include "typenet/data/dataset.hpp"
#include "typenet/data/transforms.hpp"
#include "typenet/training/losses.hpp"

namespace typenet {

namespace cpu {

/// What Cpu<T> is: all but the kernels themselves, which are Kernels<T>.
template <class T>
struct Processor : MemoryFacts<Cpu<T>> {
    using Facts = MemoryFacts<Cpu<T>>;
    using Value = typename ValueOf<T>::type;
    /// Whether products read copies of the parameters, which lie behind them, one for each.
    static constexpr bool has_copies = !std::is_same_v<Value, float>;

    /// What a model computes with: threads and an instruction set.
    struct Context {
        cpu::ThreadPool pool;
        cpu::Isa isa;
        float* parameters = nullptr;  ///< of the model
        std::int64_t parameter_count = 0;

        explicit Context(Threads threads) : pool(threads), isa(cpu::best_isa(Kernels<T>::most)) {}
        int threads() const { return pool.size(); }
        bool is_parameter(const float* value) const {
            return value >= parameters && value < parameters + parameter_count;
        }
        /// Where products read a parameter.
        Value* values_of(float* parameter) const {
            if constexpr (has_copies)
                return reinterpret_cast<Value*>(parameters + parameter_count) +
                       (parameter - parameters);
            else
                return parameter;
        }
    };
    using Arena = cpu::Arena;
    using StageIo = cpu::StageIo<Value>;
    using Operand = cpu::Operand<Value>;

    /// Points the stage's io at a workspace of at least `workspace_bytes`.
    static void use_workspace(const Geometry& g, StageIo& io, std::byte* workspace, Phase phase,
                              std::int64_t batch) {
        io.workspace = reinterpret_cast<float*>(workspace);
        io.scratch = reinterpret_cast<float*>(workspace + Facts::shared_bytes(g, phase, batch));
        io.scratch_stride = Facts::worker_bytes(g, phase, batch) / 4;
    }

    /// Completes what a stage is handed.
    static void prepare(Context& context, StageIo& io) {
        io.pool = &context.pool;
        io.weight_values = context.values_of(io.weights);
    }
    template <Geometry g>
    static void forward(Context& context, StageIo& io) {
        prepare(context, io);
        if constexpr (g.op == Op::custom)
            cpu::custom_forward(io, g);
        else
            Kernels<T>::template forward<g>(context.isa, io);
    }
    /// `rule` is the optimizer's, which a linear stage applies to its weights at once, or
    /// KeepGradient's: then the weights' gradients are left in memory. Other stages always leave
    /// them.
    template <Geometry g, class Rule>
    static void backward(Context& context, StageIo& io, const Rule* rule) {
        prepare(context, io);
        if constexpr (g.op == Op::custom)
            cpu::custom_backward(io, g);
        else
            Kernels<T>::template backward<g>(context.isa, io, *rule);
    }
    /// Applies a rule to `count` parameters (a multiple of 16) whose gradients, to be multiplied by
    /// *scale unless it is null, lie in memory.
    template <class Rule>
    static void update(Context& context, const Rule* rule, std::int64_t count, float* parameters,
                       const float* gradients, float* state0, float* state1, const float* scale) {
        Kernels<T>::update(context.isa, context.pool, *rule, count, parameters, gradients, state0,
                           state1, scale == nullptr ? 1.0f : *scale);
        copy(context, parameters, count);
    }
    /// The factor of `count` gradients (a multiple of 16) under ClipNorm, in a workspace of at
    /// least `clip_bytes`.
    static const float* clip_scale(Context& context, float max_norm, std::int64_t count,
                                   const float* gradients, std::byte* workspace) {
        auto* sums = reinterpret_cast<double*>(workspace);
        const std::int64_t tasks = Facts::square_tasks(count);
        const SquaresTask task{gradients, count, sums};
        context.pool.parallel_for(tasks, &SquaresTask::run, &task);
        double sum = 0;
        for (std::int64_t i = 0; i < tasks; ++i) sum += sums[i];
        const double share = double{max_norm} / (std::sqrt(sum) + 1e-6);
        auto* scale = reinterpret_cast<float*>(sums + tasks);
        *scale = share > 1 ? 1.0f : static_cast<float>(share);
        return scale;
    }

    /// Transforms the packed weights of a stage for Winograd's algorithm
    /// (transformed_weight_count).
    static void transform_weights(Context& context, const Geometry& g, const float* weights,
                                  float* transformed) {
        cpu::transform_weights(context.pool, g, weights, transformed);
    }

    /// The memory of a model's `count` parameters, which start at its floats().
    static Arena parameter_arena(Context& context, std::int64_t count) {
        Arena arena(count * Facts::parameter_bytes);
        context.parameters = arena.floats();
        context.parameter_count = count;
        return arena;
    }
    /// Throws where `bytes_of(batch)` can be told not to fit. Here each Arena finds out for itself.
    template <class BytesOf>
    static void require_memory(Context&, std::int64_t /*batch*/, const BytesOf&) {}

    // Between the host and the memory that kernels work on, which here are the same.

    /// Calls f(const float*) on a host's view of `count` packed values.
    template <class F>
    static void view(Context&, const float* packed, std::int64_t /*count*/, const F& f) {
        f(packed);
    }
    /// Calls f(float*), which sets packed values; what it leaves alone is padding and stays zero.
    template <class F>
    static void edit(Context& context, float* packed, std::int64_t count, const F& f) {
        f(packed);
        if (context.is_parameter(packed)) copy(context, packed, count);
    }

    /// A value that the host sets before a step and that kernels read through a pointer.
    template <class Held>
    class Shared {
    public:
        explicit Shared(const Held& value) : value_(std::make_unique<Held>(value)) {}
        void set(Context&, const Held& value) { *value_ = value; }
        const Held* get() const { return value_.get(); }

    private:
        std::unique_ptr<Held> value_;  // stays in place when its owner moves
    };

    /// Repeats a body of kernels: a GPU records them once for each key, this backend just calls.
    class Recording {
    public:
        template <class Body>
        void run(Context&, std::int64_t /*key*/, const Body& body) {
            body();
        }
    };

    /// The outputs of the last stage, canonical, and the loss on them.
    class Outputs {
    public:
        Outputs(const Geometry& last, std::int64_t batch, bool training)
            : outputs_(last.output, cpu::output_layout(last)),
              gradients_(last.output, cpu::gradient_layout(last)) {
            if (!training) return;
            const auto values = static_cast<std::size_t>(batch * last.output.size());
            logits_.resize(values);
            logit_gradients_.resize(values);
            labels_.reserve(static_cast<std::size_t>(batch));
        }

        /// Canonical outputs [batch][outputs]; waits for them.
        void read(Context&, const Value* outputs, std::int64_t batch,
                  std::span<float> canonical) const {
            std::size_t i = 0;
            for (std::int64_t n = 0; n < batch; ++n)
                for (const std::int64_t offset : outputs_.offsets)
                    canonical[i++] = outputs[n * outputs_.layout.sample + offset];
        }
        void set_labels(Context&, std::span<const std::int32_t> labels) {
            labels_.assign(labels.begin(), labels.end());
        }
        /// Whether a loss can be a part of a recording.
        template <class Loss>
        static constexpr bool computes = true;
        /// Computes the loss of a batch and, unless `gradients` is null, its gradient.
        template <class Loss>
        void evaluate(Context& context, const Loss& loss, const Value* outputs, float* gradients,
                      std::int64_t batch) {
            const std::size_t values = static_cast<std::size_t>(batch) * outputs_.offsets.size();
            const std::span logits{logits_.data(), values};
            const std::span logit_gradients{logit_gradients_.data(), values};
            read(context, outputs, batch, logits);
            value_ = loss(logits, labels_, logit_gradients);
            if (gradients == nullptr) return;
            std::fill_n(gradients, batch * gradients_.layout.sample, 0.0f);
            std::size_t i = 0;
            for (std::int64_t n = 0; n < batch; ++n)
                for (const std::int64_t offset : gradients_.offsets)
                    gradients[n * gradients_.layout.sample + offset] = logit_gradients[i++];
        }
        /// What the last evaluation found; waits for it.
        LossValue value(Context&) const { return value_; }

    private:
        struct View {
            View(const Shape& shape, const cpu::MapLayout& layout_)
                : layout(layout_), offsets(canonical_offsets(shape, layout_)) {}
            cpu::MapLayout layout;
            std::vector<std::int64_t> offsets;  ///< of the canonical values of a sample
        };
        View outputs_;
        View gradients_;
        std::vector<float> logits_;
        std::vector<float> logit_gradients_;
        std::vector<std::int32_t> labels_;
        LossValue value_;
    };

    /// Canonical weights of a stage ([output][input][kernel row][kernel column] or
    /// [output][input]) to packed ones. Padding is left as it is: zero.
    template <class Visit>
    static void visit_weights(const Geometry& g, const Visit& visit) {
        std::int64_t canonical = 0;
        if (g.op == Op::convolution) {
            const cpu::ConvolutionLayout c = cpu::convolution_layout(g);
            for (int o = 0; o < g.middle.channels; ++o)
                for (int i = 0; i < g.input.channels / g.groups; ++i)
                    for (int y = 0; y < g.window.kernel_height; ++y)
                        for (int x = 0; x < g.window.kernel_width; ++x)
                            visit(canonical++, cpu::packed_convolution_index(g, c, o, i, y, x));
        } else if (g.op == Op::linear) {
            const std::vector<std::int64_t> columns =
                canonical_offsets(g.input, cpu::input_layout(g));
            const std::int64_t stride = cpu::linear_columns(g);
            for (int o = 0; o < g.output.channels; ++o)
                for (const std::int64_t column : columns) visit(canonical++, o * stride + column);
        }
    }

    /// Offset of each canonical value of a sample in a layout.
    static std::vector<std::int64_t> canonical_offsets(const Shape& shape,
                                                       const cpu::MapLayout& layout) {
        std::vector<std::int64_t> offsets;
        offsets.reserve(static_cast<std::size_t>(shape.size()));
        for (int c = 0; c < shape.channels; ++c)
            for (int y = 0; y < (shape.is_flat() ? 1 : shape.height); ++y)
                for (int x = 0; x < (shape.is_flat() ? 1 : shape.width); ++x)
                    offsets.push_back(cpu::index_in(layout, c, y, x));
        return offsets;
    }
    using KeepGradient = cpu::KeepGradient;

    /// Canonical values of `batch` samples (channel, row, column) into the network's input.
    static void load_values(Context& context, const Geometry& first, const float* values,
                            std::int64_t batch, Value* input) {
        const InputTask task{
            first, cpu::input_layout(first), input, values, nullptr, nullptr, {}, {}, {}, {}};
        context.pool.parallel_for(batch * first.input.channels, &InputTask::run, &task);
    }

    /// The pixels of a data set where kernels read them: here, where they are.
    class ImageStore {
    public:
        ImageStore(Context&, const Dataset& dataset) : pixels_(dataset.pixels.data()) {}
        bool is_on_device() const { return true; }

    private:
        friend Processor;
        const std::uint8_t* pixels_;
    };

    /// Byte images of `batch` samples, resized where their size differs from the network's and
    /// normalised, into the network's input.
    static void load_images(Context& context, const Geometry& first, const std::uint8_t* pixels,
                            const Shape& image, const Normalization& normalization,
                            std::int64_t batch, Value* input) {
        load_images(context, first, pixels, nullptr, image, normalization, batch, input);
    }
    /// The same for images of a store.
    static void load_images(Context& context, const Geometry& first, const ImageStore& store,
                            std::span<const std::uint32_t> indices, const Shape& image,
                            const Normalization& normalization, Value* input) {
        load_images(context, first, store.pixels_, indices.data(), image, normalization,
                    static_cast<std::int64_t>(indices.size()), input);
    }

private:
    /// Rounds `count` parameters from `first` on for the products.
    static void copy(Context& context, float* first, std::int64_t count) {
        if constexpr (has_copies) {
            const CopyTask task{first, context.values_of(first), count};
            context.pool.parallel_for((count + CopyTask::piece - 1) / CopyTask::piece,
                                      &CopyTask::run, &task);
        }
    }
    struct CopyTask {
        const float* parameters;
        Value* copies;
        std::int64_t count;
        static constexpr std::int64_t piece = 1 << 14;  ///< parameters of one task

        static void run(const void* context, std::int64_t index, int) {
            const auto& task = *static_cast<const CopyTask*>(context);
            const std::int64_t end = (std::min)((index + 1) * piece, task.count);
            for (std::int64_t i = index * piece; i < end; ++i) task.copies[i] = task.parameters[i];
        }
    };

    static void load_images(Context& context, const Geometry& first, const std::uint8_t* pixels,
                            const std::uint32_t* indices, const Shape& image,
                            const Normalization& normalization, std::int64_t batch, Value* input) {
        thread_local std::vector<BilinearTap> rows, columns;
        rows.resize(static_cast<std::size_t>(first.input.height));
        columns.resize(static_cast<std::size_t>(first.input.width));
        for (std::size_t y = 0; y < rows.size(); ++y)
            rows[y] = bilinear_tap(static_cast<int>(y), image.height, first.input.height);
        for (std::size_t x = 0; x < columns.size(); ++x)
            columns[x] = bilinear_tap(static_cast<int>(x), image.width, first.input.width);
        const InputTask task{first,  cpu::input_layout(first),
                             input,  nullptr,
                             pixels, indices,
                             image,  normalization,
                             rows,   columns};
        context.pool.parallel_for(batch * first.input.channels, &InputTask::run, &task);
    }

    /// Adds up the squares of some gradients, in double.
    struct SquaresTask {
        const float* gradients;
        std::int64_t count;
        double* sums;  ///< one for each task

        static void run(const void* context, std::int64_t index, int) {
            const auto& task = *static_cast<const SquaresTask*>(context);
            const std::int64_t first = index * Facts::squares_per_task;
            const std::int64_t end = (std::min)(first + Facts::squares_per_task, task.count);
            double sums[cpu::block] = {};  // side by side
            for (std::int64_t i = first; i < end; i += cpu::block)
                for (int lane = 0; lane < cpu::block; ++lane) {
                    const double gradient{task.gradients[i + lane]};
                    sums[lane] += gradient * gradient;
                }
            for (int lane = 1; lane < cpu::block; ++lane) sums[0] += sums[lane];
            task.sums[index] = sums[0];
        }
    };

    /// Fills one channel of one sample of the network's input.
    struct InputTask {
        Geometry g;
        cpu::MapLayout layout;
        Value* input;
        const float* values;           ///< either canonical values
        const std::uint8_t* pixels;    ///< or bytes
        const std::uint32_t* indices;  ///< which images of `pixels`; null: in their order
        Shape image;
        Normalization normalization;
        std::span<const BilinearTap> rows;
        std::span<const BilinearTap> columns;

        static void run(const void* context, std::int64_t index, int) {
            static_cast<const InputTask*>(context)->fill(index);
        }
        void fill(std::int64_t index) const {
            const std::int64_t sample = index / g.input.channels;
            const int channel = static_cast<int>(index % g.input.channels);
            Value* plane = input + sample * layout.sample +
                           (layout.pixel == 1 ? channel : channel / cpu::block) * layout.plane;
            // The first channel of a plane clears it: halo and missing channels are zero. Channels
            // of one block are therefore filled by one task.
            if (layout.pixel != 1) {
                if (channel % cpu::block != 0) return;
                for (std::int64_t i = 0; i < layout.plane; ++i) plane[i] = 0;
                const int end = (std::min)(channel + cpu::block, g.input.channels);
                for (int c = channel; c < end; ++c) fill_channel(sample, c, plane + c % cpu::block);
            } else {
                for (std::int64_t i = 0; i < layout.plane; ++i) plane[i] = 0;
                fill_channel(sample, channel, plane);
            }
        }
        void fill_channel(std::int64_t sample, int channel, Value* plane) const {
            Value* target = plane + layout.origin;
            const int height = g.input.is_flat() ? 1 : g.input.height;
            const int width = g.input.is_flat() ? 1 : g.input.width;
            if (values != nullptr) {
                const float* source =
                    values + (sample * g.input.channels + channel) * g.input.pixels();
                for (int y = 0; y < height; ++y)
                    for (int x = 0; x < width; ++x)
                        target[y * layout.row + x * layout.pixel] = *source++;
                return;
            }
            const std::int64_t index = indices != nullptr ? indices[sample] : sample;
            const std::uint8_t* source =
                pixels + (index * image.channels + channel) * image.pixels();
            for (int y = 0; y < height; ++y) {
                const BilinearTap row = rows[static_cast<std::size_t>(y)];
                const std::uint8_t* above = source + std::int64_t{row.low} * image.width;
                const std::uint8_t* below = source + std::int64_t{row.high} * image.width;
                for (int x = 0; x < width; ++x) {
                    const BilinearTap column = columns[static_cast<std::size_t>(x)];
                    const auto at = [&](const std::uint8_t* line) {
                        const float low = line[column.low];
                        return low + column.weight * (static_cast<float>(line[column.high]) - low);
                    };
                    const float upper = at(above);
                    target[y * layout.row + x * layout.pixel] =
                        normalization(upper + row.weight * (at(below) - upper), channel);
                }
            }
        }
    };
};

}  // namespace cpu

template <>
struct Cpu<float> : cpu::Processor<float> {};

}  // namespace typenet
