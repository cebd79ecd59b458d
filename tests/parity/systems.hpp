// The networks of two systems as training can be compared number by number: dropout is idle, and
// they may be narrow.
#pragma once

#include "typenet/core.hpp"
#include "typenet/models/alexnet.hpp"
#include "typenet/models/torchvision_alexnet.hpp"

namespace typenet::testing {

using Idle = Dropout<std::ratio<0>>;

/// torchvision's AlexNet by the channels of its convolutions and the features of its linear layers.
template <int a, int b, int c, int d, int e, int features, int classes>
using TorchvisionWithoutDropout =
    Network<Input<3, 224, 224>,                                                 //
            Named<"features.0", Conv2d<a, Kernel<11>, Stride<4>, Padding<2>>>,  //
            Relu, MaxPool2d<Kernel<3>, Stride<2>>,                              //
            Named<"features.3", Conv2d<b, Kernel<5>, Padding<2>>>,              //
            Relu, MaxPool2d<Kernel<3>, Stride<2>>,                              //
            Named<"features.6", Conv2d<c, Kernel<3>, Padding<1>>>, Relu,        //
            Named<"features.8", Conv2d<d, Kernel<3>, Padding<1>>>, Relu,        //
            Named<"features.10", Conv2d<e, Kernel<3>, Padding<1>>>,             //
            Relu, MaxPool2d<Kernel<3>, Stride<2>>,                              //
            AdaptiveAvgPool2d<6>, Flatten,                                      //
            Idle, Named<"classifier.1", Linear<features>>, Relu,                //
            Idle, Named<"classifier.4", Linear<features>>, Relu,                //
            Named<"classifier.6", Linear<classes>>>;

/// Keras's AlexNet likewise.
template <int a, int b, int c, int d, int e, int features>
using KerasWithoutDropout =
    Network<Input<3, 32, 32>, Resize<227, 227>,  //
            Named<"conv2d", Conv2d<a, Kernel<11>, Stride<4>>>, Relu,
            MaxPool2d<Kernel<3>, Stride<2>>, Named<"conv2d_1", Conv2d<b, Kernel<5>, Same>>, Relu,
            MaxPool2d<Kernel<3>, Stride<2>>, Named<"conv2d_2", Conv2d<c, Kernel<3>, Same>>,
            Relu,                                                 //
            Named<"conv2d_3", Conv2d<d, Kernel<3>, Same>>, Relu,  //
            Named<"conv2d_4", Conv2d<e, Kernel<3>, Same>>, Relu, MaxPool2d<Kernel<3>, Stride<2>>,
            Flatten,                                         //
            Named<"dense", Linear<features>>, Relu, Idle,    //
            Named<"dense_1", Linear<features>>, Relu, Idle,  //
            Named<"dense_2", Linear<10>>, Softmax>;

static_assert(TorchvisionWithoutDropout<64, 192, 384, 256, 256, 4096, 10>::parameter_count ==
              models::TorchvisionAlexNet<10>::parameter_count);
static_assert(KerasWithoutDropout<96, 256, 384, 384, 256, 4096>::parameter_count ==
              models::KerasAlexNet::parameter_count);

}  // namespace typenet::testing
