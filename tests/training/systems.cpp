// Fine-tuning and the Keras recipe against PyTorch, from the photo or image to the trained weights,
// on narrow networks, and the latter on the whole one. (tests/parity/compare_systems.py compares
// whole ones on real images.)
#include "parity/systems.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "parity/goldens.hpp"
#include "typenet/data/photo.hpp"
#include "typenet/training/frozen_features.hpp"

using namespace typenet;
using namespace typenet::testing;

namespace {

/// Image number `index` of the goldens: slanted waves with noise on them, [row][column][channel].
Photo drawn_photo(int index, int height, int width) {
    Photo photo{height, width, {}};
    const auto number = static_cast<std::uint32_t>(index);
    const std::uint32_t salt = mix((1000 + number) * 40503 + 1);
    std::uint32_t i = 0;
    for (std::uint32_t y = 0; y < static_cast<std::uint32_t>(height); ++y)
        for (std::uint32_t x = 0; x < static_cast<std::uint32_t>(width); ++x)
            for (std::uint32_t channel = 0; channel < 3; ++channel, ++i) {
                const std::uint32_t place =
                    (x * (5 + 3 * number) + y * (7 + 4 * channel) + 64 * channel) & 511;
                const std::uint32_t wave = place < 256 ? place : 511 - place;
                const std::uint32_t noise = mix((i * 2654435761u) ^ salt) >> 27;
                photo.pixels.push_back(static_cast<std::uint8_t>(wave * 7 / 8 + noise));
            }
    return photo;
}

/// Sets all parameters by the goldens' formula, numbered from 1 on: weights within
/// `weight_scale(parameter)`, biases within `bias_scale(parameter)`.
template <class Model, class WeightScale, class BiasScale>
std::map<std::string, std::vector<float>> set_by_formula(Model& model,
                                                         const WeightScale& weight_scale,
                                                         const BiasScale& bias_scale) {
    std::map<std::string, std::vector<float>> initial;
    std::uint32_t number = 0;
    double scale = 0;
    for (const ParameterInfo& parameter : model.parameters()) {
        const bool is_weight = parameter.kind == TensorKind::weight;
        // A bias's scale may depend on the weights before it.
        scale = is_weight ? weight_scale(parameter) : bias_scale(parameter, scale);
        initial[parameter.name] = by_formula(parameter.size(), ++number, static_cast<float>(scale));
        model.set(parameter.name, initial[parameter.name]);
    }
    return initial;
}

double fan_in_of(const ParameterInfo& weight) {
    return static_cast<double>(weight.size() / weight.shape[0]);
}

/// |w - w of PyTorch| / |change of w of PyTorch|, 2-norms.
double difference_over_change(const std::vector<float>& found, const std::vector<float>& initial,
                              const std::vector<double>& change) {
    REQUIRE(found.size() == change.size());
    double apart = 0, moved = 0;
    for (std::size_t i = 0; i < found.size(); ++i) {
        apart += std::pow(double{found[i]} - (double{initial[i]} + change[i]), 2);
        moved += change[i] * change[i];
    }
    return std::sqrt(apart / moved);
}

/// The Keras recipe's start: weights by the formula within Glorot's limits, biases of zero.
template <class Net>
std::map<std::string, std::vector<float>> set_glorot(Model<Net>& model) {
    return set_by_formula(
        model,
        [](const ParameterInfo& weight) {
            const double area = weight.shape.size() == 4
                                    ? static_cast<double>(weight.shape[2] * weight.shape[3])
                                    : 1.0;
            return std::sqrt(6 / (fan_in_of(weight) + static_cast<double>(weight.shape[0]) * area));
        },
        [](const ParameterInfo&, double) { return 0.0; });
}

constexpr Shape keras_image{3, 32, 32};

/// The pixels of these images of the goldens, as a batch has them.
std::vector<std::uint8_t> drawn_pixels(std::span<const std::int32_t> images) {
    std::vector<std::uint8_t> pixels;
    for (const std::int32_t image : images) {
        const Photo photo = drawn_photo(image, keras_image.height, keras_image.width);
        for (std::size_t k = 0; k < photo.pixels.size(); ++k)
            pixels.push_back(photo.pixels[k % 1024 * 3 + k / 1024]);
    }
    return pixels;
}

/// Logarithms of probabilities of the first images: logits, up to one number a sample.
template <class Net>
void check_log_probabilities(const Model<Net>& model, std::span<const std::int32_t> images,
                             const std::vector<double>& expected) {
    const std::span first = images.first(expected.size() / 10);
    const std::vector<std::uint8_t> pixels = drawn_pixels(first);
    const std::vector<std::int32_t> unused_labels(first.size());
    Predictor predictor{model, Batch{static_cast<std::int64_t>(first.size())}};
    std::vector<float> found;
    for (const float probability : predictor(ImageBatch{pixels, unused_labels, keras_image}))
        found.push_back(std::log(probability));
    CHECK(relative_error(found, expected) <= 1e-4);
}

/// As many steps of the Keras recipe's Adam as there are losses, which are compared.
template <class Net>
void train_keras(Model<Net>& model, std::span<const std::int32_t> images,
                 std::span<const std::int32_t> labels, const std::vector<double>& losses) {
    const std::size_t size = images.size() / losses.size();
    Trainer trainer{
        model, CrossEntropy{},
        Adam{.learning_rate = 1e-4f, .epsilon = 1e-7f, .epsilon_mode = AdamEpsilon::keras},
        Batch{static_cast<std::int64_t>(size)}};
    for (std::size_t step = 0; step < losses.size(); ++step) {
        const std::vector<std::uint8_t> pixels = drawn_pixels(images.subspan(step * size, size));
        trainer.step(ImageBatch{pixels, labels.subspan(step * size, size), keras_image});
        CHECK(std::fabs(double{trainer.loss()} / losses[step] - 1) <= 1e-5);
    }
}

}  // namespace

