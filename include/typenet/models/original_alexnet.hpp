// AlexNet as it was first published.
#pragma once

#include <ratio>

#include "typenet/core/network.hpp"
#include "typenet/layers/conv2d.hpp"
#include "typenet/layers/dropout.hpp"
#include "typenet/layers/expect.hpp"
#include "typenet/layers/flatten.hpp"
#include "typenet/layers/linear.hpp"
#include "typenet/layers/local_response_norm.hpp"
#include "typenet/layers/max_pool2d.hpp"
#include "typenet/layers/named.hpp"
#include "typenet/layers/relu.hpp"

namespace typenet::models {

/// The AlexNet of 2012: its two towers are groups of two in the second, fourth and fifth
/// convolution, and the first two are normalised by their neighbours. The paper says 224x224; its
/// sizes come true at 227x227. Its alpha of 1e-4 multiplies the sum itself, not the mean over the
/// five channels as LocalResponseNorm's. Source: Krizhevsky, Sutskever and Hinton, "ImageNet
/// classification with deep convolutional neural networks", 2012.
template <int classes = 1000>
using OriginalAlexNet =
    Network<Input<3, 227, 227>,                                                            //
            Named<"conv1", Conv2d<96, Kernel<11>, Stride<4>>>, Relu,                       //
            LocalResponseNorm<5, std::ratio<5, 10'000>>, MaxPool2d<Kernel<3>, Stride<2>>,  //
            Named<"conv2", Conv2d<256, Kernel<5>, Padding<2>, Groups<2>>>, Relu,           //
            LocalResponseNorm<5, std::ratio<5, 10'000>>, MaxPool2d<Kernel<3>, Stride<2>>,  //
            Named<"conv3", Conv2d<384, Kernel<3>, Padding<1>>>, Relu,                      //
            Named<"conv4", Conv2d<384, Kernel<3>, Padding<1>, Groups<2>>>, Relu,           //
            Named<"conv5", Conv2d<256, Kernel<3>, Padding<1>, Groups<2>>>, Relu,           //
            MaxPool2d<Kernel<3>, Stride<2>>, Flatten, Expect<9216>,                        //
            Named<"fc6", Linear<4096>>, Relu, Dropout<>,                                   //
            Named<"fc7", Linear<4096>>, Relu, Dropout<>,                                   //
            Named<"fc8", Linear<classes>>>;

static_assert(OriginalAlexNet<>::parameter_count == 60'965'224);
static_assert(OriginalAlexNet<>::output_shape == Shape{1000});

}  // namespace typenet::models
