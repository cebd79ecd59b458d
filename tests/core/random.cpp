// Counter-based random numbers: known answers, statistics, independence.
#include <array>
#include <cmath>
#include <cstdint>
#include <set>
#include <vector>

#include "support/catch.hpp"
#include "typenet/core/random.hpp"

namespace {

using namespace typenet;

using Words = Philox::Words;

// Known answers published with Random123 (Salmon et al.), philox4x32 with 10 rounds.
static_assert(Philox::generate(0, {0, 0, 0, 0}) ==
              Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
static_assert(Philox::generate(0xffffffffffffffff,
                               {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}) ==
              Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
static_assert(Philox::generate(0x299f31d0a4093822,
                               {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}) ==
              Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});

/// Sum over the cells of (observed - expected)^2 / expected.
double chi_square(const std::vector<int>& counts, double expected) {
    double sum = 0;
    for (const int count : counts) sum += (count - expected) * (count - expected) / expected;
    return sum;
}

double kept_share(const DropoutMask& mask, std::uint32_t sample, std::uint32_t count) {
    std::uint32_t kept = 0;
    for (std::uint32_t element = 0; element < count; ++element)
        kept += mask.keeps(sample, element) ? 1 : 0;
    return static_cast<double>(kept) / count;
}

/// Share of elements about which two masks agree.
double agreement(const DropoutMask& a, std::uint32_t sample_a, const DropoutMask& b,
                 std::uint32_t sample_b, std::uint32_t count = 20'000) {
    std::uint32_t equal = 0;
    for (std::uint32_t element = 0; element < count; ++element)
        equal += a.keeps(sample_a, element) == b.keeps(sample_b, element) ? 1 : 0;
    return static_cast<double>(equal) / count;
}

}  // namespace

TEST_CASE("Philox gives its published answers at run time too") {
    volatile std::uint64_t zero = 0;  // not known to the compiler
    CHECK(Philox::generate(zero, {0, 0, 0, 0}) ==
          Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
}

TEST_CASE("a stream is Philox over a counter") {
    RandomStream stream(Seed{7}, Purpose::shuffling, 0x500000003);
    const auto purpose = static_cast<std::uint32_t>(Purpose::shuffling);
    for (std::uint32_t block = 0; block < 3; ++block)
        for (const std::uint32_t word : Philox::generate(7, {block, purpose, 3, 5}))
            CHECK(stream.next() == word);
}

TEST_CASE("streams of other seeds, purposes and indices are others") {
    std::set<std::uint32_t> firsts;
    for (const std::uint64_t seed : {0ull, 1ull, 1ull << 32})
        for (const Purpose purpose : {Purpose::initialisation, Purpose::augmentation})
            for (const std::uint64_t index : {0ull, 1ull, 1ull << 32})
                firsts.insert(RandomStream(Seed{seed}, purpose, index).next());
    CHECK(firsts.size() == 18);
}

TEST_CASE("uniform numbers are uniform") {
    RandomStream stream(Seed{1}, Purpose::initialisation);
    constexpr int count = 200'000, cells = 100;
    std::vector<int> counts(cells);
    double sum = 0, squares = 0, products = 0, previous = 0.5;
    for (int i = 0; i < count; ++i) {
        const double u = stream.uniform();
        REQUIRE(u >= 0);
        REQUIRE(u < 1);
        ++counts[static_cast<std::size_t>(u * cells)];
        sum += u;
        squares += u * u;
        products += (u - 0.5) * (previous - 0.5);
        previous = u;
    }
    const double mean = sum / count;
    CHECK_THAT(mean, WithinAbs(0.5, 0.003));                                // 4.6 sigma
    CHECK_THAT(squares / count - mean * mean, WithinAbs(1 / 12.0, 0.001));  // 6 sigma
    CHECK_THAT(products / count * 12, WithinAbs(0, 0.011));                 // 4.9 sigma
    // 99 degrees of freedom: mean 99, deviation 14.1
    CHECK(chi_square(counts, double{count} / cells) > 50);
    CHECK(chi_square(counts, double{count} / cells) < 165);
}

TEST_CASE("uniform numbers keep to their range") {
    RandomStream stream(Seed{2}, Purpose::initialisation);
    float least = 10, most = -10;
    for (int i = 0; i < 10'000; ++i) {
        const float u = stream.uniform(-3, 5);
        least = std::fmin(least, u);
        most = std::fmax(most, u);
    }
    CHECK(least >= -3);
    CHECK(least < -2.98f);
    CHECK(most <= 5);
    CHECK(most > 4.98f);
}

TEST_CASE("below draws every number equally often and none beyond") {
    RandomStream stream(Seed{3}, Purpose::shuffling);
    std::vector<int> counts(7);
    for (int i = 0; i < 70'000; ++i) {
        const std::uint32_t drawn = stream.below(7);
        REQUIRE(drawn < 7);
        ++counts[drawn];
    }
    CHECK(chi_square(counts, 10'000) < 27);  // 6 degrees of freedom, one in 7,000
    CHECK(stream.below(1) == 0);
}

TEST_CASE("a dropout mask keeps the share that it should") {
    for (const float rate : {0.0f, 0.1f, 0.25f, 0.5f, 0.9f}) {
        CAPTURE(rate);
        const DropoutMask mask(Seed{5}, 3, 14, rate);
        CHECK_THAT(kept_share(mask, 2, 100'000), WithinAbs(1 - double{rate}, 0.007));  // 4.4 sigma
    }
    CHECK(kept_share(DropoutMask(Seed{5}, 0, 0, 0), 0, 10'000) == 1);
}

TEST_CASE("masks differ by seed, step, layer and sample, and by nothing else") {
    const DropoutMask mask(Seed{5}, 3, 14, 0.5f);
    CHECK(agreement(mask, 2, DropoutMask(Seed{5}, 3, 14, 0.5f), 2) == 1);
    const auto independent = [&](const DropoutMask& other, std::uint32_t sample) {
        return std::abs(agreement(mask, 2, other, sample) - 0.5) < 0.02;  // 5.6 sigma
    };
    CHECK(independent(mask, 3));
    CHECK(independent(DropoutMask(Seed{6}, 3, 14, 0.5f), 2));
    CHECK(independent(DropoutMask(Seed{5}, 4, 14, 0.5f), 2));
    CHECK(independent(DropoutMask(Seed{5}, 3 + (1ull << 32), 14, 0.5f), 2));
    CHECK(independent(DropoutMask(Seed{5}, 3, 15, 0.5f), 2));
}

TEST_CASE("four words at a time decide as one element at a time") {
    const DropoutMask mask(Seed{8}, 1, 2, 0.3f);
    for (std::uint32_t element = 0; element < 64; ++element)
        CHECK(mask.keeps(9, element) ==
              (mask.words(9, element / 4)[element % 4] >= mask.threshold));
}
