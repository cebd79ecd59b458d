// Small odd networks with every kind of layer, random parameters for them.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <ratio>
#include <tuple>
#include <vector>

#include "typenet/backends/reference/network.hpp"
#include "typenet/core/network.hpp"
#include "typenet/layers/adaptive_avg_pool2d.hpp"
#include "typenet/layers/avg_pool2d.hpp"
#include "typenet/layers/batch_norm2d.hpp"
#include "typenet/layers/branch.hpp"
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
#include "typenet/layers/resize.hpp"
#include "typenet/layers/softmax.hpp"

namespace typenet_test {

namespace tn = typenet;

template <class In, class L>
using Alone = tn::Network<In, L>;

// One layer each.
using Conv3x3 = Alone<tn::Input<2, 5, 4>, tn::Conv2d<3, tn::Kernel<3>>>;
using ConvPadded = Alone<tn::Input<3, 4, 5>, tn::Conv2d<2, tn::Kernel<3>, tn::Padding<1>>>;
using ConvAsymmetric =
    Alone<tn::Input<2, 5, 6>,
          tn::Conv2d<3, tn::Kernel<4, 3>, tn::Stride<2, 3>, tn::Padding<0, 2, 3, 1>>>;
using ConvSame = Alone<tn::Input<2, 6, 7>, tn::Conv2d<3, tn::Kernel<4>, tn::Stride<2>, tn::Same>>;
using ConvGrouped =
    Alone<tn::Input<6, 4, 3>, tn::Conv2d<9, tn::Kernel<2>, tn::Padding<1>, tn::Groups<3>>>;
using ConvDepthwise = Alone<tn::Input<3, 4, 4>, tn::Conv2d<3, tn::Kernel<3>, tn::Groups<3>>>;
using Conv1x1 = Alone<tn::Input<3, 2, 3>, tn::Conv2d<4, tn::Kernel<1>>>;
using ConvAllPadding =
    Alone<tn::Input<2, 1, 1>, tn::Conv2d<2, tn::Kernel<2>, tn::Stride<3>, tn::Padding<4>>>;
using LinearAlone = Alone<tn::Input<7>, tn::Linear<5>>;
using ReluAlone = Alone<tn::Input<2, 3, 5>, tn::Relu>;
using MaxPoolOverlapping = Alone<tn::Input<2, 7, 6>, tn::MaxPool2d<tn::Kernel<3>, tn::Stride<2>>>;
using MaxPoolPadded =
    Alone<tn::Input<2, 4, 5>,
          tn::MaxPool2d<tn::Kernel<3, 2>, tn::Stride<2, 1>, tn::Padding<2, 1, 1, 0>>>;
using MaxPoolSparse = Alone<tn::Input<1, 8, 8>, tn::MaxPool2d<tn::Kernel<2>, tn::Stride<3>>>;
using AdaptiveDown = Alone<tn::Input<2, 7, 9>, tn::AdaptiveAvgPool2d<3, 4>>;
using AdaptiveUp = Alone<tn::Input<2, 3, 2>, tn::AdaptiveAvgPool2d<5>>;
using DropoutAlone = Alone<tn::Input<3, 5, 7>, tn::Dropout<std::ratio<3, 10>>>;
using FlattenAlone = Alone<tn::Input<2, 3, 4>, tn::Flatten>;
using ExpectAlone = Alone<tn::Input<2, 3, 4>, tn::Expect<2, 3, 4>>;
using SoftmaxAlone = Alone<tn::Input<6>, tn::Softmax>;
using ResizeUp = Alone<tn::Input<2, 3, 4>, tn::Resize<7, 5>>;
using ResizeDown = Alone<tn::Input<2, 7, 9>, tn::Resize<3, 2>>;
using NormWeak = Alone<tn::Input<7, 2, 3>, tn::LocalResponseNorm<>>;
using NormStrong = Alone<tn::Input<5, 3, 2>, tn::LocalResponseNorm<3, std::ratio<1, 2>>>;
using BatchNormAlone = Alone<tn::Input<3, 2, 4>, tn::BatchNorm2d<>>;
using BatchNormOfPixels =
    Alone<tn::Input<2, 1, 1>, tn::BatchNorm2d<tn::Epsilon<std::ratio<1, 10>>>>;
using AvgPoolPadded =
    Alone<tn::Input<2, 5, 4>,
          tn::AvgPool2d<tn::Kernel<3, 2>, tn::Stride<2, 1>, tn::Padding<1, 1, 2, 0>>>;
using AvgPoolSparse = Alone<tn::Input<1, 8, 8>, tn::AvgPool2d<tn::Kernel<2>, tn::Stride<3>>>;
using ResidualAlone =
    Alone<tn::Input<3, 4, 5>, tn::Residual<tn::Conv2d<3, tn::Kernel<3>, tn::Padding<1>>>>;
using Doubling = Alone<tn::Input<2, 3, 2>, tn::Residual<>>;
using ConcatAlone =
    Alone<tn::Input<3, 4, 5>,
          tn::Concat<tn::Branch<tn::Conv2d<2, tn::Kernel<1>>>, tn::Branch<>,
                     tn::Branch<tn::MaxPool2d<tn::Kernel<3>, tn::Stride<1>, tn::Padding<1>>>>>;

// Whole networks.
using SmallAlexNet =
    tn::Network<tn::Input<3, 19, 17>, tn::Conv2d<4, tn::Kernel<5>, tn::Stride<2>>, tn::Relu,
                tn::MaxPool2d<tn::Kernel<3>, tn::Stride<2>>,
                tn::Conv2d<5, tn::Kernel<3>, tn::Padding<1>>, tn::Relu, tn::Flatten, tn::Linear<8>,
                tn::Dropout<>, tn::Relu, tn::Linear<3>>;
using GroupsAndNorm =
    tn::Network<tn::Input<4, 9, 7>,
                tn::Conv2d<6, tn::Kernel<3>, tn::Stride<2>, tn::Padding<1>, tn::Groups<2>>,
                tn::Relu, tn::LocalResponseNorm<5, std::ratio<1, 4>>,
                tn::MaxPool2d<tn::Kernel<2>, tn::Stride<1>>,
                tn::Conv2d<3, tn::Kernel<2, 3>, tn::Same, tn::Groups<3>>, tn::Relu, tn::Flatten,
                tn::Linear<4>, tn::Softmax>;
using Resizing = tn::Network<tn::Input<2, 5, 6>, tn::Resize<9, 8>,
                             tn::Conv2d<3, tn::Kernel<4>, tn::Stride<3>, tn::Same>, tn::Relu,
                             tn::AdaptiveAvgPool2d<2>, tn::Flatten, tn::Linear<5>>;
using Perceptron =
    tn::Network<tn::Input<11>, tn::Linear<9>, tn::Dropout<std::ratio<1, 5>>, tn::Relu,
                tn::Linear<7>, tn::Relu, tn::Dropout<std::ratio<3, 4>>, tn::Linear<4>, tn::Softmax>;
using LinearFirstOnMap = tn::Network<tn::Input<2, 3, 3>, tn::Dropout<>, tn::Flatten, tn::Expect<18>,
                                     tn::Linear<6>, tn::Softmax, tn::Linear<3>>;
using PoolsOnly = tn::Network<tn::Input<3, 11, 10>, tn::MaxPool2d<tn::Kernel<3>, tn::Padding<1>>,
                              tn::AdaptiveAvgPool2d<5, 4>,
                              tn::MaxPool2d<tn::Kernel<2>, tn::Stride<2>, tn::Same>, tn::Flatten>;
using AllConvolutional =
    tn::Network<tn::Input<1, 13, 9>, tn::Conv2d<3, tn::Kernel<3>, tn::Padding<0, 1, 2, 1>>,
                tn::Relu, tn::Conv2d<4, tn::Kernel<1, 5>, tn::Stride<2, 1>>, tn::Relu,
                tn::Conv2d<2, tn::Kernel<5, 1>>, tn::AdaptiveAvgPool2d<1>, tn::Flatten>;
using DropoutOnMaps =
    tn::Network<tn::Input<3, 6, 5>, tn::Conv2d<5, tn::Kernel<2>>, tn::Dropout<std::ratio<1, 4>>,
                tn::Relu, tn::Conv2d<4, tn::Kernel<3>, tn::Padding<1>>, tn::LocalResponseNorm<3>,
                tn::MaxPool2d<tn::Kernel<4>, tn::Stride<2>>, tn::Resize<3>, tn::Flatten,
                tn::Linear<2>>;
using SingleClass = tn::Network<tn::Input<1>, tn::Linear<1>, tn::Relu, tn::Linear<1>>;
using ManyClasses = tn::Network<tn::Input<1, 8, 8>, tn::Conv2d<2, tn::Kernel<8>>, tn::Flatten,
                                tn::Linear<17>, tn::Softmax>;
using SmallResNet = tn::Network<
    tn::Input<2, 7, 6>, tn::Conv2d<4, tn::Kernel<3>, tn::Padding<1>>, tn::BatchNorm2d<>, tn::Relu,
    tn::Residual<tn::Conv2d<5, tn::Kernel<3>, tn::Stride<2>, tn::Padding<1>>, tn::BatchNorm2d<>,
                 tn::Relu, tn::Conv2d<5, tn::Kernel<3>, tn::Padding<1>>, tn::BatchNorm2d<>,
                 tn::Shortcut<tn::Conv2d<5, tn::Kernel<1>, tn::Stride<2>>, tn::BatchNorm2d<>>>,
    tn::Relu, tn::Residual<tn::Conv2d<5, tn::Kernel<3>, tn::Padding<1>>, tn::BatchNorm2d<>>,
    tn::Relu, tn::AdaptiveAvgPool2d<1>, tn::Flatten, tn::Linear<3>>;
using SmallInception =
    tn::Network<tn::Input<3, 6, 5>,
                tn::Concat<tn::Branch<tn::Conv2d<2, tn::Kernel<1>>, tn::Relu>,
                           tn::Branch<tn::Conv2d<3, tn::Kernel<1>>, tn::Relu,
                                      tn::Conv2d<4, tn::Kernel<3>, tn::Padding<1>>, tn::Relu>,
                           tn::Branch<tn::AvgPool2d<tn::Kernel<3>, tn::Stride<1>, tn::Padding<1>>,
                                      tn::Conv2d<2, tn::Kernel<1>>>>,
                tn::MaxPool2d<tn::Kernel<2>>, tn::Flatten, tn::Linear<4>>;
/// Branches within branches, on flat vectors, and without a layer.
using Nested = tn::Network<
    tn::Input<2, 3, 4>, tn::Conv2d<3, tn::Kernel<2>>,
    tn::Concat<tn::Residual<tn::Residual<tn::Relu>, tn::Dropout<>>,
               tn::Branch<tn::Concat<tn::Relu>>, tn::Branch<>>,
    tn::Flatten,
    tn::Residual<tn::Linear<6>, tn::Relu, tn::Shortcut<tn::Concat<tn::Linear<4>, tn::Linear<2>>>>,
    tn::Concat<tn::Softmax, tn::Branch<>>>;

using Layers = std::tuple<Conv3x3, ConvPadded, ConvAsymmetric, ConvSame, ConvGrouped, ConvDepthwise,
                          Conv1x1, ConvAllPadding, LinearAlone, ReluAlone, MaxPoolOverlapping,
                          MaxPoolPadded, MaxPoolSparse, AdaptiveDown, AdaptiveUp, DropoutAlone,
                          FlattenAlone, ExpectAlone, SoftmaxAlone, ResizeUp, ResizeDown, NormWeak,
                          NormStrong, BatchNormAlone, BatchNormOfPixels, AvgPoolPadded,
                          AvgPoolSparse, ResidualAlone, Doubling, ConcatAlone>;
using Networks = std::tuple<SmallAlexNet, GroupsAndNorm, Resizing, Perceptron, LinearFirstOnMap,
                            PoolsOnly, AllConvolutional, DropoutOnMaps, SingleClass, ManyClasses,
                            SmallResNet, SmallInception, Nested>;

/// `count` numbers in [-scale, scale).
template <class T>
std::vector<T> random_values(std::int64_t count, tn::RandomStream& random, float scale = 1) {
    std::vector<T> values(static_cast<std::size_t>(count));
    for (T& value : values) value = static_cast<T>(random.uniform(-scale, scale));
    return values;
}

/// Weights of a size that lets activations neither vanish nor grow, and biases.
template <class Net, class T>
void randomize(tn::reference::Executor<Net, T>& executor, tn::RandomStream& random) {
    for (const tn::LayerInfo& layer : Net::layers) {
        auto& own = executor.parameters[static_cast<std::size_t>(layer.index)];
        const float scale = layer.fan_in > 0 ? std::sqrt(6 / static_cast<float>(layer.fan_in)) : 1;
        own.weight = random_values<T>(layer.weight_count, random, scale);
        own.bias = random_values<T>(layer.bias_count, random, 0.5f);
    }
}

}  // namespace typenet_test
