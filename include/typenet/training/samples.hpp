// Samples for one network, as values side by side.
#pragma once

#include <cstddef>
#include <span>

#include "typenet/core/require.hpp"

namespace typenet {

/// A view of samples of `Net` in canonical order [n][channel][row][column]. It is made from
/// anything that a `std::span<const float>` is made from; where the number of values is part of the
/// type (std::array, an array, a span of fixed extent), the compiler refuses one that is no
/// multiple of a sample's. The values must outlive the view.
template <class Net>
struct Samples {
    std::span<const float> values;

    template <class Values>
    requires requires(const Values& given) { std::span<const float>{given}; }
    constexpr Samples(const Values& given) : values(given) {
        constexpr std::size_t extent = decltype(std::span{given})::extent;
        if constexpr (extent != std::dynamic_extent) static_assert(require_samples<Net, extent>());
    }
};

}  // namespace typenet
