// The figures that the program keeps while it trains.
#include "../examples/alexnet/running_loss.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "support/catch.hpp"

using alexnet::ChanceWatch;
using alexnet::EpochLoss;

namespace {

/// How often a watch warns over batches of 50 images whose loss is `loss(images seen before)`.
template <class Loss>
int warnings(std::int64_t images, const Loss& loss) {
    ChanceWatch watch{10};
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
}

TEST_CASE("what a checkpoint keeps of the figures is all that they depend on") {
    const auto copy = [](const auto& from, auto& to) {
        std::vector<double> values;
        from.for_each_member(
            from, [&](const char*, auto value) { values.push_back(static_cast<double>(value)); });
        std::size_t i = 0;
        to.for_each_member(
            to, [&]<class T>(const char*, T& member) { member = static_cast<T>(values[i++]); });
    };
    const auto loss_of = [](std::int64_t i) { return 2.3 + 0.001 * static_cast<double>(i % 7); };
    for (const std::int64_t stop : {1, 40, 2'999, 3'000, 4'001}) {
        EpochLoss whole, before, after;
        ChanceWatch watch{10}, watch_before{10}, watch_after{10};
        const auto step = [&](std::int64_t i, EpochLoss& loss, ChanceWatch& chance) {
            loss.add(loss_of(i), i % 5, 4);
            return std::pair{loss.line(), chance.notices(loss_of(i), 4)};
        };
        for (std::int64_t i = 0; i < 5'000; ++i) {
            const auto wanted = step(i, whole, watch);
            if (i == stop) {
                copy(before, after);
                copy(watch_before, watch_after);
            }
            const auto found =
                i < stop ? step(i, before, watch_before) : step(i, after, watch_after);
            CHECK(found == wanted);
        }
        CHECK(after.mean() == whole.mean());
        CHECK(after.accuracy() == whole.accuracy());
        CHECK(after.recent() == whole.recent());
        CHECK(after.batches() == whole.batches());
    }
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
