// The shape of one sample: a feature map (channels, height, width) or a flat vector.
#pragma once

#include <cstdint>

namespace typenet {

/// Shape of one sample, without the batch. `Shape{10}` is a flat vector of 10 features;
/// `Shape{3, 227, 227}` is a map of 3 channels, 227 rows and 227 columns.
struct Shape {
    int channels = 0;
    int height = 0;
    int width = 0;

    constexpr bool is_flat() const { return height == 0; }
    constexpr std::int64_t pixels() const {
        return is_flat() ? 1 : std::int64_t{height} * std::int64_t{width};
    }
    /// Number of values in one sample.
    constexpr std::int64_t size() const { return channels * pixels(); }
    friend constexpr bool operator==(const Shape&, const Shape&) = default;
};

}  // namespace typenet
