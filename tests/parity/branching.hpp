// The networks with branches of residual.safetensors and inception.safetensors.
#pragma once

#include "typenet/core.hpp"

namespace typenet::testing {

// Without the name as a parameter: nvcc 13 hands an alias's strings to the host's compiler under
// names that it has not declared.
template <int channels, int kernel, int stride = 1>
using PaddedConv = Conv2d<channels, Kernel<kernel>, Stride<stride>, Padding<kernel / 2>>;

/// Two blocks of a ResNet: one with a projection as its shortcut, one with the identity.
using ResidualNet = Network<
    Input<3, 9, 7>, Named<"stem", PaddedConv<4, 3>>, Named<"stem_norm", BatchNorm2d<>>, Relu,
    Residual<Named<"cn1", PaddedConv<6, 3, 2>>, Named<"norm1", BatchNorm2d<>>, Relu,
             Named<"cn2", PaddedConv<6, 3>>, Named<"norm2", BatchNorm2d<>>,
             Shortcut<Named<"down", PaddedConv<6, 1, 2>>, Named<"down_norm", BatchNorm2d<>>>>,
    Relu,
    Residual<Named<"cn3", PaddedConv<6, 3>>, Named<"norm3", BatchNorm2d<>>, Relu,
             Named<"cn4", PaddedConv<6, 3>>, Named<"norm4", BatchNorm2d<>>>,
    Relu, AdaptiveAvgPool2d<1>, Flatten, Named<"fc", Linear<5>>>;

/// A block of GoogLeNet with its four branches.
using InceptionNet = Network<
    Input<3, 8, 7>, Named<"stem", PaddedConv<7, 3>>, Relu,
    Concat<
        Branch<Named<"b1", PaddedConv<4, 1>>, Relu>,
        Branch<Named<"b2_reduce", PaddedConv<5, 1>>, Relu, Named<"b2", PaddedConv<6, 3>>, Relu>,
        Branch<Named<"b3_reduce", PaddedConv<2, 1>>, Relu, Named<"b3", PaddedConv<3, 5>>, Relu>,
        Branch<MaxPool2d<Kernel<3>, Stride<1>, Padding<1>>, Named<"b4", PaddedConv<4, 1>>, Relu>>,
    AvgPool2d<Kernel<3>, Stride<2>, Padding<1>>, AdaptiveAvgPool2d<2, 1>, Flatten,
    Named<"fc", Linear<5>>>;

}  // namespace typenet::testing
