// AlexNet as training can be compared number by number: nothing in it is random.
#pragma once

#include "typenet/core.hpp"
#include "typenet/models/alexnet.hpp"

namespace typenet::testing {

/// AlexNet with its dropout layers idle.
using AlexNetWithoutDropout =
    Network<Input<3, 227, 227>, Named<"cn1", Conv2d<96, Kernel<11>, Stride<4>>>, Relu,
            MaxPool2d<Kernel<3>, Stride<2>>, Named<"cn2", Conv2d<256, Kernel<5>, Padding<2>>>, Relu,
            MaxPool2d<Kernel<3>, Stride<2>>, Named<"cn3", Conv2d<384, Kernel<3>, Padding<1>>>, Relu,
            Named<"cn4", Conv2d<384, Kernel<3>, Padding<1>>>, Relu,
            Named<"cn5", Conv2d<256, Kernel<3>, Padding<1>>>, Relu, MaxPool2d<Kernel<3>, Stride<2>>,
            Flatten, Named<"fc1", Linear<4096>>, Dropout<std::ratio<0>>, Relu,
            Named<"fc2", Linear<4096>>, Dropout<std::ratio<0>>, Relu, Named<"fc3", Linear<10>>>;
static_assert(AlexNetWithoutDropout::parameter_count == models::AlexNet::parameter_count);

}  // namespace typenet::testing
