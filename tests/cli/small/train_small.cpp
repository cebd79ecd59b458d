// The program's training run of a network so small that a test can afford it many times:
//
//     train_small sgd|adam|finetune OPTION VALUE...
//
// with the options of `alexnet train` that are read below, its exit codes and its messages.
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <typenet/backends/cpu/cpu.hpp>
#include <typenet/core/error.hpp>
#include <typenet/layers/batch_norm2d.hpp>

#include "train.hpp"

namespace {

using namespace alexnet;
namespace tn = typenet;

/// It has what a checkpoint could forget: running statistics and dropout.
struct SmallSystem {
    using Network = tn::Network<tn::Input<3, 8, 8>,  //
                                tn::Conv2d<8, tn::Kernel<3>, tn::Padding<1>>, tn::BatchNorm2d<>,
                                tn::Relu, tn::MaxPool2d<tn::Kernel<2>, tn::Stride<2>>,  //
                                tn::Flatten, tn::Linear<32>, tn::Dropout<>, tn::Relu,   //
                                tn::Linear<10>>;
    static constexpr tn::Preprocessing preprocessing{0, tn::Normalization::symmetric()};
};

/// A network cut for fine-tuning, as FinetuneSystem is, with statistics in the part that stays.
struct SmallFinetuneSystem {
    using Network = tn::Network<tn::Input<3, 8, 8>,  //
                                tn::Named<"features.0", tn::Conv2d<8, tn::Kernel<3>>>,
                                tn::Named<"features.1", tn::BatchNorm2d<>>, tn::Relu,
                                tn::MaxPool2d<tn::Kernel<2>>, tn::Flatten, tn::Dropout<>,
                                tn::Named<"classifier.1", tn::Linear<32>>, tn::Relu,
                                tn::Named<"classifier.3", tn::Linear<10>>>;
    using Frozen = tn::Freeze<"features">;
    static constexpr const char* name = "a small network";
    static constexpr const char* replaced = "classifier.3";
    static constexpr tn::Preprocessing preprocessing{9, tn::Normalization::imagenet()};
};

/// Momentum, a plateau, and lines of the running loss, which take 2000 steps. (Each image takes
/// time to draw: there are no more than needed.)
TrainOptions sgd_options() {
    TrainOptions options;
    options.recipe = pytorch_recipe();
    options.recipe.learning_rate = 2e-3f;
    options.recipe.batch = 1;
    options.recipe.epochs = 6;
    options.recipe.schedule = "plateau";
    options.recipe.patience = 0;
    options.data.limit_train = 2'100;
    return options;
}

/// Adam's two moments, a cosine, images that change with the epoch, and a ragged last batch.
TrainOptions adam_options() {
    TrainOptions options;
    options.recipe = keras_recipe();
    options.recipe.learning_rate = 2e-3f;
    options.recipe.batch = 16;
    options.recipe.epochs = 9;
    options.recipe.schedule = "cosine";
    options.recipe.augmentation = {.crop_padding = 4, .flip = true, .jitter = 0.2f};
    options.data.limit_train = 1'000;
    return options;
}

/// Features that are kept, and a ragged last batch.
TrainOptions finetune_options() {
    TrainOptions options;
    options.recipe = finetune_recipe();
    options.recipe.learning_rate = 1e-2f;
    options.recipe.epochs = 12;
    options.data.limit_train = 202;
    return options;
}

TrainOptions read_options(int argc, char** argv) {
    if (argc < 2) throw tn::Error("give sgd, adam or finetune");
    const std::string_view variant{argv[1]};
    TrainOptions options = variant == "adam"       ? adam_options()
                           : variant == "finetune" ? finetune_options()
                                                   : sgd_options();
    options.data.source = "synthetic";
    options.data.limit_test = 100;
    options.machine = {.device = "cpu", .threads = 1};  // two would wait on a busy machine
    options.progress = false;
    for (int i = 2; i + 1 < argc; i += 2) {
        const std::string_view option{argv[i]};
        const std::string value{argv[i + 1]};
        if (option == "--out")
            options.out = value;
        else if (option == "--resume")
            options.resume = value;
        else if (option == "--json")
            options.json = value;
        else if (option == "--epochs")
            options.recipe.epochs = std::stoi(value);
        else if (option == "--limit-train")
            options.data.limit_train = std::stoi(value);
        else if (option == "--checkpoint-every")
            options.checkpoint_every = std::stoi(value);
        else if (option == "--keep")
            options.keep = std::stoi(value);
        else if (option == "--clip-norm")
            options.recipe.clip_norm = std::stof(value);
        else if (option == "--label-smoothing")
            options.recipe.label_smoothing = std::stof(value);
        else if (option == "--weights")
            options.weights = value;
        else if (option == "--cache-limit")
            options.cache_limit = std::stoi(value);
        else if (option == "--crop")
            options.recipe.augmentation.crop_padding = std::stoi(value);
        else if (option == "--rng")
            options.recipe.rng = value;
        else
            throw tn::Error(fmt::format("there is no option {}", option));
    }
    return options;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const TrainOptions options = read_options(argc, argv);
        if (options.recipe.name == "finetune")
            train<SmallFinetuneSystem, tn::Cpu<float>>(options);
        else
            train<SmallSystem, tn::Cpu<float>>(options);
        return 0;
    } catch (const Interrupted& error) {
        std::fputs(fmt::format("alexnet: {}\n", error.what()).c_str(), stderr);
        return 130;
    } catch (const std::exception& error) {
        print_error(error.what());
        return 1;
    }
}
