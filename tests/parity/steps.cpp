// parity_steps DATA OUT SEED STEPS...: the PyTorch recipe on CIFAR-10 in DATA, dropout off, with
// weights and order as PyTorch draws them. Prints the loss of each step; after each of STEPS (in
// rising order; 0 is the start) the weights go to OUT/STEP.safetensors.
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

#include "parity/alexnet_without_dropout.hpp"
#include "parity/whole_number.hpp"
#include "typenet/typenet.hpp"

namespace {

using namespace typenet;
namespace fs = std::filesystem;

void run(const fs::path& data, const fs::path& out, Seed seed,
         const std::vector<std::uint64_t>& steps) {
    const Dataset images = read_cifar10(data, Split::train);
    TorchGenerator generator{seed};
    Model<testing::AlexNetWithoutDropout> model{generator};
    const Loader loader{images, {.batch = 4, .torch = generator}};
    Trainer trainer{model, CrossEntropy{}, Sgd{.learning_rate = 1e-3f, .momentum = 0.9f}, Batch{4}};
    auto epoch = loader.epoch(0);
    auto batch = epoch.begin();
    std::uint64_t done = 0;
    for (const std::uint64_t step : steps) {
        for (; done < step && batch != epoch.end(); ++done, ++batch) {
            trainer.step(*batch, Normalization::symmetric());
            std::printf("%.9g\n", double{trainer.loss()});
            std::fflush(stdout);
        }
        save(model, out / (std::to_string(step) + ".safetensors"));
    }
}

}  // namespace

int main(int argc, char** argv) {
    try {
        if (argc < 5) throw Error("usage: parity_steps DATA OUT SEED STEPS...");
        std::vector<std::uint64_t> steps;
        for (int i = 4; i < argc; ++i) steps.push_back(testing::whole_number(argv[i]));
        run(argv[1], argv[2], Seed{testing::whole_number(argv[3])}, steps);
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "parity_steps: %s\n", error.what());
        return 1;
    }
}
