// Frozen layers: what learns beside them takes the steps that it takes when nothing is frozen and
// the frozen parameters are set back after each step. A room names its Backend and includes this.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"
#include "typenet/core.hpp"
#include "typenet/training/frozen_features.hpp"
#include "typenet/training/predictor.hpp"
#include "typenet/training/trainer.hpp"

namespace {

using namespace typenet;

using Tensors = std::map<std::string, std::vector<float>>;

template <class Net>
Tensors tensors_of_model(const Model<Net, Backend>& model) {
    Tensors tensors;
    for (const ParameterInfo& tensor : model.tensors())
        tensors[tensor.name] = model.get(tensor.name);
    return tensors;
}

/// What three steps make of a network; `between(model)` runs after each of them.
template <class Net, class Between, class... Policies>
Tensors train(const Between& between, Policies... policies) {
    constexpr std::int64_t batch = 5;
    Model<Net, Backend> model{Seed{1}};
    Trainer trainer{model,
                    CrossEntropy{},
                    Sgd{.learning_rate = 0.05f, .momentum = 0.9f, .weight_decay = 1e-3f},
                    Batch{batch},
                    Seed{2},
                    policies...};
    RandomStream random{Seed{3}, Purpose::synthetic};
    std::vector<float> values(static_cast<std::size_t>(batch * Net::input_shape.size()));
    std::vector<std::int32_t> labels(batch);
    for (int step = 0; step < 3; ++step) {
        for (float& value : values) value = random.uniform(-1, 1);
        for (std::int32_t& label : labels)
            label = static_cast<std::int32_t>(
                random.below(static_cast<std::uint32_t>(Net::output_shape.size())));
        trainer.step(values, labels);
        between(model);
    }
    return tensors_of_model(model);
}

/// `frozen` are the prefixes of the names of the tensors that the policies freeze.
template <class Net, class... Policies>
void check_freezing(const std::vector<std::string>& frozen, Policies... policies) {
    const Tensors initial = tensors_of_model(Model<Net, Backend>{Seed{1}});
    const auto is_frozen = [&](const std::string& name) {
        for (const std::string& prefix : frozen)
            if (name.starts_with(prefix + ".")) return true;
        return false;
    };
    const Tensors wanted = train<Net>([&](Model<Net, Backend>& model) {
        for (const auto& [name, values] : initial)
            if (is_frozen(name)) model.set(name, values);
    });
    const Tensors trained = train<Net>([](auto&) {}, policies...);
    for (const auto& [name, values] : trained) {
        INFO(name);
        CHECK(values == wanted.at(name));
        CHECK((values == initial.at(name)) == is_frozen(name));
    }
    CHECK(trained == train<Net>([](auto&) {}, policies..., KeepGradients{}));
}

/// One step moves what learns by its gradients times the factor of ClipNorm. Padding, which packed
/// gradients have, and what is frozen do not count for the norm.
template <class Net, class... Policies>
void check_clipping(Policies... policies) {
    constexpr std::int64_t batch = 5;
    constexpr float max_norm = 0.1f;
    Model<Net, Backend> model{Seed{1}};
    const Tensors before = tensors_of_model(model);
    Trainer trainer{model,   CrossEntropy{}, Sgd{.learning_rate = 1}, Batch{batch},
                    Seed{2}, policies...,    ClipNorm{max_norm}};
    std::vector<float> values(static_cast<std::size_t>(batch * Net::input_shape.size()));
    RandomStream random{Seed{3}, Purpose::synthetic};
    for (float& value : values) value = random.uniform(-1, 1);
    trainer.step(values, std::vector<std::int32_t>{0, 1, 2, 1, 0});
    double squares = 0;
    for (const ParameterInfo& parameter : model.parameters()) {
        if (!trainer.changes(parameter)) continue;
        for (const float gradient : trainer.gradient(parameter.name))
            squares += std::pow(double{gradient}, 2);
    }
    const double norm = std::sqrt(squares);
    CHECK(norm > 2 * double{max_norm});
    for (const ParameterInfo& parameter : model.parameters()) {
        INFO(parameter.name);
        const std::vector<float> after = model.get(parameter.name), old = before.at(parameter.name);
        if (!trainer.changes(parameter)) {
            CHECK(after == old);
            continue;
        }
        const std::vector<float> gradient = trainer.gradient(parameter.name);
        double error = 0, largest = 0;
        for (std::size_t i = 0; i < after.size(); ++i) {
            const double move = double{max_norm} / (norm + 1e-6) * double{gradient[i]};
            error = std::fmax(error, std::fabs(double{old[i]} - double{after[i]} - move));
            largest = std::fmax(largest, std::fabs(move));
        }
        CHECK(error <= 2e-7);  // a rounding of a parameter
        CHECK(largest >= 1e-4);
    }
}

using Straight =
    Network<Input<3, 14, 14>, Named<"front.0", Conv2d<20, Kernel<3>, Padding<1>>>, Relu,
            MaxPool2d<Kernel<2>>, Named<"front.1", Conv2d<24, Kernel<3>, Groups<2>>>, Relu,
            Named<"middle.0", Conv2d<18, Kernel<2>>>, Flatten, Named<"middle.1", Linear<40>>,
            Dropout<>, Relu, Named<"back", Linear<5>>>;

using Branched = Network<Input<3, 8, 8>, Named<"stem", Conv2d<12, Kernel<3>, Padding<1>>>, Relu,
                         Residual<Named<"block", Conv2d<12, Kernel<3>, Padding<1>>>, Relu>,
                         Concat<Branch<Named<"left", Conv2d<5, Kernel<1>>>, Relu>,
                                Branch<Named<"right", Conv2d<6, Kernel<3>, Padding<1>>>,
                                       MaxPool2d<Kernel<3>, Stride<1>, Padding<1>>>>,
                         AvgPool2d<Kernel<2>>, Flatten, Named<"decision", Linear<4>>>;

/// Named throughout, for a CutModel.
using Features = Freeze<"features", "norm">;
using Whole = Network<Input<3, 10, 10>, Named<"features.0", Conv2d<20, Kernel<3>>>,
                      Named<"norm", BatchNorm2d<>>, Relu, MaxPool2d<Kernel<2>>, Flatten,
                      Named<"decision.0", Linear<24>>, Relu, Named<"decision.1", Linear<3>>>;

}  // namespace

