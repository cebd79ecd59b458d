// The generator of core/random.hpp for kernels: the same bits from the same key and counter.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "typenet/backends/cuda/kernels/pack.cuh"
#include "typenet/core/random.hpp"

namespace typenet::cuda {

struct Words {
    std::uint32_t values[4];
};

/// Philox4x32-10, as `Philox::generate`.
__device__ inline Words philox(std::uint64_t key, Words counter) {
    auto key0 = static_cast<std::uint32_t>(key);
    auto key1 = static_cast<std::uint32_t>(key >> 32);
    TYPENET_UNROLL
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t product0 = std::uint64_t{0xD2511F53} * counter.values[0];
        const std::uint64_t product1 = std::uint64_t{0xCD9E8D57} * counter.values[2];
        counter = {{static_cast<std::uint32_t>(product1 >> 32) ^ counter.values[1] ^ key0,
                    static_cast<std::uint32_t>(product1),
                    static_cast<std::uint32_t>(product0 >> 32) ^ counter.values[3] ^ key1,
                    static_cast<std::uint32_t>(product0)}};
        key0 += 0x9E3779B9;
        key1 += 0xBB67AE85;
    }
    return counter;
}

/// As `DropoutMask::words`: they decide over elements 4 * quad to 4 * quad + 3 of a sample.
__device__ inline Words dropout_words(const DropoutMask& mask, std::uint32_t sample,
                                      std::uint32_t quad) {
    constexpr auto purpose = static_cast<std::uint64_t>(Purpose::dropout);
    return philox(mask.seed.value ^ (purpose << 60) ^ (mask.step >> 32 << 28),
                  {{quad, sample, mask.layer, static_cast<std::uint32_t>(mask.step)}});
}

}  // namespace typenet::cuda
