// Random changes of training images: shifted, mirrored, in other light. They work on bytes, before
// resizing, and depend on the seed, the epoch and the image's number alone.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "typenet/core/error.hpp"
#include "typenet/core/names.hpp"
#include "typenet/core/random.hpp"
#include "typenet/core/shape.hpp"

namespace typenet {

/// Which changes are made. Each draws anew for every image and epoch.
struct Augmentation {
    /// Shifts by up to so many pixels up, down, left and right; what comes in is black.
    /// torchvision: RandomCrop(size, padding).
    int crop_padding = 0;
    /// Mirrors every other image, left to right. torchvision: RandomHorizontalFlip.
    bool flip = false;
    /// Changes brightness, contrast and saturation by factors from 1 - jitter to 1 + jitter, in
    /// this order. torchvision: ColorJitter(jitter, jitter, jitter), which shuffles the order.
    float jitter = 0;

    explicit operator bool() const { return crop_padding > 0 || flip || jitter > 0; }

    /// Throws Error where an option is out of range for images of that shape.
    void require_fit(const Shape& image) const {
        const int most = (std::min)(image.height, image.width) - 1;
        if (crop_padding < 0 || crop_padding > most)
            throw Error("Augmentation: crop_padding is " + std::to_string(crop_padding) +
                        "; give 0 to " + std::to_string(most) + " for images of " +
                        to_string(image));
        if (!(jitter >= 0 && jitter <= 1))
            throw Error("Augmentation: jitter is " + std::to_string(jitter) + "; give 0 to 1");
        if (jitter > 0 && image.channels != 3)
            throw Error("Augmentation: jitter needs red, green and blue, and images of " +
                        to_string(image) + " have " + std::to_string(image.channels) +
                        " channels; give 0");
    }
};

namespace detail {

/// target(y, x) = source(y + down, x + right), mirrored first where asked for; black outside.
inline void shift(std::span<const std::uint8_t> source, const Shape& shape, int down, int right,
                  bool mirror, std::span<std::uint8_t> target) {
    std::size_t i = 0;
    for (int c = 0; c < shape.channels; ++c)
        for (int y = 0; y < shape.height; ++y)
            for (int x = 0; x < shape.width; ++x) {
                const int from_y = y + down;
                const int from_x = (mirror ? shape.width - 1 - x : x) + right;
                const bool inside =
                    from_y >= 0 && from_y < shape.height && from_x >= 0 && from_x < shape.width;
                target[i++] = inside ? source[static_cast<std::size_t>(
                                           (c * shape.height + from_y) * shape.width + from_x)]
                                     : std::uint8_t{0};
            }
}

inline std::uint8_t to_byte(float value) {
    return static_cast<std::uint8_t>(std::clamp(std::round(value), 0.0f, 255.0f));
}

/// Brightness, contrast about the mean grey, saturation about each pixel's grey, each rounded to
/// bytes. Grey is 0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601).
inline void change_light(std::span<std::uint8_t> image, float brightness, float contrast,
                         float saturation) {
    const std::size_t plane = image.size() / 3;
    const auto grey = [&](std::size_t i) {
        return 0.299f * static_cast<float>(image[i]) +
               0.587f * static_cast<float>(image[plane + i]) +
               0.114f * static_cast<float>(image[2 * plane + i]);
    };
    const auto blend = [](std::uint8_t& value, float with, float factor) {
        value = to_byte(with + factor * (static_cast<float>(value) - with));
    };
    for (std::uint8_t& value : image) blend(value, 0, brightness);
    double sum = 0;
    for (std::size_t i = 0; i < plane; ++i) sum += double{grey(i)};
    const auto mean = static_cast<float>(sum / static_cast<double>(plane));
    for (std::uint8_t& value : image) blend(value, mean, contrast);
    for (std::size_t i = 0; i < plane; ++i) {
        const float middle = grey(i);
        for (std::size_t c = 0; c < 3; ++c) blend(image[c * plane + i], middle, saturation);
    }
}

}  // namespace detail

/// Changes one image, channels x height x width, into `target` of the same size. `epoch` and
/// `index` (of the image in its data set) decide with the seed over what is drawn.
inline void augment(const Augmentation& how, Seed seed, std::uint64_t epoch, std::uint32_t index,
                    std::span<const std::uint8_t> image, const Shape& shape,
                    std::span<std::uint8_t> target) {
    RandomStream random{seed, Purpose::augmentation, epoch << 32 | index};
    // All is drawn in a fixed order, so that one option does not change what another does.
    const auto offset = [&] {
        const auto range = static_cast<std::uint32_t>(2 * how.crop_padding + 1);
        return static_cast<int>(random.below(range)) - how.crop_padding;
    };
    const int down = offset();
    const int right = offset();
    const bool mirror = random.below(2) == 1;
    std::array<float, 3> factors{};
    for (float& factor : factors) factor = random.uniform(1 - how.jitter, 1 + how.jitter);
    detail::shift(image, shape, down, right, how.flip && mirror, target);
    if (how.jitter > 0) detail::change_light(target, factors[0], factors[1], factors[2]);
}

}  // namespace typenet
