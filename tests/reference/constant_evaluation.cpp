// The reference inside the compiler: what a static_assert can know about a network's arithmetic.
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "support/catch.hpp"
#include "typenet/backends/reference/network.hpp"
#include "typenet/layers/adaptive_avg_pool2d.hpp"
#include "typenet/layers/conv2d.hpp"
#include "typenet/layers/dropout.hpp"
#include "typenet/layers/expect.hpp"
#include "typenet/layers/flatten.hpp"
#include "typenet/layers/linear.hpp"
#include "typenet/layers/local_response_norm.hpp"
#include "typenet/layers/max_pool2d.hpp"
#include "typenet/layers/relu.hpp"
#include "typenet/layers/resize.hpp"
#include "typenet/layers/softmax.hpp"

namespace {

namespace tn = typenet;
using tn::reference::evaluate;

constexpr bool near(double a, double b, double tolerance = 1e-12) {
    return (a < b ? b - a : a - b) <= tolerance * (b < 0 ? -b : b);
}

// A convolution that finds vertical edges, then the strongest one, then a decision.
using EdgeFinder =
    tn::Network<tn::Input<1, 4, 4>, tn::Conv2d<1, tn::Kernel<1, 2>>, tn::Relu,
                tn::MaxPool2d<tn::Kernel<4, 3>>, tn::Flatten, tn::Expect<1>, tn::Linear<2>>;
constexpr std::array<double, 7> edge_finder{-1, 1, -0.5, /* linear */ 2, -2, 0.25, 1};
static_assert(evaluate<EdgeFinder>(edge_finder, std::array<double, 16>{0, 0, 3, 3,  //
                                                                       0, 0, 3, 3,  //
                                                                       0, 0, 3, 3,  //
                                                                       0, 0, 3, 3}) ==
              std::array{5.25, -4.0});
static_assert(evaluate<EdgeFinder>(edge_finder, std::array<double, 16>{}) == std::array{0.25, 1.0});

// Every kind of layer in one network, in float and in double.
using Everything = tn::Network<tn::Input<2, 3, 3>, tn::Resize<6, 5>,
                               tn::Conv2d<4, tn::Kernel<3>, tn::Same, tn::Stride<2>, tn::Groups<2>>,
                               tn::LocalResponseNorm<3>, tn::Relu, tn::MaxPool2d<tn::Kernel<2>>,
                               tn::AdaptiveAvgPool2d<2, 1>, tn::Flatten, tn::Dropout<>,
                               tn::Linear<3>, tn::Softmax>;

template <class T>
constexpr auto run_everything() {
    std::array<T, static_cast<std::size_t>(Everything::parameter_count)> parameters{};
    std::array<T, 18> input{};
    tn::RandomStream random(tn::Seed{1}, tn::Purpose::initialisation);
    for (T& value : parameters) value = random.uniform(-1, 1);
    for (T& value : input) value = random.uniform(-1, 1);
    return evaluate<Everything>(parameters, input);
}

constexpr auto compiled = run_everything<double>();
static_assert(near(compiled[0] + compiled[1] + compiled[2], 1));
static_assert(compiled[0] > 0.01 && compiled[1] > 0.01 && compiled[2] > 0.01);
static_assert(near(run_everything<float>()[0], compiled[0], 1e-5));

// d/dw and d/dx of w * x + b.
constexpr bool linear_has_its_gradient() {
    const tn::LayerInfo layer = tn::Linear<1>::infer(tn::Shape{1}).info;
    const double weight = 3, bias = 1, input = 5, grad_output = 2;
    double output = 0, grad_input = 0, grad_weight = 0, grad_bias = 0;
    tn::reference::forward(layer, &weight, &bias, &input, &output);
    tn::reference::backward(layer, &weight, &bias, &input, &output, &grad_output, &grad_input,
                            &grad_weight, &grad_bias);
    return output == 16 && grad_input == 6 && grad_weight == 10 && grad_bias == 2;
}
static_assert(linear_has_its_gradient());

constexpr std::array points{1e-300, 1e-20, 0.001, 0.3,   0.5,       0.99, 1.0,
                            1.5,    2.0,   7.25,  100.0, 12345.678, 1e20, 1e300};

template <class Function>
constexpr auto at_points(Function function) {
    std::array<double, points.size()> values{};
    for (std::size_t i = 0; i < points.size(); ++i) values[i] = function(points[i]);
    return values;
}
struct Exp {
    // Exponents from -700 to 700.
    static constexpr double exponent(double x) {
        return x > 700 ? -700 + x / 1e298 : x > 1e-19 ? x : 700;
    }
    constexpr double operator()(double x) const { return tn::reference::exp(exponent(x)); }
};
struct Log {
    constexpr double operator()(double x) const { return tn::reference::log(x); }
};
struct Sqrt {
    constexpr double operator()(double x) const { return tn::reference::sqrt(x); }
};
struct Pow {
    constexpr double operator()(double x) const { return tn::reference::pow(x, 0.75); }
};
constexpr auto compiled_exp = at_points(Exp{});
constexpr auto compiled_log = at_points(Log{});
constexpr auto compiled_sqrt = at_points(Sqrt{});
constexpr auto compiled_pow = at_points(Pow{});

}  // namespace

TEST_CASE("the compiler evaluates a network as the program does") {
    const auto run = run_everything<double>();
    for (std::size_t i = 0; i < run.size(); ++i) CHECK(near(run[i], compiled[i]));
}

TEST_CASE("the compile-time series agree with <cmath>") {
    for (std::size_t i = 0; i < points.size(); ++i) {
        CAPTURE(points[i]);
        CHECK(near(compiled_exp[i], std::exp(Exp::exponent(points[i])), 1e-13));
        CHECK(near(compiled_log[i], std::log(points[i]), 1e-15));
        CHECK(near(compiled_sqrt[i], std::sqrt(points[i]), 4e-16));
        CHECK(near(compiled_pow[i], std::pow(points[i], 0.75), 1e-13));
    }
}
