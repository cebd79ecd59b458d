// Compares a backend with the reference backend on one network.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "support/catch.hpp"
#ifndef __CUDACC__  // nvcc does not take the CPU's kernels
    #include "typenet/backends/cpu/cpu.hpp"
#endif
#include "typenet/backends/reference/network.hpp"
#include "typenet/core.hpp"
#include "typenet/training/model.hpp"
#include "typenet/training/predictor.hpp"
#include "typenet/training/trainer.hpp"

namespace typenet::testing {

#ifndef __CUDACC__
/// The instruction sets up to `most` that this program and processor have.
inline std::vector<cpu::Isa> available_isas(cpu::Isa most = cpu::Isa::avx512) {
    std::vector<cpu::Isa> isas;
    for (const cpu::Isa isa : cpu::all_isas)
        if (isa <= most && cpu::is_compiled(isa) && cpu::is_supported(isa)) isas.push_back(isa);
    return isas;
}
#endif

/// Whole numbers from -range to range: sums of their products are exact in float, in any order.
inline std::vector<float> whole_numbers(std::int64_t count, int range, std::uint64_t stream) {
    RandomStream random{Seed{7}, Purpose::synthetic, stream};
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& value : values)
        value = static_cast<float>(
            static_cast<int>(random.below(static_cast<std::uint32_t>(2 * range + 1))) - range);
    return values;
}
inline std::vector<float> real_numbers(std::int64_t count, float range, std::uint64_t stream) {
    RandomStream random{Seed{7}, Purpose::synthetic, stream};
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& value : values) value = random.uniform(-range, range);
    return values;
}

/// A loss whose gradient is given: backward passes can then be exact too.
struct GivenGradient {
    std::span<const float> values;
    LossValue operator()(std::span<const float>, std::span<const std::int32_t>,
                         std::span<float> gradient) const {
        std::copy_n(values.begin(), gradient.size(), gradient.begin());
        return {};
    }
};

enum class Numbers { whole, real };

/// max |a - b| / max |b|; or by the largest of `scale`, where that is larger.
template <class A, class B>
double relative_error(const A& a, const B& b, const B& scale = {}) {
    REQUIRE(a.size() == b.size());
    double difference = 0, largest = 0;
    for (const auto value : scale)
        largest = std::max(largest, std::fabs(static_cast<double>(value)));
    for (std::size_t i = 0; i < a.size(); ++i) {
        const double x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
        if (std::isnan(x) && std::isnan(y)) continue;
        if (!(std::fabs(x - y) <= 1e300)) return 1e300;
        difference = std::max(difference, std::fabs(x - y));
        largest = std::max(largest, std::fabs(y));
    }
    return difference == 0 ? 0 : difference / std::max(largest, 1e-30);
}

/// Outputs of a model in inference, and all parameter gradients of a training step. On whole
/// numbers both sides must agree to the bit; on real ones within `tolerance` of the largest value.
template <class Net, class Backend>
void compare_with_reference(Model<Net, Backend>& model, std::int64_t batch, Numbers numbers,
                            double tolerance = 1e-4) {
    INFO("batch " << batch);
    if (numbers == Numbers::whole) tolerance = 0;
    const auto make = [&](std::int64_t count, int range, std::uint64_t stream) {
        return numbers == Numbers::whole
                   ? whole_numbers(count, range, stream)
                   : real_numbers(count, 0.5f * static_cast<float>(range), stream);
    };
    reference::Executor<Net, double> reference;
    std::uint64_t stream = 100;
    for (const ParameterInfo& parameter : model.parameters()) {
        const std::vector<float> values = make(parameter.size(), 1, ++stream);
        model.set(parameter.name, values);
        REQUIRE(model.get(parameter.name) == values);
        const int index = stages_of<Net, Phase::inference>.stages[parameter.stage].layer;
        auto& own = reference.parameters[static_cast<std::size_t>(index)];
        (parameter.kind == TensorKind::bias ? own.bias : own.weight)
            .assign(values.begin(), values.end());
    }
    const auto statistics = model.tensors().subspan(model.parameters().size());
    const auto statistics_of = [&](const ParameterInfo& tensor) -> std::vector<double>& {
        const int index = stages_of<Net, Phase::inference>.stages[tensor.stage].layer;
        auto& own = reference.statistics[static_cast<std::size_t>(index)];
        return tensor.kind == TensorKind::running_mean ? own.mean : own.variance;
    };
    for (const ParameterInfo& tensor : statistics) {
        std::vector<float> values = real_numbers(tensor.size(), 0.5f, ++stream);
        if (tensor.kind == TensorKind::running_var)
            for (float& value : values) value += 1;
        model.set(tensor.name, values);
        REQUIRE(model.get(tensor.name) == values);
        statistics_of(tensor).assign(values.begin(), values.end());
    }
    const std::vector<float> inputs = make(batch * Net::input_shape.size(), 2, 1);
    const std::vector<double> wide_inputs(inputs.begin(), inputs.end());

    Predictor predictor{model, Batch{batch}};
    const auto expected = reference.forward(wide_inputs, static_cast<int>(batch));
    CHECK(relative_error(predictor(inputs), expected) <= tolerance);

    // A final Softmax belongs to the loss in training, so its gradients are not compared here.
    if constexpr (Net::layers[Net::layer_count - 1].kind != LayerKind::softmax) {
        const Seed seed{3};
        const std::vector<float> output_gradients = make(batch * Net::output_shape.size(), 1, 2);
        const std::vector<double> wide(output_gradients.begin(), output_gradients.end());
        Trainer trainer{model,
                        GivenGradient{output_gradients},
                        Sgd{.learning_rate = 0},
                        Batch{batch},
                        seed,
                        KeepGradients{}};
        const std::vector<std::int32_t> labels(static_cast<std::size_t>(batch));
        trainer.step(inputs, labels);
        reference.forward(wide_inputs, static_cast<int>(batch), reference::TrainingStep{seed, 0});
        reference.backward(wide);
        for (const ParameterInfo& parameter : model.parameters()) {
            INFO(parameter.name);
            const int index = stages_of<Net, Phase::inference>.stages[parameter.stage].layer;
            const auto& own = reference.gradients()[static_cast<std::size_t>(index)];
            // A batch normalisation leaves the biases before it no gradient: measure by the
            // weights.
            CHECK(relative_error(trainer.gradient(parameter.name),
                                 parameter.kind == TensorKind::bias ? own.bias : own.weight,
                                 own.weight) <= tolerance);
        }
        for (const ParameterInfo& tensor : statistics) {
            INFO(tensor.name);
            CHECK(relative_error(model.get(tensor.name), statistics_of(tensor)) <= tolerance);
        }
    }
}

#ifndef __CUDACC__
/// The same on the CPU with one of its instruction sets.
template <class Net>
void compare_with_reference(cpu::Isa isa, std::int64_t batch, Numbers numbers, int threads = 2) {
    INFO("instruction set " << to_string(isa));
    Model<Net> model{Seed{1}, Initialization::pytorch, Threads{threads}};
    model.context().isa = isa;
    compare_with_reference(model, batch, numbers);
}

/// The same on every instruction set and on batches that do and do not fill register tiles.
template <class Net>
void compare_everywhere(Numbers numbers) {
    for (const cpu::Isa isa : available_isas())
        for (const std::int64_t batch : {1, 3}) compare_with_reference<Net>(isa, batch, numbers);
}
#endif

}  // namespace typenet::testing
