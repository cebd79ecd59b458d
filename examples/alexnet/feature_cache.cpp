#include "feature_cache.hpp"

#include <algorithm>

namespace alexnet {

namespace tn = typenet;

void FeatureCache::keep(std::int64_t images, std::int64_t width) {
    width_ = static_cast<std::size_t>(width);
    known_.assign(static_cast<std::size_t>(images), false);
    values_ = std::make_unique_for_overwrite<float[]>(known_.size() * width_);
}

std::span<const float> FeatureCache::rows(const tn::ImageBatch& batch) {
    if (!keeps()) {
        rows_ = compute_(batch);
        return rows_;
    }
    add_missing(batch);
    rows_.resize(batch.indices.size() * width_);
    float* place = rows_.data();
    for (const std::uint32_t image : batch.indices)
        place = std::copy_n(values_.get() + image * width_, width_, place);
    return rows_;
}

/// Computes the rows of those images of a batch that were not met before.
void FeatureCache::add_missing(const tn::ImageBatch& batch) {
    const auto size = static_cast<std::size_t>(batch.image_shape.size());
    std::vector<std::uint32_t> missing;
    std::vector<std::uint8_t> pixels;
    std::vector<std::int32_t> labels;
    for (std::size_t i = 0; i < batch.indices.size(); ++i) {
        if (known_[batch.indices[i]]) continue;
        missing.push_back(batch.indices[i]);
        const auto image = batch.pixels.subspan(i * size, size);
        pixels.insert(pixels.end(), image.begin(), image.end());
        labels.push_back(batch.labels[i]);
    }
    if (missing.empty()) return;
    const std::vector<float> found = compute_({pixels, labels, batch.image_shape});
    for (std::size_t i = 0; i < missing.size(); ++i) {
        std::copy_n(found.data() + i * width_, width_, values_.get() + missing[i] * width_);
        known_[missing[i]] = true;
    }
}

}  // namespace alexnet
