// What the command line asks for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <typenet/data/augment.hpp>
#include <vector>

namespace alexnet {

/// Where images come from: a folder with CIFAR-10, or the word "synthetic". A limit of -1 is none.
struct DataOptions {
    std::string source;
    std::int64_t limit_train = -1;
    std::int64_t limit_test = -1;
    std::string only;  ///< names of classes with commas between; empty: all

    bool is_synthetic() const { return source == "synthetic"; }
};

/// What computes, and in which numbers.
struct MachineOptions {
    std::string device = "auto";    ///< cpu, cuda, or auto: cuda where it can be used
    std::string precision = "f32";  ///< f32 or bf16; on cuda also tf32
    int threads = 0;                ///< of the CPU; 0: one for each processor
    bool winograd = false;          ///< convolutions by Winograd's algorithm: eval and predict, CPU
};

/// Options that decide over a run's numbers. What the command line leaves open is the recipe's.
struct Recipe {
    std::string name;
    std::string optimizer;
    float learning_rate = 0;
    float momentum = 0.9f;  ///< of sgd
    std::int64_t batch = 0;
    int epochs = 0;
    std::string initialization;
    std::uint64_t seed = 0;
    std::string rng = "typenet";  ///< whose weights and order a seed gives: typenet or torch
    float weight_decay = 0;
    /// Of the gradients, all together; infinite: they are not clipped.
    float clip_norm = std::numeric_limits<float>::infinity();
    float label_smoothing = 0;
    typenet::Augmentation augmentation{};
    std::string schedule = "constant";  ///< constant, step, cosine or plateau
    int decay_every = 5;                ///< of step: epochs
    double decay = 0.1;                 ///< of step and plateau: factor
    int patience = 3;                   ///< of plateau: epochs
    double warm_up = 0;                 ///< of cosine: epochs
    int early_stop = 0;                 ///< epochs without a lower test loss; 0: never
};

/// AlexNet from scratch as a published report trains it in PyTorch. The report states SGD, batch
/// and epochs; the learning rate and the momentum are those of PyTorch's CIFAR-10 tutorial.
inline Recipe pytorch_recipe() {
    return {.name = "pytorch",
            .optimizer = "sgd",
            .learning_rate = 1e-3f,
            .batch = 4,
            .epochs = 10,
            .initialization = "pytorch"};
}
/// The report's Keras model. It states Adam, batch and epochs, not the learning rate: with Keras's
/// default of 1e-3 this network stays at chance.
inline Recipe keras_recipe() {
    return {.name = "keras",
            .optimizer = "adam",
            .learning_rate = 1e-4f,
            .batch = 64,
            .epochs = 15,
            .initialization = "glorot"};
}

/// torchvision's AlexNet from the start, so that its convolutions can be taken over where
/// torchvision's own weights are not at hand. SGD, rate, momentum and batch are those of
/// torchvision's reference training.
inline Recipe torchvision_recipe() {
    return {.name = "torchvision",
            .optimizer = "sgd",
            .learning_rate = 1e-2f,
            .batch = 32,
            .epochs = 10,
            .initialization = "pytorch"};
}
/// The report's third system: torchvision's AlexNet with given weights, of which the convolutions
/// stay. It states SGD, learning rate and momentum; batch and epochs are those of its first.
inline Recipe finetune_recipe() {
    return {.name = "finetune",
            .optimizer = "sgd",
            .learning_rate = 1e-3f,
            .batch = 4,
            .epochs = 10,
            .initialization = "pytorch"};
}

struct TrainOptions {
    DataOptions data;
    Recipe recipe;
    MachineOptions machine;
    std::filesystem::path weights;                     ///< of recipe finetune
    std::int64_t cache_limit = std::int64_t{4} << 30;  ///< of recipe finetune: bytes
    bool progress = true;
    std::filesystem::path out;          ///< empty: nothing is kept
    std::filesystem::path json;         ///< empty: no report
    std::filesystem::path resume;       ///< a folder or a checkpoint; empty: from the start
    std::int64_t checkpoint_every = 0;  ///< steps; 0: after each epoch alone
    int keep = 2;                       ///< checkpoints
};

struct EvalOptions {
    DataOptions data;
    MachineOptions machine;
    std::filesystem::path weights;
    std::filesystem::path out;  ///< a folder; empty: nothing is kept
    std::filesystem::path json;
    bool progress = true;
};

struct PredictOptions {
    MachineOptions machine;
    std::filesystem::path weights;
    std::filesystem::path classes;  ///< a file of names; empty: those of the weights
    std::filesystem::path json;
    std::vector<std::filesystem::path> images;
};

struct ConvertOptions {
    std::filesystem::path from;
    std::filesystem::path to;
    std::filesystem::path classes;
};

struct InfoOptions {
    std::filesystem::path weights;  ///< empty: the network itself
    std::int64_t batch = 4;
    int threads = 0;
    std::string format = "table";  ///< table, markdown, dot or json
    double peak = 0;               ///< GFLOP/s; 0, as is then the bandwidth: no roofline times
    double bandwidth = 0;          ///< GB/s
    std::filesystem::path plan;    ///< empty: the plan is not drawn
};

}  // namespace alexnet
