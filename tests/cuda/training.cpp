// Training on the GPU follows the CPU's, in every precision, and a step is one graph.
#include <limits>
#include <thread>

#include "cuda/compare.hpp"
#include "cuda/course.hpp"

using namespace typenet;
using namespace typenet::testing;

namespace {

/// The largest |a - b| / |b| of the losses, and of the tensors' |w - w_cpu| / |change of w_cpu|.
struct Distance {
    double first_loss = 0;
    double losses = 0;
    double weights = 0;
};

template <class Precision, class Optimizer, class... Policies>
Distance distance_from_cpu(const Optimizer& optimizer, Policies... policies) {
    const Images images{60};
    const Course cpu = take_course_on_cpu(images, optimizer, policies...);
    const Course gpu = take_course<Cuda<Precision>>(images, optimizer, policies...);
    Distance distance;
    for (std::size_t i = 0; i < cpu.losses.size(); ++i)
        distance.losses =
            std::max(distance.losses, std::fabs(double{gpu.losses[i]} / double{cpu.losses[i]} - 1));
    distance.first_loss = std::fabs(double{gpu.losses[0]} / double{cpu.losses[0]} - 1);
    for (const auto& [name, start] : cpu.initial) {
        const std::vector<float>& a = gpu.final.at(name);
        const std::vector<float>& b = cpu.final.at(name);
        double difference = 0, change = 0;
        for (std::size_t i = 0; i < start.size(); ++i) {
            difference += std::pow(double{a[i]} - double{b[i]}, 2);
            change += std::pow(double{b[i]} - double{start[i]}, 2);
        }
        distance.weights = std::max(distance.weights, std::sqrt(difference / change));
    }
    return distance;
}

constexpr Sgd sgd{.learning_rate = 0.01f, .momentum = 0.9f, .weight_decay = 5e-4f};
constexpr Sgd gentle_sgd{.learning_rate = 1e-3f, .momentum = 0.9f, .weight_decay = 5e-4f};
constexpr Adam adam{.learning_rate = 1e-3f};

}  // namespace

TEST_CASE("Ten steps with dropout, as on the CPU") {
    const Distance with_sgd = distance_from_cpu<float>(sgd);
    CHECK(with_sgd.losses <= 1e-4);
    CHECK(with_sgd.weights <= 1e-2);
    // Adam divides by the root of the second moment: where gradients are all but zero, the sign of
    // their rounding error decides over a whole step.
    const Distance with_adam = distance_from_cpu<float>(adam);
    CHECK(with_adam.losses <= 1e-3);
    CHECK(with_adam.weights <= 5e-2);
}

TEST_CASE("Ten steps with clipped gradients, as on the CPU") {
    const Distance distance = distance_from_cpu<float>(sgd, ClipNorm{0.5f});
    CHECK(distance.losses <= 1e-4);
    CHECK(distance.weights <= 1e-2);
    const Images images{60};
    CHECK(take_course_on_cpu(images, sgd, ClipNorm{0.5f}).final !=
          take_course_on_cpu(images, sgd).final);
}

TEST_CASE("A norm that is infinite, or is not reached, gives the bits of a step without clipping") {
    const Images images{16};
    struct Outcome {
        Values parameters;
        std::size_t launches = 0;
    };
    const auto train = [&](auto... policies) {
        Model<SmallAlexNet, Cuda<float>> model{Seed{2}};
        Trainer trainer{model, CrossEntropy{}, sgd, Batch{8}, Seed{4}, policies...};
        Outcome outcome;
#ifdef TYPENET_CUDA_EMULATOR  // which counts kernels
        outcome.launches = emulator::calls("launch");
#endif
        trainer.step(images.batch(0, 8));
        trainer.step(images.batch(8, 8));
#ifdef TYPENET_CUDA_EMULATOR
        outcome.launches = emulator::calls("launch") - outcome.launches;
#endif
        outcome.parameters = parameters_of_model(model);
        return outcome;
    };
    const Outcome plain = train();
    const Outcome infinite = train(ClipNorm{std::numeric_limits<float>::infinity()});
    const Outcome loose = train(ClipNorm{1e30f});
    CHECK(infinite.parameters == plain.parameters);
    CHECK(loose.parameters == plain.parameters);
    CHECK(infinite.launches == plain.launches);
#ifdef TYPENET_CUDA_EMULATOR
    CHECK(loose.launches == plain.launches + 2);  // in the one recording
#endif
}

TEST_CASE("The factor of clipped gradients, of huge ones and of those that are not finite") {
    using Gpu = Cuda<float>;
    constexpr std::int64_t count = 3 * 4096 + 8;  // of four blocks
    Gpu::Context context;
    const Gpu::Arena gradients{4 * count}, workspace{Gpu::clip_bytes(count)};
    std::vector<float> values(count);
    const auto factor = [&](float max_norm) {
        Gpu::upload(context, gradients.floats(), values);
        const float* scale =
            Gpu::clip_scale(context, max_norm, count, gradients.floats(), workspace.bytes());
        float result = -1;
        Gpu::download(context, scale, {&result, 1});
        return result;
    };
    CHECK(factor(1) == 1);  // all are 0
    CHECK(std::fabs(factor(1e-7f) / 0.1f - 1) < 1e-6f);
    values.front() = 3e25f;  // its square is no float
    values.back() = 4e25f;
    CHECK(std::fabs(factor(1) / 2e-26f - 1) < 1e-6f);
    CHECK(factor(1e26f) == 1);
    values[5] = std::numeric_limits<float>::infinity();
    CHECK(factor(1) == 0);
    values[6] = std::numeric_limits<float>::quiet_NaN();
    CHECK(std::isnan(factor(1)));
}

