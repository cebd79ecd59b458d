// Gradients against central differences, in double: every kind of layer, then whole networks.
#include <cmath>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "networks.hpp"
#include "support/catch.hpp"

namespace {

using namespace typenet_test;

constexpr double step = 1e-6;
constexpr double absolute_tolerance = 1e-5;
constexpr double relative_tolerance = 1e-3;
constexpr int batch = 2;

/// A scalar function of everything that a network reads: cross entropy, or a random weighting of
/// the outputs.
template <class Net>
class Check {
public:
    explicit Check(std::uint64_t seed)
        : random_(tn::Seed{seed}, tn::Purpose::synthetic), training_{{tn::Seed{seed}, 3}} {
        randomize(executor_, random_);
        inputs_ = random_values<double>(batch * Net::input_shape.size(), random_);
        weighting_ = random_values<double>(batch * Net::output_shape.size(), random_);
        for (int sample = 0; sample < batch; ++sample)
            labels_.push_back(static_cast<std::int32_t>(
                random_.below(static_cast<std::uint32_t>(Net::output_shape.size()))));
    }

    void run(bool through_cross_entropy) {
        through_cross_entropy_ = through_cross_entropy;
        differentiate();
        const auto gradients = executor_.gradients();
        const std::vector<double> input_gradients(executor_.input_gradients().begin(),
                                                  executor_.input_gradients().end());

        compare("input", inputs_, input_gradients);
        for (std::size_t i = 0; i < Net::layer_count; ++i) {
            INFO("layer " << i << " " << Net::layers[i].type);
            compare("weight", executor_.parameters[i].weight, gradients[i].weight);
            compare("bias", executor_.parameters[i].bias, gradients[i].bias);
        }

        // Again, bit for bit.
        differentiate();
        CHECK(std::equal(input_gradients.begin(), input_gradients.end(),
                         executor_.input_gradients().begin()));
        for (std::size_t i = 0; i < Net::layer_count; ++i) {
            CHECK(executor_.gradients()[i].weight == gradients[i].weight);
            CHECK(executor_.gradients()[i].bias == gradients[i].bias);
        }
    }

private:
    void differentiate() {
        executor_.forward(inputs_, batch, training_);
        if (through_cross_entropy_)
            executor_.backward_cross_entropy(labels_);
        else
            executor_.backward(weighting_);
    }

    double value() {
        const std::span<const double> outputs = executor_.forward(inputs_, batch, training_);
        if (through_cross_entropy_)
            return tn::reference::cross_entropy(executor_.logits(),
                                                std::span<const std::int32_t>(labels_))
                .value;
        double sum = 0;
        for (std::size_t i = 0; i < outputs.size(); ++i) sum += weighting_[i] * outputs[i];
        return sum;
    }

    void compare(const char* what, std::vector<double>& variables,
                 const std::vector<double>& gradients) {
        REQUIRE(gradients.size() == variables.size());
        for (std::size_t i = 0; i < variables.size(); ++i) {
            const double original = variables[i];
            variables[i] = original + step;
            const double above = value();
            variables[i] = original - step;
            const double below = value();
            variables[i] = original;
            const double expected = (above - below) / (2 * step);
            INFO(what << " " << i << ": got " << gradients[i] << ", wanted " << expected);
            REQUIRE(std::abs(gradients[i] - expected) <=
                    absolute_tolerance + relative_tolerance * std::abs(expected));
        }
    }

    tn::RandomStream random_;
    std::optional<tn::reference::TrainingStep> training_;
    tn::reference::Executor<Net, double> executor_;
    std::vector<double> inputs_;
    std::vector<double> weighting_;
    std::vector<std::int32_t> labels_;
    bool through_cross_entropy_ = false;
};

}  // namespace

TEMPLATE_LIST_TEST_CASE("a layer has the gradients of its output", "", Layers) {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) Check<TestType>(seed).run(false);
}

TEMPLATE_LIST_TEST_CASE("a network has the gradients of its outputs", "", Networks) {
    Check<TestType>(4).run(false);
}

TEMPLATE_LIST_TEST_CASE("a network has the gradients of cross entropy", "", Networks) {
    Check<TestType>(5).run(true);
}

TEST_CASE("gradients are added to what is there, and an input's may be left out") {
    const tn::LayerInfo layer = Conv3x3::layers[0];
    tn::RandomStream random(tn::Seed{6}, tn::Purpose::synthetic);
    const auto weight = random_values<double>(layer.weight_count, random);
    const auto input = random_values<double>(layer.input.size(), random);
    const auto output = random_values<double>(layer.output.size(), random);
    const auto grad_output = random_values<double>(layer.output.size(), random);
    const auto run = [&](double start, bool with_input) {
        std::vector<double> grad_input(input.size(), start), grad_weight(weight.size(), start);
        std::vector<double> grad_bias(static_cast<std::size_t>(layer.bias_count), start);
        tn::reference::backward(layer, weight.data(), input.data(), output.data(),
                                grad_output.data(), with_input ? grad_input.data() : nullptr,
                                grad_weight.data(), grad_bias.data());
        grad_weight.insert(grad_weight.end(), grad_bias.begin(), grad_bias.end());
        grad_weight.insert(grad_weight.end(), grad_input.begin(), grad_input.end());
        return grad_weight;
    };
    const std::vector<double> plain = run(0, true), added = run(8, true), without = run(0, false);
    const std::size_t parameters = plain.size() - input.size();
    for (std::size_t i = 0; i < plain.size(); ++i) {
        CHECK_THAT(added[i], WithinAbs(plain[i] + 8, 1e-12));
        CHECK(without[i] == (i < parameters ? plain[i] : 0));
    }
}
