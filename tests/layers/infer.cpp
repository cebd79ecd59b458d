// What each layer accepts and refuses, and the shapes it puts out.
#include <cstdint>
#include <ratio>

#include "support/catch.hpp"
#include "typenet/core/layer.hpp"
#include "typenet/layers/adaptive_avg_pool2d.hpp"
#include "typenet/layers/avg_pool2d.hpp"
#include "typenet/layers/batch_norm2d.hpp"
#include "typenet/layers/concat.hpp"
#include "typenet/layers/conv2d.hpp"
#include "typenet/layers/dropout.hpp"
#include "typenet/layers/exact.hpp"
#include "typenet/layers/expect.hpp"
#include "typenet/layers/flatten.hpp"
#include "typenet/layers/linear.hpp"
#include "typenet/layers/local_response_norm.hpp"
#include "typenet/layers/max_pool2d.hpp"
#include "typenet/layers/named.hpp"
#include "typenet/layers/relu.hpp"
#include "typenet/layers/residual.hpp"
#include "typenet/layers/resize.hpp"
#include "typenet/layers/softmax.hpp"

namespace {

using namespace typenet;

constexpr Shape map{3, 8, 10};
constexpr Shape flat{12};

template <class L>
Reason fault(const Shape& input) {
    return L::infer(input).fault;
}

template <class L>
Shape output(const Shape& input) {
    const Inference inference = L::infer(input);
    REQUIRE(inference.fault == Reason::none);
    CHECK(inference.info.input == input);
    return inference.info.output;
}

/// PyTorch's formula, with its dilation of 1.
constexpr int pytorch_size(int input, int kernel, int stride, int padding) {
    return (input + 2 * padding - (kernel - 1) - 1) / stride + 1;
}

static_assert(Layer<Conv2d<1, Kernel<1>>> && Layer<Linear<1>> && Layer<Relu> && Layer<Softmax> &&
              Layer<MaxPool2d<Kernel<1>>> && Layer<AdaptiveAvgPool2d<1>> && Layer<Dropout<>> &&
              Layer<Flatten> && Layer<Expect<1>> && Layer<Resize<1>> &&
              Layer<LocalResponseNorm<>> && Layer<Named<"a", Relu>> && Layer<BatchNorm2d<>> &&
              Layer<AvgPool2d<Kernel<2>>> && Layer<Residual<Relu>> && Layer<Concat<Branch<Relu>>> &&
              Layer<Named<"a", Residual<Relu>>>);
static_assert(!Layer<Kernel<3>> && !Layer<int> && !Layer<Same> && !Layer<Branch<Relu>> &&
              !Layer<Shortcut<Relu>>);

}  // namespace

TEMPLATE_TEST_CASE_SIG("windows have PyTorch's output sizes", "",
                       ((int kernel, int stride, int padding), kernel, stride, padding), (1, 1, 0),
                       (3, 1, 1), (3, 2, 0), (3, 2, 1), (2, 2, 0), (5, 3, 2), (11, 4, 2), (4, 3, 1),
                       (1, 3, 0)) {
    for (const int side : {11, 12, 13, 24, 56, 227}) {
        const int expected = pytorch_size(side, kernel, stride, padding);
        CHECK(output<Conv2d<7, Kernel<kernel>, Stride<stride>, Padding<padding>>>({3, side, 20}) ==
              Shape{7, expected, pytorch_size(20, kernel, stride, padding)});
        const Shape pooled{3, pytorch_size(20, kernel, stride, padding), expected};
        CHECK(output<MaxPool2d<Kernel<kernel>, Stride<stride>, Padding<padding>>>({3, 20, side}) ==
              pooled);
        CHECK(output<AvgPool2d<Kernel<kernel>, Stride<stride>, Padding<padding>>>({3, 20, side}) ==
              pooled);
    }
}

