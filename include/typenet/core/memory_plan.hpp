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

/// What a planned buffer holds: the output of a stage, the gradient of that output, or what the
/// forward pass notes for the backward pass.
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

namespace detail {
template <class Array>
constexpr Array filled_with(const typename Array::value_type& value) {
    Array array{};
    for (auto& element : array) element = value;
    return array;
}
}  // namespace detail

/// Buffers of one schedule, placed. Sizes and offsets are per sample and scale with the batch.
template <std::size_t stages>
struct BufferPlan {
    static constexpr std::size_t capacity = 3 * stages + 1;
    static constexpr std::size_t moments = 2 * stages + 1;  ///< at most, in its schedule
    std::array<PlannedBuffer, capacity> buffers{};
    std::size_t count = 0;
    std::int64_t bytes = 0;  ///< height of the arena for a batch of one
    /// Indices of the buffers of gradients, or -1: of each stage's output (as its backward pass
    /// reads it; a fork reads those of its readers' operands), and of each operand. Several may be
    /// one buffer, where that is safe.
    using Operands = std::array<int, most_sources>;
    std::array<int, stages> output_gradients = detail::filled_with<std::array<int, stages>>(-1);
    std::array<Operands, stages> input_gradients =
        detail::filled_with<std::array<Operands, stages>>(detail::filled_with<Operands>(-1));

    constexpr void add(BufferRole role, int stage, std::int64_t size, int first, int last) {
        if (size > 0) buffers[count++] = {role, stage, size, first, last, 0};
    }
    /// Index of a buffer, or -1. Of several gradients of one output, the first.
    constexpr int find(BufferRole role, int stage) const {
        for (std::size_t i = 0; i < count; ++i)
            if (buffers[i].role == role && buffers[i].stage == stage) return static_cast<int>(i);
        return -1;
    }
};

