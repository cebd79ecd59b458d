// A data set made by code: ten shapes drawn on coloured grounds. It needs no file, and a
// convolutional network learns it in minutes.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>

#include "typenet/core/error.hpp"
#include "typenet/core/random.hpp"
#include "typenet/core/shape.hpp"
#include "typenet/data/dataset.hpp"
#include "typenet/data/shuffle.hpp"

namespace typenet {

/// What make_synthetic draws as a type, for `require_data`.
struct SyntheticShapes {
    static constexpr Shape image_shape{3, 32, 32};
    static constexpr int classes = 10;
};

// Everything is drawn with integers, so that every compiler and processor draws the same bytes.
namespace detail {

inline constexpr Shape synthetic_shape = SyntheticShapes::image_shape;
inline constexpr int synthetic_classes = SyntheticShapes::classes;

/// Whether the point (u right, v down; the unit is 1/1024 of the radius) lies in the figure of a
/// class.
constexpr bool in_figure(std::int32_t label, int u, int v) {
    const int across = u < 0 ? -u : u;
    const int down = v < 0 ? -v : v;
    const int nearer = (std::min)(across, down);
    const int farther = (std::max)(across, down);
    const int squared = u * u + v * v;
    const auto within = [](int radius) { return radius * radius; };
    switch (label) {
        case 0:  // disc
            return squared <= within(960);
        case 1:  // ring
            return squared <= within(1024) && squared >= within(600);
        case 2:  // square
            return farther <= 840;
        case 3:  // frame
            return farther <= 900 && farther >= 530;
        case 4:  // triangle
            return v <= 720 && across * 7 <= (v + 1024) * 4;
        case 5:  // cross
            return farther <= 1000 && nearer <= 290;
        case 6:  // crescent
            return squared <= within(1024) && (u - 480) * (u - 480) + v * v >= within(780);
        case 7: {  // star: within at least four of the five chords that draw it
            constexpr int towards[5][2] = {
                {0, -1024}, {974, -316}, {602, 828}, {-602, 828}, {-974, -316}};
            int inside = 0;
            for (const auto& [x, y] : towards) inside += (u * x + v * y) / 1024 <= 350 ? 1 : 0;
            return inside >= 4;
        }
        case 8:  // bars
            return farther <= 940 && (v <= -530 || v >= 530 || down <= 205);
        default:  // hourglass
            return down <= 940 && across * 8 <= down * 7 + 900;
    }
}

using Colour = std::array<int, 3>;

/// The colour of a hue (0..1535, once round the circle), a saturation and a value (0..255).
constexpr Colour colour_of(int hue, int saturation, int value) {
    Colour colour{};
    for (int channel = 0; channel < 3; ++channel) {
        // Each channel is a trapezium of the hue; red is at its height around 0, the others a third
        // of the circle and two thirds later.
        const int shifted = (hue + 1536 - 512 * channel) % 1536;
        const int distance = (std::min)(shifted, 1536 - shifted);
        const int purity = std::clamp(512 - distance, 0, 255);
        colour[static_cast<std::size_t>(channel)] =
            value * (255 * 255 - saturation * (255 - purity)) / (255 * 255);
    }
    return colour;
}

/// Uniform in {low, ..., high}.
constexpr int between(RandomStream& random, int low, int high) {
    return low + static_cast<int>(random.below(static_cast<std::uint32_t>(high - low + 1)));
}

/// Draws one image of a class; `pixels` holds 3 x 32 x 32.
constexpr void draw_figure(std::int32_t label, RandomStream& random,
                           std::span<std::uint8_t> pixels) {
    // Lengths are in eighths of a pixel. The circle around the figure lies within the image.
    constexpr int extent = 8 * synthetic_shape.width;
    const int radius = between(random, 80, 116);
    const int centre_x = between(random, radius, extent - radius);
    const int centre_y = between(random, radius, extent - radius);

    // A small turn by 2 atan(t); its cosine and sine are fractions over 1 + t^2. One step of u or v
    // is 1/1024 of the radius.
    constexpr int one = 1 << 14;
    const int t = between(random, -one / 14, one / 14);
    const int divisor = (one + t * t / one) * radius / 1024;
    const int along = (one - t * t / one) * 1024 / divisor;
    const int across = 2 * t * 1024 / divisor;

    // The hue is drawn around the one of the class, but so widely that it does no more than hint.
    // Each number has a statement of its own, since arguments are evaluated in any order.
    const int hue = label * 1536 / synthetic_classes + 1536 + between(random, -365, 365) +
                    between(random, -365, 365);
    const bool on_dark = random.below(2) == 0;
    const int saturation = on_dark ? between(random, 90, 220) : between(random, 150, 255);
    const int value = on_dark ? between(random, 200, 255) : between(random, 60, 150);
    const Colour figure = colour_of(hue % 1536, saturation, value);
    const int ground_hue = between(random, 0, 1535);
    const int ground_saturation = on_dark ? between(random, 60, 200) : between(random, 20, 90);
    const int ground_value = on_dark ? between(random, 20, 85) : between(random, 200, 255);
    const Colour ground = colour_of(ground_hue, ground_saturation, ground_value);
    const int slope_x = between(random, -28, 28);  // how the ground brightens across the image
    const int slope_y = between(random, -28, 28);
    const int grain = between(random, 3, 9);

    for (int y = 0; y < synthetic_shape.height; ++y)
        for (int x = 0; x < synthetic_shape.width; ++x) {
            int covered = 0;  // of 16 points in the pixel
            for (int point = 0; point < 16; ++point) {
                const int dx = 8 * x + 2 * (point % 4) + 1 - centre_x;
                const int dy = 8 * y + 2 * (point / 4) + 1 - centre_y;
                const int u = (along * dx + across * dy) / 1024;
                const int v = (along * dy - across * dx) / 1024;
                covered += in_figure(label, u, v) ? 1 : 0;
            }
            const int light = (slope_x * (2 * x - 31) + slope_y * (2 * y - 31)) / 62;
            for (int channel = 0; channel < 3; ++channel) {
                const auto index = static_cast<std::size_t>(channel);
                const int mixed =
                    (covered * figure[index] + (16 - covered) * (ground[index] + light)) / 16;
                const int noise = between(random, -grain, grain) + between(random, -grain, grain);
                pixels[static_cast<std::size_t>((channel * 32 + y) * 32 + x)] =
                    static_cast<std::uint8_t>(std::clamp(mixed + noise, 0, 255));
            }
        }
}

}  // namespace detail

/// `count` images of 3x32x32, each with a shape in one of ten classes: varied in place, size, turn,
/// colour and ground, with noise. The colour hints at the class; only the shape decides it. Each
/// ten images in a row hold every class once. Image i depends on nothing but (seed, split, i).
/// Throws Error where `count` is not positive.
inline Dataset make_synthetic(Split split, std::int64_t count, Seed seed = {0}) {
    if (count < 1)
        throw Error("make_synthetic: the count is " + std::to_string(count) +
                    " images; give 1 or more");
    Dataset dataset{.image_shape = detail::synthetic_shape,
                    .pixels = {},
                    .labels = {},
                    .class_names = {"disc", "ring", "square", "frame", "triangle", "cross",
                                    "crescent", "star", "bars", "hourglass"}};
    dataset.pixels.resize(static_cast<std::size_t>(count * dataset.image_shape.size()));
    // The stream's index holds the split in its highest bit, and whether it draws an image or the
    // order of ten labels in the next.
    const auto stream = [&](bool labels, std::int64_t index) {
        return RandomStream{seed, Purpose::synthetic,
                            std::uint64_t{split == Split::test} << 63 |
                                std::uint64_t{labels} << 62 | static_cast<std::uint64_t>(index)};
    };
    std::array<std::int32_t, detail::synthetic_classes> ten{};
    for (std::int64_t i = 0; i < count; ++i) {
        if (i % detail::synthetic_classes == 0) {
            std::iota(ten.begin(), ten.end(), 0);
            RandomStream random = stream(true, i);
            shuffle(ten, random);
        }
        const std::int32_t label = ten[static_cast<std::size_t>(i % detail::synthetic_classes)];
        dataset.labels.push_back(label);
        const std::int64_t length = dataset.image_shape.size();
        RandomStream random = stream(false, i);
        detail::draw_figure(
            label, random,
            std::span(dataset.pixels)
                .subspan(static_cast<std::size_t>(i * length), static_cast<std::size_t>(length)));
    }
    return dataset;
}

}  // namespace typenet
