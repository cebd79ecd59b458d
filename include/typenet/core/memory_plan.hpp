// Memory planning: buffers with lifetimes are given offsets in one arena, at compile time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "typenet/core/random.hpp"
#include "typenet/core/stages.hpp"

namespace typenet {

constexpr std::int64_t MiB(std::int64_t count) {
    return count << 20;
}

/// What a memory plan asks of a backend: sizes in bytes and counts, as static functions of a
/// Geometry. The backend states them itself, unless this is specialised so that plans can be made
/// where its kernels are not included.
template <class Backend>
struct MemoryFacts : Backend {};

/// What a planned buffer holds.
enum class BufferRole : std::uint8_t { activation, gradient, code };

/// A buffer that lives from step `first` to step `last` (inclusive) of a schedule.
struct PlannedBuffer {
    BufferRole role = BufferRole::activation;
    int stage = -1;          ///< the stage whose output it belongs to; -1: the network's input
    std::int64_t bytes = 0;  ///< of one sample
    int first = 0;
    int last = 0;
    std::int64_t offset = 0;  ///< in the arena, for a batch of one
};

/// Buffers of one schedule, placed. Sizes and offsets are per sample and scale with the batch.
template <std::size_t capacity>
struct BufferPlan {
    std::array<PlannedBuffer, capacity> buffers{};
    std::size_t count = 0;
    std::int64_t bytes = 0;  ///< height of the arena for a batch of one

