// The expected rates are those of torch.optim.lr_scheduler 1.13.1, from a base rate of 1.
#include "typenet/training/schedules.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

#include "support/catch.hpp"

using namespace typenet;

TEST_CASE("StepDecay falls after so many epochs, as StepLR does") {
    const double expected[] = {1, 1, 0.5, 0.5, 0.25, 0.25, 0.125};
    const StepDecay decay{.every = 2, .gamma = 0.5};
    for (std::int64_t epoch = 0; epoch < 7; ++epoch)
        for (const std::int64_t within : {0, 4})
            CHECK_THAT(decay.factor({epoch * 5 + within, 5, 7}),
                       WithinRel(expected[static_cast<std::size_t>(epoch)], 1e-12));
}

TEST_CASE("CosineDecay falls as CosineAnnealingLR does") {
    const double expected[] = {1.0,          0.9657457896, 0.8681980515, 0.7222075446, 0.55,
                               0.3777924554, 0.2318019485, 0.1342542104, 0.1};
    for (std::int64_t step = 0; step < 9; ++step)
        CHECK_THAT((CosineDecay{.warm_up = 0, .floor = 0.1}.factor({step, 2, 4})),
                   WithinAbs(expected[static_cast<std::size_t>(step)], 1e-9));
}

TEST_CASE("CosineDecay rises through its warm-up to the whole rate, and falls to its floor") {
    const CosineDecay decay{.warm_up = 2, .floor = 0};
    double last = 0;
    for (std::int64_t step = 0; step <= 20; ++step) {  // ten steps an epoch
        const double factor = decay.factor({step, 10, 6});
        CHECK(factor > last);
        last = factor;
    }
    CHECK(last == 1);
    for (std::int64_t step = 21; step < 60; ++step) {
        const double factor = decay.factor({step, 10, 6});
        CHECK(factor < last);
        last = factor;
    }
    CHECK_THAT(last, WithinAbs(0, 0.01));
}

TEST_CASE("PlateauDecay waits as ReduceLROnPlateau does") {
    const double losses[] = {3, 2, 2, 1.99999, 1.9, 1.95, 1.95, 1.95, 1.95, 1.0};
    const double expected[] = {1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125};
    PlateauDecay decay{1, 0.5};
    for (std::size_t epoch = 0; epoch < 10; ++epoch) {
        CHECK(decay.factor() == expected[epoch]);
        decay.observe(losses[epoch]);
    }
}

TEST_CASE("EarlyStop stops after so many epochs without a lower loss") {
    EarlyStop stop{2};
    const std::vector<double> falling{3, 2, 2.5, 1.9, 1.9};
    for (const double loss : falling) CHECK_FALSE(stop.observe(loss));
    CHECK(stop.observe(2));
}
