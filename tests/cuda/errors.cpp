// What goes wrong on the GPU is said in one line, and leaves the model as it was.
#include "cuda/compare.hpp"

using namespace typenet;
using namespace typenet::testing;

namespace {

using Net =
    Network<Input<3, 9, 9>, Conv2d<8, Kernel<3>, Padding<1>>, Relu, MaxPool2d<Kernel<3>, Stride<2>>,
            Flatten, Linear<12>, Dropout<>, Relu, Linear<5>>;
using OnGpu = Model<Net, Cuda<float>>;

/// The emulated machine as it was, at the end of a test.
struct KeepDevice {
    emulator::Device kept = emulator::device();
    ~KeepDevice() {
        emulator::device() = kept;
        emulator::fail_call(0, cudaSuccess);
    }
};

template <class F>
std::string message_of(const F& f) {
    try {
        f();
    } catch (const CudaError& error) {
        return error.what();
    }
    return "nothing was thrown";
}
bool holds(const std::string& text, const std::string& part) {
    INFO(text << "\nshould hold: " << part);
    CHECK(text.find(part) != std::string::npos);
    CHECK(text.find('\n') == std::string::npos);
    return text.find(part) != std::string::npos;
}

std::vector<float> all_parameters(const OnGpu& model) {
    std::vector<float> values;
    for (const ParameterInfo& parameter : model.parameters()) {
        const std::vector<float> own = model.get(parameter.name);
        values.insert(values.end(), own.begin(), own.end());
    }
    return values;
}

const std::vector<float> samples(4 * 243, 0.5f);
const std::vector<std::int32_t> labels(4, 1);

}  // namespace

TEST_CASE("No GPU, or a driver that is too old") {
    const KeepDevice keep;
    emulator::device().count = 0;
    holds(message_of([] { OnGpu{}; }), "no NVIDIA GPU");
    emulator::device() = keep.kept;
    emulator::device().driver_version = 11000;
    holds(message_of([] { OnGpu{}; }), "older than this program's CUDA");
}

TEST_CASE("Too little memory: what was asked for, what is there, which batch would fit") {
    const KeepDevice keep;
    OnGpu model{Seed{1}};
    const std::vector<float> before = all_parameters(model);
    std::size_t free = 0, total = 0;
    TYPENET_CUDA_CHECK(cudaMemGetInfo(&free, &total));
    emulator::device().memory = total - free + (std::size_t{8} << 20);
    const auto train_with = [&](std::int64_t batch) {
        Trainer{model, CrossEntropy{}, Sgd{}, Batch{batch}}.step(samples, labels);
    };
    const std::string message = message_of([&] { train_with(1'000'000); });
    holds(message, "a batch of 1000000 takes");
    holds(message, "of " + std::to_string(emulator::device().memory >> 20) + " MiB are free");
    REQUIRE(holds(message, "; a batch of "));
    const std::int64_t fits = std::stoll(message.substr(message.find("; a batch of ") + 13));
    CHECK(fits > 100);
    CHECK(all_parameters(model) == before);
    holds(message_of([&] { train_with(fits + 1); }),
          "; a batch of " + std::to_string(fits) + " would fit");
    CHECK(all_parameters(model) == before);
    train_with(fits);
    CHECK(all_parameters(model) != before);
}

TEST_CASE("An allocation that fails says how much was asked for") {
    const KeepDevice keep;
    emulator::device().memory = std::size_t{16} << 20;
    holds(message_of([] { cuda::Arena{std::int64_t{64} << 20}; }), "64 MiB asked for, 16 of 16");
}

