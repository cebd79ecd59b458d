// The networks with branches of residual.safetensors and inception.safetensors.
#pragma once

#include "typenet/core.hpp"

namespace typenet::testing {

template <Text name, int channels, int kernel, int stride = 1>
using PaddedConv =
    Named<name, Conv2d<channels, Kernel<kernel>, Stride<stride>, Padding<kernel / 2>>>;

/// Two blocks of a ResNet: one with a projection as its shortcut, one with the identity.
using ResidualNet =
    Network<Input<3, 9, 7>, PaddedConv<"stem", 4, 3>, Named<"stem_norm", BatchNorm2d<>>, Relu,
            Residual<PaddedConv<"cn1", 6, 3, 2>, Named<"norm1", BatchNorm2d<>>, Relu,
                     PaddedConv<"cn2", 6, 3>, Named<"norm2", BatchNorm2d<>>,
                     Shortcut<PaddedConv<"down", 6, 1, 2>, Named<"down_norm", BatchNorm2d<>>>>,
            Relu,
            Residual<PaddedConv<"cn3", 6, 3>, Named<"norm3", BatchNorm2d<>>, Relu,
                     PaddedConv<"cn4", 6, 3>, Named<"norm4", BatchNorm2d<>>>,
            Relu, AdaptiveAvgPool2d<1>, Flatten, Named<"fc", Linear<5>>>;

/// A block of GoogLeNet with its four branches.
using InceptionNet = Network<
    Input<3, 8, 7>, PaddedConv<"stem", 7, 3>, Relu,
    Concat<Branch<PaddedConv<"b1", 4, 1>, Relu>,
           Branch<PaddedConv<"b2_reduce", 5, 1>, Relu, PaddedConv<"b2", 6, 3>, Relu>,
           Branch<PaddedConv<"b3_reduce", 2, 1>, Relu, PaddedConv<"b3", 3, 5>, Relu>,
           Branch<MaxPool2d<Kernel<3>, Stride<1>, Padding<1>>, PaddedConv<"b4", 4, 1>, Relu>>,
    AvgPool2d<Kernel<3>, Stride<2>, Padding<1>>, AdaptiveAvgPool2d<2, 1>, Flatten,
    Named<"fc", Linear<5>>>;

}  // namespace typenet::testing
