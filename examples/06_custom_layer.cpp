// A layer of your own in one file: its shape rule, its forward and its backward pass. The library
// infers, plans, trains, saves and loads it like one of its own.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <typenet/backends/reference/check_gradients.hpp>
#include <typenet/typenet.hpp>

namespace tn = typenet;

/// Swish, x / (1 + exp(-b x)), with a slope b of its own for each channel, learnt from 1 on.
/// Source: Ramachandran, Zoph and Le, "Searching for activation functions", 2017.
struct Swish {
    static constexpr tn::Inference infer(const tn::Shape& input) {
        tn::LayerInfo info;
        info.type = "Swish";
        info.input = info.output = input;
        info.weight_count = input.channels;
        info.initial_weight = 1;
        return {info};
    }

    template <class T>
    static void forward(const tn::ForwardPass<T>& pass) {
        const tn::Shape& shape = pass.layer.input;
        for (std::int64_t i = 0; i < shape.size(); ++i) {
            const T slope = pass.weight[i / shape.pixels()];
            pass.output[i] = pass.input[i] * share(slope * pass.input[i]);
        }
    }

    template <class T>
    static void backward(const tn::BackwardPass<T>& pass) {
        const tn::Shape& shape = pass.layer.input;
        for (std::int64_t i = 0; i < shape.size(); ++i) {
            const std::int64_t channel = i / shape.pixels();
            const T x = pass.input[i], slope = pass.weight[channel], s = share(slope * x);
            pass.input_gradient[i] += pass.output_gradient[i] * (s + slope * x * s * (1 - s));
            pass.weight_gradient[channel] += pass.output_gradient[i] * x * x * s * (1 - s);
        }
    }

private:
    template <class T>
    static T share(T x) {
        return 1 / (1 + std::exp(-x));
    }
};

using Net = tn::Network<tn::Input<3, 32, 32>,  //
                        tn::Conv2d<16, tn::Kernel<5>, tn::Stride<2>, tn::Padding<2>>,
                        tn::Named<"bend", Swish>, tn::MaxPool2d<tn::Kernel<2>>,
                        tn::Conv2d<32, tn::Kernel<3>, tn::Padding<1>>, Swish,
                        tn::MaxPool2d<tn::Kernel<2>>,  //
                        tn::Flatten, tn::Linear<10>>;
static_assert(Net::layers[1].parameter_count() == 16);

int main() {
    // Does backward compute the slopes of forward?
    if (const tn::GradientCheck check = tn::check_gradients<Swish>(); !check) {
        std::printf("Swish: %s\n", check.fault.c_str());
        return 1;
    }

    const tn::Dataset train = tn::make_synthetic(tn::Split::train, 2'000);
    const tn::Loader loader{train, {.batch = 32}};
    tn::Model<Net> model;
    tn::Trainer trainer{model, tn::CrossEntropy{}, tn::Adam{.learning_rate = 2e-3f}, tn::Batch{32}};
    for (int epoch = 0; epoch < 4; ++epoch) {
        double sum = 0;
        for (const tn::ImageBatch& batch : loader.epoch(epoch)) {
            trainer.step(batch);
            sum += trainer.loss();
        }
        std::printf("epoch %d: loss %.3f\n", epoch + 1,
                    sum / static_cast<double>(loader.batches_per_epoch()));
    }
    std::printf("the slope of the first channel: %.3f\n", model.get("bend.weight")[0]);
}
