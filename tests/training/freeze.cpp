// Frozen layers on the processor, and what is planned for them.
#include <cmath>
#include <filesystem>

#include "support/allocations.hpp"
#include "support/temporary_folder.hpp"
#include "typenet/io/weights.hpp"
#include "typenet/models/torchvision_alexnet.hpp"
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

// torchvision's AlexNet with frozen convolutions: neither a gradient nor the optimizer's memory is
// planned for them, and the linear layers learn as a network of their own in as little.
using Tuned = models::TorchvisionAlexNet<10>;
using TunedMode = Training<Sgd, Freeze<"features">>;
using TunedRest = LearningPart<Tuned, Freeze<"features">>;

/// Bytes a sample of gradients and codes that are planned for the convolutions and their pools, and
/// how many of these stages are walked backward or hold what learns.
constexpr std::int64_t planned_for_features() {
    constexpr auto& stages = stages_in<Tuned, TunedMode>;
    constexpr auto& buffers = buffer_plan<Tuned, Backend, TunedMode>;
    int first = 0;
    while (stages.stages[static_cast<std::size_t>(first)].geometry.op != Op::linear) ++first;
    std::int64_t sum = 0;
    for (std::size_t s = 0; s < static_cast<std::size_t>(first); ++s)
        sum += has_backward(stages.stages[s].geometry) ||
               parameter_plan<Tuned, Backend, TunedMode>.learnt[s] != -1;
    for (std::size_t i = 0; i < buffers.count; ++i)
        if (buffers.buffers[i].stage < first && buffers.buffers[i].role != BufferRole::activation)
            sum += buffers.buffers[i].bytes;
    return first >= 5 ? sum : -1;
}
static_assert(planned_for_features() == 0);
static_assert(FixedPart<Tuned, Freeze<"features">>::parameter_count == 2'469'696);
static_assert(TunedRest::parameter_count == 54'575'114);
static_assert(parameter_plan<Tuned, Backend, TunedMode>.learnt_count ==
              parameter_plan<TunedRest, Backend, Training<Sgd>>.count);
static_assert(memory_plan<TunedRest, Backend, Training<Sgd>>(64).total <
              memory_plan<Tuned, Backend, TunedMode>(64).total);

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

TEST_CASE("A model in two parts is kept in files as the whole network is") {
    using Cut = CutModel<Whole, Features, Backend>;
    const typenet_test::TemporaryFolder folder;
    const Model<Whole, Backend> whole{Seed{4}};
    save(whole, folder / "whole");
    Cut cut;
    load(cut, folder / "whole");
    save(cut, folder / "cut");
    Model<Whole, Backend> back;
    load(back, folder / "cut");
    CHECK(tensors_of_model(back) == tensors_of_model(whole));
    CHECK(cut.parameters().size() == 8);
    CHECK(cut.tensors().size() == 10);
    CHECK_THROWS_AS(cut.get("features.1.weight"), Error);

    // A layer is drawn as the whole network has it.
    const Model<Whole, Backend> other{Seed{9}, Initialization::kaiming_normal};
    cut.initialize("decision.1", Seed{9}, Initialization::kaiming_normal);
    CHECK(cut.get("decision.1.weight") == other.get("decision.1.weight"));
    CHECK(cut.get("decision.0.weight") == whole.get("decision.0.weight"));
    TorchGenerator generator{Seed{3}}, same{Seed{3}};
    cut.initialize("features.0", generator);
    CHECK(cut.get("features.0.weight").front() ==
          same.uniform(static_cast<float>(1 / std::sqrt(27.0))));
    CHECK_THROWS_WITH(cut.initialize("decision", Seed{}, Initialization::pytorch),
                      ContainsText("has no layer 'decision' with parameters"));

    // Its checkpoints hold what is fixed, and the optimizer's state of what learns.
    const Sgd sgd{.learning_rate = 0.1f, .momentum = 0.9f};
    const std::vector<float> features(2 * 320, 0.5f);
    const std::vector<std::int32_t> labels{2, 0};
    Trainer trainer{cut.learning(), CrossEntropy{}, sgd, Batch{2}};
    trainer.step(features, labels);
    save_checkpoint(cut, trainer, folder / "run");
    const SafetensorsFile file = SafetensorsFile::open(folder / "run");
    CHECK(file.find("features.0.weight") != nullptr);
    CHECK(file.find("optimizer.0.decision.0.weight") != nullptr);
    CHECK(file.find("optimizer.0.features.0.weight") == nullptr);
    CHECK(file.tensors().size() == 14);
    Cut next;
    Trainer goes_on{next.learning(), CrossEntropy{}, sgd, Batch{2}};
    load_checkpoint(next, goes_on, folder / "run");
    trainer.step(features, labels);
    goes_on.step(features, labels);
    for (const ParameterInfo& tensor : cut.tensors())
        CHECK(next.get(tensor.name) == cut.get(tensor.name));
}

TEST_CASE("Weights are taken over but for a layer, which may have had other outputs") {
    const typenet_test::TemporaryFolder folder;
    const auto path = folder / "other";
    using Other = Network<Input<3, 10, 10>, Named<"features.0", Conv2d<20, Kernel<3>>>,
                          Named<"norm", BatchNorm2d<>>, Relu, MaxPool2d<Kernel<2>>, Flatten,
                          Named<"decision.0", Linear<24>>, Relu, Named<"decision.1", Linear<7>>>;
    const Model<Other, Backend> other{Seed{2}};
    save(other, path);
    const SafetensorsFile file = SafetensorsFile::open(path);
    Model<Whole, Backend> model{Seed{1}};
    const Tensors start = tensors_of_model(model);
    CHECK(load_except(model, "decision.1", file, path) == 7);
    for (const auto& [name, values] : tensors_of_model(model))
        CHECK(values == (name.starts_with("decision.1.") ? start.at(name) : other.get(name)));

    // Refusals leave the model as it is.
    const Tensors before = tensors_of_model(model);
    CHECK_THROWS_WITH(load_except(model, "decision.0", file, path),
                      ContainsText("\"decision.1.weight\" has the shape [7, 24] where the network "
                                   "has [3, 24]"));
    CHECK_THROWS_AS(load_except(model, "decision", file, path), FileError);
    std::vector<TensorView> mixed(file.tensors().begin(), file.tensors().end());
    for (TensorView& tensor : mixed)
        if (tensor.name == "decision.1.bias") tensor.name = "decision.2.bias";
    write_safetensors(folder / "mixed", mixed);
    CHECK_THROWS_WITH(
        load_except(model, "decision.1", SafetensorsFile::open(folder / "mixed"), folder / "mixed"),
        ContainsText("\"decision.1.bias\" is missing"));
    CHECK(tensors_of_model(model) == before);
}