TEST_CASE("Conv2d counts its parameters and its work") {
    const LayerInfo plain = Conv2d<5, Kernel<3, 2>, Stride<2, 1>>::infer(map).info;
    CHECK(plain.kind == LayerKind::conv2d);
    CHECK(plain.output == Shape{5, 3, 9});
    CHECK(plain.weight_count == 5 * 3 * 3 * 2);
    CHECK(plain.bias_count == 5);
    CHECK(plain.fan_in == 18);
    CHECK(plain.fan_out == 30);
    CHECK(plain.macs == 5 * 3 * 9 * 18);
    CHECK(plain.groups == 1);

    const LayerInfo grouped = Conv2d<6, Kernel<3>, Groups<3>>::infer(map).info;
    CHECK(grouped.weight_count == 6 * 1 * 9);
    CHECK(grouped.fan_in == 9);
    CHECK(grouped.macs == 6 * 6 * 8 * 9);
    CHECK(grouped.groups == 3);
}

TEST_CASE("options stand in any order") {
    const LayerInfo one = Conv2d<6, Kernel<3>, Stride<2>, Padding<1>, Groups<3>>::infer(map).info;
    const LayerInfo other = Conv2d<6, Groups<3>, Padding<1>, Stride<2>, Kernel<3>>::infer(map).info;
    CHECK(one.window == other.window);
    CHECK(one.groups == other.groups);
    CHECK(one.output == other.output);
}

TEST_CASE("Padding takes one, two or four sides") {
    const auto window = [](const Inference& inference) { return inference.info.window; };
    CHECK(window(Conv2d<1, Kernel<5>, Padding<2>>::infer(map)) == Window{5, 5, 1, 1, 2, 2, 2, 2});
    CHECK(window(Conv2d<1, Kernel<5>, Padding<2, 1>>::infer(map)) ==
          Window{5, 5, 1, 1, 2, 1, 2, 1});
    CHECK(window(Conv2d<1, Kernel<5>, Padding<0, 1, 2, 3>>::infer(map)) ==
          Window{5, 5, 1, 1, 0, 1, 2, 3});
    CHECK(output<Conv2d<1, Kernel<5>, Padding<0, 1, 2, 3>>>(map) == Shape{1, 6, 10});
}

TEST_CASE("Conv2d refuses what it cannot do") {
    CHECK(fault<Conv2d<0, Kernel<3>>>(map) == Reason::sizes_must_be_positive);
    CHECK(fault<Conv2d<4>>(map) == Reason::kernel_is_missing);
    CHECK(fault<Conv2d<4, Kernel<3, 0>>>(map) == Reason::kernel_is_missing);
    CHECK(fault<Conv2d<4, Kernel<3>, Relu>>(map) == Reason::not_an_option);
    CHECK(fault<Conv2d<4, Kernel<3>, Stride<0>>>(map) == Reason::sizes_must_be_positive);
    CHECK(fault<Conv2d<4, Kernel<3>, Stride<1, -1>, Same>>(map) == Reason::sizes_must_be_positive);
    CHECK(fault<Conv2d<4, Kernel<3>, Padding<-1>>>(map) == Reason::sizes_must_be_positive);
    CHECK(fault<Conv2d<4, Kernel<3>, Padding<0, 0, 0, -1>>>(map) == Reason::sizes_must_be_positive);
    CHECK(fault<Conv2d<4, Kernel<3>, Groups<0>>>(map) == Reason::sizes_must_be_positive);
    CHECK(fault<Conv2d<4, Kernel<3>>>(flat) == Reason::layer_needs_a_map);
    CHECK(fault<Conv2d<4, Kernel<9, 1>>>(map) == Reason::kernel_is_larger_than_the_padded_input);
    CHECK(fault<Conv2d<4, Kernel<1, 11>>>(map) == Reason::kernel_is_larger_than_the_padded_input);
    CHECK(fault<Conv2d<4, Kernel<9, 11>, Padding<0, 0, 1, 1>>>(map) == Reason::none);
    CHECK(fault<Conv2d<4, Kernel<3>, Groups<3>>>(map) ==
          Reason::groups_do_not_divide_the_output_channels);
    CHECK(fault<Conv2d<4, Kernel<3>, Groups<2>>>(map) ==
          Reason::groups_do_not_divide_the_input_channels);
    CHECK(fault<Conv2d<6, Kernel<3>, Groups<3>>>(map) == Reason::none);
    // A convolution may be padded by more than its kernel, as in PyTorch.
    CHECK(fault<Conv2d<4, Kernel<1>, Padding<5>>>(map) == Reason::none);
}

