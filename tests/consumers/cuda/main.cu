// A user's first program for the GPU; main returns 0 when typenet does what it promises. Without a
// GPU that is one clear error.
#include <cstdio>
#include <string>
#include <typenet/cuda.hpp>
#include <vector>

namespace tn = typenet;

using Tiny = tn::Network<tn::Input<3, 8, 8>,  //
                         tn::Conv2d<16, tn::Kernel<3>, tn::Padding<1>>, tn::Relu,
                         tn::MaxPool2d<tn::Kernel<2>, tn::Stride<2>>,  //
                         tn::Flatten, tn::Linear<2>>;

int train_on_gpu() {
    // Two samples: one bright on the left, one on the right.
    const std::vector<int> labels{0, 1};
    std::vector<float> samples;
    for (const int label : labels)
        for (int i = 0; i < 3 * 8 * 8; ++i)
            samples.push_back((i % 8 >= 4) == (label == 1) ? 1.f : 0.f);

    tn::Model<Tiny, tn::Cuda<tn::tf32>> model{tn::Seed{0}};
    tn::Trainer trainer{model, tn::CrossEntropy{}, tn::Sgd{.learning_rate = 0.1f}, tn::Batch{2}};
    trainer.step(samples, labels);
    const float first_loss = trainer.loss();
    for (int i = 0; i < 20; ++i) trainer.step(samples, labels);
    std::printf("loss %.3f, then %.3f\n", first_loss, trainer.loss());

    const std::vector<float> logits = tn::Predictor{model, tn::Batch{1}}(samples);
    const bool has_learnt =
        trainer.loss() < first_loss && logits[0] > logits[1] && logits[3] > logits[2];
    return has_learnt ? 0 : 1;
}

int main() {
    int devices = 0;
    const bool has_gpu = cudaGetDeviceCount(&devices) == cudaSuccess && devices > 0;
    try {
        const int status = train_on_gpu();
        return has_gpu ? status : 1;
    } catch (const tn::CudaError& error) {
        std::printf("%s\n", error.what());
        const bool is_clear = std::string{error.what()}.find("driver") != std::string::npos;
        return !has_gpu && is_clear ? 0 : 1;
    }
}
