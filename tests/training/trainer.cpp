// What the Trainer promises beside the right numbers: the same bits on any number of threads, fused
// or not; no allocation in a step; clear refusals.
#include <cmath>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "typenet/typenet.hpp"

using namespace typenet;

namespace {

/// A small network with every kind of stage that AlexNet has.
using Small =
    Network<Input<3, 19, 17>, Named<"cn1", Conv2d<20, Kernel<5>, Stride<2>>>, Relu,
            MaxPool2d<Kernel<3>, Stride<2>>, Named<"cn2", Conv2d<33, Kernel<3>, Padding<1>>>, Relu,
            Named<"cn3", Conv2d<17, Kernel<3>, Padding<1>>>, Flatten, Named<"fc1", Linear<50>>,
            Dropout<>, Relu, Named<"fc2", Linear<5>>>;

std::vector<float> samples(std::int64_t batch, const Shape& shape) {
    RandomStream random{Seed{5}, Purpose::synthetic};
    std::vector<float> values(static_cast<std::size_t>(batch * shape.size()));
    for (float& value : values) value = random.uniform(-1, 1);
    return values;
}
std::vector<std::int32_t> labels(std::int64_t batch, int classes) {
    std::vector<std::int32_t> values;
    for (std::int64_t i = 0; i < batch; ++i)
        values.push_back(static_cast<std::int32_t>(i * 7 % classes));
    return values;
}

/// All parameters after some steps.
template <class Net, class Optimizer, class... Policies>
std::vector<std::vector<float>> trained(int threads, std::int64_t batch, Optimizer optimizer,
                                        int steps, Policies... policies) {
    Model<Net> model{Seed{1}, Initialization::kaiming_normal, Threads{threads}};
    Trainer trainer{model, CrossEntropy{}, optimizer, Batch{batch}, Seed{2}, policies...};
    const std::vector<float> inputs = samples(batch, Net::input_shape);
    for (int step = 0; step < steps; ++step)
        trainer.step(inputs, labels(batch, static_cast<int>(Net::output_shape.size())));
    std::vector<std::vector<float>> parameters;
    for (const ParameterInfo& parameter : model.parameters())
        parameters.push_back(model.get(parameter.name));
    return parameters;
}

// What a Trainer or Predictor holds cannot be replaced or thrown away under it by mistake.
static_assert(std::is_nothrow_move_constructible_v<Model<Small>>);
static_assert(!std::is_move_assignable_v<Model<Small>>);
static_assert(std::is_constructible_v<Predictor<Model<Small>>, const Model<Small>&>);
static_assert(!std::is_constructible_v<Predictor<Model<Small>>, Model<Small>>);

}  // namespace

TEST_CASE("The number of threads does not change a bit") {
    const Sgd sgd{.learning_rate = 0.05f, .momentum = 0.9f, .weight_decay = 1e-3f};
    const auto one = trained<Small>(1, 11, sgd, 4);
    CHECK(one != trained<Small>(1, 11, sgd, 3));
    CHECK(one == trained<Small>(2, 11, sgd, 4));
    CHECK(one == trained<Small>(3, 11, sgd, 4));
    const Adam adam{};
    CHECK(trained<Small>(1, 4, adam, 3) == trained<Small>(3, 4, adam, 3));
}

TEST_CASE("AlexNet has the same bits on 1, 2 and 3 threads") {
    const Sgd sgd{.momentum = 0.9f};
    const auto one = trained<models::AlexNet>(1, 3, sgd, 1);
    CHECK(one == trained<models::AlexNet>(2, 3, sgd, 1));
    CHECK(one == trained<models::AlexNet>(3, 3, sgd, 1));
}

TEST_CASE("A fused step and one that keeps gradients give the same weights") {
    const Sgd sgd{.learning_rate = 0.05f, .momentum = 0.9f, .nesterov = true};
    CHECK(trained<Small>(2, 7, sgd, 3) == trained<Small>(2, 7, sgd, 3, KeepGradients{}));
    CHECK(trained<Small>(2, 7, Adam{}, 3) == trained<Small>(2, 7, Adam{}, 3, KeepGradients{}));
}

TEST_CASE("Clipped gradients have the same bits on any number of threads") {
    const Sgd sgd{.learning_rate = 0.05f, .momentum = 0.9f, .weight_decay = 1e-3f};
    const auto one = trained<Small>(1, 11, sgd, 3, ClipNorm{0.1f});
    CHECK(one != trained<Small>(1, 11, sgd, 3));
    CHECK(one == trained<Small>(2, 11, sgd, 3, ClipNorm{0.1f}));
    CHECK(one == trained<Small>(3, 11, sgd, 3, ClipNorm{0.1f}));
}

TEST_CASE("A norm that is infinite, or is not reached, gives the bits of a step without clipping") {
    const Sgd sgd{.learning_rate = 0.05f, .momentum = 0.9f, .weight_decay = 1e-3f};
    const auto plain = trained<Small>(2, 7, sgd, 3);
    for (const float norm : {std::numeric_limits<float>::infinity(), 1e30f})
        CHECK(trained<Small>(2, 7, sgd, 3, ClipNorm{norm}) == plain);
    CHECK(trained<Small>(2, 7, Adam{}, 3, ClipNorm{1e30f}) == trained<Small>(2, 7, Adam{}, 3));
}

