// Trains and runs AlexNet with kernels from the library.
#include <cstdint>
#include <cstdio>
#include <typenet/models/alexnet_library.hpp>
#include <typenet/typenet.hpp>
#include <vector>

namespace tn = typenet;

int main() {
    const std::vector<std::int32_t> labels{3};
    const std::vector<float> image(
        static_cast<std::size_t>(tn::models::AlexNet::input_shape.size()), 0.5f);
    tn::Model<tn::models::AlexNet> model{tn::Seed{0}};
    tn::Predictor predictor{model};
    const std::vector<float> before = predictor(image);
    tn::Trainer trainer{model, tn::CrossEntropy{}, tn::Sgd{.learning_rate = 0.01f}, tn::Batch{1}};
    trainer.step(image, labels);
    const std::vector<float> after = predictor(image);
    std::printf("loss %.3f, logit of the label %.4f, then %.4f\n", trainer.loss(), before[3],
                after[3]);
    return after[3] > before[3] ? 0 : 1;
}