namespace detail {

/// Indices of the buffers, sorted; those of which neither comes before the other keep their order.
/// (<algorithm>, with std::stable_sort, takes compilers longer than all of a network's planning.)
template <class Plan, class Before>
constexpr std::array<std::size_t, Plan::capacity> order_of(const Plan& plan, const Before& before) {
    std::array<std::size_t, Plan::capacity> order{}, merged{};
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

/// Indices of the buffers by `first` or by `last`; those of one moment keep their order.
template <class Plan>
constexpr std::array<std::size_t, Plan::capacity> order_by(const Plan& plan,
                                                           int PlannedBuffer::*moment) {
    std::array<std::size_t, Plan::moments + 1> places{};
    for (std::size_t i = 0; i < plan.count; ++i)
        ++places[static_cast<std::size_t>(plan.buffers[i].*moment + 1)];
    for (std::size_t m = 1; m < places.size(); ++m) places[m] += places[m - 1];
    std::array<std::size_t, Plan::capacity> order{};
    for (std::size_t i = 0; i < plan.count; ++i)
        order[places[static_cast<std::size_t>(plan.buffers[i].*moment)]++] = i;
    return order;
}

/// Places buffers in the given order, each at the lowest offset that is free during its life.
/// Returns the height of the arena.
template <class Plan>
constexpr std::int64_t place_in_order(Plan& plan,
                                      const std::array<std::size_t, Plan::capacity>& order) {
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

/// Free pieces of an arena without end, by offset. First fit.
template <std::size_t capacity>
class FreeList {
public:
    /// Takes the lowest place for so many bytes; returns its offset.
    constexpr std::int64_t take(std::int64_t bytes) {
        std::size_t i = 0;
        while (pieces_[i].end - pieces_[i].begin < bytes) ++i;
        const std::int64_t offset = pieces_[i].begin;
        pieces_[i].begin += bytes;
        if (pieces_[i].begin == pieces_[i].end) {
            for (--count_; i < count_; ++i) pieces_[i] = pieces_[i + 1];
        }
        return offset;
    }
    /// Gives a taken place back.
    constexpr void give(std::int64_t begin, std::int64_t end) {
        std::size_t i = 0;
        while (pieces_[i].end < begin) ++i;
        if (pieces_[i].end == begin) {
            pieces_[i].end = end;
            if (pieces_[i + 1].begin != end) return;
            pieces_[i].end = pieces_[i + 1].end;
            for (--count_, ++i; i < count_; ++i) pieces_[i] = pieces_[i + 1];
        } else if (pieces_[i].begin == end) {
            pieces_[i].begin = begin;
        } else {
            for (std::size_t j = count_++; j > i; --j) pieces_[j] = pieces_[j - 1];
            pieces_[i] = {begin, end};
        }
    }

private:
    struct Piece {
        std::int64_t begin = 0;
        std::int64_t end = 0;
    };
    std::array<Piece, capacity + 2> pieces_{Piece{0, std::int64_t{1} << 62}};
    std::size_t count_ = 1;  ///< the last piece has no end
};

/// Places buffers in order of their birth, which a sweep through time does in linear time where the
/// free pieces are few. Returns the height of the arena.
template <class Plan>
constexpr std::int64_t place_by_birth(Plan& plan) {
    const auto births = order_by(plan, &PlannedBuffer::first);
    const auto deaths = order_by(plan, &PlannedBuffer::last);
    FreeList<Plan::capacity> free;
    std::int64_t height = 0;
    std::size_t died = 0;
    for (std::size_t i = 0; i < plan.count; ++i) {
        PlannedBuffer& buffer = plan.buffers[births[i]];
        for (; plan.buffers[deaths[died]].last < buffer.first; ++died) {
            const PlannedBuffer& dead = plan.buffers[deaths[died]];
            free.give(dead.offset, dead.offset + dead.bytes);
        }
        buffer.offset = free.take(buffer.bytes);
        height = larger(height, buffer.offset + buffer.bytes);
    }
    return height;
}

/// Places in order of birth and, for networks of moderate depth, also largest first; keeps the
/// lower arena.
template <class Plan>
constexpr void place(Plan& plan) {
    using Buffer = const PlannedBuffer&;
    plan.bytes = place_by_birth(plan);
    if (plan.count > 128) return;
    Plan other = plan;
    other.bytes = place_in_order(
        other, order_of(other, [](Buffer a, Buffer b) { return a.bytes > b.bytes; }));
    if (other.bytes < plan.bytes) plan = other;
}

/// Until when each stage's output is needed (place s + 1; place 0 is the network's input), with
/// `time(reader)` the last time that a reader reads it.
template <std::size_t stages, class Time>
constexpr std::array<int, stages + 1> last_reads(const StageTable<stages>& table,
                                                 const Time& time) {
    std::array<int, stages + 1> last{};
    const int count = static_cast<int>(table.count);
    for (int s = 0; s < count; ++s)
        if (table[s].geometry.op != Op::fork)  // it reads gradients only
            for (const int source : table[s].sources) {
                int& time_of_source = last[static_cast<std::size_t>(source + 1)];
                time_of_source = larger(time_of_source, time(s));
            }
    last[table.count] = count;  // the loss, or the reader of the outputs
    return last;
}

/// Activations of inference: each lives until its last reader has read it.
template <class Backend, std::size_t stages>
constexpr BufferPlan<stages> plan_inference(const StageTable<stages>& table) {
    BufferPlan<stages> plan;
    const auto last = last_reads(table, [](int reader) { return reader; });
    plan.add(BufferRole::activation, -1, Backend::input_bytes(table[0].geometry), 0, last[0]);
    for (int s = 0; s < static_cast<int>(table.count); ++s)
        plan.add(BufferRole::activation, s, Backend::output_bytes(table[s].geometry), s,
                 last[static_cast<std::size_t>(s + 1)]);
    place(plan);
    return plan;
}

/// Gradients of a training step as buffers without a place: decides who writes and who reads which.
///
/// Every operand of a stage has a gradient of its own, which one stage reads: the one that computed
/// the operand or, where that has several readers, its fork. Two may share a buffer: an add hands
/// its gradient on, and a fork sums into one of those it reads. That is safe as long as nobody
/// writes to a buffer that another stage still has to read.
template <class Backend, std::size_t stages>
struct GradientPlan {
    std::array<PlannedBuffer, stages + 1> buffers{};
    std::size_t count = 0;
    BufferPlan<stages> gradients;  ///< only the indices, into `buffers`
    /// The last of the buffers that belong to a stage's output, and for each the one before it.
    std::array<int, stages> last_of_stage = filled_with<std::array<int, stages>>(-1);
    std::array<int, stages + 1> previous{};

    constexpr explicit GradientPlan(const StageTable<stages>& table) : table_(table) {
        const int last = static_cast<int>(table.count) - 1;
        if (last < 0 || !has_backward(table[last].geometry)) return;
        gradients.output_gradients[static_cast<std::size_t>(last)] =
            make(last, last + 1, backward_time(last));
        for (int s = last; s >= 0; --s) {
            if (!has_backward(table[s].geometry)) continue;
            if (table[s].geometry.op == Op::fork)
                hand_on(s, 0, summed(s));
            else if (table[s].geometry.op == Op::add)
                hand_on_all(s);
            else
                for (int operand = 0; operand < table[s].sources.count; ++operand)
                    if (table.passes_gradient(s, operand)) hand_on(s, operand, -1);
        }
    }

private:
    constexpr int backward_time(int s) const { return 2 * static_cast<int>(table_.count) - s; }
    constexpr int make(int stage, int first, int last) {
        buffers[count] = {BufferRole::gradient,
                          stage,
                          Backend::gradient_bytes(table_[stage].geometry),
                          first,
                          last,
                          0};
        int& last_made = last_of_stage[static_cast<std::size_t>(stage)];
        previous[count] = last_made;
        last_made = static_cast<int>(count++);
        return last_made;
    }
    /// The gradient of an operand goes into a buffer, or into one of its own for -1. Returns it.
    constexpr int hand_on(int s, int operand, int buffer) {
        const int reader = table_.gradient_reader(s, operand);
        const int last = backward_time(reader);
        if (buffer < 0) buffer = make(table_[s].sources[operand], backward_time(s), last);
        PlannedBuffer& shared = buffers[static_cast<std::size_t>(buffer)];
        shared.last = larger(shared.last, last);
        gradients.input_gradients[static_cast<std::size_t>(s)][static_cast<std::size_t>(operand)] =
            buffer;
        if (reader == table_[s].sources[operand])
            gradients.output_gradients[static_cast<std::size_t>(reader)] = buffer;
        return buffer;
    }
    /// An add hands the gradient of its output (as its ReLU leaves it) to its operands.
    constexpr void hand_on_all(int s) {
        const int own = gradients.output_gradients[static_cast<std::size_t>(s)];
        int shared = buffers[static_cast<std::size_t>(own)].last == backward_time(s) ? own : -1;
        int latest = 0;
        for (int operand = 0; operand < table_[s].sources.count; ++operand)
            if (table_.passes_gradient(s, operand))
                latest = larger(latest, backward_time(table_.gradient_reader(s, operand)));
        for (int operand = 0; operand < table_[s].sources.count; ++operand) {
            if (!table_.passes_gradient(s, operand)) continue;
            const int reader = table_.gradient_reader(s, operand);
            const Geometry& source = table_[table_[s].sources[operand]].geometry;
            const bool may_share =
                source.output == table_[s].geometry.output &&
                (backward_time(reader) == latest || !writes_to_gradient(table_[reader].geometry));
            const int buffer = hand_on(s, operand, may_share ? shared : -1);
            if (may_share) shared = buffer;
        }
    }
    /// Whether the backward pass of a stage may write to the gradient that it reads.
    static constexpr bool writes_to_gradient(const Geometry& g) {
        return g.op == Op::add || g.op == Op::fork || Backend::writes_to_output_gradient(g);
    }
    /// Of the gradients that a fork sums, one that nobody reads after it; or -1.
    constexpr int summed(int fork) const {
        const int source = table_[fork].sources[0];
        for (int s = fork + 1; s < static_cast<int>(table_.count); ++s)
            for (int operand = 0; operand < table_[s].sources.count; ++operand) {
                if (table_[s].sources[operand] != source) continue;
                const int buffer = gradients.input_gradients[static_cast<std::size_t>(s)]
                                                            [static_cast<std::size_t>(operand)];
                if (buffers[static_cast<std::size_t>(buffer)].last == backward_time(fork))
                    return buffer;
            }
        return -1;
    }

    const StageTable<stages>& table_;
};

/// Activations, codes and gradients of a training step. Time runs through the stages forward,
/// through the loss, and back.
template <class Backend, std::size_t stages>
constexpr BufferPlan<stages> plan_training(const StageTable<stages>& table) {
    const int count = static_cast<int>(table.count);
    const auto backward_time = [&](int s) { return 2 * count - s; };  // the loss is at `count`
    const auto last = last_reads(table, [&](int reader) {
        return backward_reads_input(table[reader].geometry) ? backward_time(reader) : reader;
    });
    const GradientPlan<Backend, stages> gradients(table);
    BufferPlan<stages> plan = gradients.gradients;
    std::array<int, stages + 1> places{};
    plan.add(BufferRole::activation, -1, Backend::input_bytes(table[0].geometry), 0, last[0]);
    for (int s = 0; s < count; ++s) {
        const Geometry& g = table[s].geometry;
        const int read = last[static_cast<std::size_t>(s + 1)];
        if (g.op != Op::fork)  // it puts out nothing of its own
            plan.add(BufferRole::activation, s, Backend::output_bytes(g), s,
                     backward_reads_output(g) ? backward_time(s) : read);
        if (!has_backward(g)) continue;
        plan.add(BufferRole::code, s, Backend::code_bytes(g), s, backward_time(s));
        for (int i = gradients.last_of_stage[static_cast<std::size_t>(s)]; i >= 0;
             i = gradients.previous[static_cast<std::size_t>(i)]) {
            const PlannedBuffer& gradient = gradients.buffers[static_cast<std::size_t>(i)];
            places[static_cast<std::size_t>(i)] = static_cast<int>(plan.count);
            plan.add(BufferRole::gradient, s, gradient.bytes, gradient.first, gradient.last);
        }
    }
    const auto placed = [&](int& index) {
        if (index >= 0) index = places[static_cast<std::size_t>(index)];
    };
    for (int& index : plan.output_gradients) placed(index);
    for (auto& operands : plan.input_gradients)
        for (int& index : operands) placed(index);
    place(plan);
    return plan;
}

/// Where the parameters of each stage lie in the arena: weights, then biases, in floats.
template <std::size_t layers>
struct ParameterPlan {
    std::array<std::int64_t, layers> weights{};
    std::array<std::int64_t, layers> biases{};
    std::int64_t count = 0;  ///< floats of all stages together
    std::int64_t kept = 0;   ///< gradients that a step keeps where nobody asks for them
    /// Where those that learn lie among themselves, as gradients and optimizer state do; -1: a
    /// stage that is frozen or holds none.
    std::array<std::int64_t, layers> learnt = filled_with<std::array<std::int64_t, layers>>(-1);
    std::int64_t learnt_count = 0;
    /// Behind them all: running means, then as many running variances, of batch normalisations.
    std::array<std::int64_t, layers> statistics{};
    std::int64_t statistic_count = 0;
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
        if (!learns(g)) continue;
        const std::int64_t own = plan.count - plan.weights[s];
        plan.learnt[s] = plan.learnt_count;
        plan.learnt_count += own;
        plan.kept =
            larger(plan.kept, Backend::updates_in_backward(g) ? Backend::bias_count(g) : own);
    }
    if (Backend::updates_at_once) plan.kept = plan.learnt_count;
    for (std::size_t s = 0; s < table.count; ++s)
        if (table.stages[s].geometry.op == Op::batch_norm) {
            plan.statistics[s] = plan.count + plan.statistic_count;
            plan.statistic_count += 2 * Backend::bias_count(table.stages[s].geometry);
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

/// All that a trainer's policies freeze.
template <class Frozen, class... Policies>
struct FrozenBy {
    using type = Frozen;
};
template <Text... names, Text... more, class... Policies>
struct FrozenBy<Freeze<names...>, Freeze<more...>, Policies...>
    : FrozenBy<Freeze<names..., more...>, Policies...> {};
template <class Frozen, class Policy, class... Policies>
struct FrozenBy<Frozen, Policy, Policies...> : FrozenBy<Frozen, Policies...> {};

}  // namespace detail

/// A trainer's policy: leave all gradients in memory, to be read after a step. Without it the CPU
/// updates each stage's parameters as soon as its gradient is known, and most gradients never reach
/// memory; the resulting weights are the same. (A GPU keeps them in any case, for one kernel that
/// updates all.)
struct KeepGradients {};

/// A trainer's policy: multiplies all gradients by max_norm / (norm + 1e-6) where that is below 1,
/// with the Euclidean norm of the gradients of all that learns, taken together. The optimizer, and
/// weight decay, see them after that. An infinite `max_norm` clips nothing, and takes no time but
/// that gradients are kept, as under KeepGradients; those to be read are the ones before clipping.
/// A gradient that is NaN makes all of them NaN; one that is infinite becomes NaN, and all finite
/// ones 0. Source: torch.nn.utils.clip_grad_norm_; Pascanu, Mikolov and Bengio, "On the difficulty
/// of training recurrent neural networks", 2013.
struct ClipNorm {
    float max_norm;  ///< above 0
};

/// A predictor's policy, best written `winograd`: convolutions that can (has_winograd_form) are
/// computed by Winograd's algorithm, with fewer multiplications and somewhat larger rounding
/// errors; docs/performance.md has both. The others are computed directly, and `stages_in<Net,
/// PredictingUnder<Winograd>>` tells which are which (`geometry.winograd`). It takes memory for a
/// transformed copy of their weights. For the CPU.
struct Winograd {};
inline constexpr Winograd winograd{};

/// A training step under an optimizer and a trainer's policies.
template <class Optimizer, class... Policies>
struct Training {
    static constexpr Phase phase = Phase::training;
    static constexpr int state_count = Optimizer::state_count;
    static constexpr bool clips = detail::has_policy<ClipNorm, Policies...>;
    static constexpr bool keeps_gradients = clips || detail::has_policy<KeepGradients, Policies...>;
    static constexpr bool winograd = false;
    using Frozen = typename detail::FrozenBy<Freeze<>, Policies...>::type;

    /// Bytes of what changes from step to step.
    template <std::size_t stages>
    static constexpr std::int64_t step_bytes =
        sizeof(detail::StepValues<typename Optimizer::Rule, stages>);
};
/// Inference alone, under a predictor's policies.
template <class... Policies>
struct PredictingUnder {
    static_assert((std::is_same_v<Policies, Winograd> && ...), "a predictor's policy is winograd");
    static constexpr Phase phase = Phase::inference;
    static constexpr int state_count = 0;
    static constexpr bool clips = false;
    static constexpr bool keeps_gradients = false;
    static constexpr bool winograd = sizeof...(Policies) > 0;
    using Frozen = Freeze<>;
    template <std::size_t stages>
    static constexpr std::int64_t step_bytes = 0;
};
using Predicting = PredictingUnder<>;

/// The memory of a network in bytes, by purpose.
struct MemoryPlan {
    std::int64_t parameters = 0;  ///< with the running statistics
    std::int64_t optimizer_state = 0;
    std::int64_t gradients = 0;    ///< of parameters
    std::int64_t activations = 0;  ///< with their gradients and the max pools' codes
    std::int64_t workspace = 0;
    std::int64_t transformed_weights = 0;  ///< copies for Winograd's algorithm
    /// Of a GPU: data on their way in and out, and what cuBLAS takes.
    std::int64_t transfer = 0;
    std::int64_t total = 0;
};

namespace detail {

template <class Net, class Mode>
struct StagesIn {
    static constexpr auto& table = stages_of<Net, Mode::phase, typename Mode::Frozen>;
};
template <class Net, class Mode>
requires(Mode::winograd) struct StagesIn<Net, Mode> {
    static constexpr auto table = [] {
        auto stages = stages_of<Net, Mode::phase, typename Mode::Frozen>;
        for (StageInfo& stage : stages.stages)
            stage.geometry.winograd = has_winograd_form(stage.geometry);
        return stages;
    }();
};

/// Whether a backend computes convolutions by Winograd's algorithm.
template <class Backend>
concept ComputesWinograd = requires(const Geometry& g) {
    MemoryFacts<Backend>::transformed_weight_count(g);
};

}  // namespace detail

/// The stages of a network in a mode: Predicting, or Training under some policies.
template <class Net, class Mode>
inline constexpr auto& stages_in = detail::StagesIn<Net, Mode>::table;

/// The buffers of one sample with their lifetimes and offsets, for drawing and for checks.
template <class Net, class Backend, class Mode>
inline constexpr auto buffer_plan = [] {
    if constexpr (Mode::phase == Phase::training)
        return detail::plan_training<MemoryFacts<Backend>>(stages_in<Net, Mode>);
    else
        return detail::plan_inference<MemoryFacts<Backend>>(stages_in<Net, Mode>);
}();

template <class Net, class Backend, class Mode>
inline constexpr auto parameter_plan =
    detail::plan_parameters<MemoryFacts<Backend>>(stages_in<Net, Mode>);

namespace detail {
/// Where the transformed weights of each stage start, in floats, and behind the last their count.
template <class Net, class Backend, class Mode>
inline constexpr auto transformed_plan = [] {
    constexpr std::size_t count = stages_in<Net, Mode>.count;
    std::array<std::int64_t, count + 1> starts{};
    if constexpr (Mode::winograd) {
        static_assert(ComputesWinograd<Backend>,
                      "winograd is a policy for the CPU: this backend has no such convolutions");
        for (std::size_t s = 0; s < count; ++s)
            starts[s + 1] = starts[s] + MemoryFacts<Backend>::transformed_weight_count(
                                            stages_in<Net, Mode>.stages[s].geometry);
    }
    return starts;
}();
}  // namespace detail

/// Bytes that are allocated for `batch` samples a step on `threads` threads:
/// `static_assert(memory_plan<AlexNet, Cpu<float>, Training<Sgd>>(64).total < MiB(775))`.
template <class Net, class Backend, class Mode>
constexpr MemoryPlan memory_plan(std::int64_t batch, int threads = 1) {
    using Facts = MemoryFacts<Backend>;
    constexpr auto& table = stages_in<Net, Mode>;
    constexpr auto& parameters = parameter_plan<Net, Backend, Mode>;
    MemoryPlan plan;
    plan.parameters = (parameters.count + parameters.statistic_count) * Facts::parameter_bytes;
    plan.optimizer_state = parameters.learnt_count * 4 * Mode::state_count;
    if (Mode::phase == Phase::training)
        plan.gradients = 4 * (Mode::keeps_gradients ? parameters.learnt_count : parameters.kept);
    plan.activations = buffer_plan<Net, Backend, Mode>.bytes * batch;
    for (std::size_t s = 0; s < table.count; ++s)
        plan.workspace = detail::larger(
            plan.workspace,
            Facts::workspace_bytes(table.stages[s].geometry, Mode::phase, batch, threads));
    if constexpr (Mode::clips)  // when the stages are done
        plan.workspace = detail::larger(plan.workspace, Facts::clip_bytes(parameters.learnt_count));
    plan.transformed_weights = 4 * detail::transformed_plan<Net, Backend, Mode>[table.count];
    plan.transfer = Facts::context_bytes +
                    Facts::transfer_bytes(table.stages[table.count - 1].geometry, Mode::phase,
                                          batch, Mode::template step_bytes<table.count>);
    plan.total = plan.parameters + plan.optimizer_state + plan.gradients + plan.activations +
                 plan.workspace + plan.transformed_weights + plan.transfer;
    return plan;
}

}  // namespace typenet
