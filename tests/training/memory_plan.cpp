// The memory plan: proven by the compiler, and free of overlaps.
#include "support/catch.hpp"
#include "typenet/typenet.hpp"

using namespace typenet;
using models::AlexNet;

static_assert(memory_plan<AlexNet, Cpu<float>, Training<Sgd>>(64).total < MiB(775));
static_assert(memory_plan<AlexNet, Cpu<float>, Training<Sgd>>(64).activations < 220'000'000);
static_assert(memory_plan<AlexNet, Cpu<float>, Predicting>(1).total < MiB(230));
static_assert(memory_plan<AlexNet, Cpu<float>, Predicting>(1).optimizer_state == 0);
static_assert(memory_plan<AlexNet, Cpu<float>, Predicting>(1).gradients == 0);
static_assert(memory_plan<AlexNet, Cpu<float>, Training<Adam>>(4).optimizer_state ==
              2 * memory_plan<AlexNet, Cpu<float>, Training<Sgd>>(4).optimizer_state);
static_assert(memory_plan<AlexNet, Cpu<float>, Training<Sgd, KeepGradients>>(4).gradients ==
              memory_plan<AlexNet, Cpu<float>, Training<Sgd>>(4).parameters);

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

}  // namespace

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
