// Layers from outside the library on the CPU, against the reference.
#include <cstdint>

#include "cpu/compare.hpp"
#include "support/temporary_folder.hpp"
#include "typenet/io/weights.hpp"

using namespace typenet;
using namespace typenet::testing;

namespace {

/// y = w x + b with a weight a channel and one bias.
struct Scale {
    static constexpr Inference infer(const Shape& input) {
        LayerInfo info;
        info.type = "Scale";
        info.input = info.output = input;
        info.weight_count = input.channels;
        info.bias_count = 1;
        info.initial_weight = 1;
        return {info};
    }
    template <class T>
    static void forward(const ForwardPass<T>& pass) {
        const Shape& shape = pass.layer.input;
        for (std::int64_t i = 0; i < shape.size(); ++i)
            pass.output[i] = pass.weight[i / shape.pixels()] * pass.input[i] + *pass.bias;
    }
    template <class T>
    static void backward(const BackwardPass<T>& pass) {
        const Shape& shape = pass.layer.input;
        for (std::int64_t i = 0; i < shape.size(); ++i) {
            const std::int64_t channel = i / shape.pixels();
            pass.input_gradient[i] += pass.weight[channel] * pass.output_gradient[i];
            pass.weight_gradient[channel] += pass.input[i] * pass.output_gradient[i];
            *pass.bias_gradient += pass.output_gradient[i];
        }
    }
};

/// (c, h, w) -> (4 c, h / 2, w / 2): the pixels of each 2x2 square become channels.
struct SpaceToDepth {
    static constexpr Inference infer(const Shape& input) {
        if (input.is_flat()) return Inference::refuse(Reason::layer_needs_a_map);
        LayerInfo info;
        info.type = "SpaceToDepth";
        info.input = input;
        info.output = {4 * input.channels, input.height / 2, input.width / 2};
        return {info};
    }
    /// Calls f(index of the input, index of the output).
    template <class F>
    static void for_each(const LayerInfo& layer, const F& f) {
        const Shape &in = layer.input, &out = layer.output;
        for (int c = 0; c < out.channels; ++c)
            for (int y = 0; y < out.height; ++y)
                for (int x = 0; x < out.width; ++x)
                    f((c / 4 * in.height + 2 * y + c / 2 % 2) * in.width + 2 * x + c % 2,
                      (c * out.height + y) * out.width + x);
    }
    template <class T>
    static void forward(const ForwardPass<T>& pass) {
        for_each(pass.layer, [&](int from, int to) { pass.output[to] = pass.input[from]; });
    }
    template <class T>
    static void backward(const BackwardPass<T>& pass) {
        for_each(pass.layer,
                 [&](int to, int from) { pass.input_gradient[to] += pass.output_gradient[from]; });
    }
};

static_assert(CustomLayer<Scale> && CustomLayer<SpaceToDepth> && !Layer<Scale>);
static_assert(!CustomLayer<Relu> && !CustomLayer<int>);

using Net =
    Network<Input<3, 9, 10>, SpaceToDepth, Conv2d<19, Kernel<3>, Padding<1>>, Named<"scale", Scale>,
            Relu, Residual<Scale, Conv2d<19, Kernel<1>>>, SpaceToDepth, Scale,
            Conv2d<5, Kernel<2>, Padding<1>>, Flatten, Scale, Linear<4>, Scale>;
static_assert(Net::layers[0].output == Shape{12, 4, 5});
static_assert(Net::layers[0].parameter_count() == 0);
static_assert(Net::layers[2].parameter_count() == 20);

}  // namespace

TEST_CASE("Custom layers first and last, between convolutions, in branches and behind Flatten") {
    compare_everywhere<Net>(Numbers::whole);
}

TEST_CASE("A custom layer's parameters start where it says, and travel through files") {
    const typenet_test::TemporaryFolder folder;
    Model<Net> model{Seed{1}};
    CHECK(model.get("scale.weight") == std::vector<float>(19, 1.0f));
    CHECK(model.get("scale.bias") == std::vector<float>(1, 0.0f));
    model.set("scale.weight", real_numbers(19, 2, 1));
    save(model, folder.path() / "weights.safetensors");
    Model<Net> other{Seed{2}};
    load(other, folder.path() / "weights.safetensors");
    for (const ParameterInfo& parameter : model.parameters())
        CHECK(other.get(parameter.name) == model.get(parameter.name));
}

TEST_CASE("A custom layer trains to the same bits on any number of threads") {
    const std::vector<float> samples = real_numbers(6 * Net::input_shape.size(), 1, 2);
    const std::vector<std::int32_t> labels{0, 1, 2, 3, 0, 1};
    std::vector<std::vector<float>> first;
    for (const int threads : {1, 2, 3}) {
        Model<Net> model{Seed{1}, Initialization::pytorch, Threads{threads}};
        Trainer trainer{model, CrossEntropy{}, Sgd{.learning_rate = 0.01f, .momentum = 0.9f},
                        Batch{6}};
        for (int step = 0; step < 3; ++step) trainer.step(samples, labels);
        std::vector<std::vector<float>> weights;
        for (const ParameterInfo& parameter : model.parameters())
            weights.push_back(model.get(parameter.name));
        if (threads == 1) first = weights;
        CHECK(weights == first);
        CHECK(model.get("scale.weight") != std::vector<float>(19, 1.0f));
    }
}
