// Shape inference over whole networks, and the counts that follow from it.
#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <limits>

#include "support/catch.hpp"
#include "typenet/core/names.hpp"
#include "typenet/core/network.hpp"
#include "typenet/layers/adaptive_avg_pool2d.hpp"
#include "typenet/layers/batch_norm2d.hpp"
#include "typenet/layers/concat.hpp"
#include "typenet/layers/conv2d.hpp"
#include "typenet/layers/dropout.hpp"
#include "typenet/layers/expect.hpp"
#include "typenet/layers/flatten.hpp"
#include "typenet/layers/linear.hpp"
#include "typenet/layers/local_response_norm.hpp"
#include "typenet/layers/max_pool2d.hpp"
#include "typenet/layers/named.hpp"
#include "typenet/layers/relu.hpp"
#include "typenet/layers/residual.hpp"
#include "typenet/layers/softmax.hpp"
#include "typenet/models/alexnet.hpp"

namespace {

namespace tn = typenet;
using tn::Conv2d;
using tn::Dropout;
using tn::Flatten;
using tn::Groups;
using tn::Input;
using tn::Kernel;
using tn::Linear;
using tn::MaxPool2d;
using tn::Padding;
using tn::Reason;
using tn::Relu;
using tn::Shape;
using tn::Stride;

template <class In, class... Layers>
constexpr auto& outcome = tn::detail::inferred<In, Layers...>;

/// torchvision's AlexNet ("one weird trick"); its sizes are published.
template <int side, int classes>
using TorchvisionAlexNet =
    tn::Network<Input<3, side, side>, Conv2d<64, Kernel<11>, Stride<4>, Padding<2>>, Relu,
                MaxPool2d<Kernel<3>, Stride<2>>, Conv2d<192, Kernel<5>, Padding<2>>, Relu,
                MaxPool2d<Kernel<3>, Stride<2>>, Conv2d<384, Kernel<3>, Padding<1>>, Relu,
                Conv2d<256, Kernel<3>, Padding<1>>, Relu, Conv2d<256, Kernel<3>, Padding<1>>, Relu,
                MaxPool2d<Kernel<3>, Stride<2>>, tn::AdaptiveAvgPool2d<6>, Flatten, Dropout<>,
                Linear<4096>, Relu, Dropout<>, Linear<4096>, Relu, Linear<classes>>;

/// The network of the paper of 2012, with its two towers as groups.
using PaperAlexNet = tn::Network<
    Input<3, 227, 227>, Conv2d<96, Kernel<11>, Stride<4>>, Relu, tn::LocalResponseNorm<>,
    MaxPool2d<Kernel<3>, Stride<2>>, Conv2d<256, Kernel<5>, Padding<2>, Groups<2>>, Relu,
    tn::LocalResponseNorm<>, MaxPool2d<Kernel<3>, Stride<2>>, Conv2d<384, Kernel<3>, Padding<1>>,
    Relu, Conv2d<384, Kernel<3>, Padding<1>, Groups<2>>, Relu,
    Conv2d<256, Kernel<3>, Padding<1>, Groups<2>>, Relu, MaxPool2d<Kernel<3>, Stride<2>>, Flatten,
    Linear<4096>, Relu, Dropout<>, Linear<4096>, Relu, Dropout<>, Linear<1000>, tn::Softmax>;

}  // namespace

TEST_CASE("AlexNet has the shapes of the paper's geometry") {
    using Net = tn::models::AlexNet;
    CHECK(Net::input_shape == Shape{3, 227, 227});
    const std::array expected{
        Shape{96, 55, 55},  Shape{96, 55, 55},  Shape{96, 27, 27},  Shape{256, 27, 27},
        Shape{256, 27, 27}, Shape{256, 13, 13}, Shape{384, 13, 13}, Shape{384, 13, 13},
        Shape{384, 13, 13}, Shape{384, 13, 13}, Shape{256, 13, 13}, Shape{256, 13, 13},
        Shape{256, 6, 6},   Shape{9216},        Shape{9216},        Shape{4096},
        Shape{4096},        Shape{4096},        Shape{4096},        Shape{4096},
        Shape{4096},        Shape{10}};
    REQUIRE(Net::layer_count == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
        CAPTURE(i);
        CHECK(tn::to_string(Net::layers[i].output) == tn::to_string(expected[i]));
        const Shape input = i == 0 ? Net::input_shape : expected[i - 1];
        CHECK(tn::to_string(Net::layers[i].input) == tn::to_string(input));
    }
}

