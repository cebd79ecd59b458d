// The points on which implementations differ: ties, NaN, padding, zero, windows, scaling.
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "networks.hpp"
#include "support/catch.hpp"

namespace {

namespace tn = typenet;
using tn::Kernel;
using tn::LayerInfo;
using tn::Padding;
using tn::Shape;
using tn::Stride;
using Values = std::vector<double>;

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

Values forward(const LayerInfo& layer, const Values& input) {
    Values output(static_cast<std::size_t>(layer.output.size()), -77);
    tn::reference::forward<double>(layer, nullptr, nullptr, input.data(), output.data());
    return output;
}

/// The input's gradient under the given gradient of the output.
Values backward(const LayerInfo& layer, const Values& input, const Values& grad_output) {
    const Values output = forward(layer, input);
    Values grad_input(input.size());
    tn::reference::backward<double>(layer, nullptr, nullptr, input.data(), output.data(),
                                    grad_output.data(), grad_input.data(), nullptr, nullptr);
    return grad_input;
}

template <class L>
LayerInfo on(const Shape& shape) {
    const tn::Inference inference = L::infer(shape);
    REQUIRE(inference.fault == tn::Reason::none);
    return inference.info;
}

}  // namespace

TEST_CASE("ReLU is 0 at 0, passes no gradient there, and keeps NaN") {
    const LayerInfo relu = on<tn::Relu>(Shape{5});
    const Values input{-1, 0, 2, infinity, not_a_number};
    const Values output = forward(relu, input);
    CHECK(Values(output.begin(), output.end() - 1) == Values{0, 0, 2, infinity});
    CHECK(std::isnan(output[4]));
    CHECK(backward(relu, {-1, 0, -0.0, 2, 1e-300}, {1, 2, 3, 4, 5}) == Values{0, 0, 0, 4, 5});
}

TEST_CASE("of equal values the first wins a max pool and takes the gradient") {
    const LayerInfo pool = on<tn::MaxPool2d<Kernel<2>, Stride<1>>>(Shape{1, 3, 3});
    CHECK(backward(pool, {0, 0, 0, 0, 0, 0, 0, 0, 0}, {1, 2, 3, 4}) ==
          Values{1, 2, 0, 3, 4, 0, 0, 0, 0});
    CHECK(backward(pool, {0, 1, 0, 1, 0, 1, 0, 1, 0}, {1, 2, 3, 4}) ==
          Values{0, 3, 0, 3, 0, 4, 0, 0, 0});
}

TEST_CASE("NaN wins a max pool, the last of several takes the gradient") {
    const LayerInfo pool = on<tn::MaxPool2d<Kernel<2>>>(Shape{1, 2, 2});
    CHECK(std::isnan(forward(pool, {1, not_a_number, 3, 2})[0]));
    CHECK(backward(pool, {1, not_a_number, 3, not_a_number}, {5}) == Values{0, 0, 0, 5});
    CHECK(backward(pool, {not_a_number, infinity, 3, 4}, {5}) == Values{5, 0, 0, 0});
}

TEST_CASE("padding never wins a max pool, not even over negative infinity") {
    const LayerInfo pool = on<tn::MaxPool2d<Kernel<2>, Stride<2>, Padding<1>>>(Shape{1, 2, 2});
    CHECK(forward(pool, {-5, -6, -7, -8}) == Values{-5, -6, -7, -8});
    CHECK(forward(pool, {-infinity, -infinity, -1, -infinity}) ==
          Values{-infinity, -infinity, -1, -infinity});
    CHECK(backward(pool, {-infinity, -infinity, -1, -infinity}, {1, 2, 3, 4}) ==
          Values{1, 2, 3, 4});
}

TEST_CASE("overlapping windows add their gradients up") {
    const LayerInfo pool = on<tn::MaxPool2d<Kernel<3>, Stride<1>>>(Shape{1, 3, 4});
    CHECK(backward(pool, {0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0}, {1, 2}) ==
          Values{0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0});
}

TEST_CASE("a convolution is a cross-correlation with zeros around the input") {
    const LayerInfo conv = on<tn::Conv2d<1, Kernel<2>, Padding<1, 0, 0, 1>>>(Shape{1, 2, 2});
    REQUIRE(conv.output == Shape{1, 2, 2});
    const Values weight{1, 10, 100, 1000}, bias{0.5}, input{1, 2, 3, 4};
    Values output(4);
    tn::reference::forward(conv, weight.data(), bias.data(), input.data(), output.data());
    CHECK(output == Values{2100.5, 200.5, 4321.5, 402.5});
}

TEST_CASE("the groups of a convolution do not see each other") {
    const LayerInfo conv = on<tn::Conv2d<4, Kernel<1>, tn::Groups<2>>>(Shape{4, 1, 1});
    REQUIRE(conv.weight_count == 8);
    const Values weight{1, 2, 3, 4, 5, 6, 7, 8}, bias{0, 0, 0, 0}, input{1, 10, 100, 1000};
    Values output(4);
    tn::reference::forward(conv, weight.data(), bias.data(), input.data(), output.data());
    CHECK(output == Values{21, 43, 6500, 8700});
}

