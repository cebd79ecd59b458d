// Shuffles that give the same order with every standard library; std::shuffle does not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "typenet/core/random.hpp"
#include "typenet/core/torch_generator.hpp"

namespace typenet {

/// Puts the values of an array, vector or span (fewer than 2^32) in a random order, each order
/// equally likely.
/// Source: Fisher and Yates, in Durstenfeld's form (Algorithm 235, CACM 1964).
template <class Values>
constexpr void shuffle(Values& values, RandomStream& random) {
    for (std::size_t left = values.size(); left > 1; --left) {
        const std::size_t chosen = random.below(static_cast<std::uint32_t>(left));
        std::swap(values[left - 1], values[chosen]);
    }
}

/// The same in the order of an epoch (0 or more) of PyTorch's DataLoader(shuffle=True), where its
/// default generator is `generator` before the first epoch and nothing but the loader draws from
/// it. Source: PyTorch 1.13.1, torch/utils/data/dataloader.py and sampler.py.
template <class Values>
void shuffle(Values& values, TorchGenerator generator, std::int64_t epoch) {
    // Each epoch draws a seed for the loader's workers and one for its order.
    for (std::int64_t i = 0; i < 2 * epoch + 1; ++i) generator.integer();
    TorchGenerator order{Seed{generator.integer()}};
    order.permute(values);
}

}  // namespace typenet
