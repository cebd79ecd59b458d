// The whole AlexNet as nvcc compiles it: trains a few steps and predicts, where there is a GPU;
// elsewhere the one line that says so.
#include <cmath>
#include <cstdio>
#include <string_view>

#include "typenet/cuda.hpp"

using namespace typenet;

namespace {

/// A few steps over the same images, whose loss must fall. Returns how many things went wrong.
template <class Precision>
int train(const char* name) {
    constexpr std::int64_t batch = 16;
    std::vector<std::uint8_t> pixels;
    std::vector<std::int32_t> labels;
    RandomStream random{Seed{1}, Purpose::synthetic};
    for (std::int64_t i = 0; i < batch * 3072; ++i)
        pixels.push_back(static_cast<std::uint8_t>(random.below(256)));
    for (std::int32_t i = 0; i < batch; ++i) labels.push_back(i % 10);
    const ImageBatch images{pixels, labels, Shape{3, 32, 32}};

    Model<models::AlexNet, Cuda<Precision>> model{Seed{1}, Initialization::kaiming_normal};
    Trainer trainer{model, CrossEntropy{}, Sgd{.learning_rate = 1e-3f, .momentum = 0.9f},
                    Batch{batch}};
    trainer.step(images, Normalization::symmetric());
    const float first = trainer.loss();
    for (int i = 0; i < 20; ++i) trainer.step(images, Normalization::symmetric());
    const float last = trainer.loss();
    const std::vector<float> logits =
        Predictor{model, Batch{batch}}(images, Normalization::symmetric());
    std::printf("%s: loss %g, after 20 steps %g; first logit %g\n", name, double{first},
                double{last}, double{logits[0]});
    return last < first && std::isfinite(logits[0]) ? 0 : 1;
}

}  // namespace

int main() {
    try {
        const int failures = train<float>("float") + train<tf32>("tf32") + train<bf16>("bf16");
        return failures == 0 ? 0 : 1;
    } catch (const CudaError& error) {
        std::printf("%s\n", error.what());
        int devices = 0;
        const bool has_gpu = cudaGetDeviceCount(&devices) == cudaSuccess && devices > 0;
        const bool says_so = std::string_view{error.what()}.ends_with("compute on the CPU");
        return !has_gpu && says_so ? 0 : 1;
    }
}