TEST_CASE("Layers before all that learn are frozen") {
    check_freezing<Straight>({"front"}, freeze<"front">);
    check_freezing<Straight>({"front", "middle"}, freeze<"front", "middle">);
}

TEST_CASE("Frozen layers pass gradients on to what learns before them") {
    check_freezing<Straight>({"middle"}, freeze<"middle">);
    check_freezing<Straight>({"front.1", "back"}, freeze<"front.1">, freeze<"back">);
}

TEST_CASE("Layers in and around branches are frozen") {
    check_freezing<Branched>({"stem"}, freeze<"stem">);
    check_freezing<Branched>({"stem", "block", "right"}, freeze<"stem", "block", "right">);
    check_freezing<Branched>({"block", "decision"}, freeze<"block", "decision">);
}

TEST_CASE("What learns is clipped by the norm of its own gradients, all together") {
    check_clipping<Straight>();
    check_clipping<Straight>(freeze<"middle">);
    check_clipping<Branched>(freeze<"stem", "block">);
}

TEST_CASE("A frozen batch normalisation normalises by its running statistics") {
    // It is then a weight and a bias a channel, as a convolution of one channel a group is.
    using WithNorm = Network<Input<2, 6, 5>, Named<"first", Conv2d<20, Kernel<3>>>,
                             Named<"norm", BatchNorm2d<>>, Relu, Flatten, Named<"last", Linear<3>>>;
    using WithScale = Network<Input<2, 6, 5>, Named<"first", Conv2d<20, Kernel<3>>>,
                              Named<"norm", Conv2d<20, Kernel<1>, Groups<20>>>, Relu, Flatten,
                              Named<"last", Linear<3>>>;
    constexpr std::size_t channels = 20;
    std::vector<float> weight(channels), bias(channels), mean(channels), variance(channels),
        scale(channels), shift(channels);
    for (std::size_t c = 0; c < channels; ++c) {
        const auto x = static_cast<float>(c);
        weight[c] = 0.5f + 0.1f * x;
        bias[c] = 0.3f - 0.02f * x;
        mean[c] = 0.1f * x - 1;
        variance[c] = 0.4f + 0.05f * x;
        scale[c] = weight[c] / std::sqrt(variance[c] + 1e-5f);
        shift[c] = bias[c] - mean[c] * scale[c];
    }
    const std::vector<float> images = [] {
        std::vector<float> values(4 * 60);
        RandomStream random{Seed{4}, Purpose::synthetic};
        for (float& value : values) value = random.uniform(-1, 1);
        return values;
    }();
    const std::vector<std::int32_t> labels{0, 2, 1, 1};
    Model<WithNorm, Backend> norm;
    Model<WithScale, Backend> scaled;
    norm.set("norm.weight", weight);
    norm.set("norm.bias", bias);
    norm.set("norm.running_mean", mean);
    norm.set("norm.running_var", variance);
    scaled.set("norm.weight", scale);
    scaled.set("norm.bias", shift);
    for (const std::string name : {"first.weight", "first.bias", "last.weight", "last.bias"})
        scaled.set(name, norm.get(name));
    const Tensors start = tensors_of_model(norm);
    Trainer norm_trainer{norm,     CrossEntropy{}, Sgd{.learning_rate = 0.1f},
                         Batch{4}, Seed{},         freeze<"norm">};
    Trainer scale_trainer{scaled,   CrossEntropy{}, Sgd{.learning_rate = 0.1f},
                          Batch{4}, Seed{},         freeze<"norm">};
    for (int step = 0; step < 3; ++step) {
        norm_trainer.step(images, labels);
        scale_trainer.step(images, labels);
        CHECK(std::fabs(norm_trainer.loss() / scale_trainer.loss() - 1) < 1e-5f);
    }
    for (const std::string tensor : {"weight", "bias", "running_mean", "running_var"})
        CHECK(norm.get("norm." + tensor) == start.at("norm." + tensor));
    for (const std::string name : {"first.weight", "first.bias", "last.weight", "last.bias"}) {
        const std::vector<float> a = norm.get(name), b = scaled.get(name), old = start.at(name);
        double difference = 0, change = 0;
        for (std::size_t i = 0; i < a.size(); ++i) {
            difference += std::pow(double{a[i]} - double{b[i]}, 2);
            change += std::pow(double{b[i]} - double{old[i]}, 2);
        }
        INFO(name);
        CHECK(change > 0);
        CHECK(std::sqrt(difference / change) < 1e-4);
    }
}