TEST_CASE("The factor of clipped gradients, of huge ones and of those that are not finite") {
    using Backend = Cpu<float>;
    constexpr std::int64_t count = 2 * Backend::squares_per_task + 16;
    Backend::Context context{Threads{2}};
    const Backend::Arena workspace{Backend::clip_bytes(count)};
    std::vector<float> gradients(count);
    const auto factor = [&](float max_norm) {
        return *Backend::clip_scale(context, max_norm, count, gradients.data(), workspace.bytes());
    };
    CHECK(factor(1) == 1);  // all are 0
    CHECK(factor(1e-7f) == Approx(0.1).epsilon(1e-6));
    gradients.front() = 3e25f;  // its square is no float
    gradients.back() = 4e25f;
    CHECK(factor(1) == Approx(2e-26).epsilon(1e-6));
    CHECK(factor(1e26f) == 1);
    gradients[5] = std::numeric_limits<float>::infinity();
    CHECK(factor(1) == 0);
    gradients[6] = std::numeric_limits<float>::quiet_NaN();
    CHECK(std::isnan(factor(1)));
}

TEST_CASE("A step allocates nothing") {
    Model<Small> model{Seed{1}, Initialization::pytorch, Threads{2}};
    Trainer trainer{model, CrossEntropy{}, Adam{}, Batch{8}};
    Trainer clipping{model, CrossEntropy{}, Adam{}, Batch{8}, Seed{}, ClipNorm{0.1f}};
    const Dataset dataset = make_synthetic(Split::train, 8);
    std::vector<std::int32_t> classes = dataset.labels;
    for (std::int32_t& label : classes) label %= 5;
    const ImageBatch images{dataset.pixels, classes, dataset.image_shape};
    const std::vector<float> inputs = samples(8, Small::input_shape);
    trainer.step(images, Normalization::symmetric());
    clipping.step(images, Normalization::symmetric());
    const std::int64_t before = allocations();
    for (int step = 0; step < 3; ++step) {
        trainer.step(images, Normalization::symmetric());
        trainer.step(inputs, classes);
        clipping.step(inputs, classes);
    }
    CHECK(allocations() == before);
    CHECK(trainer.loss() > 0);
}

TEST_CASE("Images named by their indices train to the same bits as images that are handed over") {
    Dataset dataset = make_synthetic(Split::train, 21);
    for (std::int32_t& label : dataset.labels) label %= 5;
    const auto train = [&](bool gather) {
        Model<Small> model{Seed{1}, Initialization::kaiming_normal, Threads{2}};
        Trainer trainer{model, CrossEntropy{}, Sgd{.learning_rate = 0.01f, .momentum = 0.9f},
                        Batch{8}};
        Predictor predictor{model, Batch{4}};
        const DeviceImages images{model, dataset};
        CHECK(images.is_on_device());
        const Loader loader{dataset, {.batch = 8, .seed = Seed{3}, .gather = gather}};
        std::vector<float> results;
        for (const ImageBatch& batch : loader.epoch(0)) {
            if (gather)
                trainer.step(batch, Normalization::symmetric());
            else
                trainer.step(images, batch, Normalization::symmetric());
            results.push_back(trainer.loss());
        }
        for (const ImageBatch& batch : loader.epoch(1)) {
            const std::vector<float> outputs =
                gather ? predictor(batch, Normalization::symmetric())
                       : predictor(images, batch, Normalization::symmetric());
            results.insert(results.end(), outputs.begin(), outputs.end());
        }
        return results;
    };
    const std::vector<float> expected = train(true);
    CHECK(expected.size() == 3 + 21 * 5);
    CHECK(train(false) == expected);
}

TEST_CASE("Smaller batches just run, and each mean is over its own samples") {
    Model<Small> model;
    Trainer large{model, CrossEntropy{}, Sgd{.learning_rate = 0}, Batch{8}};
    Trainer small{model, CrossEntropy{}, Sgd{.learning_rate = 0}, Batch{3}};
    const std::vector<float> inputs = samples(3, Small::input_shape);
    large.step(inputs, labels(3, 5));
    small.step(inputs, labels(3, 5));
    CHECK(large.loss() == small.loss());
}

TEST_CASE("Training learns") {
    Model<Small> model{Seed{3}, Initialization::kaiming_normal};
    Trainer trainer{model, CrossEntropy{}, Sgd{.learning_rate = 0.01f, .momentum = 0.9f},
                    Batch{16}};
    const std::vector<float> inputs = samples(16, Small::input_shape);
    const std::vector<std::int32_t> classes = labels(16, 5);
    trainer.step(inputs, classes);
    const float first = trainer.loss();
    for (int step = 0; step < 200; ++step) trainer.step(inputs, classes);
    CHECK(trainer.steps() == 201);
    CHECK(trainer.loss() < 0.5f * first);
    // Without dropout the sixteen samples are known by heart.
    Predictor predictor{model, Batch{16}};
    const LossValue value = CrossEntropy{}(predictor(inputs), classes, {});
    CHECK(value.correct == 16);
}

