// What lies in the GPU's memory: as much as is planned, and data sets whose images are then named
// by their indices alone.
#include "cuda/compare.hpp"
#include "typenet/data/synthetic.hpp"

using namespace typenet;
using namespace typenet::testing;

namespace {

using Net =
    Network<Input<3, 19, 17>, Conv2d<8, Kernel<3>, Stride<2>>, Relu,
            MaxPool2d<Kernel<3>, Stride<2>>, Flatten, Linear<12>, Dropout<>, Relu, Linear<10>>;
template <class Precision>
using OnGpu = Model<Net, Cuda<Precision>>;

/// What two epochs of training and a test leave. With `images` null, batches bring their pixels.
struct Outcome {
    std::vector<float> losses;
    std::vector<float> outputs;
    std::size_t copied = 0;  ///< bytes from the host in the second epoch
    friend bool operator==(const Outcome& a, const Outcome& b) {
        return a.losses == b.losses && a.outputs == b.outputs;
    }
};

std::size_t copied_from_host() {
#ifdef TYPENET_CUDA_EMULATOR
    return emulator::copied(cudaMemcpyHostToDevice);
#else
    return 0;
#endif
}

Outcome train(const Dataset& dataset, bool gather, bool expect_on_device = true) {
    OnGpu<float> model{Seed{1}, Initialization::kaiming_normal};
    Trainer trainer{model, CrossEntropy{}, Sgd{.learning_rate = 0.01f, .momentum = 0.9f}, Batch{8},
                    Seed{2}};
    Predictor predictor{model, Batch{4}};
    const DeviceImages images{model, dataset};
    CHECK(images.is_on_device() == expect_on_device);
    const Loader loader{dataset, {.batch = 8, .seed = Seed{3}, .gather = gather}};
    Outcome outcome;
    for (int epoch = 0; epoch < 2; ++epoch) {
        outcome.copied = copied_from_host();
        for (const ImageBatch& batch : loader.epoch(epoch)) {
            if (gather)
                trainer.step(batch, Normalization::symmetric());
            else
                trainer.step(images, batch, Normalization::symmetric());
            outcome.losses.push_back(trainer.loss());
        }
        outcome.copied = copied_from_host() - outcome.copied;
    }
    const Loader tests{dataset, {.batch = 11, .shuffle = false, .gather = gather}};
    for (const ImageBatch& batch : tests.epoch(0)) {
        const std::vector<float> outputs =
            gather ? predictor(batch, Normalization::symmetric())
                   : predictor(images, batch, Normalization::symmetric());
        outcome.outputs.insert(outcome.outputs.end(), outputs.begin(), outputs.end());
    }
    return outcome;
}

}  // namespace

TEST_CASE("A data set in the GPU's memory trains to the same bits as batches that are copied") {
    const Dataset dataset = make_synthetic(Split::train, 44);  // the last batch is not full
    const Outcome copying = train(dataset, true);
    const Outcome resident = train(dataset, false);
    REQUIRE(copying.losses.size() == 12);
    REQUIRE(copying.outputs.size() == 440);
    CHECK(resident == copying);
#ifdef TYPENET_CUDA_EMULATOR
    const std::size_t labels = 44 * 4, indices = 44 * 4;
    CHECK(copying.copied == dataset.pixels.size() + labels);
    CHECK(resident.copied == indices + labels);
#endif
}

TEST_CASE("A batch must name images of the data set") {
    const Dataset dataset = make_synthetic(Split::train, 4);
    const OnGpu<float> model;
    Predictor predictor{model, Batch{4}};
    const DeviceImages images{model, dataset};
    const std::vector<std::int32_t> labels(2);
    const std::vector<std::uint32_t> indices{3, 4};
    ImageBatch batch{{}, labels, dataset.image_shape, 0, indices};
    CHECK_THROWS_AS(predictor(images, batch), ShapeError);
    CHECK_THROWS_AS(predictor(batch), ShapeError);  // there are no pixels
    batch.indices = batch.indices.first(1);
    CHECK_THROWS_AS(predictor(images, batch), ShapeError);
}

TEST_CASE("Samples larger than the buffers they pass through, and more of them") {
    using Wide = Network<Input<1, 1100, 1000>, MaxPool2d<Kernel<100>, Stride<100>>>;
    const std::vector<float> samples = real_numbers(3 * 1'100'000, 1, 1);
    const Model<Wide, Cuda<float>> model;
    const std::vector<float> outputs = Predictor{model, Batch{3}}(samples);
    REQUIRE(outputs.size() == 330);
    bool equal = true;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
        float largest = -1;
        for (std::size_t y = 0; y < 100; ++y)
            for (std::size_t x = 0; x < 100; ++x)
                largest = std::max(largest, samples[(i / 10 * 100 + y) * 1000 + i % 10 * 100 + x]);
        equal = equal && outputs[i] == largest;
    }
    CHECK(equal);
}

#ifdef TYPENET_CUDA_EMULATOR  // which counts bytes, and has as many as it is told

namespace {

std::int64_t used_bytes() {
    std::size_t free = 0, total = 0;
    TYPENET_CUDA_CHECK(cudaMemGetInfo(&free, &total));
    return static_cast<std::int64_t>(total - free);
}

template <class Precision, class... Policies>
void check_training_plan(const auto& optimizer, std::int64_t batch, Policies... policies) {
    using Mode = Training<std::decay_t<decltype(optimizer)>, Policies...>;
    const Dataset dataset = make_synthetic(Split::train, batch);
    const std::int64_t before = used_bytes();
    OnGpu<Precision> model{Seed{1}};
    Trainer trainer{model, CrossEntropy{}, optimizer, Batch{batch}, Seed{}, policies...};
    const std::int64_t taken = used_bytes() - before;
    CHECK(taken == memory_plan<Net, Cuda<Precision>, Mode>(batch).total);
    trainer.step(ImageBatch{dataset.pixels, dataset.labels, dataset.image_shape});
    trainer.step(std::vector<float>(static_cast<std::size_t>(batch * Net::input_shape.size())),
                 dataset.labels);
    CHECK(trainer.loss() > 0);
    CHECK(used_bytes() - before == taken);
}

template <class Precision>
void check_plans(std::int64_t batch) {
    check_training_plan<Precision>(Sgd{}, batch);
    check_training_plan<Precision>(Adam{}, batch);
    check_training_plan<Precision>(Sgd{}, batch, KeepGradients{});
    check_training_plan<Precision>(Sgd{}, batch, ClipNorm{0.1f});
    const std::int64_t before = used_bytes();
    OnGpu<Precision> model{Seed{1}};
    Predictor predictor{model, Batch{batch}};
    predictor(std::vector<float>(static_cast<std::size_t>(batch * Net::input_shape.size())));
    CHECK(used_bytes() - before == memory_plan<Net, Cuda<Precision>, Predicting>(batch).total);
}

}  // namespace

TEST_CASE("The plan is what is allocated, to the byte") {
    for (const std::int64_t batch : {1, 7}) {
        check_plans<float>(batch);
        check_plans<bf16>(batch);
    }
}

TEST_CASE("A data set that does not fit beside the plan stays with the host, and trains the same") {
    const Dataset dataset = make_synthetic(Split::train, 44);
    const Outcome expected = train(dataset, true);
    const std::size_t kept = emulator::device().memory;
    emulator::device().memory = static_cast<std::size_t>(used_bytes()) + (std::size_t{100} << 20);
    const Outcome outcome = train(dataset, false, false);
    emulator::device().memory = kept;
    CHECK(outcome == expected);
    CHECK(outcome.copied == expected.copied);
}

#endif
