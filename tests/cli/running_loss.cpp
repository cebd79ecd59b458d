// The figures that the program keeps while it trains.
#include "../examples/alexnet/running_loss.hpp"

#include <cmath>
#include <cstdint>

#include "support/catch.hpp"

using alexnet::ChanceWatch;
using alexnet::EpochLoss;

namespace {

/// How often a watch warns over batches of 50 images whose loss is `loss(images seen before)`.
template <class Loss>
int warnings(std::int64_t images, const Loss& loss) {
    ChanceWatch watch{0, 10};
    int count = 0;
    for (std::int64_t done = 0; done < images; done += 50) count += watch.notices(loss(done), 50);
    return count;
}

}  // namespace

TEST_CASE("a loss that stays at that of guessing is noticed once, after 10,000 images") {
    const double chance = std::log(10.0);
    CHECK(warnings(9'950, [&](auto) { return chance; }) == 0);
    CHECK(warnings(10'000, [&](auto) { return chance; }) == 1);
    CHECK(warnings(60'000, [&](auto) { return chance; }) == 1);
    CHECK(warnings(60'000, [&](auto) { return chance - 0.009; }) == 1);
    CHECK(warnings(60'000, [&](auto) { return chance - 0.011; }) == 0);
    CHECK(warnings(60'000, [&](auto done) { return done < 7'500 ? chance : 2.2; }) == 0);
    // Chance once more, as after a divergence.
    CHECK(warnings(60'000, [&](auto done) { return done < 30'000 ? 1.5 : chance; }) == 1);
    // A resumed run has its images behind it.
    ChanceWatch resumed{50'000, 10};
    int count = 0;
    for (int i = 0; i < 50; ++i) count += resumed.notices(chance, 50);
    CHECK(count == 1);
}

TEST_CASE("an epoch's loss is the mean over its images, its accuracy a share of them") {
    EpochLoss loss;
    loss.add(2.0, 3, 4);
    loss.add(1.0, 1, 1);
    CHECK_THAT(loss.mean(), WithinAbs(1.8, 1e-12));
    CHECK_THAT(loss.accuracy(), WithinAbs(80.0, 1e-12));
    CHECK(loss.images() == 5);
    CHECK(loss.batches() == 2);
}
