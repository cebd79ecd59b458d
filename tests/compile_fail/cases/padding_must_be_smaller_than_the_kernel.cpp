// expect: shape_error<at_layer<0, MaxPool2d<Kernel<2
// expect: , got<3, 8, 8>, wanted<>,
// expect: the_padding_must_be_smaller_than_the_kernel>

#include "typenet/core/network.hpp"
#include "typenet/layers/max_pool2d.hpp"

using namespace typenet;

#ifdef TYPENET_POSITIVE_TWIN
using Net = Network<Input<3, 8, 8>, MaxPool2d<Kernel<2>, Padding<1>>>;
#else
using Net = Network<Input<3, 8, 8>, MaxPool2d<Kernel<2>, Padding<2>>>;
#endif

static_assert(Net::parameter_count >= 0);
