// What the command line asks for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace alexnet {

/// Where images come from: a folder with CIFAR-10, or the word "synthetic". A limit of -1 is none.
struct DataOptions {
    std::string source;
    std::int64_t limit_train = -1;
    std::int64_t limit_test = -1;

    bool is_synthetic() const { return source == "synthetic"; }
};

/// What computes, and in which numbers.
struct MachineOptions {
    std::string device = "auto";    ///< cpu, cuda, or auto: cuda where it can be used
    std::string precision = "f32";  ///< f32; on cuda also tf32 and bf16
    int threads = 0;                ///< of the CPU; 0: one for each processor
};

/// Options that decide over a run's numbers, those of --recipe pytorch by default.
struct Recipe {
    std::string name = "pytorch";
    std::string optimizer = "sgd";
    float learning_rate = 0.001f;
    float momentum = 0.9f;  ///< of sgd
    std::int64_t batch = 4;
    std::string initialization = "pytorch";
    std::uint64_t seed = 0;
};

struct TrainOptions {
    DataOptions data;
    Recipe recipe;
    MachineOptions machine;
    int epochs = 10;
    bool progress = true;
    std::filesystem::path out;     ///< empty: the weights are not kept
    std::filesystem::path json;    ///< empty: no report
    std::filesystem::path resume;  ///< empty: from the start
};

struct EvalOptions {
    DataOptions data;
    MachineOptions machine;
    std::filesystem::path weights;
    std::filesystem::path json;
    bool progress = true;
};

struct InfoOptions {
    std::int64_t batch = 4;
    int threads = 0;
};

}  // namespace alexnet
