// What the memory plan asks of Cpu<T>: facts without kernels, so that <typenet/core.hpp> can
// plan for the processor.
#pragma once

#include <cstdint>

#include "typenet/backends/cpu/layout.hpp"
#include "typenet/backends/cpu/values.hpp"
#include "typenet/backends/cpu/winograd.hpp"
#include "typenet/core/memory_plan.hpp"
#include "typenet/core/stages.hpp"

namespace typenet {

/// The processor. T is float or, with <typenet/bf16.hpp>, bf16: then activations and the weights of
/// products are bfloat16 in memory; sums, parameters, their gradients and those of activations stay
/// float.
template <class T = float>
struct Cpu;

template <class T>
struct MemoryFacts<Cpu<T>> {
    /// Of an activation.
    static constexpr std::int64_t value_bytes = sizeof(typename cpu::ValueOf<T>::type);
    // Sizes of one sample in bytes, counts of packed parameters.
    static constexpr std::int64_t input_bytes(const Geometry& g) {
        return aligned(cpu::input_layout(g).sample * value_bytes);
    }
    static constexpr std::int64_t output_bytes(const Geometry& g) {
        return aligned(cpu::output_layout(g).sample * value_bytes);
    }
    static constexpr std::int64_t gradient_bytes(const Geometry& g) {
        return aligned(cpu::gradient_layout(g).sample * 4);
    }
    static constexpr std::int64_t code_bytes(const Geometry& g) { return cpu::code_bytes(g); }
    static constexpr std::int64_t weight_count(const Geometry& g) {
        return cpu::packed_weight_count(g);
    }
    static constexpr std::int64_t bias_count(const Geometry& g) {
        return cpu::packed_bias_count(g);
    }
    /// Floats that a stage keeps beside its weights for Winograd's algorithm.
    static constexpr std::int64_t transformed_weight_count(const Geometry& g) requires(
        value_bytes == 4) {
        return g.winograd ? cpu::winograd_layout(g).weight_count : 0;
    }
    /// A parameter as float and, where products want another type, its copy.
    static constexpr std::int64_t parameter_bytes = 4 + (value_bytes == 4 ? 0 : value_bytes);
    /// Whether the backward pass of a stage can apply the optimizer to its weights itself.
    static constexpr bool updates_in_backward(const Geometry& g) { return g.op == Op::linear; }
    /// Whether the optimizer waits for all gradients and then changes all parameters in one pass,
    /// rather than each stage's as soon as its gradient is known.
    static constexpr bool updates_at_once = false;
    /// Whether the backward pass of a stage changes the gradient that it reads.
    static constexpr bool writes_to_output_gradient(const Geometry& g) {
        return g.op == Op::linear;
    }

    /// Bytes that a stage needs while it runs and that all its tasks share.
    static constexpr std::int64_t shared_bytes(const Geometry& g, Phase phase, std::int64_t batch) {
        if (g.winograd)
            return aligned(cpu::winograd_chunk(g, batch) * cpu::winograd_layout(g).sample_values() *
                           4);
        if (phase == Phase::inference || !has_backward(g)) return 0;
        if (g.op == Op::batch_norm) return aligned(batch * 2 * cpu::packed_bias_count(g) * 4);
        if (g.op == Op::custom && g.frozen)  // gradients that nobody reads
            return aligned((cpu::packed_weight_count(g) + cpu::packed_bias_count(g)) * 4);
        if (g.op != Op::convolution) return 0;
        const cpu::ConvolutionLayout c = cpu::convolution_layout(g);
        std::int64_t values = cpu::backward_chunk(g) * cpu::middle_gradient_layout(g).sample;
        if (g.input_gradient)
            values += cpu::blocks_of(g.input.channels) * c.output_blocks_per_group *
                      g.window.kernel_height * g.window.kernel_width * cpu::block * cpu::block;
        return aligned(cpu::backward_chunk(g) * cpu::packed_bias_count(g) * 4 +
                       values * value_bytes);
    }
    /// Bytes that each worker of a stage needs for itself.
    static constexpr std::int64_t worker_bytes(const Geometry& g, Phase phase, std::int64_t batch) {
        if (g.winograd) return aligned(cpu::winograd_worker_values(g) * 4);
        if (g.op == Op::convolution) {
            const std::int64_t sums = cpu::most_blocks_per_tile * g.middle.pixels() * cpu::block;
            if (value_bytes == 4 || phase == Phase::inference || !learns(g))
                return aligned(sums * 4);
            return aligned(detail::larger(sums, cpu::pair_count(g)) * 4);
        }
        if (g.op == Op::linear && phase == Phase::training && has_backward(g))
            return aligned(
                batch *
                (2 * (cpu::columns_per_task(cpu::linear_columns(g), batch) + cpu::block) +
                 cpu::linear_rows_per_pass) *
                4);
        if (g.op == Op::linear && value_bytes != 4)  // sums of a task's outputs
            return aligned(batch * cpu::block * 4);
        if (g.op == Op::custom)  // canonical values and, in training, their gradients
            return aligned((phase == Phase::training ? 2 : 1) * (g.input.size() + g.output.size()) *
                           4);
        return 0;
    }
    static constexpr std::int64_t workspace_bytes(const Geometry& g, Phase phase,
                                                  std::int64_t batch, int threads) {
        return shared_bytes(g, phase, batch) + threads * worker_bytes(g, phase, batch);
    }
    /// Gradients whose squares are added up by one task.
    static constexpr std::int64_t squares_per_task = 1 << 14;
    static constexpr std::int64_t square_tasks(std::int64_t count) {
        return (count + squares_per_task - 1) / squares_per_task;
    }
    /// Bytes that clipping `count` gradients needs: the sums of the tasks and the factor.
    static constexpr std::int64_t clip_bytes(std::int64_t count) {
        return aligned(8 * square_tasks(count) + 4);
    }
    // What lies on the heap beside the arenas, a few values a sample, is not planned.
    static constexpr std::int64_t context_bytes = 0;
    static constexpr std::int64_t transfer_bytes(const Geometry& /*last*/, Phase,
                                                 std::int64_t /*batch*/,
                                                 std::int64_t /*step_bytes*/) {
        return 0;
    }

private:
    static constexpr std::int64_t aligned(std::int64_t bytes) { return (bytes + 63) / 64 * 64; }
};

}  // namespace typenet
