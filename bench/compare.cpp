// typenet's side of bench/compare, which starts it: bench_compare WORK THREADS.
#include <cstdint>
#include <exception>
#include <iostream>
#include <string>
#include <type_traits>
#include <vector>

#include "protocol.hpp"
#include "typenet/bf16.hpp"
#include "typenet/typenet.hpp"
#include "typenet/version.hpp"

namespace {

using namespace typenet;

const std::string version = std::to_string(TYPENET_VERSION_MAJOR) + "." +
                            std::to_string(TYPENET_VERSION_MINOR) + "." +
                            std::to_string(TYPENET_VERSION_PATCH);

template <class Backend>
void run(const compare::Work& work) {
    static_assert(models::AlexNet::parameter_count == compare::parameter_count);
    static_assert(models::AlexNet::input_shape.size() == compare::sample_size);
    Model<models::AlexNet, Backend> model{Seed{1}, Initialization::kaiming_normal,
                                          Threads{work.threads}};
    const std::vector<float> samples = compare::random_values(work.batch * compare::sample_size);
    std::vector<std::int32_t> labels;
    for (std::int64_t i = 0; i < work.batch; ++i)
        labels.push_back(static_cast<std::int32_t>(i % 10));

    const auto serve = [&](const auto& step) {
        compare::serve("typenet", version, to_string(model.context().isa), step);
    };
    const auto infer = [&](auto... policies) {
        Predictor predictor{model, Batch{work.batch}, policies...};
        serve([&] { predictor(samples); });
    };
    const auto train = [&](auto optimizer) {
        Trainer trainer{model, CrossEntropy{}, optimizer, Batch{work.batch}};
        serve([&] { trainer.step(samples, labels); });
    };
    switch (work.kind) {
        case compare::Work::Kind::infer:
            if constexpr (std::is_same_v<Backend, Cpu<float>>)
                if (work.variant == "winograd") return infer(winograd);
            return infer();
        case compare::Work::Kind::train_sgd:
            return train(Sgd{.learning_rate = compare::learning_rate, .momentum = 0.9f});
        case compare::Work::Kind::train_adam:
            return train(Adam{.learning_rate = compare::learning_rate});
    }
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const compare::Work work = compare::parse_work(argc, argv);
        work.variant == "bf16" ? run<Cpu<bf16>>(work) : run<Cpu<float>>(work);
        return 0;
    } catch (const std::exception& error) {
        std::cerr << "bench_compare: " << error.what() << '\n';
        return 1;
    }
}