TEST_CASE("A frozen parameter has neither gradient nor optimizer state") {
    Model<Straight, Backend> model;
    Trainer trainer{model,  CrossEntropy{},  Adam{},         Batch{2},
                    Seed{}, freeze<"front">, KeepGradients{}};
    CHECK(trainer.get_state("back.weight", 1).size() == 200);
    CHECK_THROWS_AS(trainer.get_state("front.0.weight", 0), Error);
    CHECK_THROWS_AS(trainer.set_state("front.1.bias", 0, std::vector<float>(24)), Error);
    CHECK_THROWS_AS(trainer.gradient("front.1.bias"), Error);
    for (const ParameterInfo& parameter : model.parameters())
        CHECK(trainer.changes(parameter) == !parameter.name.starts_with("front."));
}

TEST_CASE("Training on cached features takes the same steps as training the whole network") {
    constexpr std::size_t images = 12, batch = 4, pixels = 300, values = 320;
    std::vector<float> samples(images * pixels);
    std::vector<std::int32_t> labels(images);
    RandomStream random{Seed{5}, Purpose::synthetic};
    for (float& sample : samples) sample = random.uniform(-1, 1);
    for (std::int32_t& label : labels) label = static_cast<std::int32_t>(random.below(3));
    const Sgd sgd{.learning_rate = 0.1f, .momentum = 0.9f};

    Model<Whole, Backend> whole{Seed{1}};
    whole.set("norm.running_mean", std::vector<float>(20, 0.25f));
    CutModel<Whole, Features, Backend> cut;
    for (const ParameterInfo& tensor : whole.tensors())
        cut.set(tensor.name, whole.get(tensor.name));
    const std::vector<float> features = Predictor{cut.fixed(), Batch{4}}(samples);
    REQUIRE(features.size() == images * values);

    Trainer slow{whole, CrossEntropy{}, sgd, Batch{4}, Seed{}, Features{}};
    Trainer quick{cut.learning(), CrossEntropy{}, sgd, Batch{4}};
    for (std::size_t first = 0; first < images; first += batch) {
        const std::span given = std::span{labels}.subspan(first, batch);
        slow.step(std::span{samples}.subspan(first * pixels, batch * pixels), given);
        quick.step(std::span{features}.subspan(first * values, batch * values), given);
        CHECK(slow.loss() == quick.loss());
    }
    for (const ParameterInfo& tensor : cut.tensors())
        CHECK(cut.get(tensor.name) == whole.get(tensor.name));
}
