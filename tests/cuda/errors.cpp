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
    train_with(fits - fits / 10);  // the loss and the copies need some memory beside the plan
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

TEST_CASE("A step that cannot be recorded or launched leaves the model intact") {
    const KeepDevice keep;
    for (const char* name : {"cudaStreamBeginCapture", "launch", "cublasGemmEx",
                             "cudaStreamEndCapture", "cudaGraphInstantiate", "cudaGraphLaunch"}) {
        INFO(name);
        OnGpu model{Seed{1}};
        Trainer trainer{model, CrossEntropy{}, Sgd{}, Batch{4}};
        trainer.step(samples, labels);
        const std::vector<float> before = all_parameters(model);
        const std::size_t n = std::string{name} == "launch" ? 6 : 1;
        emulator::fail_call(n, cudaErrorLaunchOutOfResources, name);
        holds(message_of([&] { trainer.step(samples, labels); }), "failed: ");
        emulator::fail_call(0, cudaSuccess);
        CHECK(all_parameters(model) == before);
        CHECK(trainer.steps() == 1);
        trainer.step(samples, labels);
        CHECK(all_parameters(model) != before);
    }
}

TEST_CASE("A label that is no class is refused before anything is computed") {
    OnGpu model{Seed{1}};
    Trainer trainer{model, CrossEntropy{}, Sgd{}, Batch{4}};
    const std::vector<float> before = all_parameters(model);
    CHECK_THROWS_AS(trainer.step(samples, std::vector<std::int32_t>{0, 1, 5, 0}), ShapeError);
    CHECK(all_parameters(model) == before);
}
