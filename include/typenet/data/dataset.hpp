// A labelled set of images, held in memory as bytes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "typenet/core/error.hpp"
#include "typenet/core/names.hpp"
#include "typenet/core/shape.hpp"

namespace typenet {

enum class Split { train, test };

inline std::string to_string(Split split) {
    return split == Split::train ? "train" : "test";
}

/// Images of one shape, each with the number of its class.
struct Dataset {
    Shape image_shape;
    std::vector<std::uint8_t> pixels;  ///< images x channels x height x width
    std::vector<std::int32_t> labels;  ///< one an image, each an index into class_names
    std::vector<std::string> class_names;

    std::int64_t size() const { return static_cast<std::int64_t>(labels.size()); }

    /// The pixels of one image, channels x height x width. Throws Error where there is none.
    std::span<const std::uint8_t> image(std::int64_t index) const {
        const std::int64_t length = image_shape.size();
        const auto held = static_cast<std::int64_t>(pixels.size());
        if (index < 0 || index >= size() || length * (index + 1) > held)
            throw Error("Dataset: there is no image " + std::to_string(index) + " among " +
                        std::to_string(size()) + " labels and " + std::to_string(held) +
                        " bytes of pixels; ask for one of those it holds");
        return std::span(pixels).subspan(static_cast<std::size_t>(length * index),
                                         static_cast<std::size_t>(length));
    }

    /// A copy of the first `count` images, or of all where there are fewer.
    Dataset first(std::int64_t count) const {
        if (count < 0)
            throw Error("Dataset: the first " + std::to_string(count) +
                        " images were asked for; ask for 0 or more");
        const std::int64_t kept = (std::min)(count, size());
        return {image_shape,
                {pixels.begin(), pixels.begin() + kept * image_shape.size()},
                {labels.begin(), labels.begin() + kept},
                class_names};
    }

    /// A copy of the images of these classes, given as labels, in their order. Labels and
    /// class_names stay what they are.
    Dataset of_classes(std::span<const std::int32_t> classes) const {
        Dataset kept{image_shape, {}, {}, class_names};
        for (std::int64_t i = 0; i < size(); ++i) {
            const std::int32_t label = labels[static_cast<std::size_t>(i)];
            if (std::find(classes.begin(), classes.end(), label) == classes.end()) continue;
            const auto shown = image(i);
            kept.pixels.insert(kept.pixels.end(), shown.begin(), shown.end());
            kept.labels.push_back(label);
        }
        return kept;
    }

    /// Throws Error unless there are classes, every image has its pixels and every label names a
    /// class.
    void validate() const {
        if (image_shape.channels < 1 || image_shape.height < 1 || image_shape.width < 1)
            throw Error("Dataset: an image is " + to_string(image_shape) +
                        "; channels, height and width must be positive");
        if (class_names.empty()) throw Error("Dataset: it names no class; fill class_names");
        const std::int64_t expected = size() * image_shape.size();
        if (static_cast<std::int64_t>(pixels.size()) != expected)
            throw Error("Dataset: " + std::to_string(pixels.size()) + " bytes of pixels for " +
                        std::to_string(size()) + " labels; so many images of " +
                        to_string(image_shape) + " take " + std::to_string(expected));
        const auto classes = static_cast<std::int64_t>(class_names.size());
        for (std::int64_t i = 0; i < size(); ++i) {
            const std::int64_t label = labels[static_cast<std::size_t>(i)];
            if (label < 0 || label >= classes)
                throw Error("Dataset: image " + std::to_string(i) + " has label " +
                            std::to_string(label) + "; the labels of " + std::to_string(classes) +
                            " classes are 0 to " + std::to_string(classes - 1));
        }
    }
};

}  // namespace typenet
