// Training networks with branches: the same bits on any number of threads, no allocation, buffers
// that do not overlap, checkpoints with running statistics, and learning.
#include <algorithm>
#include <string>
#include <vector>

#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"
#include "typenet/typenet.hpp"

using namespace typenet;

namespace {

/// A residual block with batch normalisation, an Inception block and an average pool.
using Small =
    Network<Input<3, 16, 16>, Named<"stem", Conv2d<12, Kernel<3>, Padding<1>>>,
            Named<"stem_norm", BatchNorm2d<>>, Relu,
            Residual<Conv2d<20, Kernel<3>, Stride<2>, Padding<1>>, Named<"norm1", BatchNorm2d<>>,
                     Relu, Conv2d<20, Kernel<3>, Padding<1>>, BatchNorm2d<>,
                     Shortcut<Conv2d<20, Kernel<1>, Stride<2>>, BatchNorm2d<>>>,
            Relu,
            Concat<Branch<Conv2d<5, Kernel<1>>, Relu>,
                   Branch<Conv2d<4, Kernel<1>>, Relu, Conv2d<8, Kernel<3>, Padding<1>>, Relu>,
                   Branch<AvgPool2d<Kernel<3>, Stride<1>, Padding<1>>, Conv2d<3, Kernel<1>>, Relu>>,
            AvgPool2d<Kernel<2>>, Flatten, Linear<10>>;

std::vector<std::vector<float>> tensors(const Model<Small>& model) {
    std::vector<std::vector<float>> values;
    for (const ParameterInfo& tensor : model.tensors()) values.push_back(model.get(tensor.name));
    return values;
}
ImageBatch batch_of(const Dataset& dataset, std::size_t first, std::size_t count) {
    const auto size = static_cast<std::size_t>(dataset.image_shape.size());
    return {std::span{dataset.pixels}.subspan(first * size, count * size),
            std::span{dataset.labels}.subspan(first, count), dataset.image_shape};
}
const Sgd sgd{.learning_rate = 0.02f, .momentum = 0.9f, .weight_decay = 1e-3f};

}  // namespace

TEST_CASE("Branches have the same bits on 1, 2 and 3 threads, fused or not") {
    const Dataset dataset = make_synthetic(Split::train, 22);
    const auto trained = [&](int threads, auto... policies) {
        Model<Small> model{Seed{1}, Initialization::pytorch, Threads{threads}};
        Trainer trainer{model, CrossEntropy{}, sgd, Batch{11}, Seed{2}, policies...};
        for (int step = 0; step < 3; ++step) trainer.step(batch_of(dataset, step % 2 * 11, 11));
        return tensors(model);
    };
    const auto one = trained(1);
    CHECK(one == trained(2));
    CHECK(one == trained(3));
    CHECK(one == trained(2, KeepGradients{}));
}

TEST_CASE("A step through branches allocates nothing") {
    const Dataset dataset = make_synthetic(Split::train, 8);
    Model<Small> model;
    Trainer trainer{model, CrossEntropy{}, sgd, Batch{8}};
    trainer.step(batch_of(dataset, 0, 8));
    const std::int64_t before = allocations();
    for (int step = 0; step < 3; ++step) trainer.step(batch_of(dataset, 0, 8));
    CHECK(allocations() == before);
}

TEST_CASE("Buffers of branches do not overlap while they live, and gradients are shared") {
    const auto check = [](const auto& plan) {
        for (std::size_t i = 0; i < plan.count; ++i) {
            const PlannedBuffer& a = plan.buffers[i];
            CHECK(a.first <= a.last);
            for (std::size_t j = 0; j < i; ++j) {
                const PlannedBuffer& b = plan.buffers[j];
                const bool alive_together = a.first <= b.last && b.first <= a.last;
                const bool overlap = a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
                CHECK_FALSE((alive_together && overlap));
            }
        }
    };
    constexpr auto& training = buffer_plan<Small, Cpu<float>, Training<Sgd>>;
    check(training);
    check(buffer_plan<Small, Cpu<float>, Predicting>);

    // The sum hands its gradient on: both of its operands find it in the buffer it came in.
    constexpr auto& table = stages_of<Small, Phase::training>;
    std::size_t adds = 0, forks = 0;
    for (std::size_t s = 0; s < table.count; ++s) {
        const auto& own = training.input_gradients[s];
        if (table.stages[s].geometry.op == Op::add) {
            ++adds;
            CHECK(own[0] == training.output_gradients[s]);
            CHECK(own[1] == training.output_gradients[s]);
        }
        if (table.stages[s].geometry.op == Op::fork) {
            ++forks;
            CHECK(own[0] >= 0);
        }
    }
    CHECK(adds == 1);
    CHECK(forks == 2);
}

