// The executor: batches, dropout, the fused last softmax, and what it refuses.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "networks.hpp"
#include "support/catch.hpp"

namespace {

using namespace typenet_test;
using tn::reference::cross_entropy;
using tn::reference::Executor;
using tn::reference::TrainingStep;

using Values = std::vector<double>;

Values copy(std::span<const double> values) {
    return {values.begin(), values.end()};
}

}  // namespace

TEST_CASE("a batch gives what its samples give alone") {
    tn::RandomStream random(tn::Seed{1}, tn::Purpose::synthetic);
    Executor<GroupsAndNorm> executor;
    randomize(executor, random);
    const Values inputs = random_values<double>(3 * GroupsAndNorm::input_shape.size(), random);
    const Values together = copy(executor.forward(inputs, 3));
    const std::size_t size = inputs.size() / 3, classes = together.size() / 3;
    for (std::size_t sample = 0; sample < 3; ++sample) {
        const auto alone = executor.forward(std::span(inputs).subspan(sample * size, size), 1);
        CHECK(std::equal(alone.begin(), alone.end(),
                         together.begin() + static_cast<std::ptrdiff_t>(sample * classes)));
    }
}

TEST_CASE("dropout works in training only, by seed, step and sample") {
    tn::RandomStream random(tn::Seed{2}, tn::Purpose::synthetic);
    Executor<Perceptron> executor;
    randomize(executor, random);
    Values inputs = random_values<double>(11, random);
    inputs.insert(inputs.end(), inputs.begin(), inputs.begin() + 11);  // the same sample twice

    const Values inference = copy(executor.forward(inputs, 2));
    CHECK(std::equal(inference.begin(), inference.begin() + 4, inference.begin() + 4));
    const Values training = copy(executor.forward(inputs, 2, TrainingStep{tn::Seed{3}, 0}));
    CHECK(!std::equal(training.begin(), training.begin() + 4, training.begin() + 4));
    CHECK(training != inference);
    CHECK(copy(executor.forward(inputs, 2, TrainingStep{tn::Seed{3}, 1})) != training);
    CHECK(copy(executor.forward(inputs, 2, TrainingStep{tn::Seed{4}, 0})) != training);
    CHECK(copy(executor.forward(inputs, 2, TrainingStep{tn::Seed{3}, 0})) == training);
    CHECK(copy(executor.forward(inputs, 2)) == inference);

    // The mask is the one of the layer's index.
    executor.forward(inputs, 2, TrainingStep{tn::Seed{3}, 5});
    const tn::DropoutMask mask(tn::Seed{3}, 5, 1, 0.2f);
    for (std::uint32_t i = 0; i < 9; ++i) {
        const double before = executor.activations(0)[9 + i];
        const double after = mask.keeps(1, i) ? before / (1 - double{0.2f}) : 0;
        CHECK(executor.activations(1)[9 + i] == after);
    }
}

TEST_CASE("cross entropy by hand") {
    const Values logits{0, 0, std::log(3.0), 0};  // softmax: 1/2 1/2, 3/4 1/4
    const std::vector<std::int32_t> labels{1, 0};
    const auto loss = cross_entropy(std::span<const double>(logits), labels);
    CHECK_THAT(loss.value, WithinRel((std::log(2.0) + std::log(4 / 3.0)) / 2, 1e-15));
    const Values expected{0.25, -0.25, -0.125, 0.125};
    for (std::size_t i = 0; i < 4; ++i) CHECK_THAT(loss.gradient[i], WithinRel(expected[i], 1e-15));
}

