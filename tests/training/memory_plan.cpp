// The memory plan: proven by the compiler, free of overlaps, and what is really allocated.
#include "support/catch.hpp"
#include "typenet/bf16.hpp"
#include "typenet/typenet.hpp"

using namespace typenet;
using models::AlexNet;

static_assert(memory_plan<AlexNet, Cpu<float>, Training<Sgd>>(64).total < MiB(775));
static_assert(memory_plan<AlexNet, Cpu<float>, Training<Sgd>>(64).activations < 220'000'000);
static_assert(memory_plan<AlexNet, Cpu<float>, Predicting>(1).total < MiB(230));
static_assert(memory_plan<AlexNet, Cpu<float>, Predicting>(1).optimizer_state == 0);
static_assert(memory_plan<AlexNet, Cpu<float>, Predicting>(1).gradients == 0);
static_assert(memory_plan<AlexNet, Cpu<float>, Predicting>(1).transformed_weights == 0);
// 49 values for each kernel, in place of 9 or 25.
static_assert(memory_plan<AlexNet, Cpu<float>, PredictingUnder<Winograd>>(1).transformed_weights ==
              4 * 49 * (96 * 256 + 256 * 384 + 384 * 384 + 384 * 256));
static_assert(memory_plan<AlexNet, Cpu<float>, Training<Adam>>(4).optimizer_state ==
              2 * memory_plan<AlexNet, Cpu<float>, Training<Sgd>>(4).optimizer_state);
static_assert(memory_plan<AlexNet, Cpu<float>, Training<Sgd, KeepGradients>>(4).gradients ==
              memory_plan<AlexNet, Cpu<float>, Training<Sgd>>(4).parameters);
// Clipping keeps the gradients, and needs a sum for every 16384 of them and a factor.
static_assert(memory_plan<AlexNet, Cpu<float>, Training<Sgd, ClipNorm>>(4).total ==
              memory_plan<AlexNet, Cpu<float>, Training<Sgd, KeepGradients>>(4).total);
using Wide = Network<Input<(1 << 21) - 1>, Linear<16>>;
static_assert(memory_plan<Wide, Cpu<float>, Training<Sgd>>(1).workspace < 8 * 2049);
static_assert(memory_plan<Wide, Cpu<float>, Training<Sgd, ClipNorm>>(1).workspace ==
              (8 * 2049 + 4 + 63) / 64 * 64);

namespace {

template <class Net, class Mode>
void check_plan() {
    constexpr auto& plan = buffer_plan<Net, Cpu<float>, Mode>;
    REQUIRE(plan.count > 0);
    std::int64_t height = 0;
    for (std::size_t i = 0; i < plan.count; ++i) {
        const PlannedBuffer& a = plan.buffers[i];
        height = std::max(height, a.offset + a.bytes);
        CHECK(a.offset % 64 == 0);
        CHECK(a.first <= a.last);
        for (std::size_t j = 0; j < i; ++j) {
            const PlannedBuffer& b = plan.buffers[j];
            const bool alive_together = a.first <= b.last && b.first <= a.last;
            const bool overlap = a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
            CHECK_FALSE((alive_together && overlap));
        }
    }
    CHECK(height == plan.bytes);
}

/// The processor, with a count of the bytes that its arenas are asked for.
template <class T>
struct Metered : Cpu<T> {
    static inline std::int64_t allocated = 0;