TEST_CASE("MaxPool2d steps by its kernel unless told, and refuses what it cannot do") {
    CHECK(output<MaxPool2d<Kernel<3>>>(map) == Shape{3, 2, 3});
    CHECK(output<MaxPool2d<Kernel<3>, Stride<1>>>(map) == Shape{3, 6, 8});
    CHECK(fault<MaxPool2d<Kernel<3>, Stride<0>>>(map) == Reason::sizes_must_be_positive);
    CHECK(fault<MaxPool2d<Kernel<3>, Groups<2>>>(map) == Reason::pool_has_no_groups);
    CHECK(output<MaxPool2d<Kernel<3>, Stride<2>, Same>>(map) == Shape{3, 4, 5});
    CHECK(MaxPool2d<Kernel<3>>::infer(map).info.parameter_count() == 0);
    CHECK(fault<MaxPool2d<>>(map) == Reason::kernel_is_missing);
    CHECK(fault<MaxPool2d<Kernel<3>, Relu>>(map) == Reason::not_an_option);
    CHECK(fault<MaxPool2d<Kernel<3>>>(flat) == Reason::layer_needs_a_map);
    CHECK(fault<MaxPool2d<Kernel<9>>>(map) == Reason::kernel_is_larger_than_the_padded_input);
    CHECK(fault<MaxPool2d<Kernel<2>, Padding<1>>>(map) == Reason::none);
    // A window that lies in the padding altogether would have no maximum.
    CHECK(fault<MaxPool2d<Kernel<2>, Padding<2, 0, 0, 0>>>(map) ==
          Reason::padding_must_be_smaller_than_the_kernel);
    CHECK(fault<MaxPool2d<Kernel<2>, Padding<0, 2, 0, 0>>>(map) ==
          Reason::padding_must_be_smaller_than_the_kernel);
    CHECK(fault<MaxPool2d<Kernel<2>, Padding<0, 0, 2, 0>>>(map) ==
          Reason::padding_must_be_smaller_than_the_kernel);
    CHECK(fault<MaxPool2d<Kernel<2>, Padding<0, 0, 0, 2>>>(map) ==
          Reason::padding_must_be_smaller_than_the_kernel);
}

TEST_CASE("a kernel that is too large says which input would be large enough") {
    const auto wanted = [](const Inference& inference) { return inference.wanted; };
    CHECK(wanted(Conv2d<4, Kernel<9, 3>>::infer(map)) == Shape{3, 9, 10});
    CHECK(wanted(Conv2d<4, Kernel<9, 12>, Padding<0, 0, 0, 1>>::infer(map)) == Shape{3, 9, 11});
    CHECK(wanted(MaxPool2d<Kernel<20>, Padding<3>>::infer(map)) == Shape{3, 14, 14});
}

TEST_CASE("Exact refuses a window that leaves pixels over and says which input would fit") {
    // The map is 3x8x10.
    CHECK(output<Exact<Conv2d<4, Kernel<3>>>>(map) == Shape{4, 6, 8});
    CHECK(output<Exact<Conv2d<4, Kernel<2>, Stride<3, 2>>>>(map) == Shape{4, 3, 5});
    CHECK(output<Exact<Conv2d<4, Kernel<3>, Stride<2>, Same>>>(map) == Shape{4, 4, 5});
    CHECK(output<Exact<Relu>>(flat) == flat);
    CHECK(Exact<Named<"a", Relu>>::infer(flat).info.name == "a");
    const auto refuses = [](const Inference& inference, const Shape& wanted) {
        return inference.fault == Reason::window_drops_pixels && inference.wanted == wanted;
    };
    CHECK(refuses(Exact<Conv2d<4, Kernel<3>, Stride<2>>>::infer(map), {3, 7, 9}));
    CHECK(refuses(Exact<MaxPool2d<Kernel<2, 4>>>::infer(map), {3, 8, 8}));
    CHECK(refuses(Exact<MaxPool2d<Kernel<3>, Stride<1, 4>>>::infer(map), {3, 8, 7}));
    CHECK(refuses(Exact<Conv2d<4, Kernel<3>, Stride<5>, Padding<3>>>::infer({3, 1, 2}), {3, 2, 2}));
    CHECK(Exact<Conv2d<4, Kernel<3>>>::infer(flat).fault == Reason::layer_needs_a_map);
    CHECK(Exact<Kernel<3>>::infer(map).fault == Reason::not_a_layer);
}