// In lower precision the steps are gentle: rounding makes a ReLU, a pool or a kept value decide
// otherwise now and then, and each such step leads to another path. The first loss has no path yet.

TEST_CASE("Ten steps in TF32") {
    // Factors keep 11 significant bits: each is off by up to 2^-12 of itself.
    const Distance distance = distance_from_cpu<tf32>(gentle_sgd);
    CHECK(distance.first_loss <= 1e-3);
    CHECK(distance.first_loss > 1e-6);  // it is not float
    CHECK(distance.losses <= 1e-2);
    CHECK(distance.weights <= 0.2);
}

TEST_CASE("Ten steps in bfloat16") {
    // 8 significant bits, up to 2^-9, and in every activation and gradient in memory as well.
    const Distance distance = distance_from_cpu<bf16>(gentle_sgd);
    CHECK(distance.first_loss <= 5e-3);
    CHECK(distance.first_loss > 1e-5);
    CHECK(distance.losses <= 0.1);
    CHECK(distance.weights <= 0.4);
}

#ifdef TYPENET_CUDA_EMULATOR  // which counts calls and chooses schedules

TEST_CASE("Any schedule of threads, blocks and streams gives the same bits") {
    const Images images{8};
    const std::vector<float> bits = emulator::for_each_schedule(
        [&] {
            Model<SmallAlexNet, Cuda<bf16>> model{Seed{2}};
            Trainer trainer{model, CrossEntropy{}, sgd, Batch{4}, Seed{4}, ClipNorm{0.01f}};
            std::vector<float> result;
            for (const std::size_t first : {0, 4}) {
                trainer.step(images.batch(first, 4));
                result.push_back(trainer.loss());
            }
            for (const ParameterInfo& parameter : model.parameters()) {
                const std::vector<float> values = model.get(parameter.name);
                result.insert(result.end(), values.begin(), values.end());
            }
            return result;
        },
        1);
    CHECK(!bits.empty());
}

TEST_CASE("From its second time on, a step is one graph, without allocation or waiting") {
    const Images images{8};
    Model<SmallAlexNet, Cuda<float>> model{Seed{2}};
    Trainer trainer{model, CrossEntropy{}, sgd, Batch{8}, Seed{4}, ClipNorm{0.01f}};
    Predictor predictor{model, Batch{8}};
    trainer.step(images.batch(0, 8));
    predictor(images.batch(0, 8));
    const auto counts = [] {
        std::vector<std::size_t> numbers;
        for (const char* name : {"cudaMalloc", "cudaMallocHost", "cudaStreamSynchronize",
                                 "cudaDeviceSynchronize", "cublasGemmEx", "cudaGraphLaunch"})
            numbers.push_back(emulator::calls(name));
        return numbers;
    };
    std::vector<std::size_t> expected = counts();
    expected.back() += 3;
    for (int i = 0; i < 3; ++i) trainer.step(images.batch(0, 8));
    CHECK(counts() == expected);
    ++expected.back();
    predictor(images.batch(0, 8));
    CHECK(counts() == expected);
}

#endif

TEST_CASE("Predictors on threads of their own share a model") {
    const Images images{8};
    const Model<SmallAlexNet, Cuda<float>> model{Seed{2}};
    const std::vector<float> expected = Predictor{model, Batch{3}}(images.batch(0, 8));
    std::vector<float> results[2];
    {
        std::jthread threads[2];
        for (std::size_t i = 0; i < 2; ++i)
            threads[i] = std::jthread{[&, i] {
                Predictor predictor{model, Batch{3}};
                for (int repeat = 0; repeat < 3; ++repeat)
                    results[i] = predictor(images.batch(0, 8));
            }};
    }
    CHECK(results[0] == expected);
    CHECK(results[1] == expected);
}

TEST_CASE("The host's own losses are computed between two halves of a step") {
    const Images images{8};
    struct OwnCrossEntropy {
        CrossEntropy loss;
        LossValue operator()(std::span<const float> logits, std::span<const std::int32_t> labels,
                             std::span<float> gradient) const {
            return loss(logits, labels, gradient);
        }
    };
    const auto train = [&](auto loss) {
        Model<SmallAlexNet, Cuda<float>> model{Seed{2}};
        Trainer trainer{model, loss, sgd, Batch{8}, Seed{4}};
        for (int i = 0; i < 3; ++i) trainer.step(images.batch(0, 8));
        return std::pair{trainer.loss(), trainer.correct()};
    };
    for (const CrossEntropy& device_loss :
         {CrossEntropy{}, CrossEntropy{.label_smoothing = 0.2f}}) {
        const auto [own_loss, own_correct] = train(OwnCrossEntropy{device_loss});
        const auto [loss, correct] = train(device_loss);
        CHECK(std::fabs(own_loss / loss - 1) <= 1e-5f);
        CHECK(own_correct == correct);
    }
}

TEST_CASE("The state of a run can be moved from the GPU to the CPU") {
    const Images images{16};
    Model<SmallAlexNet, Cuda<float>> model{Seed{2}};
    Trainer trainer{model, CrossEntropy{}, adam, Batch{8}, Seed{4}};
    trainer.step(images.batch(0, 8));
    Interim run{trainer.steps(), parameters_of_model(model), {}};
    for (const int slot : {0, 1})
        for (const ParameterInfo& parameter : model.parameters())
            run.moments[slot][parameter.name] = trainer.get_state(parameter.name, slot);
    trainer.step(images.batch(8, 8));
    const float on_cpu = continue_on_cpu(run, adam, images.batch(8, 8));
    CHECK(std::fabs(trainer.loss() / on_cpu - 1) <= 1e-5f);
}