    struct Arena : cpu::Arena {
        Arena() = default;
        explicit Arena(std::int64_t size) : cpu::Arena(size) { allocated += size; }
    };
    static Arena parameter_arena(typename Cpu<T>::Context& context, std::int64_t count) {
        Arena arena(count * Cpu<T>::parameter_bytes);
        context.parameters = arena.floats();
        context.parameter_count = count;
        return arena;
    }
};

template <class Net, class Optimizer, class T = float, class... Policies>
void check_allocations(Batch batch, int threads, Policies... policies) {
    using Backend = Metered<T>;
    using Mode = Training<Optimizer, Policies...>;
    const MemoryPlan training = memory_plan<Net, Cpu<T>, Mode>(batch.size, threads);
    const MemoryPlan predicting = memory_plan<Net, Cpu<T>, Predicting>(batch.size, threads);
    CHECK(training.total == training.parameters + training.optimizer_state + training.gradients +
                                training.activations + training.workspace);
    CHECK(training.parameters == predicting.parameters);

    Backend::allocated = 0;
    Model<Net, Backend> model{Seed{1}, Initialization::pytorch, Threads{threads}};
    CHECK(Backend::allocated == training.parameters);
    const Trainer trainer{model, CrossEntropy{}, Optimizer{}, batch, Seed{2}, policies...};
    CHECK(Backend::allocated == training.total);
    const Predictor predictor{model, batch};
    CHECK(Backend::allocated == training.total + predicting.total - predicting.parameters);
}

template <class Net>
void check_allocations_of_winograd(Batch batch, int threads) {
    const MemoryPlan plan =
        memory_plan<Net, Cpu<float>, PredictingUnder<Winograd>>(batch.size, threads);
    CHECK(plan.transformed_weights > 0);
    CHECK(plan.total ==
          plan.parameters + plan.activations + plan.workspace + plan.transformed_weights);
    const Model<Net, Metered<float>> model{Seed{1}, Initialization::pytorch, Threads{threads}};
    Metered<float>::allocated = 0;
    const Predictor predictor{model, batch, winograd};
    CHECK(Metered<float>::allocated == plan.total - plan.parameters);
}

}  // namespace

TEST_CASE("What is allocated is what is planned, to the byte") {
    using Small = Network<Input<3, 12, 12>, Conv2d<20, Kernel<3>>, Relu, MaxPool2d<Kernel<2>>,
                          Conv2d<33, Kernel<3>, Padding<1>>, Flatten, Linear<40>, Dropout<>, Relu,
                          Linear<4>, Softmax>;
    for (const int threads : {1, 3}) {
        check_allocations<Small, Sgd>(Batch{7}, threads);
        check_allocations<Small, Adam>(Batch{64}, threads);
        check_allocations<Small, Adam>(Batch{1}, threads, KeepGradients{});
        check_allocations<Small, Sgd>(Batch{5}, threads, ClipNorm{1});
        check_allocations<Small, Adam>(Batch{6}, threads, freeze<"0", "3">);
        check_allocations<Small, Sgd>(Batch{6}, threads, freeze<"5">, KeepGradients{});
    }
    check_allocations<AlexNet, Sgd>(Batch{64}, 2);
    check_allocations_of_winograd<AlexNet>(Batch{1}, 1);
    check_allocations_of_winograd<AlexNet>(Batch{64}, 3);
    for (const int threads : {1, 3}) {
        check_allocations<Small, Adam, bf16>(Batch{7}, threads);
        check_allocations<Small, Sgd, bf16>(Batch{64}, threads, KeepGradients{});
    }
}

TEST_CASE("In bfloat16 activations take half the memory, and parameters have a copy") {
    constexpr MemoryPlan whole = memory_plan<AlexNet, Cpu<float>, Predicting>(64);
    constexpr MemoryPlan half = memory_plan<AlexNet, Cpu<bf16>, Predicting>(64);
    CHECK(half.parameters * 2 == whole.parameters * 3);
    CHECK(half.activations >= whole.activations / 2);
    CHECK(half.activations <= whole.activations / 2 + 64 * 64 * 4);  // whole cache lines
    constexpr MemoryPlan training = memory_plan<AlexNet, Cpu<bf16>, Training<Sgd>>(64);
    constexpr MemoryPlan in_float = memory_plan<AlexNet, Cpu<float>, Training<Sgd>>(64);
    CHECK(training.optimizer_state == in_float.optimizer_state);
    CHECK(training.gradients == in_float.gradients);
    CHECK(training.activations < in_float.activations * 3 / 4);  // gradients stay floats
}

TEST_CASE("Buffers that live at the same time do not overlap") {
    check_plan<AlexNet, Predicting>();
    check_plan<AlexNet, Training<Sgd>>();
    using Mixed = Network<Input<3, 9, 9>, Resize<12>, Conv2d<5, Kernel<3>>, LocalResponseNorm<>,
                          MaxPool2d<Kernel<2>>, Relu, Dropout<>, AdaptiveAvgPool2d<2>, Flatten,
                          Linear<4>, Softmax>;
    check_plan<Mixed, Training<Sgd>>();
    check_plan<Mixed, Predicting>();
}

TEST_CASE("Inference reuses memory: two neighbouring activations are alive at a time") {
    constexpr auto& plan = buffer_plan<AlexNet, Cpu<float>, Predicting>;
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < plan.count; ++i) sum += plan.buffers[i].bytes;
    CHECK(plan.bytes < sum / 2 + 100'000);
}