    constexpr void add(BufferRole role, int stage, std::int64_t size, int first, int last) {
        if (size > 0) buffers[count++] = {role, stage, size, first, last, 0};
    }
    /// Index of a buffer, or -1.
    constexpr int find(BufferRole role, int stage) const {
        for (std::size_t i = 0; i < count; ++i)
            if (buffers[i].role == role && buffers[i].stage == stage) return static_cast<int>(i);
        return -1;
    }
};

namespace detail {

/// Indices of the buffers, sorted; those of which neither comes before the other keep their order.
/// (<algorithm>, with std::stable_sort, takes compilers longer than all of a network's planning.)
template <std::size_t capacity, class Before>
constexpr std::array<std::size_t, capacity> order_of(const BufferPlan<capacity>& plan,
                                                     const Before& before) {
    std::array<std::size_t, capacity> order{}, merged{};
    for (std::size_t i = 0; i < plan.count; ++i) order[i] = i;
    for (std::size_t width = 1; width < plan.count; width *= 2) {
        for (std::size_t left = 0, at = 0; at < plan.count; left = at) {
            std::size_t right = left + width;
            const std::size_t middle = right < plan.count ? right : plan.count;
            const std::size_t end = middle + width < plan.count ? middle + width : plan.count;
            while (at < end) {
                const bool takes_right =
                    left == middle ||
                    (right < end && before(plan.buffers[order[right]], plan.buffers[order[left]]));
                merged[at++] = order[takes_right ? right++ : left++];
            }
        }
        order = merged;
    }
    return order;
}

/// Places buffers in the given order, each at the lowest offset that is free during its life.
/// Returns the height of the arena.
template <std::size_t capacity>
constexpr std::int64_t place_in_order(BufferPlan<capacity>& plan,
                                      const std::array<std::size_t, capacity>& order) {
    std::int64_t height = 0;
    for (std::size_t i = 0; i < plan.count; ++i) {
        PlannedBuffer& buffer = plan.buffers[order[i]];
        std::int64_t offset = 0;
        for (bool moved = true; moved;) {
            moved = false;
            for (std::size_t j = 0; j < i; ++j) {
                const PlannedBuffer& other = plan.buffers[order[j]];
                const bool lives_together =
                    other.first <= buffer.last && buffer.first <= other.last;
                const bool overlaps =
                    other.offset < offset + buffer.bytes && offset < other.offset + other.bytes;
                if (lives_together && overlaps) {
                    offset = other.offset + other.bytes;
                    moved = true;
                }
            }
        }
        buffer.offset = offset;
        height = larger(height, offset + buffer.bytes);
    }
    return height;
}

/// Places in order of birth and, for networks of moderate depth, also largest first; keeps the
/// lower arena.
template <std::size_t capacity>
constexpr void place(BufferPlan<capacity>& plan) {
    using Buffer = const PlannedBuffer&;
    plan.bytes =
        place_in_order(plan, order_of(plan, [](Buffer a, Buffer b) { return a.first < b.first; }));
    if (plan.count > 128) return;
    BufferPlan<capacity> other = plan;
    other.bytes = place_in_order(
        other, order_of(other, [](Buffer a, Buffer b) { return a.bytes > b.bytes; }));
    if (other.bytes < plan.bytes) plan = other;
}

/// Activations of inference: each lives until the next stage has read it.
template <class Backend, std::size_t layers>
constexpr BufferPlan<3 * layers + 1> plan_inference(const StageTable<layers>& table) {
    BufferPlan<3 * layers + 1> plan;
    plan.add(BufferRole::activation, -1, Backend::input_bytes(table.stages[0].geometry), 0, 0);
    for (int s = 0; s < static_cast<int>(table.count); ++s)
        plan.add(BufferRole::activation, s,
                 Backend::output_bytes(table.stages[static_cast<std::size_t>(s)].geometry), s,
                 s + 1);
    place(plan);
    return plan;
}

/// Activations, codes and gradients of a training step. Time runs through the stages forward,
/// through the loss, and back.
template <class Backend, std::size_t layers>
constexpr BufferPlan<3 * layers + 1> plan_training(const StageTable<layers>& table) {
    BufferPlan<3 * layers + 1> plan;
    const int count = static_cast<int>(table.count);
    const auto geometry = [&](int s) -> const Geometry& {
        return table.stages[static_cast<std::size_t>(s)].geometry;
    };
    const auto backward_time = [&](int s) { return 2 * count - s; };  // the loss is at `count`
    plan.add(BufferRole::activation, -1, Backend::input_bytes(geometry(0)), 0,
             backward_reads_input(geometry(0)) ? backward_time(0) : 0);
    for (int s = 0; s < count; ++s) {
        const Geometry& g = geometry(s);
        int last = s + 1;  // the next stage, or the loss
        if (s + 1 < count && backward_reads_input(geometry(s + 1))) last = backward_time(s + 1);
        if (backward_reads_output(g)) last = backward_time(s);
        plan.add(BufferRole::activation, s, Backend::output_bytes(g), s, last);
        if (!has_backward(g)) continue;
        plan.add(BufferRole::code, s, Backend::code_bytes(g), s, backward_time(s));
        plan.add(BufferRole::gradient, s, Backend::gradient_bytes(g),
                 s + 1 < count ? backward_time(s + 1) : count, backward_time(s));
    }
    place(plan);
    return plan;
}

/// Where the parameters of each stage lie in the arena: weights, then biases, in floats.
template <std::size_t layers>
struct ParameterPlan {
    std::array<std::int64_t, layers> weights{};
    std::array<std::int64_t, layers> biases{};
    std::int64_t count = 0;  ///< floats of all stages together
    std::int64_t most = 0;   ///< most gradients that a fused step keeps for one stage
};

template <class Backend, std::size_t layers>
constexpr ParameterPlan<layers> plan_parameters(const StageTable<layers>& table) {
    ParameterPlan<layers> plan;
    for (std::size_t s = 0; s < table.count; ++s) {
        const Geometry& g = table.stages[s].geometry;
        plan.weights[s] = plan.count;
        plan.count += Backend::weight_count(g);
        plan.biases[s] = plan.count;
        plan.count += Backend::bias_count(g);
        const std::int64_t kept = Backend::updates_in_backward(g)
                                      ? Backend::bias_count(g)
                                      : Backend::weight_count(g) + Backend::bias_count(g);
        plan.most = larger(plan.most, kept);
    }
    return plan;
}

/// What changes from step to step and is read by kernels.
template <class Rule, std::size_t stages>
struct StepValues {
    Rule rule;
    DropoutMask masks[stages];
};

/// Whether `Policy` is among a trainer's policies.
template <class Policy, class... Policies>
inline constexpr bool has_policy = (std::is_same_v<Policy, Policies> || ...);

}  // namespace detail

/// A trainer's policy: leave all gradients in memory, to be read after a step. Without it each
/// stage's parameters are updated as soon as its gradient is known, and most gradients never reach
/// memory; the resulting weights are the same.
struct KeepGradients {};

/// A training step under an optimizer and a trainer's policies.
template <class Optimizer, class... Policies>
struct Training {
    static constexpr Phase phase = Phase::training;
    static constexpr int state_count = Optimizer::state_count;
    static constexpr bool keeps_gradients = detail::has_policy<KeepGradients, Policies...>;

