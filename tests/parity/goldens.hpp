// PyTorch's goldens of tests/parity, and the whole AlexNet compared with them on any backend.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "cpu/compare.hpp"
#include "parity/alexnet_without_dropout.hpp"
#include "typenet/io/safetensors.hpp"

namespace typenet::testing {

inline SafetensorsFile goldens(const std::string& name) {
    return SafetensorsFile::open(std::string{TYPENET_TESTS_FOLDER "/parity/goldens/"} + name +
                                 ".safetensors");
}

/// A tensor as doubles, whatever its type.
inline std::vector<double> values_of(const SafetensorsFile& file, const std::string& name) {
    const TensorView* tensor = file.find(name);
    INFO(name);
    REQUIRE(tensor != nullptr);
    std::vector<double> values;
    const auto append = [&](auto sample) {
        using T = decltype(sample);
        for (std::size_t i = 0; i < tensor->bytes.size(); i += sizeof(T)) {
            T value;
            std::memcpy(&value, tensor->bytes.data() + i, sizeof(T));
            values.push_back(static_cast<double>(value));
        }
    };
    if (tensor->dtype == Dtype::F64) append(double{});
    if (tensor->dtype == Dtype::F32) append(float{});
    if (tensor->dtype == Dtype::I64) append(std::int64_t{});
    REQUIRE(!values.empty());
    return values;
}
inline std::vector<float> floats_of(const SafetensorsFile& file, const std::string& name) {
    const std::vector<double> values = values_of(file, name);
    return {values.begin(), values.end()};
}
inline std::vector<std::int32_t> labels_of(const SafetensorsFile& file, const std::string& name) {
    const std::vector<double> values = values_of(file, name);
    return {values.begin(), values.end()};
}

inline std::uint32_t mix(std::uint32_t h) {
    h ^= h >> 16;
    h *= 0x85ebca6b;
    h ^= h >> 13;
    h *= 0xc2b2ae35;
    return h ^ h >> 16;
}
/// The goldens' formula: tensor number `tensor`, the same bits as in Python.
inline std::vector<float> by_formula(std::int64_t count, std::uint32_t tensor, float scale) {
    std::vector<float> values(static_cast<std::size_t>(count));
    const std::uint32_t salt = mix(tensor * 40503 + 1);
    for (std::size_t i = 0; i < values.size(); ++i) {
        const std::uint32_t h = mix((static_cast<std::uint32_t>(i) * 2654435761u) ^ salt);
        const auto centred = static_cast<std::int32_t>(h >> 8) - (1 << 23);
        values[i] = static_cast<float>(centred) * 0x1p-23f * scale;
    }
    return values;
}
inline void check_formula(const SafetensorsFile& file, const std::string& name,
                          const std::vector<float>& values) {
    INFO(name);
    const std::vector<float> first = floats_of(file, name + ".values");
    CHECK(std::equal(first.begin(), first.end(), values.begin()));
    std::int64_t sum = 0;
    for (const float value : values) sum += std::bit_cast<std::uint32_t>(value);
    CHECK(static_cast<double>(sum) == values_of(file, name + ".bits_sum").at(0));
}

/// A large tensor by what the goldens have of it: norm, sum and samples, all within `tolerance`.
inline void check_samples(const SafetensorsFile& file, const std::string& name,
                          const std::vector<float>& values, double tolerance) {
    INFO(name);
    double squares = 0, sum = 0;
    for (const float value : values) {
        squares += double{value} * double{value};
        sum += double{value};
    }
    CHECK(std::fabs(std::sqrt(squares) / values_of(file, name + ".norm").at(0) - 1) <= tolerance);
    CHECK(std::fabs(sum - values_of(file, name + ".sum").at(0)) <=
          tolerance * values_of(file, name + ".magnitude").at(0));
    const std::vector<double> expected = values_of(file, name + ".samples");
    const std::uint64_t stride = values.size() <= 256 ? 1 : 2654435761;
    std::vector<float> samples;
    for (std::uint64_t i = 0; i < expected.size(); ++i)
        samples.push_back(values[i * stride % values.size()]);
    CHECK(relative_error(samples, expected) <= tolerance);
}

/// Logits, loss and gradients of a batch of two, all within `tolerance` (the loss a tenth of it).
template <class Backend>
void compare_with_alexnet_goldens(Model<AlexNetWithoutDropout, Backend>& model, double tolerance) {
    const SafetensorsFile file = goldens("alexnet");
    std::uint32_t tensor = 0;
    for (const ParameterInfo& parameter : model.parameters()) {
        const std::int64_t fan_in = parameter.size() / parameter.shape[0];
        const float scale = parameter.kind == TensorKind::bias
                                ? 0.0625f
                                : static_cast<float>(std::sqrt(6.0 / double(fan_in)));
        const std::vector<float> values = by_formula(parameter.size(), ++tensor, scale);
        check_formula(file, parameter.name, values);
        model.set(parameter.name, values);
    }
    const std::vector<float> input =
        by_formula(2 * AlexNetWithoutDropout::input_shape.size(), 349, 1);
    check_formula(file, "input", input);

    Predictor predictor{model, Batch{2}};
    CHECK(relative_error(predictor(input), values_of(file, "logits")) <= tolerance);

    Trainer trainer{model,    CrossEntropy{}, Sgd{.learning_rate = 0},
                    Batch{2}, Seed{0},        KeepGradients{}};
    trainer.step(input, labels_of(file, "labels"));
    CHECK(std::fabs(double{trainer.loss()} / values_of(file, "loss").at(0) - 1) <= 0.1 * tolerance);
    for (const ParameterInfo& parameter : model.parameters())
        check_samples(file, parameter.name + ".grad", trainer.gradient(parameter.name), tolerance);
}

/// The network of mlp_training and clipping.
using Mlp = Network<Input<3, 9, 9>, Named<"conv", Conv2d<8, Kernel<3>, Padding<1>>>, Relu,
                    MaxPool2d<Kernel<3>, Stride<2>>, Flatten, Named<"fc1", Linear<12>>, Relu,
                    Named<"fc2", Linear<5>>>;

/// Three steps of SGD with momentum and weight decay, of which some clip the gradients.
template <class Backend>
void compare_with_clipping_goldens(double tolerance) {
    const SafetensorsFile given = goldens("mlp_training"), file = goldens("clipping");
    Model<Mlp, Backend> model;
    for (const ParameterInfo& parameter : model.parameters())
        model.set(parameter.name, floats_of(given, "initial." + parameter.name));
    const std::vector<float> inputs = floats_of(given, "inputs");
    const std::vector<std::int32_t> labels = labels_of(given, "labels");
    const std::vector<double> losses = values_of(file, "losses"), norms = values_of(file, "norms");
    constexpr float max_norm = 1;
    int clipped = 0;
    Trainer trainer{model,
                    CrossEntropy{},
                    Sgd{.learning_rate = 0.05f, .momentum = 0.9f, .weight_decay = 1e-2f},
                    Batch{4},
                    Seed{0},
                    ClipNorm{max_norm}};
    for (std::size_t step = 0; step < 3; ++step) {
        trainer.step(std::span{inputs}.subspan(step * 972, 972),
                     std::span{labels}.subspan(step * 4, 4));
        CHECK(std::fabs(double{trainer.loss()} / losses[step] - 1) <= 0.1 * tolerance);
        double squares = 0;
        for (const ParameterInfo& parameter : model.parameters())
            for (const float gradient : trainer.gradient(parameter.name))
                squares += double{gradient} * double{gradient};
        CHECK(std::fabs(std::sqrt(squares) / norms[step] - 1) <= tolerance);
        clipped += norms[step] > double{max_norm};
    }
    CHECK((clipped > 0 && clipped < 3));
    for (const std::string name :
         {"conv.weight", "conv.bias", "fc1.bias", "fc2.weight", "fc2.bias"})
        CHECK(relative_error(model.get(name), values_of(file, "final." + name)) <= tolerance);
}

/// First gradients, three steps of SGD and inference of a network with branches against the goldens
/// of its file. Gradients of biases are measured by those of the layer's weights, for behind a
/// batch normalisation they are zero.
template <class Net, class Backend>
void compare_with_branching_goldens(Model<Net, Backend>& model, const std::string& name,
                                    double tolerance) {
    INFO(name);
    const SafetensorsFile file = goldens(name);
    for (const ParameterInfo& parameter : model.parameters())
        model.set(parameter.name, floats_of(file, "initial." + parameter.name));
    const std::vector<float> inputs = floats_of(file, "inputs");
    const std::vector<std::int32_t> labels = labels_of(file, "labels");
    const std::size_t size = inputs.size() / 3;
    Trainer trainer{model,
                    CrossEntropy{},
                    Sgd{.learning_rate = 0.05f, .momentum = 0.9f, .weight_decay = 1e-3f},
                    Batch{3},
                    Seed{0},
                    KeepGradients{}};
    const std::vector<double> losses = values_of(file, "losses");
    const auto compare_statistics = [&](const std::string& when) {
        for (const ParameterInfo& tensor : model.tensors().subspan(model.parameters().size())) {
            INFO(when << tensor.name);
            CHECK(relative_error(model.get(tensor.name), values_of(file, when + tensor.name)) <=
                  tolerance);
        }
    };
    for (std::size_t step = 0; step < 3; ++step) {
        trainer.step(std::span{inputs}.subspan(step * size, size),
                     std::span{labels}.subspan(step * 3, 3));
        CHECK(std::fabs(double{trainer.loss()} / losses[step] - 1) <= 0.1 * tolerance);
        if (step == 0)
            for (const ParameterInfo& parameter : model.parameters()) {
                INFO(parameter.name);
                const std::string layer = parameter.name.substr(0, parameter.name.rfind('.'));
                CHECK(relative_error(trainer.gradient(parameter.name),
                                     values_of(file, "grad." + parameter.name),
                                     values_of(file, "grad." + layer + ".weight")) <= tolerance);
            }
        if (step == 1) compare_statistics("two_steps.");
    }
    for (const ParameterInfo& parameter : model.parameters()) {
        INFO(parameter.name);
        CHECK(relative_error(model.get(parameter.name),
                             values_of(file, "final." + parameter.name)) <= tolerance);
    }
    compare_statistics("final.");
    Predictor predictor{model, Batch{2}};
    CHECK(relative_error(predictor(std::span{inputs}.first(size)),
                         values_of(file, "final.logits")) <= tolerance);
}

}  // namespace typenet::testing
