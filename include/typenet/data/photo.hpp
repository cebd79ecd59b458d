// A photograph on its way to a network trained on ImageNet: resized and cropped, byte for byte, as
// Pillow and torchvision do it. Sources: Pillow 9.4, Resample.c; torchvision 0.14,
// transforms/functional.py and transforms/_presets.py.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "typenet/core/error.hpp"
#include "typenet/core/names.hpp"
#include "typenet/core/shape.hpp"
#include "typenet/data/transforms.hpp"

namespace typenet {

/// Red, green and blue of each pixel, row by row.
struct Photo {
    int height = 0;
    int width = 0;
    std::vector<std::uint8_t> pixels;  ///< height x width x 3

    /// Throws ShapeError unless there are as many pixels as it says, and one at least.
    void validate() const {
        if (height < 1 || width < 1 ||
            pixels.size() !=
                std::size_t{3} * static_cast<std::size_t>(height) * static_cast<std::size_t>(width))
            throw ShapeError("a photo of " + std::to_string(height) + " rows of " +
                             std::to_string(width) + " pixels has " +
                             std::to_string(pixels.size()) + " bytes; it needs 3 a pixel");
    }
};

namespace detail {

/// How one pixel of a resized axis is summed up: `weights` of the pixels from `first` on, in
/// units of 2^-22.
struct ResampleTap {
    int first = 0;
    std::vector<int> weights;
};

inline constexpr int resample_bits = 22;

/// Places `from` to `from + count` of an axis.
struct Range {
    std::int64_t from;
    int count;
};

/// Pillow's bilinear filter, a triangle as wide as the axis shrinks, for the places `kept` of an
/// axis that is resized from `in` to `out`.
inline std::vector<ResampleTap> resample_taps(int in, std::int64_t out, const Range& kept) {
    const double scale = static_cast<double>(in) / static_cast<double>(out);
    const double support = (std::max)(scale, 1.0);
    std::vector<ResampleTap> taps(static_cast<std::size_t>(kept.count));
    std::vector<double> weights;
    for (int i = 0; i < kept.count; ++i) {
        const double center = (static_cast<double>(kept.from + i) + 0.5) * scale;
        const int first = (std::max)(static_cast<int>(center - support + 0.5), 0);
        const int last = (std::min)(static_cast<int>(center + support + 0.5), in);
        weights.clear();
        double sum = 0;
        for (int k = first; k < last; ++k) {
            const double distance = std::abs((k - center + 0.5) * (1 / support));
            weights.push_back((std::max)(1 - distance, 0.0));
            sum += weights.back();
        }
        ResampleTap& tap = taps[static_cast<std::size_t>(i)];
        tap.first = first;
        for (const double weight : weights)
            tap.weights.push_back(static_cast<int>(0.5 + weight / sum * (1 << resample_bits)));
    }
    return taps;
}

/// Resizes the middle one of three axes, [outer][in][inner] to [outer][taps][inner], and rounds to
/// bytes.
inline std::vector<std::uint8_t> resample(std::span<const std::uint8_t> pixels, std::size_t outer,
                                          std::size_t in, std::span<const ResampleTap> taps,
                                          std::size_t inner) {
    std::vector<std::uint8_t> result(outer * taps.size() * inner);
    std::uint8_t* place = result.data();
    for (std::size_t o = 0; o < outer; ++o)
        for (const ResampleTap& tap : taps) {
            const std::uint8_t* first =
                pixels.data() + (o * in + static_cast<std::size_t>(tap.first)) * inner;
            for (std::size_t i = 0; i < inner; ++i) {
                int sum = 1 << (resample_bits - 1);
                const std::uint8_t* source = first + i;
                for (const int weight : tap.weights) {
                    sum += weight * *source;
                    source += inner;
                }
                *place++ = static_cast<std::uint8_t>(std::clamp(sum >> resample_bits, 0, 255));
            }
        }
    return result;
}

/// These rows and columns of the photo resized to `height` x `width`, the rows first, then the
/// columns, each rounded to bytes. Computes what is kept, and no more.
inline Photo resize_and_cut(const Photo& photo, std::int64_t height, std::int64_t width,
                            const Range& rows, const Range& columns) {
    const std::vector<ResampleTap> across = resample_taps(photo.width, width, columns);
    std::vector<ResampleTap> down = resample_taps(photo.height, height, rows);
    const int first = down.front().first;
    const auto used =
        static_cast<std::size_t>(down.back().first - first) + down.back().weights.size();
    for (ResampleTap& tap : down) tap.first -= first;
    const auto line = static_cast<std::size_t>(photo.width);
    const std::span<const std::uint8_t> pixels{photo.pixels};
    const std::vector<std::uint8_t> narrowed =
        resample(pixels.subspan(static_cast<std::size_t>(first) * line * 3), used, line, across, 3);
    return {rows.count, columns.count, resample(narrowed, 1, used, down, across.size() * 3)};
}

}  // namespace detail

/// Bilinear with antialiasing: the rows first, then the columns, each rounded to bytes. Pillow:
/// Image.resize((width, height), BILINEAR), the same bytes. Throws ShapeError.
inline Photo resize_photo(const Photo& photo, int height, int width) {
    photo.validate();
    if (height < 1 || width < 1)
        throw ShapeError("resize_photo: " + std::to_string(height) + "x" + std::to_string(width) +
                         " asked for; ask for positive sizes");
    return detail::resize_and_cut(photo, height, width, {0, height}, {0, width});
}

/// What a network expects to be done to a photograph.
struct Preprocessing {
    /// The shorter side's length before the middle is cut out; 0: the whole photo is stretched to
    /// the network's input.
    int shorter_side = 0;
    Normalization normalization;
};

/// Resizes a photo, cuts out its middle and normalises it to `out`, the network's input of shape
/// `input` (3 channels). torchvision: transforms.Resize(shorter_side), CenterCrop, ToTensor and
/// Normalize on a Pillow image. Throws ShapeError.
inline void preprocess(const Photo& photo, const Preprocessing& how, const Shape& input,
                       std::span<float> out) {
    if (input.channels != 3 || input.is_flat() ||
        static_cast<std::int64_t>(out.size()) != input.size())
        throw ShapeError(
            "preprocess: a photo becomes 3 channels of a map; the network's input is " +
            to_string(input));
    photo.validate();
    std::int64_t height = input.height;
    std::int64_t width = input.width;
    if (how.shorter_side > 0) {
        const auto longer = [&](int side, int shorter) {
            return std::int64_t{how.shorter_side} * side / shorter;
        };
        const bool is_wide = photo.width >= photo.height;
        height = is_wide ? how.shorter_side : longer(photo.height, photo.width);
        width = is_wide ? longer(photo.width, photo.height) : how.shorter_side;
        if (height < input.height || width < input.width)
            throw ShapeError("preprocess: a shorter side of " + std::to_string(how.shorter_side) +
                             " leaves no " + to_string(input));
    }
    // Half a pixel goes to the even side, as Python rounds.
    const auto margin = [](std::int64_t whole, int part) {
        const std::int64_t half = (whole - part) / 2;
        return (whole - part) % 2 == 0 ? half : half + half % 2;
    };
    const Photo cut =
        detail::resize_and_cut(photo, height, width, {margin(height, input.height), input.height},
                               {margin(width, input.width), input.width});
    float* place = out.data();
    for (int channel = 0; channel < 3; ++channel)
        for (std::size_t i = static_cast<std::size_t>(channel); i < cut.pixels.size(); i += 3)
            *place++ = how.normalization(cut.pixels[i], channel);
}

}  // namespace typenet