    /// Bytes of what changes from step to step.
    template <std::size_t stages>
    static constexpr std::int64_t step_bytes =
        sizeof(detail::StepValues<typename Optimizer::Rule, stages>);
};
/// Inference alone.
struct Predicting {
    static constexpr Phase phase = Phase::inference;
    static constexpr int state_count = 0;
    static constexpr bool keeps_gradients = false;
    template <std::size_t stages>
    static constexpr std::int64_t step_bytes = 0;
};

/// The memory of a network in bytes, by purpose.
struct MemoryPlan {
    std::int64_t parameters = 0;
    std::int64_t optimizer_state = 0;
    std::int64_t gradients = 0;    ///< of parameters
    std::int64_t activations = 0;  ///< with their gradients and the max pools' codes
    std::int64_t workspace = 0;
    /// Of a GPU: data on their way in and out, and what cuBLAS takes.
    std::int64_t transfer = 0;
    std::int64_t total = 0;
};

/// The buffers of one sample with their lifetimes and offsets, for drawing and for checks.
template <class Net, class Backend, class Mode>
inline constexpr auto buffer_plan = [] {
    if constexpr (Mode::phase == Phase::training)
        return detail::plan_training<MemoryFacts<Backend>>(stages_of<Net, Phase::training>);
    else
        return detail::plan_inference<MemoryFacts<Backend>>(stages_of<Net, Phase::inference>);
}();

template <class Net, class Backend, Phase phase>
inline constexpr auto parameter_plan =
    detail::plan_parameters<MemoryFacts<Backend>>(stages_of<Net, phase>);

/// Bytes that are allocated for `batch` samples a step on `threads` threads:
/// `static_assert(memory_plan<AlexNet, Cpu<float>, Training<Sgd>>(64).total < MiB(775))`.
template <class Net, class Backend, class Mode>
constexpr MemoryPlan memory_plan(std::int64_t batch, int threads = 1) {
    using Facts = MemoryFacts<Backend>;
    constexpr auto& table = stages_of<Net, Mode::phase>;
    constexpr auto& parameters = parameter_plan<Net, Backend, Mode::phase>;
    MemoryPlan plan;
    plan.parameters = parameters.count * Facts::parameter_bytes;
    plan.optimizer_state = parameters.count * 4 * Mode::state_count;
    if (Mode::phase == Phase::training)
        plan.gradients = 4 * (Mode::keeps_gradients ? parameters.count : parameters.most);
    plan.activations = buffer_plan<Net, Backend, Mode>.bytes * batch;
    for (std::size_t s = 0; s < table.count; ++s)
        plan.workspace = detail::larger(
            plan.workspace,
            Facts::workspace_bytes(table.stages[s].geometry, Mode::phase, batch, threads));
    plan.transfer = Facts::context_bytes +
                    Facts::transfer_bytes(table.stages[table.count - 1].geometry, Mode::phase,
                                          batch, Mode::template step_bytes<table.count>);
    plan.total = plan.parameters + plan.optimizer_state + plan.gradients + plan.activations +
                 plan.workspace + plan.transfer;
    return plan;
}

}  // namespace typenet
