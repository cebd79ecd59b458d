// typenet's side of compare_systems.py:
//
//     parity_systems logits WEIGHTS OUT PHOTO...    torchvision's AlexNet's logits of photos
//     parity_systems finetune WEIGHTS OUT DATA SEED STEPS
//     parity_systems keras WEIGHTS OUT DATA SEED STEPS BATCH
//
// The last two train on CIFAR-10 in DATA without dropout, in PyTorch's order for the seed, as the
// recipes do; OUT gets the weights, and stdout the loss of each step.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "parity/systems.hpp"
#include "parity/whole_number.hpp"
#include "photo_file.hpp"
#include "prepared.hpp"
#include "system.hpp"
#include "typenet/typenet.hpp"

namespace {

using namespace typenet;
using Arguments = std::vector<std::string>;

void write_logits(const Arguments& arguments) {
    using Net = models::TorchvisionAlexNet<>;
    Model<Net> model;
    load(model, arguments[0]);
    Predictor predictor{model};
    std::vector<float> logits, sample(static_cast<std::size_t>(Net::input_shape.size()));
    for (std::size_t i = 2; i < arguments.size(); ++i) {
        preprocess(alexnet::read_photo(arguments[i]), alexnet::TorchvisionSystem::preprocessing,
                   Net::input_shape, sample);
        const std::vector<float> found = predictor(sample);
        logits.insert(logits.end(), found.begin(), found.end());
    }
    const auto photos = static_cast<std::int64_t>(arguments.size()) - 2;
    write_safetensors(arguments[1], std::vector{TensorView::of("logits", {photos, 1000}, logits)});
}

/// Calls step(batch) for the first steps of an epoch, which gives the loss.
template <class Step>
void train(const Arguments& arguments, std::int64_t size, const Step& step) {
    const Dataset images = read_cifar10(arguments[2], Split::train);
    const Loader loader{
        images,
        {.batch = size, .torch = TorchGenerator{Seed{testing::whole_number(arguments[3])}}}};
    std::uint64_t left = testing::whole_number(arguments[4]);
    for (const ImageBatch& batch : loader.epoch(0)) {
        if (left-- == 0) break;
        std::printf("%.9g\n", double{step(batch)});
        std::fflush(stdout);
    }
}

void fine_tune(const Arguments& arguments) {
    using Net = testing::TorchvisionWithoutDropout<64, 192, 384, 256, 256, 4096, 10>;
    CutModel<Net, alexnet::FinetuneSystem::Frozen> model;
    load(model, arguments[0]);
    Predictor features{model.fixed(), Batch{4}};
    Trainer trainer{model.learning(), CrossEntropy{}, Sgd{.learning_rate = 1e-3f, .momentum = 0.9f},
                    Batch{4}};
    train(arguments, 4, [&](const ImageBatch& batch) {
        trainer.step(features(alexnet::prepared(batch, alexnet::FinetuneSystem::preprocessing,
                                                Net::input_shape)),
                     batch.labels);
        return trainer.loss();
    });
    save(model, arguments[1]);
}

void train_keras(const Arguments& arguments) {
    const auto size = static_cast<std::int64_t>(testing::whole_number(arguments[5]));
    Model<testing::KerasWithoutDropout<96, 256, 384, 384, 256, 4096>> model;
    load(model, arguments[0]);
    Trainer trainer{
        model, CrossEntropy{},
        Adam{.learning_rate = 1e-4f, .epsilon = 1e-7f, .epsilon_mode = AdamEpsilon::keras},
        Batch{size}};
    train(arguments, size, [&](const ImageBatch& batch) {
        trainer.step(batch);
        return trainer.loss();
    });
    save(model, arguments[1]);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const std::string_view what{argc > 1 ? argv[1] : ""};
        const Arguments arguments(argv + (argc > 1 ? 2 : 1), argv + argc);
        if (what == "logits" && arguments.size() > 2)
            write_logits(arguments);
        else if (what == "finetune" && arguments.size() == 5)
            fine_tune(arguments);
        else if (what == "keras" && arguments.size() == 6)
            train_keras(arguments);
        else
            throw Error("usage: see the first lines of tests/parity/systems.cpp");
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "parity_systems: %s\n", error.what());
        return 1;
    }
}
