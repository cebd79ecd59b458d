// What the fixed part of a network makes of the images of a data set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <typenet/data/loader.hpp>
#include <utility>
#include <vector>

namespace alexnet {

/// Gives the features of images: a row of floats each. Either it computes those of an image once,
/// when they are first asked for, and keeps them, or it keeps nothing and computes them every time.
class FeatureCache {
public:
    /// Of pixels to rows, one behind the other.
    using Compute = std::function<std::vector<float>(const typenet::ImageBatch&)>;

    explicit FeatureCache(Compute compute) : compute_(std::move(compute)) {}

    /// Keeps the rows of `images` images, `width` floats each, from now on. The memory is taken as
    /// it is filled.
    void keep(std::int64_t images, std::int64_t width);
    bool keeps() const { return values_ != nullptr; }

    /// The rows of a batch, which must have pixels and, where rows are kept, indices. Valid until
    /// the next call.
    std::span<const float> rows(const typenet::ImageBatch& batch);

private:
    void add_missing(const typenet::ImageBatch& batch);

    Compute compute_;
    std::size_t width_ = 0;
    std::unique_ptr<float[]> values_;  // [images][width_]; null: nothing is kept
    std::vector<bool> known_;          // which images' rows are there
    std::vector<float> rows_;
};

}  // namespace alexnet