TEST_CASE("Linear wants a flat input, of the stated width if one is stated") {
    const LayerInfo info = Linear<5>::infer(flat).info;
    CHECK(info.kind == LayerKind::linear);
    CHECK(info.output == Shape{5});
    CHECK(info.weight_count == 60);
    CHECK(info.bias_count == 5);
    CHECK(info.fan_in == 12);
    CHECK(info.fan_out == 5);
    CHECK(info.macs == 60);
    CHECK(output<Linear<5, 12>>(flat) == Shape{5});
    CHECK(Linear<50'000>::infer(Shape{100'000}).info.weight_count == 5'000'000'000);

    CHECK(fault<Linear<0>>(flat) == Reason::sizes_must_be_positive);
    CHECK(fault<Linear<5, -12>>(flat) == Reason::sizes_must_be_positive);
    const Inference on_map = Linear<5>::infer(map);
    CHECK(on_map.fault == Reason::linear_needs_a_flat_input);
    CHECK(on_map.wanted == Shape{240});
    const Inference other_width = Linear<5, 13>::infer(flat);
    CHECK(other_width.fault == Reason::input_is_not_what_expect_states);
    CHECK(other_width.wanted == Shape{13});
}

TEST_CASE("AdaptiveAvgPool2d and Resize have the size that they are told") {
    CHECK(output<AdaptiveAvgPool2d<6>>(map) == Shape{3, 6, 6});
    CHECK(output<AdaptiveAvgPool2d<16, 2>>(map) == Shape{3, 16, 2});
    CHECK(output<Resize<227>>(map) == Shape{3, 227, 227});
    CHECK(output<Resize<4, 20>>(map) == Shape{3, 4, 20});
    CHECK(fault<AdaptiveAvgPool2d<0>>(map) == Reason::sizes_must_be_positive);
    CHECK(fault<AdaptiveAvgPool2d<2, -2>>(map) == Reason::sizes_must_be_positive);
    CHECK(fault<AdaptiveAvgPool2d<6>>(flat) == Reason::layer_needs_a_map);
    CHECK(fault<Resize<0>>(map) == Reason::sizes_must_be_positive);
    CHECK(fault<Resize<4, 0>>(map) == Reason::sizes_must_be_positive);
    CHECK(fault<Resize<4>>(flat) == Reason::layer_needs_a_map);
}

TEST_CASE("Relu and Dropout take any shape and keep it") {
    CHECK(output<Relu>(map) == map);
    CHECK(output<Relu>(flat) == flat);
    CHECK(output<Dropout<>>(map) == map);
    CHECK(output<Dropout<>>(flat) == flat);
}

TEST_CASE("a dropout rate is at least 0 and less than 1") {
    CHECK(Dropout<>::infer(flat).info.rate == 0.5f);
    CHECK(Dropout<std::ratio<1, 10>>::infer(flat).info.rate == 0.1f);
    CHECK(fault<Dropout<std::ratio<0>>>(flat) == Reason::none);
    CHECK(fault<Dropout<std::ratio<1>>>(flat) == Reason::dropout_rate_is_not_a_probability);
    CHECK(fault<Dropout<std::ratio<3, 2>>>(flat) == Reason::dropout_rate_is_not_a_probability);
    CHECK(fault<Dropout<std::ratio<-1, 2>>>(flat) == Reason::dropout_rate_is_not_a_probability);
}

TEST_CASE("Flatten makes any shape flat") {
    CHECK(output<Flatten>(map) == Shape{240});
    CHECK(output<Flatten>(flat) == flat);
    CHECK(output<Flatten>(Shape{10, 1, 1}) == Shape{10});
}

