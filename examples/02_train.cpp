// A convolutional network learns ten shapes: data, training, test, file, prediction.
#include <cstddef>
#include <cstdio>
#include <exception>
#include <span>
#include <typenet/typenet.hpp>
#include <vector>

namespace tn = typenet;
using namespace tn::literals;

using Net = tn::Network<tn::Input<3, 32, 32>,  // channels, height, width
                        tn::Conv2d<16, tn::Kernel<3>, tn::Padding<1>>, tn::Relu,
                        tn::MaxPool2d<tn::Kernel<2>, tn::Stride<2>>,
                        tn::Conv2d<32, tn::Kernel<3>, tn::Padding<1>>, tn::Relu,
                        tn::MaxPool2d<tn::Kernel<2>, tn::Stride<2>>,
                        tn::Conv2d<64, tn::Kernel<3>, tn::Padding<1>>, tn::Relu,
                        tn::MaxPool2d<tn::Kernel<2>, tn::Stride<2>>,  //
                        tn::Flatten, tn::Expect<64 * 4 * 4>,          //
                        tn::Linear<64>, tn::Relu, tn::Dropout<>,      //
                        tn::Named<"decision", tn::Linear<10>>>;
static_assert(Net::parameter_count == 89'834);
static_assert(Net::output_shape == tn::Shape{10});
static_assert(tn::require_data<Net, tn::SyntheticShapes>());

constexpr tn::Normalization normalization = tn::Normalization::symmetric();  // bytes to [-1, 1]

/// Counts what the model takes for what.
template <class Model>
tn::ConfusionMatrix test(const Model& model, const tn::Dataset& images) {
    tn::Predictor predictor{model, tn::Batch{100}};
    tn::ConfusionMatrix confusion{Net::output_shape.channels};
    const tn::Loader loader{images, {.batch = 100, .shuffle = false}};
    for (const tn::ImageBatch& batch : loader.epoch(0)) {
        const std::vector<float> logits = predictor(batch, normalization);
        for (std::size_t i = 0; i < batch.labels.size(); ++i)
            confusion.add(batch.labels[i], tn::argmax(std::span{logits}.subspan(10 * i, 10)));
    }
    return confusion;
}

int main() try {
    const tn::Dataset images = tn::make_synthetic(tn::Split::train, 4000);
    const tn::Dataset unseen = tn::make_synthetic(tn::Split::test, 1000);

    tn::Model<Net> model{tn::Seed{1}};
    tn::Trainer trainer{model, tn::CrossEntropy{}, tn::Adam{.learning_rate = 2e-3f}, tn::Batch{32}};
    const tn::Loader loader{images, {.batch = 32, .seed = tn::Seed{1}}};
    for (int epoch = 0; epoch < 3; ++epoch) {
        for (const tn::ImageBatch& batch : loader.epoch(epoch)) trainer.step(batch, normalization);
        std::printf("epoch %d: loss of its last batch %.3f\n", epoch + 1, trainer.loss());
    }

    const tn::ConfusionMatrix confusion = test(model, unseen);
    for (int c = 0; c < confusion.classes(); ++c)
        std::printf("%-10s %5.1f %%\n", unseen.class_names[static_cast<std::size_t>(c)].c_str(),
                    confusion.accuracy(c));
    std::printf("%-10s %5.1f %%\n", "together", confusion.accuracy());

    // The file holds each parameter under its name, in PyTorch's layout; any other model of this
    // type takes it.
    tn::save(model, "shapes.safetensors");
    tn::Model<Net> copy{tn::Seed{2}};
    tn::load(copy, "shapes.safetensors");
    const std::vector<float> weights = copy["decision.weight"_name].get();  // [10, 64]

    // Predicting takes no training memory. One image, as floats in [-1, 1]:
    std::vector<float> image(static_cast<std::size_t>(Net::input_shape.size()));
    tn::resize_and_normalize(unseen.image(0), unseen.image_shape, normalization, image, 32, 32);
    tn::Predictor predict{copy, tn::Batch{1}};
    const std::vector<float> logits = predict(image);
    std::printf("the first unseen image shows: %s; taken for: %s\n",
                unseen.class_names[static_cast<std::size_t>(unseen.labels[0])].c_str(),
                unseen.class_names[static_cast<std::size_t>(tn::argmax(logits))].c_str());

    const bool file_is_faithful =
        weights == model.get("decision.weight") && logits == tn::Predictor{model}(image);
    return confusion.accuracy() > 90 && file_is_faithful ? 0 : 1;
} catch (const std::exception& error) {
    std::fprintf(stderr, "02_train: %s\n", error.what());
    return 1;
}