TEST_CASE("A checkpoint holds the running statistics, and a run goes on from it bit by bit") {
    const Dataset dataset = make_synthetic(Split::train, 8);
    const typenet_test::TemporaryFolder folder;
    Model<Small> model;
    Trainer trainer{model, CrossEntropy{}, sgd, Batch{8}};
    trainer.step(batch_of(dataset, 0, 8));
    save_checkpoint(model, trainer, folder.path() / "run.safetensors");
    const SafetensorsFile file = SafetensorsFile::open(folder.path() / "run.safetensors");
    CHECK(file.find("norm1.running_mean") != nullptr);
    CHECK(file.find("norm1.running_var") != nullptr);
    CHECK(file.find("optimizer.0.norm1.weight") != nullptr);
    CHECK(file.find("optimizer.0.norm1.running_mean") == nullptr);
    CHECK(model.get("norm1.running_mean") != std::vector<float>(20, 0.0f));
    CHECK(model.parameters().size() + 8 == model.tensors().size());
    CHECK_THROWS_AS(trainer.get_state("norm1.running_mean", 0), Error);

    Model<Small> other{Seed{9}};
    Trainer next{other, CrossEntropy{}, sgd, Batch{8}};
    load_checkpoint(other, next, folder.path() / "run.safetensors");
    trainer.step(batch_of(dataset, 0, 8));
    next.step(batch_of(dataset, 0, 8));
    CHECK(tensors(model) == tensors(other));

    save(model, folder.path() / "weights.safetensors");
    Model<Small> loaded{Seed{10}};
    load(loaded, folder.path() / "weights.safetensors");
    CHECK(tensors(loaded) == tensors(model));
}

TEST_CASE("A batch normalisation starts as the identity") {
    for (const Initialization how : {Initialization::pytorch, Initialization::kaiming_normal}) {
        const Model<Small> model{Seed{3}, how};
        CHECK(model.get("norm1.weight") == std::vector<float>(20, 1.0f));
        CHECK(model.get("norm1.bias") == std::vector<float>(20, 0.0f));
        CHECK(model.get("norm1.running_mean") == std::vector<float>(20, 0.0f));
        CHECK(model.get("norm1.running_var") == std::vector<float>(20, 1.0f));
    }
}

TEST_CASE("One value a channel has no variance: refused in training, fine in inference") {
    using Pixels = Network<Input<3, 1, 1>, BatchNorm2d<>, Flatten, Linear<2>>;
    Model<Pixels> model;
    Trainer trainer{model, CrossEntropy{}, Sgd{}, Batch{2}};
    const std::vector<float> samples(6, 0.5f);
    const std::vector<std::int32_t> labels{0, 1};
    CHECK_THROWS_AS(trainer.step(std::span{samples}.first(3), std::span{labels}.first(1)),
                    ShapeError);
    trainer.step(samples, labels);
    CHECK(trainer.loss() > 0);
    Predictor predictor{model};
    CHECK(predictor(std::span{samples}.first(3)).size() == 2);
}

TEST_CASE("A network with residual and concatenated branches learns") {
    const Dataset train = make_synthetic(Split::train, 320);
    const Dataset test = make_synthetic(Split::test, 100);
    Model<Small> model{Seed{1}};
    Trainer trainer{model, CrossEntropy{}, sgd, Batch{32}};
    float first = 0, last = 0;
    for (int epoch = 0; epoch < 8; ++epoch)
        for (std::size_t i = 0; i < 320; i += 32) {
            trainer.step(batch_of(train, i, 32), Normalization::symmetric());
            if (epoch == 0) first += trainer.loss() / 10;
            if (epoch == 7) last += trainer.loss() / 10;
        }
    INFO("loss " << first << " -> " << last);
    CHECK(last < 0.5f * first);
    Predictor predictor{model, Batch{50}};
    const std::vector<float> logits = predictor(batch_of(test, 0, 100), Normalization::symmetric());
    const LossValue value = CrossEntropy{}(logits, test.labels, {});
    INFO("correct " << value.correct);
    CHECK(value.correct > 50);
}
