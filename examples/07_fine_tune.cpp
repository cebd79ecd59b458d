// Fine-tuning: a network that has learnt some classes keeps its convolutions and learns others.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <typenet/typenet.hpp>
#include <vector>

namespace tn = typenet;

using Net = tn::Network<
    tn::Input<3, 32, 32>,  //
    tn::Named<"features.0", tn::Conv2d<16, tn::Kernel<5>, tn::Stride<2>, tn::Padding<2>>>, tn::Relu,
    tn::Named<"features.2", tn::Conv2d<32, tn::Kernel<3>, tn::Padding<1>>>, tn::Relu,
    tn::MaxPool2d<tn::Kernel<2>>, tn::Flatten, tn::Named<"decision", tn::Linear<5>>>;

// Neither gradients nor an optimizer's state are planned for what is frozen.
using Tuning = tn::Training<tn::Sgd, tn::Freeze<"features">>;
static_assert(tn::memory_plan<Net, tn::Cpu<float>, Tuning>(32).total <
              tn::memory_plan<Net, tn::Cpu<float>, tn::Training<tn::Sgd>>(32).total);

/// The images of five of the ten classes, `first` to `first + 4`, which become 0 to 4.
tn::Dataset five_classes(const tn::Dataset& all, int first) {
    tn::Dataset five = all;
    five.pixels.clear();
    five.labels.clear();
    five.class_names.assign(all.class_names.begin() + first, all.class_names.begin() + first + 5);
    const auto size = static_cast<std::ptrdiff_t>(all.image_shape.size());
    for (std::size_t i = 0; i < all.labels.size(); ++i) {
        const int label = all.labels[i] - first;
        if (label < 0 || label >= 5) continue;
        const auto pixels = all.pixels.begin() + static_cast<std::ptrdiff_t>(i) * size;
        five.pixels.insert(five.pixels.end(), pixels, pixels + size);
        five.labels.push_back(label);
    }
    return five;
}

template <class Trainer>
float train(Trainer& trainer, const tn::Dataset& images, int epochs) {
    const tn::Loader loader{images, {.batch = 32, .seed = tn::Seed{1}}};
    for (int epoch = 0; epoch < epochs; ++epoch)
        for (const tn::ImageBatch& batch : loader.epoch(epoch))
            trainer.step(batch, tn::Normalization::symmetric());
    return trainer.loss();
}

// What lies before the first layer that learns, and the rest, in models of their own.
using Cut = tn::CutModel<Net, tn::Freeze<"features">>;

int main() try {
    const tn::Dataset images = tn::make_synthetic(tn::Split::train, 1280);
    const tn::Sgd sgd{.learning_rate = 0.02f, .momentum = 0.9f};

    tn::Model<Net> first{tn::Seed{1}};
    tn::Trainer whole{first, tn::CrossEntropy{}, sgd, tn::Batch{32}};
    std::printf("five classes:      loss %.3f\n", train(whole, five_classes(images, 0), 8));

    // A model with another decision; what goes by "features" comes from the first.
    tn::Model<Net> second{tn::Seed{2}};
    for (const tn::ParameterInfo& parameter : second.parameters())
        if (parameter.name.starts_with("features."))
            second.set(parameter.name, first.get(parameter.name));
    tn::Trainer tuner{second,        tn::CrossEntropy{}, sgd,
                      tn::Batch{32}, tn::Seed{3},        tn::freeze<"features">};
    std::printf("five other classes: loss %.3f\n", train(tuner, five_classes(images, 5), 8));

    // The same faster: the fixed part's outputs are computed once and kept.
    Cut third;
    const tn::Model<Net> start{tn::Seed{2}};
    for (const tn::ParameterInfo& parameter : third.parameters()) {
        const bool fixed = parameter.name.starts_with("features.");
        third.set(parameter.name, (fixed ? first : start).get(parameter.name));
    }
    const tn::Dataset others = five_classes(images, 5);
    const std::vector<float> features = tn::Predictor{third.fixed(), tn::Batch{32}}(
        {others.pixels, others.labels, others.image_shape}, tn::Normalization::symmetric());
    tn::Trainer quick{third.learning(), tn::CrossEntropy{}, sgd, tn::Batch{32}, tn::Seed{3}};
    const tn::Loader loader{others, {.batch = 32, .seed = tn::Seed{1}, .gather = false}};
    constexpr auto width = static_cast<std::size_t>(Cut::Fixed::network::output_shape.size());
    std::vector<float> rows;
    for (int epoch = 0; epoch < 8; ++epoch)
        for (const tn::ImageBatch& batch : loader.epoch(epoch)) {
            rows.clear();
            for (const std::uint32_t image : batch.indices) {
                const float* row = features.data() + image * width;
                rows.insert(rows.end(), row, row + width);
            }
            quick.step(rows, batch.labels);
        }
    std::printf("on kept features:  loss %.3f\n", quick.loss());

    const bool same = second.get("decision.weight") == third.get("decision.weight");
    return same && tuner.loss() < 1.0f ? 0 : 1;
} catch (const std::exception& error) {
    std::fprintf(stderr, "07_fine_tune: %s\n", error.what());
    return 1;
}
