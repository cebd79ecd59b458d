// Frozen layers on the processor, and what is planned for them.
#include <filesystem>

#include "support/allocations.hpp"
#include "support/temporary_folder.hpp"
#include "typenet/io/weights.hpp"
#include "typenet/training/frozen_features.hpp"
#include "typenet/typenet.hpp"

namespace {
using Backend = typenet::Cpu<float>;
}  // namespace

#include "support/freeze_cases.hpp"

namespace {

using Frozen = Training<Sgd, Freeze<"front">>;
constexpr auto& table = stages_in<Straight, Frozen>;
constexpr auto& parameters = parameter_plan<Straight, Backend, Frozen>;
constexpr MemoryPlan plan = memory_plan<Straight, Backend, Frozen>(8);
constexpr MemoryPlan whole = memory_plan<Straight, Backend, Training<Sgd>>(8);

// Two convolutions are frozen; of the five stages three are left to learn.
static_assert(!has_backward(table.stages[0].geometry) && !has_backward(table.stages[1].geometry));
static_assert(has_backward(table.stages[2].geometry) && !table.stages[2].geometry.input_gradient);
static_assert(parameters.learnt[1] == -1 && parameters.learnt[2] == 0);
static_assert(plan.optimizer_state == 4 * parameters.learnt_count);
static_assert(plan.optimizer_state == whole.optimizer_state - 4 * parameters.weights[2]);
static_assert(plan.parameters == whole.parameters);
static_assert(memory_plan<Straight, Backend, Training<Sgd, Freeze<"front">, KeepGradients>>(8)
                  .gradients == plan.optimizer_state);

/// A layer from outside the library: a factor a value, and an offset for all.
struct Factors {
    static constexpr Inference infer(const Shape& input) {
        LayerInfo info;
        info.type = "Factors";
        info.input = info.output = input;
        info.weight_count = input.size();
        info.bias_count = 1;
        info.initial_weight = 1;
        return {info};
    }
    template <class T>
    static void forward(const ForwardPass<T>& pass) {
        for (std::int64_t i = 0; i < pass.layer.input.size(); ++i)
            pass.output[i] = pass.weight[i] * pass.input[i] + *pass.bias;
    }
    template <class T>
    static void backward(const BackwardPass<T>& pass) {
        for (std::int64_t i = 0; i < pass.layer.input.size(); ++i) {
            pass.input_gradient[i] += pass.weight[i] * pass.output_gradient[i];
            pass.weight_gradient[i] += pass.input[i] * pass.output_gradient[i];
            *pass.bias_gradient += pass.output_gradient[i];
        }
    }
};

}  // namespace

TEST_CASE("Nothing but its output is planned for a frozen stage") {
    constexpr auto& buffers = buffer_plan<Straight, Backend, Frozen>;
    int outputs = 0;
    for (std::size_t i = 0; i < buffers.count; ++i) {
        const PlannedBuffer& buffer = buffers.buffers[i];
        if (buffer.stage < 0 || buffer.stage > 1) continue;
        CHECK(buffer.role == BufferRole::activation);
        ++outputs;
        // The first is forgotten as soon as the second is computed.
        if (buffer.stage == 0) CHECK(buffer.last == 1);
    }
    CHECK(outputs == 2);
}

TEST_CASE("A layer from outside the library is frozen") {
    using Net = Network<Input<2, 5, 4>, Named<"first", Conv2d<3, Kernel<2>>>, Relu,
                        Named<"factors", Factors>, Flatten, Named<"last", Linear<3>>>;
    check_freezing<Net>({"factors"}, freeze<"factors">);
    check_freezing<Net>({"first", "factors"}, freeze<"first", "factors">);
    check_clipping<Net>(freeze<"first">);
}

TEST_CASE(
    "Frozen layers have the same bits on any number of threads, and a step allocates nothing") {
    const auto trained = [](int threads) {
        Model<Straight, Backend> model{Seed{1}, Initialization::pytorch, Threads{threads}};
        Trainer trainer{model,    CrossEntropy{}, Sgd{.learning_rate = 0.1f},
                        Batch{8}, Seed{},         freeze<"front.1">};
        const std::vector<float> images(8 * 588, 0.5f);
        const std::vector<std::int32_t> labels{0, 1, 2, 3, 4, 0, 1, 2};
        trainer.step(images, labels);
        const std::int64_t before = allocations();
        trainer.step(images, labels);
        CHECK(allocations() == before);
        return tensors_of_model(model);
    };
    CHECK(trained(1) == trained(2));
    CHECK(trained(1) == trained(3));
}

