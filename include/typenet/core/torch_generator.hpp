// PyTorch's generator of random numbers on the CPU: the same numbers for the same seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>

#include "typenet/core/random.hpp"

namespace typenet {

/// What torch.manual_seed(seed) leaves behind, and what PyTorch draws from it: an MT19937, of which
/// every draw moves the state on. Of the seed it takes the lower 32 bits, as PyTorch does.
/// Source: PyTorch 1.13.1, ATen/core/MT19937RNGEngine.h and TransformationHelper.h.
class TorchGenerator {
public:
    explicit TorchGenerator(Seed seed = {}) : engine_(static_cast<std::uint32_t>(seed.value)) {}

    std::uint32_t next() { return static_cast<std::uint32_t>(engine_()); }

    /// tensor.uniform_(-bound, bound) of floats, one value of it.
    float uniform(float bound) {
        // The sum has 48 bits at most, so that it is exact and only the float is rounded.
        const double unit = (next() & 0xFFFFFF) * 0x1p-24;
        return static_cast<float>(unit * (2 * double{bound}) - double{bound});
    }

    /// torch.empty((), dtype=torch.int64).random_(): 63 bits.
    std::uint64_t integer() {
        const std::uint64_t high = next();
        return (high << 32 | next()) & ~(std::uint64_t{1} << 63);
    }

    /// torch.randperm: puts the values of an array, vector or span (fewer than 2^32) in its order.
    /// Source: ATen/native/TensorFactories.cpp.
    template <class Values>
    void permute(Values& values) {
        for (std::size_t i = 0; i + 1 < values.size(); ++i) {
            const std::size_t left = values.size() - i;
            std::swap(values[i], values[i + next() % left]);
        }
    }

private:
    std::mt19937 engine_;
};

}  // namespace typenet
