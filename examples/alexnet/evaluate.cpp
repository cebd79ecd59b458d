// The test of given weights, whatever known network they belong to.
#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <typenet/core/error.hpp>
#include <typenet/io/tensor_formats.hpp>
#include <typenet/models/known.hpp>
#include <utility>
#include <vector>

#include "classifier.hpp"
#include "session.hpp"
#include "test.hpp"
#include "weights_file.hpp"

namespace alexnet {

namespace tn = typenet;

namespace {

/// Small images on the way of a photo: [images][3][rows][columns].
std::vector<float> prepared(const tn::ImageBatch& images, const tn::models::KnownNetwork& known) {
    const auto pixels = static_cast<std::size_t>(images.image_shape.pixels());
    const auto sample = static_cast<std::size_t>(known.input().size());
    std::vector<float> samples(images.labels.size() * sample);
    tn::Photo photo{images.image_shape.height, images.image_shape.width,
                    std::vector<std::uint8_t>(3 * pixels)};
    for (std::size_t i = 0; i < images.labels.size(); ++i) {
        for (std::size_t k = 0; k < 3 * pixels; ++k)
            photo.pixels[k] = images.pixels[(3 * i + k % 3) * pixels + k / 3];
        tn::preprocess(photo, known.preprocessing, known.input(),
                       std::span{samples}.subspan(i * sample, sample));
    }
    return samples;
}

}  // namespace

void evaluate(const EvalOptions& options, MakeClassifier& make) {
    const tn::Dataset data = load_data(options.data, tn::Split::test);
    const std::vector<std::string> names = class_names(data);
    require_writable(options.json);

    const tn::TensorFile file = tn::open_tensors(options.weights);
    const tn::models::KnownNetwork& known = tn::models::recognize(file, options.weights);
    if (!std::cmp_equal(known.classes(), names.size()))
        throw tn::FileError(
            options.weights.string(),
            fmt::format("holds {}, but the data have {}", known.title(), names.size()),
            "give data of as many classes");
    require_classes(file.metadata(), names, options.weights);
    const auto classifier = make(known, file, options.weights, test_batch(data), options.machine);
    print_device(classifier->device());
    print_recognized(options.weights, known);
    Progress progress{options.progress};
    const auto logits_of = [&](const tn::ImageBatch& images) {
        if (known.preprocessing.shorter_side > 0) return (*classifier)(prepared(images, known));
        return (*classifier)(images, known.preprocessing.normalization);
    };
    const TestResult result = run_test(logits_of, test_loader(data, true), data, progress, "test");
    if (!options.json.empty()) write_report(options.json, result, names);
    print_test(result, names);
}

}  // namespace alexnet
