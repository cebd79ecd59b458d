// expect: shape_error<at_layer<0, Exact<Conv2d<4, Kernel<3
// expect: , got<3, 8, 8>, wanted<3, 7, 7>,
// expect: the_stride_leaves_pixels_over_which_Exact_forbids>

#include "typenet/core/network.hpp"
#include "typenet/layers/conv2d.hpp"
#include "typenet/layers/exact.hpp"

using namespace typenet;

#ifdef TYPENET_POSITIVE_TWIN
using Net = Network<Input<3, 7, 7>, Exact<Conv2d<4, Kernel<3>, Stride<2>>>>;
#else
using Net = Network<Input<3, 8, 8>, Exact<Conv2d<4, Kernel<3>, Stride<2>>>>;
#endif

static_assert(Net::parameter_count >= 0);
