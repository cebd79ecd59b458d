// expect: shape_error<at_layer<1, MaxPool2d<Kernel<5
// expect: , got<3, 4, 4>, wanted<3, 5, 5>,
// expect: the_kernel_is_larger_than_the_padded_input>

#include "typenet/core/network.hpp"
#include "typenet/layers/max_pool2d.hpp"

using namespace typenet;

#ifdef TYPENET_POSITIVE_TWIN
using Net =
    Network<Input<3, 8, 8>, MaxPool2d<Kernel<2>, Stride<2>>, MaxPool2d<Kernel<5>, Padding<1>>>;
#else
using Net = Network<Input<3, 8, 8>, MaxPool2d<Kernel<2>, Stride<2>>, MaxPool2d<Kernel<5>>>;
#endif

static_assert(Net::parameter_count >= 0);
