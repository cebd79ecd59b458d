// Gradients against central differences, in double: every kind of layer, then whole networks.
#include <cstdint>
#include <vector>

#include "networks.hpp"
#include "support/catch.hpp"
#include "typenet/backends/reference/check_gradients.hpp"

namespace {

using namespace typenet_test;

void check(const tn::GradientCheck& result) {
    INFO(result.fault);
    CHECK(result);
}

/// y = x * x, with a wrong backward pass for what `wrong` says.
enum class Wrong { nothing, factor, set, bias };
template <Wrong wrong>
struct Square {
    static constexpr tn::Inference infer(const tn::Shape& input) {
        tn::LayerInfo info;
        info.input = info.output = input;
        info.bias_count = 1;
        return {info};
    }
    template <class T>
    static constexpr void forward(const tn::ForwardPass<T>& pass) {
        for (std::int64_t i = 0; i < pass.layer.input.size(); ++i)
            pass.output[i] = pass.input[i] * pass.input[i] + *pass.bias;
    }
    template <class T>
    static constexpr void backward(const tn::BackwardPass<T>& pass) {
        for (std::int64_t i = 0; i < pass.layer.input.size(); ++i) {
            const T gradient = pass.output_gradient[i];
            pass.input_gradient[i] += (wrong == Wrong::factor ? 1 : 2) * pass.input[i] * gradient;
            if (wrong == Wrong::set)
                *pass.bias_gradient = gradient;
            else if (wrong != Wrong::bias)
                *pass.bias_gradient += gradient;
        }
    }
};

}  // namespace

TEMPLATE_LIST_TEST_CASE("a layer has the gradients of its output", "", Layers) {
    for (std::uint64_t seed = 1; seed <= 3; ++seed)
        check(tn::check_network_gradients<TestType>(tn::Seed{seed}));
}

TEMPLATE_LIST_TEST_CASE("a network has the gradients of its outputs", "", Networks) {
    check(tn::check_network_gradients<TestType>(tn::Seed{4}));
}

TEMPLATE_LIST_TEST_CASE("a network has the gradients of cross entropy", "", Networks) {
    check(tn::check_network_gradients<TestType>(tn::Seed{5}, tn::CheckedFunction::cross_entropy));
}

TEST_CASE("a wrong backward pass is found and named") {
    check(tn::check_gradients<Square<Wrong::nothing>>());
    check(tn::check_gradients<Square<Wrong::nothing>, tn::Input<7>>(tn::Seed{1}));
    CHECK_THAT(tn::check_gradients<Square<Wrong::factor>>().fault,
               ContainsText("input 0: backward gives "));
    CHECK_THAT(tn::check_gradients<Square<Wrong::set>>().fault,
               ContainsText("layer 0 (Custom), bias 0: backward gives ") &&
                   ContainsText(", the slope is "));
    CHECK_FALSE(tn::check_gradients<Square<Wrong::bias>>());
}

TEST_CASE("gradients are added to what is there, and an input's may be left out") {
    const tn::LayerInfo layer = Conv3x3::layers[0];
    tn::RandomStream random(tn::Seed{6}, tn::Purpose::synthetic);
    const auto weight = random_values<double>(layer.weight_count, random);
    const auto bias = random_values<double>(layer.bias_count, random);
    const auto input = random_values<double>(layer.input.size(), random);
    const auto output = random_values<double>(layer.output.size(), random);
    const auto grad_output = random_values<double>(layer.output.size(), random);
    const auto run = [&](double start, bool with_input) {
        std::vector<double> grad_input(input.size(), start), grad_weight(weight.size(), start);
        std::vector<double> grad_bias(static_cast<std::size_t>(layer.bias_count), start);
        tn::reference::backward(layer, weight.data(), bias.data(), input.data(), output.data(),
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
