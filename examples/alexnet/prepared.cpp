#include "prepared.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace alexnet {

namespace tn = typenet;

std::vector<float> prepared(const tn::ImageBatch& images, const tn::Preprocessing& preprocessing,
                            const tn::Shape& input) {
    tn::require_pixels(images);
    const auto pixels = static_cast<std::size_t>(images.image_shape.pixels());
    const auto sample = static_cast<std::size_t>(input.size());
    std::vector<float> samples(images.labels.size() * sample);
    tn::Photo photo{images.image_shape.height, images.image_shape.width,
                    std::vector<std::uint8_t>(3 * pixels)};
    for (std::size_t i = 0; i < images.labels.size(); ++i) {
        for (std::size_t k = 0; k < 3 * pixels; ++k)
            photo.pixels[k] = images.pixels[(3 * i + k % 3) * pixels + k / 3];
        tn::preprocess(photo, preprocessing, input, std::span{samples}.subspan(i * sample, sample));
    }
    return samples;
}

}  // namespace alexnet
