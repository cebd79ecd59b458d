// From pixels to network input: bytes become floats, are resized, then normalised. The backends do
// this on their own device; the formulas stand here, once.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "typenet/core/error.hpp"
#include "typenet/core/names.hpp"
#include "typenet/core/shape.hpp"

namespace typenet {

/// What turns a pixel of a channel into network input: (value / 255 - mean) / deviation.
struct Normalization {
    std::array<float, 4> mean{};
    std::array<float, 4> deviation{1, 1, 1, 1};

    /// `value` in 0..255, as floats are after a resize.
    constexpr float operator()(float value, int channel) const {
        const auto index = static_cast<std::size_t>(channel);
        return (value / 255 - mean[index]) / deviation[index];
    }

    /// To [0, 1].
    static constexpr Normalization unit() { return {}; }
    /// To [-1, 1], as in PyTorch's CIFAR-10 tutorial.
    static constexpr Normalization symmetric() {
        return {{0.5f, 0.5f, 0.5f, 0.5f}, {0.5f, 0.5f, 0.5f, 0.5f}};
    }
    /// By the statistics of ImageNet (red, green, blue), as torchvision's pretrained models want
    /// it.
    static constexpr Normalization imagenet() {
        return {{0.485f, 0.456f, 0.406f, 0}, {0.229f, 0.224f, 0.225f, 1}};
    }
    friend constexpr bool operator==(const Normalization&, const Normalization&) = default;
};

/// Throws ShapeError unless images of shape `image` can be resized and normalised to `input`.
inline void require_images(const Shape& image, const Shape& input) {
    if (image.channels != input.channels || input.is_flat() || image.is_flat())
        throw ShapeError("a batch of images of " + to_string(image) +
                         " does not fit a network with input " + to_string(input) +
                         "; images need as many channels, any height and any width");
    if (image.channels > static_cast<int>(Normalization{}.mean.size()))
        throw ShapeError("images of " + to_string(image) +
                         " have more channels than Normalization knows (4)");
}

/// Where a resized value comes from, along one axis: a + weight * (b - a), with a at `low` and b at
/// `high`. Where both are equal (the edges) the value is copied exactly.
struct BilinearTap {
    int low;
    int high;
    float weight;
    friend constexpr bool operator==(const BilinearTap&, const BilinearTap&) = default;
};

/// The tap of `destination` (0..out-1) when an axis of `in` values is resized to `out`. Pixel
/// centres lie at halves: the source is (destination + 0.5) * in / out - 0.5, not below 0. This is
/// PyTorch's interpolate with align_corners=False and Keras's Resizing, both without antialiasing.
constexpr BilinearTap bilinear_tap(int destination, int in, int out) {
    // The source is a fraction, so its whole part is exact and its rest is rounded once.
    const std::int64_t denominator = std::int64_t{2} * out;
    const std::int64_t numerator =
        (std::max)((std::int64_t{2} * destination + 1) * in - out, std::int64_t{0});
    const int low = static_cast<int>(numerator / denominator);
    return {low, (std::min)(low + 1, in - 1),
            static_cast<float>(numerator % denominator) / static_cast<float>(denominator)};
}

/// The taps of a whole axis whose lengths are known at compile time.
template <int In, int Out>
constexpr std::array<BilinearTap, static_cast<std::size_t>(Out)> bilinear_taps() {
    std::array<BilinearTap, static_cast<std::size_t>(Out)> taps{};
    for (int i = 0; i < Out; ++i) taps[static_cast<std::size_t>(i)] = bilinear_tap(i, In, Out);
    return taps;
}

/// Resizes planes of in_h x in_w to planes of out_h x out_w: along the rows first, then down the
/// columns. Plain loops, for a few images and as the measure of the backends. Throws ShapeError
/// where a span has another size.
inline void resize_bilinear(std::span<const float> in, int channels, int in_h, int in_w,
                            std::span<float> out, int out_h, int out_w) {
    const auto require = [](std::size_t found, const Shape& shape, const char* what) {
        if (shape.channels < 1 || shape.height < 1 || shape.width < 1 ||
            static_cast<std::int64_t>(found) != shape.size())
            throw ShapeError("resize_bilinear: the " + std::string(what) + " holds " +
                             std::to_string(found) + " values; it must be a positive shape and " +
                             to_string(shape) + " takes " + std::to_string(shape.size()));
    };
    require(in.size(), {channels, in_h, in_w}, "source");
    require(out.size(), {channels, out_h, out_w}, "destination");

    std::vector<BilinearTap> columns;
    for (int x = 0; x < out_w; ++x) columns.push_back(bilinear_tap(x, in_w, out_w));
    float* result = out.data();
    for (int channel = 0; channel < channels; ++channel)
        for (int y = 0; y < out_h; ++y) {
            const BilinearTap row = bilinear_tap(y, in_h, out_h);
            const float* above = in.data() + (std::int64_t{channel} * in_h + row.low) * in_w;
            const float* below = in.data() + (std::int64_t{channel} * in_h + row.high) * in_w;
            for (const BilinearTap& column : columns) {
                const float upper =
                    above[column.low] + column.weight * (above[column.high] - above[column.low]);
                const float lower =
                    below[column.low] + column.weight * (below[column.high] - below[column.low]);
                *result++ = upper + row.weight * (lower - upper);
            }
        }
}

/// The whole way of one image: bytes of shape `image` to network input of image.channels (at most
/// 4) x out_h x out_w. Throws ShapeError where a span has another size.
inline void resize_and_normalize(std::span<const std::uint8_t> pixels, const Shape& image,
                                 const Normalization& normalization, std::span<float> out,
                                 int out_h, int out_w) {
    if (image.channels > static_cast<int>(normalization.mean.size()))
        throw ShapeError("resize_and_normalize: an image of " + to_string(image) +
                         " has more channels than the 4 that Normalization knows");
    const std::vector<float> values(pixels.begin(), pixels.end());
    resize_bilinear(values, image.channels, image.height, image.width, out, out_h, out_w);
    const std::size_t plane = out.size() / static_cast<std::size_t>(image.channels);
    for (std::size_t i = 0; i < out.size(); ++i)
        out[i] = normalization(out[i], static_cast<int>(i / plane));
}

}  // namespace typenet