TEST_CASE("Expect passes what it states and refuses anything else") {
    CHECK(output<Expect<3, 8, 10>>(map) == map);
    CHECK(output<Expect<12>>(flat) == flat);
    const Inference refused = Expect<3, 10, 8>::infer(map);
    CHECK(refused.fault == Reason::input_is_not_what_expect_states);
    CHECK(refused.wanted == Shape{3, 10, 8});
    CHECK(fault<Expect<240>>(map) == Reason::input_is_not_what_expect_states);
    CHECK(fault<Expect<12, 1, 1>>(flat) == Reason::input_is_not_what_expect_states);
}

TEST_CASE("Softmax wants a flat input") {
    CHECK(output<Softmax>(flat) == flat);
    const Inference refused = Softmax::infer(map);
    CHECK(refused.fault == Reason::softmax_needs_a_flat_input);
    CHECK(refused.wanted == Shape{240});
}

TEST_CASE("LocalResponseNorm has the paper's constants unless told others") {
    const LayerInfo info = LocalResponseNorm<>::infer(map).info;
    CHECK(info.output == map);
    CHECK(info.norm_size == 5);
    CHECK(info.norm_alpha == 1e-4f);
    CHECK(info.norm_beta == 0.75f);
    CHECK(info.norm_k == 2);
    CHECK(LocalResponseNorm<3, std::ratio<1, 2>>::infer(map).info.norm_alpha == 0.5f);
    CHECK(fault<LocalResponseNorm<1>>(map) == Reason::none);
    CHECK(fault<LocalResponseNorm<4>>(map) == Reason::window_size_must_be_odd);
    CHECK(fault<LocalResponseNorm<0>>(map) == Reason::sizes_must_be_positive);
    CHECK(fault<LocalResponseNorm<-1>>(map) == Reason::sizes_must_be_positive);
    CHECK(fault<LocalResponseNorm<>>(flat) == Reason::layer_needs_a_map);
}

TEST_CASE("Named is the layer itself, with a name") {
    const LayerInfo plain = Conv2d<6, Kernel<3>, Groups<3>>::infer(map).info;
    const LayerInfo named = Named<"features.0", Conv2d<6, Kernel<3>, Groups<3>>>::infer(map).info;
    CHECK(named.name == "features.0");
    CHECK(named.type == plain.type);
    CHECK(named.output == plain.output);
    CHECK(named.weight_count == plain.weight_count);
    const Inference refused = Named<"a", Linear<5>>::infer(map);
    CHECK(refused.fault == Reason::linear_needs_a_flat_input);
    CHECK(refused.wanted == Shape{240});
}

TEST_CASE("AvgPool2d refuses what MaxPool2d refuses") {
    CHECK(output<AvgPool2d<Kernel<3>>>(map) == Shape{3, 2, 3});
    CHECK(fault<AvgPool2d<Kernel<3>, Groups<2>>>(map) == Reason::pool_has_no_groups);
    CHECK(fault<AvgPool2d<>>(map) == Reason::kernel_is_missing);
    CHECK(fault<AvgPool2d<Kernel<3>>>(flat) == Reason::layer_needs_a_map);
    CHECK(fault<AvgPool2d<Kernel<2>, Padding<2>>>(map) ==
          Reason::padding_must_be_smaller_than_the_kernel);
}

TEST_CASE("BatchNorm2d has PyTorch's constants unless told others, and counts its tensors") {
    const LayerInfo info = BatchNorm2d<>::infer(map).info;
    CHECK(info.output == map);
    CHECK(info.epsilon == 1e-5);
    CHECK(info.momentum == 0.1);
    CHECK(info.weight_count == 3);
    CHECK(info.bias_count == 3);
    CHECK(info.statistic_count == 6);
    const LayerInfo other =
        BatchNorm2d<Momentum<std::ratio<1, 4>>, Epsilon<std::ratio<1, 8>>>::infer(map).info;
    CHECK(other.epsilon == 0.125);
    CHECK(other.momentum == 0.25);
    CHECK(fault<BatchNorm2d<>>(flat) == Reason::layer_needs_a_map);
    CHECK(fault<BatchNorm2d<Epsilon<std::ratio<-1, 8>>>>(map) == Reason::epsilon_must_be_positive);
    CHECK(fault<BatchNorm2d<Momentum<std::ratio<0>>>>(map) == Reason::momentum_is_no_share);
    CHECK(fault<BatchNorm2d<Momentum<std::ratio<1>>>>(map) == Reason::none);
}