TEST_CASE("A failure while a trainer or predictor is made leaves the model intact") {
    const KeepDevice keep;
    OnGpu model{Seed{1}};
    const std::vector<float> before = all_parameters(model);
    const std::vector<float> outputs = Predictor{model, Batch{4}}(samples);
    std::size_t failures = 0;
    for (const char* name : {"cudaMalloc", "cudaMallocHost", "cudaMemsetAsync",
                             "cudaEventCreateWithFlags", "cudaStreamCreateWithFlags", "launch"})
        for (std::size_t n = 1;; ++n) {
            emulator::fail_call(n, cudaErrorMemoryAllocation, name);
            const std::string message = message_of([&] {
                Trainer trainer{model, CrossEntropy{}, Adam{}, Batch{4}};
                Predictor predictor{model, Batch{4}};
            });
            emulator::fail_call(0, cudaSuccess);
            CHECK(all_parameters(model) == before);
            if (message == "nothing was thrown") break;
            holds(message, "failed: ");
            ++failures;
        }
    CHECK(failures > 20);
    CHECK(Predictor{model, Batch{4}}(samples) == outputs);
}

/// Parameters and momentum.
template <class Trainer>
std::vector<float> all_values(const OnGpu& model, const Trainer& trainer) {
    std::vector<float> values(static_cast<std::size_t>(OnGpu::plan.count));
    OnGpu::backend::download(model.context(), model.data(), values);
    for (const ParameterInfo& parameter : model.parameters()) {
        const std::vector<float> own = trainer.get_state(parameter.name, 0);
        values.insert(values.end(), own.begin(), own.end());
    }
    return values;
}

/// Steps of several batches, each tried with its first call failing, then its second, and so on,
/// until it comes through: what is left is what undisturbed steps leave. How many tries failed.
template <class Loss>
int fail_at_every_call(const Loss& loss) {
    OnGpu model{Seed{1}}, undisturbed_model{Seed{1}};
    constexpr Sgd sgd{.learning_rate = 0.01f, .momentum = 0.9f};
    Trainer trainer{model, loss, sgd, Batch{4}};
    Trainer undisturbed{undisturbed_model, loss, sgd, Batch{4}};
    int failures = 0;
    for (const std::size_t batch : {4, 4, 2, 4}) {
        INFO("step " << trainer.steps() + 1);
        const auto step = [&](auto& chosen) {
            chosen.step(std::span{samples}.first(batch * 243), std::span{labels}.first(batch));
        };
        const std::vector<float> before = all_values(model, trainer);
        for (std::size_t n = 1;; ++n) {
            emulator::fail_call(n, cudaErrorLaunchOutOfResources);
            const std::string message = message_of([&] { step(trainer); });
            emulator::fail_call(0, cudaSuccess);
            if (message == "nothing was thrown") break;
            ++failures;
            INFO(message);
            CHECK(message.find("failed: ") != std::string::npos);
            CHECK(trainer.steps() == undisturbed.steps());
            REQUIRE(all_values(model, trainer) == before);
        }
        step(undisturbed);
        CHECK(trainer.loss() == undisturbed.loss());
        CHECK(trainer.steps() == undisturbed.steps());
        CHECK(all_values(model, trainer) != before);
        REQUIRE(all_values(model, trainer) == all_values(undisturbed_model, undisturbed));
    }
    return failures;
}

TEST_CASE("A step that fails at any of its calls changes nothing and can be repeated") {
    const KeepDevice keep;
    CHECK(fail_at_every_call(CrossEntropy{}) > 60);
    struct OwnCrossEntropy {  // the host computes it, between two halves of the step
        LossValue operator()(std::span<const float> logits, std::span<const std::int32_t> classes,
                             std::span<float> gradient) const {
            return CrossEntropy{}(logits, classes, gradient);
        }
    };
    CHECK(fail_at_every_call(OwnCrossEntropy{}) > 60);
}

TEST_CASE("A label that is no class is refused before anything is computed") {
    OnGpu model{Seed{1}};
    Trainer trainer{model, CrossEntropy{}, Sgd{}, Batch{4}};
    const std::vector<float> before = all_parameters(model);
    CHECK_THROWS_AS(trainer.step(samples, std::vector<std::int32_t>{0, 1, 5, 0}), ShapeError);
    CHECK(all_parameters(model) == before);
}