TEST_CASE("What does not fit is refused with its numbers") {
    Model<Small> model;
    Trainer trainer{model, CrossEntropy{}, Sgd{}, Batch{2}};
    const std::vector<float> inputs = samples(3, Small::input_shape);
    const auto message = [](const auto& action) -> std::string {
        try {
            action();
        } catch (const Error& error) {
            return error.what();
        }
        return "nothing was thrown";
    };
    const auto contains = [](const std::string& text, const std::string& part) {
        INFO(text);
        CHECK(text.find(part) != std::string::npos);
    };
    contains(message([&] { trainer.step(inputs, labels(3, 5)); }), "1 to 2 fit");
    contains(message([&] { trainer.step(std::span{inputs}.first(970), labels(1, 5)); }), "3x19x17");
    contains(message([&] { trainer.step(std::span{inputs}.first(969), labels(2, 5)); }),
             "1 samples came with 2 labels");
    const std::vector<std::int32_t> wrong{5};
    contains(message([&] { trainer.step(std::span{inputs}.first(969), wrong); }), "label 5");
    const Dataset dataset = make_synthetic(Split::train, 2);
    const DeviceImages images{model, dataset};
    const std::vector<std::uint32_t> indices{1, 2};
    ImageBatch batch{{}, dataset.labels, dataset.image_shape, 0, indices};
    contains(message([&] { trainer.step(batch); }), "give the DeviceImages as well");
    contains(message([&] { trainer.step(images, batch); }), "names image 2 of 2");
    batch.indices = batch.indices.first(1);
    contains(message([&] { trainer.step(images, batch); }), "names 1 by their indices");
    contains(message([&] { Trainer(model, CrossEntropy{}, Sgd{}, Batch{0}); }), "batch: 0");
    contains(message([&] { Trainer(model, CrossEntropy{}, Sgd{}, Batch{-3}); }), "batch: -3");
    contains(message([&] { Trainer(model, CrossEntropy{}, Sgd{.learning_rate = -1}, Batch{1}); }),
             "learning rate");
    for (const float norm : {0.0f, -1.0f, std::numeric_limits<float>::quiet_NaN()})
        contains(message([&] {
                     Trainer(model, CrossEntropy{}, Sgd{}, Batch{1}, Seed{}, ClipNorm{norm});
                 }),
                 "largest norm of the gradients: " + std::to_string(norm) +
                     " given; use a positive one");
    contains(message([&] { Predictor(model, Batch{0}); }), "batch: 0");
    contains(message([&] { (void)model.get("cn9.weight"); }), "cn9.weight");
    contains(message([&] { model.set("cn1.bias", std::vector<float>(3)); }),
             "3 values given for 20");
    contains(message([&] { Model<Small>(Seed{}, Initialization::pytorch, Threads{-1}); }),
             "threads: -1");
}

TEST_CASE("Optimizer state goes out and in by name") {
    Model<Small> model;
    Trainer trainer{model, CrossEntropy{}, Adam{}, Batch{4}};
    trainer.step(samples(4, Small::input_shape), labels(4, 5));
    const std::vector<float> moment = trainer.get_state("cn2.weight", 1);
    CHECK(std::any_of(moment.begin(), moment.end(), [](float value) { return value > 0; }));
    Trainer other{model, CrossEntropy{}, Adam{}, Batch{4}};
    other.set_state("cn2.weight", 1, moment);
    CHECK(other.get_state("cn2.weight", 1) == moment);
    CHECK_THROWS_AS(other.get_state("cn2.weight", 2), Error);
    CHECK_THROWS_AS(other.set_state("cn2.bias", 0, moment), ShapeError);
}

TEST_CASE("Label smoothing has PyTorch's values") {
    // torch.nn.functional.cross_entropy(logits, labels, label_smoothing=0.1), PyTorch 1.13.1
    const std::vector<float> logits{1, -2, 0.5f, 0.25f, 3, -1};
    const std::vector<std::int32_t> classes{0, 2};
    const float wanted[] = {-0.16479220986366272f, -0.0016372241079807281f, 0.16642944514751434f,
                            0.012868210673332214f, 0.4453365206718445f,     -0.4582047760486603f};
    std::vector<float> gradient(6);
    const LossValue value = CrossEntropy{.label_smoothing = 0.1f}(logits, classes, gradient);
    CHECK(value.sum / 2 == Approx(2.2626497745513916).epsilon(1e-6));
    CHECK(value.correct == 1);
    for (std::size_t i = 0; i < 6; ++i) CHECK(gradient[i] == Approx(wanted[i]).margin(1e-7));
    Model<Small> model;
    CHECK_THROWS_WITH(Trainer(model, CrossEntropy{.label_smoothing = 1.5f}, Sgd{}, Batch{1}),
                      "label smoothing: 1.500000 given; use 0 to 1");
}
