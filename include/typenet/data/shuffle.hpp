// A shuffle that gives the same order with every standard library; std::shuffle does not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "typenet/core/random.hpp"

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

}  // namespace typenet