TEST_CASE(
    "A narrow torchvision AlexNet has its logits of photos, and is fine-tuned as in PyTorch") {
    using Net = TorchvisionWithoutDropout<4, 6, 8, 8, 6, 12, 10>;
    using Cut = CutModel<Net, Freeze<"features">>;
    const SafetensorsFile file = goldens("systems");
    Cut model;
    const auto initial = set_by_formula(
        model,
        [](const ParameterInfo& weight) {
            const bool frozen = weight.name.starts_with("features.");
            return std::sqrt((frozen ? 6.0 : 1.0) / fan_in_of(weight));
        },
        [](const ParameterInfo& bias, double scale) {
            return bias.name.starts_with("features.") ? 0.0625 : scale;
        });
    constexpr Preprocessing preprocessing{256, Normalization::imagenet()};
    constexpr auto sample = static_cast<std::size_t>(Net::input_shape.size());
    const auto prepare = [&](const Photo& photo, std::span<float> place) {
        preprocess(photo, preprocessing, Net::input_shape, place);
    };
    Predictor features{model.fixed(), Batch{4}};
    Predictor decide{model.learning(), Batch{4}};

    const std::vector<double> logits = values_of(file, "finetune.logits");
    const std::vector<std::int32_t> sizes = labels_of(file, "finetune.sizes");
    REQUIRE(sizes.size() == 2 * 16);
    std::vector<float> found, input(sample);
    for (std::size_t i = 0; i < 16; ++i) {
        prepare(drawn_photo(static_cast<int>(i), sizes[2 * i], sizes[2 * i + 1]), input);
        for (const float logit : decide(features(input))) found.push_back(logit);
    }
    CHECK(relative_error(found, logits) <= 1e-4);

    const std::vector<std::int32_t> labels = labels_of(file, "finetune.labels");
    const std::vector<double> losses = values_of(file, "finetune.losses");
    REQUIRE(labels.size() == 4 * losses.size());
    Trainer trainer{model.learning(), CrossEntropy{}, Sgd{.learning_rate = 1e-3f, .momentum = 0.9f},
                    Batch{4}};
    std::vector<float> batch(4 * sample);
    for (std::size_t step = 0; step < losses.size(); ++step) {
        for (std::size_t i = 0; i < 4; ++i)
            prepare(drawn_photo(static_cast<int>(100 + 4 * step + i), 32, 32),
                    std::span{batch}.subspan(i * sample, sample));
        trainer.step(features(batch), std::span{labels}.subspan(4 * step, 4));
        CHECK(std::fabs(double{trainer.loss()} / losses[step] - 1) <= 1e-5);
    }
    for (const auto& [name, start] : initial) {
        INFO(name);
        if (name.starts_with("features."))
            CHECK(model.get(name) == start);
        else
            CHECK(difference_over_change(model.get(name), start,
                                         values_of(file, "finetune.change." + name)) <= 1e-2);
    }
}

TEST_CASE("A narrow Keras AlexNet has PyTorch's logits, and three steps of Adam move it alike") {
    const SafetensorsFile file = goldens("systems");
    Model<KerasWithoutDropout<4, 6, 8, 8, 6, 12>> model;
    const auto initial = set_glorot(model);
    const std::vector<std::int32_t> labels = labels_of(file, "keras.labels");
    std::vector<std::int32_t> images(labels.size());
    std::iota(images.begin(), images.end(), 100);

    check_log_probabilities(model, images, values_of(file, "keras.log_probabilities"));
    train_keras(model, images, labels, values_of(file, "keras.losses"));
    for (const auto& [name, start] : initial) {
        INFO(name);
        CHECK(difference_over_change(model.get(name), start,
                                     values_of(file, "keras.change." + name)) <= 1e-2);
    }
}

// Of many images these are the ones that no ReLU or max pool is near to deciding otherwise. (Where
// one does, any two float implementations come to differ by more than the limit.)
TEST_CASE("The whole Keras AlexNet likewise") {
    const SafetensorsFile file = goldens("keras_alexnet");
    Model<KerasWithoutDropout<96, 256, 384, 384, 256, 4096>> model;
    const auto initial = set_glorot(model);
    const std::vector<std::int32_t> images = labels_of(file, "images");

    check_log_probabilities(model, images, values_of(file, "log_probabilities"));
    train_keras(model, images, labels_of(file, "labels"), values_of(file, "losses"));
    for (const auto& [name, start] : initial) {
        std::vector<float> change = model.get(name);
        for (std::size_t i = 0; i < change.size(); ++i) change[i] -= start[i];
        check_samples(file, name + ".change", change, 1e-3);
    }
}
