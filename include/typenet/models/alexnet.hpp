// AlexNet for 227x227 images and ten classes, as two frameworks have it.
#pragma once

#include "typenet/core/network.hpp"
#include "typenet/layers/conv2d.hpp"
#include "typenet/layers/dropout.hpp"
#include "typenet/layers/expect.hpp"
#include "typenet/layers/flatten.hpp"
#include "typenet/layers/linear.hpp"
#include "typenet/layers/max_pool2d.hpp"
#include "typenet/layers/named.hpp"
#include "typenet/layers/relu.hpp"
#include "typenet/layers/resize.hpp"
#include "typenet/layers/softmax.hpp"

namespace typenet::models {

/// AlexNet as a single tower without local response normalisation, dropout before ReLU, written
/// after the PyTorch class of a published report; parameters carry that class's names (cn1 to cn5,
/// fc1 to fc3). The architecture is Krizhevsky, Sutskever and Hinton's of 2012.
template <int classes = 10>
using BasicAlexNet =
    Network<Input<3, 227, 227>,  //
            Named<"cn1", Conv2d<96, Kernel<11>, Stride<4>>>, Relu,
            MaxPool2d<Kernel<3>, Stride<2>>,  //
            Named<"cn2", Conv2d<256, Kernel<5>, Padding<2>>>, Relu, MaxPool2d<Kernel<3>, Stride<2>>,
            Named<"cn3", Conv2d<384, Kernel<3>, Padding<1>>>, Relu,
            Named<"cn4", Conv2d<384, Kernel<3>, Padding<1>>>, Relu,
            Named<"cn5", Conv2d<256, Kernel<3>, Padding<1>>>, Relu, MaxPool2d<Kernel<3>, Stride<2>>,
            Flatten, Expect<9216>,                        //
            Named<"fc1", Linear<4096>>, Dropout<>, Relu,  //
            Named<"fc2", Linear<4096>>, Dropout<>, Relu,  //
            Named<"fc3", Linear<classes>>>;

using AlexNet = BasicAlexNet<10>;

static_assert(AlexNet::parameter_count == 58'322'314);
static_assert(AlexNet::output_shape == Shape{10});
static_assert(AlexNet::macs == 1'131'201'056);

/// The same network after the report's Keras model: it takes images of 32x32 and resizes them
/// itself, pads with 'same' from the second convolution on, drops out after ReLU and ends in
/// probabilities. Parameters carry the names that Keras gives.
template <int classes = 10>
using BasicKerasAlexNet = Network<
    Input<3, 32, 32>, Resize<227, 227>,                                                         //
    Named<"conv2d", Conv2d<96, Kernel<11>, Stride<4>>>, Relu, MaxPool2d<Kernel<3>, Stride<2>>,  //
    Named<"conv2d_1", Conv2d<256, Kernel<5>, Same>>, Relu, MaxPool2d<Kernel<3>, Stride<2>>,
    Named<"conv2d_2", Conv2d<384, Kernel<3>, Same>>, Relu,
    Named<"conv2d_3", Conv2d<384, Kernel<3>, Same>>, Relu,
    Named<"conv2d_4", Conv2d<256, Kernel<3>, Same>>, Relu, MaxPool2d<Kernel<3>, Stride<2>>, Flatten,
    Expect<9216>,                                   //
    Named<"dense", Linear<4096>>, Relu, Dropout<>,  //
    Named<"dense_1", Linear<4096>>, Relu, Dropout<>, Named<"dense_2", Linear<classes>>, Softmax>;

using KerasAlexNet = BasicKerasAlexNet<10>;

static_assert(KerasAlexNet::parameter_count == 58'322'314);
static_assert(KerasAlexNet::output_shape == Shape{10});

}  // namespace typenet::models
