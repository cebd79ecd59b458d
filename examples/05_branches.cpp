// Networks that branch: residual blocks as in ResNet, concatenated branches as in GoogLeNet.
#include <cstddef>
#include <cstdio>
#include <exception>
#include <typenet/typenet.hpp>
#include <vector>

namespace tn = typenet;

/// A convolution whose padding leaves the size to its stride.
template <int channels, int kernel, int stride = 1>
using Conv = tn::Conv2d<channels, tn::Kernel<kernel>, tn::Stride<stride>, tn::Padding<kernel / 2>>;

/// Halves the size; the shortcut is a convolution that does the same.
template <int channels>
using Down = tn::Residual<Conv<channels, 3, 2>, tn::BatchNorm2d<>, tn::Relu,  //
                          Conv<channels, 3>, tn::BatchNorm2d<>,
                          tn::Shortcut<Conv<channels, 1, 2>, tn::BatchNorm2d<>>>;

/// Three looks at the same map, side by side.
using Looks = tn::Concat<
    tn::Branch<Conv<16, 1>, tn::Relu>, tn::Branch<Conv<8, 1>, tn::Relu, Conv<16, 3>, tn::Relu>,
    tn::Branch<tn::MaxPool2d<tn::Kernel<3>, tn::Stride<1>, tn::Padding<1>>, Conv<16, 1>, tn::Relu>>;

using Net =
    tn::Network<tn::Input<3, 32, 32>, Conv<16, 3, 2>, tn::BatchNorm2d<>, tn::Relu,  //
                Down<32>, tn::Relu, Looks, tn::AdaptiveAvgPool2d<1>, tn::Flatten, tn::Linear<10>>;
static_assert(Net::layers[10].type == "Residual" && Net::layers[10].output == tn::Shape{32, 8, 8});
static_assert(Net::layers[21].type == "Concat" && Net::layers[21].output == tn::Shape{48, 8, 8});
static_assert(Net::statistic_count == 2 * (16 + 3 * 32));

int main() try {
    const tn::Dataset images = tn::make_synthetic(tn::Split::train, 640);
    tn::Model<Net> model{tn::Seed{1}};
    tn::Trainer trainer{model, tn::CrossEntropy{},
                        tn::Sgd{.learning_rate = 0.05f, .momentum = 0.9f}, tn::Batch{32}};
    const tn::Loader loader{images, {.batch = 32, .seed = tn::Seed{1}}};
    for (int epoch = 0; epoch < 10; ++epoch) {
        for (const tn::ImageBatch& batch : loader.epoch(epoch))
            trainer.step(batch, tn::Normalization::symmetric());
        std::printf("epoch %d: loss of its last batch %.3f\n", epoch + 1, trainer.loss());
    }
    // What a batch normalisation has seen of the batches; inference uses it.
    const std::vector<float> means = model.get("1.running_mean");
    std::printf("running mean of the first channel: %.3f\n", means[0]);
    return trainer.loss() < 1.5f ? 0 : 1;
} catch (const std::exception& error) {
    std::fprintf(stderr, "05_branches: %s\n", error.what());
    return 1;
}