TEST_CASE("cross entropy withstands large logits, in float as well") {
    const std::vector<float> logits{10'000, -10'000, 0};
    const std::vector<std::int32_t> labels{1};
    const auto loss = cross_entropy(std::span<const float>(logits), labels);
    CHECK(loss.value == 20'000);
    CHECK(loss.gradient == std::vector<float>{1, -1, 0});
}

TEST_CASE("a last softmax belongs to the cross entropy") {
    tn::RandomStream random(tn::Seed{4}, tn::Purpose::synthetic);
    Executor<ManyClasses> executor;
    randomize(executor, random);
    const Values inputs = random_values<double>(2 * 64, random);
    const std::vector<std::int32_t> labels{16, 3};
    const Values probabilities = copy(executor.forward(inputs, 2));
    CHECK(copy(executor.logits()) == copy(executor.activations(2)));
    CHECK(copy(executor.logits()) != probabilities);
    const double loss = executor.backward_cross_entropy(labels);
    CHECK_THAT(loss, WithinRel(-(std::log(probabilities[16]) + std::log(probabilities[17 + 3])) / 2,
                               1e-12));
    // By the logits: (probability - 1 for the label) / batch; the bias's gradient is its sum.
    for (std::size_t i = 0; i < 17; ++i) {
        const double expected =
            (probabilities[i] - (i == 16 ? 1 : 0) + probabilities[17 + i] - (i == 3 ? 1 : 0)) / 2;
        CHECK_THAT(executor.gradients()[2].bias[i], WithinAbs(expected, 1e-14));
    }
}

TEST_CASE("the logits of a softmax alone are its inputs") {
    Executor<SoftmaxAlone> executor;
    const Values inputs{0, std::log(2.0), 0, 0, 0, 0};
    executor.forward(inputs, 1);
    CHECK(copy(executor.logits()) == inputs);
    CHECK_THAT(executor.backward_cross_entropy(std::vector<std::int32_t>{1}),
               WithinRel(std::log(3.5), 1e-15));
    CHECK_THAT(executor.input_gradients()[1], WithinRel(-5 / 7.0, 1e-15));
}

TEST_CASE("float agrees with double") {
    tn::RandomStream random(tn::Seed{5}, tn::Purpose::synthetic);
    Executor<SmallAlexNet, double> precise;
    randomize(precise, random);
    Executor<SmallAlexNet, float> single;
    for (std::size_t i = 0; i < SmallAlexNet::layer_count; ++i) {
        const auto& from = precise.parameters[i];
        std::transform(from.weight.begin(), from.weight.end(), single.parameters[i].weight.begin(),
                       [](double value) { return static_cast<float>(value); });
        std::transform(from.bias.begin(), from.bias.end(), single.parameters[i].bias.begin(),
                       [](double value) { return static_cast<float>(value); });
    }
    const auto inputs = random_values<float>(4 * SmallAlexNet::input_shape.size(), random);
    const Values same(inputs.begin(), inputs.end());
    const std::vector<std::int32_t> labels{0, 2, 1, 2};
    const TrainingStep training{tn::Seed{6}, 7};
    precise.forward(same, 4, training);
    single.forward(inputs, 4, training);
    for (std::size_t i = 0; i < precise.outputs().size(); ++i)
        CHECK_THAT(single.outputs()[i], WithinAbs(precise.outputs()[i], 1e-5));
    CHECK_THAT(single.backward_cross_entropy(labels),
               WithinRel(precise.backward_cross_entropy(labels), 1e-5));
    for (std::size_t i = 0; i < precise.input_gradients().size(); ++i)
        CHECK_THAT(single.input_gradients()[i], WithinAbs(precise.input_gradients()[i], 1e-5));
}

TEST_CASE("the executor refuses what does not fit, and says what would") {
    Executor<LinearAlone> executor;
    const Values inputs(14);
    const std::vector<std::int32_t> labels{0, 1};
    CHECK_THROWS_AS(executor.backward_cross_entropy(labels), tn::ShapeError);
    CHECK_THROWS_AS(executor.backward(Values{}), tn::ShapeError);
    CHECK_THROWS_WITH(executor.forward(inputs, 3),
                      ContainsText("14 inputs for a batch of 3") && ContainsText("7 values each"));
    CHECK_THROWS_AS(executor.forward(Values{}, 0), tn::ShapeError);
    CHECK_THROWS_AS(executor.forward(inputs, -2), tn::ShapeError);
    executor.forward(inputs, 2);
    CHECK_THROWS_AS(executor.backward(Values(9)), tn::ShapeError);
    CHECK_THROWS_AS(executor.backward_cross_entropy(std::vector<std::int32_t>{1}), tn::ShapeError);
    CHECK_THROWS_WITH(executor.backward_cross_entropy(std::vector<std::int32_t>{1, 5}),
                      ContainsText("label 5 of sample 1") && ContainsText("0 to 4"));
    CHECK_THROWS_AS(executor.backward_cross_entropy(std::vector<std::int32_t>{-1, 0}), tn::Error);
    CHECK_NOTHROW(executor.backward_cross_entropy(labels));
}

TEST_CASE("cross entropy refuses what has no mean") {
    const Values logits(6);
    const std::vector<std::int32_t> four(4), none;
    CHECK_THROWS_AS(cross_entropy(std::span<const double>(logits), four), tn::ShapeError);
    CHECK_THROWS_AS(cross_entropy(std::span<const double>(logits), none), tn::ShapeError);
    CHECK_THROWS_AS(cross_entropy(std::span<const double>(), four), tn::ShapeError);
}