TEST_CASE("parameters are counted as published") {
    CHECK(tn::models::AlexNet::parameter_count == 58'322'314);
    CHECK(TorchvisionAlexNet<224, 1000>::parameter_count == 61'100'840);
    CHECK(TorchvisionAlexNet<224, 10>::parameter_count == 57'044'810);
    CHECK(PaperAlexNet::parameter_count == 60'965'224);

    const auto& layers = TorchvisionAlexNet<224, 1000>::layers;
    CHECK(layers[0].parameter_count() == 23'296);
    CHECK(layers[3].parameter_count() == 307'392);
    CHECK(layers[6].parameter_count() == 663'936);
    CHECK(layers[16].parameter_count() == 37'752'832);
    CHECK(layers[21].parameter_count() == 4'097'000);
}

TEST_CASE("torchvision's AlexNet reaches 256x6x6 from 224 and, dropping pixels, from 227") {
    const auto& layers224 = TorchvisionAlexNet<224, 10>::layers;
    CHECK(layers224[0].output == Shape{64, 55, 55});
    CHECK(layers224[12].output == Shape{256, 6, 6});
    const auto& layers227 = TorchvisionAlexNet<227, 10>::layers;
    CHECK(layers227[0].output == Shape{64, 56, 56});
    CHECK(layers227[2].output == Shape{64, 27, 27});
    CHECK(layers227[12].output == Shape{256, 6, 6});
}

TEST_CASE("work is counted in 64 bits") {
    // 11 * 11 * 3 * 96 * 55 * 55 for the first convolution, in * out for the last layer.
    CHECK(tn::models::AlexNet::layers[0].macs == 105'415'200);
    CHECK(tn::models::AlexNet::layers[21].macs == 40'960);
    CHECK(tn::models::AlexNet::layers[1].macs == 0);
    CHECK(tn::models::AlexNet::macs == 1'131'201'056);
    CHECK(tn::models::AlexNet::flops == 2'262'402'112);
    static_assert(tn::models::AlexNet::flops > std::numeric_limits<std::int32_t>::max());
    CHECK(PaperAlexNet::macs == 724'406'816);
}

TEST_CASE("the first fault of a network is found, with its place and what came") {
    CHECK(outcome<Input<3, 8, 8>>.fault == Reason::network_has_no_layers);
    CHECK(outcome<Input<3, 8, 8>>.at_input);
    CHECK(outcome<Relu, Relu>.fault == Reason::network_has_no_input);
    CHECK(outcome<Relu, Relu>.at_input);

    constexpr auto& linear = outcome<Input<3, 8, 8>, Relu, Linear<4>, Linear<0>>;
    CHECK(linear.fault == Reason::linear_needs_a_flat_input);
    CHECK(linear.at == 1);
    CHECK_FALSE(linear.at_input);
    CHECK(linear.got == Shape{3, 8, 8});
    CHECK(linear.wanted == Shape{192});

    constexpr auto& stray = outcome<Input<3, 8, 8>, Relu, Kernel<3>>;
    CHECK(stray.fault == Reason::not_a_layer);
    CHECK(stray.at == 1);

    constexpr auto& shrunk =
        outcome<Input<3, 8, 8>, MaxPool2d<Kernel<4>, Stride<4>>, Conv2d<4, Kernel<3>>>;
    CHECK(shrunk.fault == Reason::kernel_is_larger_than_the_padded_input);
    CHECK(shrunk.got == Shape{3, 2, 2});
}

TEST_CASE("an input has channels, and height and width both or neither") {
    CHECK(outcome<Input<7>, Relu>.fault == Reason::none);
    CHECK(outcome<Input<1, 1, 1>, Relu>.fault == Reason::none);
    CHECK(outcome<Input<0>, Relu>.fault == Reason::sizes_must_be_positive);
    CHECK(outcome<Input<0>, Relu>.at_input);
    CHECK(outcome<Input<-3, 8, 8>, Relu>.fault == Reason::sizes_must_be_positive);
    CHECK(outcome<Input<3, 8>, Relu>.fault == Reason::sizes_must_be_positive);
    CHECK(outcome<Input<3, 0, 8>, Relu>.fault == Reason::sizes_must_be_positive);
    CHECK(outcome<Input<3, -8, -8>, Relu>.fault == Reason::sizes_must_be_positive);
}

TEST_CASE("shapes know their size and their text") {
    CHECK(Shape{10}.is_flat());
    CHECK(!Shape{10, 1, 1}.is_flat());
    CHECK(Shape{10}.size() == 10);
    CHECK(Shape{3, 227, 227}.size() == 154'587);
    CHECK(Shape{100'000, 1000, 1000}.size() == 100'000'000'000);
    CHECK(tn::to_string(Shape{10}) == "10");
    CHECK(tn::to_string(Shape{3, 227, 225}) == "3x227x225");
    CHECK(Shape{10} != Shape{10, 1, 1});
}

TEST_CASE("a network of 256 layers compiles") {
    using Deep = decltype([]<std::size_t... i>(std::index_sequence<i...>) {
        return tn::Network<Input<3>, Linear<static_cast<int>(i % 7 + 1)>...>{};
    }(std::make_index_sequence<256>{}));
    CHECK(Deep::layer_count == 256);
    CHECK(Deep::output_shape == Shape{255 % 7 + 1});
}

TEST_CASE("branches are entries of the one array, before the layer that joins them") {
    using Net = tn::Network<
        Input<3, 8, 8>, Relu,
        tn::Named<"block", tn::Residual<Conv2d<4, Kernel<3>, Padding<1>>, tn::BatchNorm2d<>,
                                        tn::Shortcut<Conv2d<4, Kernel<1>>>>>,
        tn::Concat<tn::Branch<>, tn::Branch<tn::Residual<Relu>, Relu>, Conv2d<2, Kernel<1>>>,
        Flatten>;
    REQUIRE(Net::layer_count == 11);
    CHECK(Net::output_shape == Shape{10 * 64});
    CHECK(Net::parameter_count == 4 * 28 + 8 + 4 * 4 + 2 * 5);
    CHECK(Net::statistic_count == 8);
    const auto reads = [](std::size_t layer, std::initializer_list<int> sources) {
        const tn::Sources& own = Net::layers[layer].sources;
        return std::equal(own.begin(), own.end(), sources.begin(), sources.end());
    };
    CHECK(reads(0, {-1}));
    CHECK(reads(1, {0}));  // the body
    CHECK(reads(2, {1}));
    CHECK(reads(3, {0}));     // the way around it
    CHECK(reads(4, {2, 3}));  // their sum
    CHECK(reads(5, {4}));
    CHECK(reads(6, {5, 4}));  // a residual within a branch
    CHECK(reads(7, {6}));
    CHECK(reads(8, {4}));
    CHECK(reads(9, {4, 7, 8}));
    CHECK(reads(10, {9}));
    CHECK(Net::layers[4].type == "Residual");
    CHECK(Net::layers[4].name == "block");
    CHECK(Net::layers[9].type == "Concat");
    CHECK(Net::layers[9].output == Shape{10, 8, 8});
}

TEST_CASE("faults within branches are found in their place") {
    constexpr auto& differ = outcome<Input<3, 8, 8>, Relu, tn::Residual<Conv2d<4, Kernel<1>>>>;
    CHECK(differ.fault == Reason::shapes_of_a_residual_differ);
    CHECK(differ.at == 2);
    CHECK(differ.got == Shape{4, 8, 8});
    CHECK(differ.wanted == Shape{3, 8, 8});
    constexpr auto& sizes =
        outcome<Input<3, 8, 8>, tn::Concat<Relu, Conv2d<4, Kernel<1>>, MaxPool2d<Kernel<2>>>>;
    CHECK(sizes.fault == Reason::sizes_of_a_concat_differ);
    CHECK(sizes.at == 3);
    CHECK(sizes.got == Shape{3, 4, 4});
    CHECK(sizes.wanted == Shape{3, 8, 8});
    CHECK(outcome<Input<3, 8, 8>, tn::Concat<Relu, Flatten>>.fault ==
          Reason::sizes_of_a_concat_differ);
    using Nine = tn::Concat<Relu, Relu, Relu, Relu, Relu, Relu, Relu, Relu, Relu>;
    CHECK(outcome<Input<3>, Nine>.fault == Reason::number_of_branches);
    CHECK(outcome<Input<3>, tn::Branch<Relu>>.fault == Reason::not_a_layer);
    CHECK(outcome<Input<3>, tn::Residual<tn::Shortcut<>, Relu>>.fault == Reason::not_a_layer);
    CHECK(outcome<Input<3>, tn::Residual<tn::Shortcut<>>>.fault == Reason::none);
}
