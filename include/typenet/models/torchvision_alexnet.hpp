// AlexNet as torchvision has it.
#pragma once

#include "typenet/core/network.hpp"
#include "typenet/layers/adaptive_avg_pool2d.hpp"
#include "typenet/layers/conv2d.hpp"
#include "typenet/layers/dropout.hpp"
#include "typenet/layers/expect.hpp"
#include "typenet/layers/flatten.hpp"
#include "typenet/layers/linear.hpp"
#include "typenet/layers/max_pool2d.hpp"
#include "typenet/layers/named.hpp"
#include "typenet/layers/relu.hpp"

namespace typenet::models {

/// The narrower AlexNet of one tower: dropout before the linear layers, and the parameters' names
/// of its state dict. Sources: Krizhevsky, "One weird trick for parallelizing convolutional neural
/// networks", 2014; torchvision 0.14, models/alexnet.py.
template <int classes = 1000>
using TorchvisionAlexNet =
    Network<Input<3, 224, 224>,                                                  //
            Named<"features.0", Conv2d<64, Kernel<11>, Stride<4>, Padding<2>>>,  //
            Relu, MaxPool2d<Kernel<3>, Stride<2>>,                               //
            Named<"features.3", Conv2d<192, Kernel<5>, Padding<2>>>,             //
            Relu, MaxPool2d<Kernel<3>, Stride<2>>,                               //
            Named<"features.6", Conv2d<384, Kernel<3>, Padding<1>>>, Relu,       //
            Named<"features.8", Conv2d<256, Kernel<3>, Padding<1>>>, Relu,       //
            Named<"features.10", Conv2d<256, Kernel<3>, Padding<1>>>,            //
            Relu, MaxPool2d<Kernel<3>, Stride<2>>,                               //
            AdaptiveAvgPool2d<6>, Flatten, Expect<9216>,                         //
            Dropout<>, Named<"classifier.1", Linear<4096>>, Relu,                //
            Dropout<>, Named<"classifier.4", Linear<4096>>, Relu,                //
            Named<"classifier.6", Linear<classes>>>;

static_assert(TorchvisionAlexNet<>::parameter_count == 61'100'840);
static_assert(TorchvisionAlexNet<10>::parameter_count == 57'044'810);
static_assert(TorchvisionAlexNet<>::output_shape == Shape{1000});

}  // namespace typenet::models