TEST_CASE("the weight of a linear layer is [out, in]") {
    const LayerInfo linear = on<tn::Linear<2>>(Shape{3});
    const Values weight{1, 2, 3, 4, 5, 6}, bias{0.5, -0.5}, input{1, 10, 100};
    Values output(2);
    tn::reference::forward(linear, weight.data(), bias.data(), input.data(), output.data());
    CHECK(output == Values{321.5, 653.5});
}

TEST_CASE("adaptive average pooling overlaps its windows where sizes do not divide") {
    // Rows 0-1, 1-3, 3-4 of 5.
    const LayerInfo pool = on<tn::AdaptiveAvgPool2d<3, 1>>(Shape{1, 5, 1});
    CHECK(forward(pool, {1, 3, 5, 7, 11}) == Values{2, 5, 9});
    CHECK(backward(pool, {1, 3, 5, 7, 11}, {2, 3, 4}) == Values{1, 2, 1, 3, 2});
    const LayerInfo same = on<tn::AdaptiveAvgPool2d<2>>(Shape{1, 2, 2});
    CHECK(forward(same, {1, 2, 3, 4}) == Values{1, 2, 3, 4});
}

TEST_CASE("resizing places pixels at half-integer centres and clamps at the border") {
    const LayerInfo twice = on<tn::Resize<1, 4>>(Shape{1, 1, 2});
    CHECK(forward(twice, {0, 8}) == Values{0, 2, 6, 8});
    const LayerInfo half = on<tn::Resize<1, 2>>(Shape{1, 1, 4});
    CHECK(forward(half, {1, 3, 5, 9}) == Values{2, 7});

    // 32 to 227: output 4 lies at 0.134361, 7 at 0.557269, 225 beyond the last pixel's centre.
    const LayerInfo wide = on<tn::Resize<1, 227>>(Shape{1, 1, 32});
    Values ramp(32);
    for (std::size_t i = 0; i < ramp.size(); ++i) ramp[i] = static_cast<double>(i);
    const Values positions = forward(wide, ramp);
    CHECK(positions[3] == 0);
    CHECK_THAT(positions[4], WithinAbs(0.134361, 1e-6));
    CHECK_THAT(positions[7], WithinAbs(0.557269, 1e-6));
    CHECK(positions[225] == 31);
}

TEST_CASE("local response normalisation divides alpha by its window's size") {
    const LayerInfo norm =
        on<tn::LocalResponseNorm<3, std::ratio<3>, std::ratio<1>, std::ratio<2>>>(Shape{4, 1, 1});
    // Base: 2 + sum of the squares of the channel and its neighbours.
    const Values output = forward(norm, {1, 2, 3, 4});
    const Values expected{1 / 7.0, 2 / 16.0, 3 / 31.0, 4 / 27.0};
    for (std::size_t i = 0; i < 4; ++i) CHECK_THAT(output[i], WithinRel(expected[i], 1e-15));
}

TEST_CASE("softmax withstands large inputs") {
    const LayerInfo softmax = on<tn::Softmax>(Shape{3});
    CHECK(forward(softmax, {1000, 1000, -1000}) == Values{0.5, 0.5, 0});
    CHECK(forward(softmax, {-5, -5, -5}) == Values{1 / 3.0, 1 / 3.0, 1 / 3.0});
}

TEST_CASE("dropout drops what the mask says, scales the rest, and rests in inference") {
    const LayerInfo dropout = on<tn::Dropout<std::ratio<3, 4>>>(Shape{40});
    const tn::DropoutMask mask(tn::Seed{1}, 2, 3, dropout.rate);
    Values input(40, 5), output(40), grad_input(40, 1);
    tn::reference::forward<double>(dropout, nullptr, nullptr, input.data(), output.data(), &mask,
                                   6);
    tn::reference::backward<double>(dropout, nullptr, nullptr, input.data(), output.data(),
                                    input.data(), grad_input.data(), nullptr, nullptr, &mask, 6);
    int kept = 0;
    for (std::uint32_t i = 0; i < 40; ++i) {
        CHECK(output[i] == (mask.keeps(6, i) ? 20 : 0));
        CHECK(grad_input[i] == 1 + output[i]);
        kept += mask.keeps(6, i) ? 1 : 0;
    }
    CHECK(kept > 0);
    CHECK(kept < 40);
    CHECK(forward(dropout, input) == input);
}

TEST_CASE("Flatten keeps the order channel, row, column") {
    const Values input{1, 2, 3, 4, 5, 6, 7, 8};
    CHECK(forward(on<tn::Flatten>(Shape{2, 2, 2}), input) == input);
    CHECK(forward(on<tn::Expect<2, 2, 2>>(Shape{2, 2, 2}), input) == input);
}
