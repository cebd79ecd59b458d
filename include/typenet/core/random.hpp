// Counter-based random numbers: the same (key, counter) gives the same bits on every backend and on
// any number of threads.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace typenet {

/// A seed that is not just any integer.
struct Seed {
    std::uint64_t value = 0;
};

/// Philox4x32-10: four 32-bit words from a 64-bit key and a 128-bit counter.
/// Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
struct Philox {
    using Words = std::array<std::uint32_t, 4>;

    static constexpr Words generate(std::uint64_t key, Words counter) {
        auto key0 = static_cast<std::uint32_t>(key);
        auto key1 = static_cast<std::uint32_t>(key >> 32);
        for (int round = 0; round < 10; ++round) {
            const std::uint64_t product0 = std::uint64_t{0xD2511F53} * counter[0];
            const std::uint64_t product1 = std::uint64_t{0xCD9E8D57} * counter[2];
            counter = {static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key0,
                       static_cast<std::uint32_t>(product1),
                       static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key1,
                       static_cast<std::uint32_t>(product0)};
            key0 += 0x9E3779B9;
            key1 += 0xBB67AE85;
        }
        return counter;
    }
};

/// What a stream of random numbers is for; part of its key, so that streams never overlap.
enum class Purpose : std::uint32_t { initialisation, shuffling, dropout, augmentation, synthetic };

/// A sequence of numbers drawn from Philox under (seed, purpose, index), for serial use.
class RandomStream {
public:
    constexpr RandomStream(Seed seed, Purpose purpose, std::uint64_t index = 0)
        : key_(seed.value),
          counter_{0, static_cast<std::uint32_t>(purpose), static_cast<std::uint32_t>(index),
                   static_cast<std::uint32_t>(index >> 32)} {}

    constexpr std::uint32_t next() {
        if (used_ == 4) {
            words_ = Philox::generate(key_, counter_);
            ++counter_[0];
            used_ = 0;
        }
        return words_[used_++];
    }
    /// Uniform in [0, 1), 24 bits.
    constexpr float uniform() { return static_cast<float>(next() >> 8) * 0x1p-24f; }
    constexpr float uniform(float low, float high) { return low + (high - low) * uniform(); }
    /// Uniform in {0, ..., count - 1}; count > 0.
    constexpr std::uint32_t below(std::uint32_t count) {
        return static_cast<std::uint32_t>((std::uint64_t{next()} * count) >> 32);
    }

private:
    std::uint64_t key_;
    Philox::Words counter_;
    Philox::Words words_{};
    std::size_t used_ = 4;
};

/// Which values a dropout layer keeps. Value `element` (canonical index: channel, row, column) of
/// sample `sample` of the batch depends on nothing but the members and these two numbers.
struct DropoutMask {
    Seed seed;
    std::uint64_t step = 0;       ///< optimizer steps done before this one
    std::uint32_t layer = 0;      ///< the layer's index in the network
    std::uint32_t threshold = 0;  ///< values whose word is below it are dropped

    constexpr DropoutMask() = default;
    constexpr DropoutMask(Seed seed_, std::uint64_t step_, int layer_, float rate)
        : seed(seed_),
          step(step_),
          layer(static_cast<std::uint32_t>(layer_)),
          threshold(static_cast<std::uint32_t>(double{rate} * 0x1p32)) {}

    /// The words that decide over elements 4 * quad to 4 * quad + 3.
    constexpr Philox::Words words(std::uint32_t sample, std::uint32_t quad) const {
        const auto purpose = static_cast<std::uint32_t>(Purpose::dropout);
        return Philox::generate(seed.value ^ (std::uint64_t{purpose} << 60) ^ (step >> 32 << 28),
                                {quad, sample, layer, static_cast<std::uint32_t>(step)});
    }
    constexpr bool keeps(std::uint32_t sample, std::uint32_t element) const {
        return words(sample, element / 4)[element % 4] >= threshold;
    }
};

}  // namespace typenet