TEST_CASE("A checkpoint holds the optimizer's state of what learns, and training goes on from it") {
    const typenet_test::TemporaryFolder folder;
    const std::filesystem::path path = folder.path() / "run.safetensors";
    const std::vector<float> images(2 * 588, 0.5f);
    const std::vector<std::int32_t> labels{3, 1};
    const Sgd sgd{.learning_rate = 0.1f, .momentum = 0.9f};
    Model<Straight, Backend> model;
    Trainer trainer{model, CrossEntropy{}, sgd, Batch{2}, Seed{}, freeze<"front">};
    trainer.step(images, labels);
    save_checkpoint(model, trainer, path);
    const SafetensorsFile file = SafetensorsFile::open(path);
    CHECK(file.find("optimizer.0.middle.0.weight") != nullptr);
    CHECK(file.find("optimizer.0.front.0.weight") == nullptr);
    CHECK_THROWS_WITH(trainer.get_state("front.0.weight", 0),
                      "front.0.weight is frozen: it has neither gradient nor optimizer state");

    Model<Straight, Backend> other{Seed{7}};
    Trainer next{other, CrossEntropy{}, sgd, Batch{2}, Seed{}, freeze<"front">};
    load_checkpoint(other, next, path);
    trainer.step(images, labels);
    next.step(images, labels);
    CHECK(tensors_of_model(other) == tensors_of_model(model));
    // A trainer that changes everything lacks state there.
    Trainer whole{other, CrossEntropy{}, sgd, Batch{2}};
    CHECK_THROWS_AS(load_checkpoint(other, whole, path), FileError);
}

namespace {

using Features = Freeze<"features", "norm">;
using Whole = Network<Input<3, 10, 10>, Named<"features.0", Conv2d<20, Kernel<3>>>,
                      Named<"norm", BatchNorm2d<>>, Relu, MaxPool2d<Kernel<2>>, Flatten,
                      Named<"decision.0", Linear<24>>, Relu, Named<"decision.1", Linear<3>>>;
static_assert(FixedPart<Whole, Features>::layer_count == 4);
static_assert(LearningPart<Whole, Features>::input_shape == Shape{20, 4, 4});
static_assert(LearningPart<Whole, Features>::layer_count == 4);

// A Dropout is not fixed, a block of branches is as a whole or not at all.
using WithBlock =
    Network<Input<3, 8, 8>, Residual<Named<"a", Conv2d<3, Kernel<1>>>, Relu>,
            Residual<Named<"b", Conv2d<3, Kernel<1>>>>, Dropout<>, Flatten, Linear<3>>;
static_assert(FixedPart<WithBlock, Freeze<"a">>::layer_count ==
              Network<Input<3, 8, 8>, Residual<Conv2d<3, Kernel<1>>, Relu>>::layer_count);
static_assert(FixedPart<WithBlock, Freeze<"a", "b">>::output_shape == Shape{3, 8, 8});
static_assert(LearningPart<WithBlock, Freeze<"a", "b">>::layers[0].kind == LayerKind::dropout);

}  // namespace

TEST_CASE("Training on cached features takes the same steps as training the whole network") {
    constexpr std::size_t images = 12, batch = 4, pixels = 300, values = 320;
    std::vector<float> samples(images * pixels);
    std::vector<std::int32_t> labels(images);
    RandomStream random{Seed{5}, Purpose::synthetic};
    for (float& sample : samples) sample = random.uniform(-1, 1);
    for (std::int32_t& label : labels) label = static_cast<std::int32_t>(random.below(3));
    const Sgd sgd{.learning_rate = 0.1f, .momentum = 0.9f};

    Model<Whole, Backend> whole{Seed{1}};
    whole.set("norm.running_mean", std::vector<float>(20, 0.25f));
    Model<FixedPart<Whole, Features>, Backend> fixed;
    Model<LearningPart<Whole, Features>, Backend> learning;
    split(whole, fixed, learning);
    const std::vector<float> features = Predictor{fixed, Batch{5}}(samples);
    REQUIRE(features.size() == images * values);

    Trainer slow{whole, CrossEntropy{}, sgd, Batch{4}, Seed{}, Features{}};
    Trainer quick{learning, CrossEntropy{}, sgd, Batch{4}};
    for (std::size_t first = 0; first < images; first += batch) {
        const std::span given = std::span{labels}.subspan(first, batch);
        slow.step(std::span{samples}.subspan(first * pixels, batch * pixels), given);
        quick.step(std::span{features}.subspan(first * values, batch * values), given);
        CHECK(slow.loss() == quick.loss());
    }
    Model<Whole, Backend> joined{Seed{1}};
    joined.set("norm.running_mean", std::vector<float>(20, 0.25f));
    join(joined, fixed, learning);
    CHECK(tensors_of_model(joined) == tensors_of_model(whole));
}
