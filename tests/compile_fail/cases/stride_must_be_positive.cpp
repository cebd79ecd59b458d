// expect: shape_error<at_layer<0, Conv2d<4, Kernel<3
// expect: , got<3, 8, 8>, wanted<>,
// expect: sizes_and_strides_must_be_at_least_1_and_padding_at_least_0>

#include "typenet/core/network.hpp"
#include "typenet/layers/conv2d.hpp"

using namespace typenet;

#ifdef TYPENET_POSITIVE_TWIN
using Net = Network<Input<3, 8, 8>, Conv2d<4, Kernel<3>, Stride<1>>>;
#else
using Net = Network<Input<3, 8, 8>, Conv2d<4, Kernel<3>, Stride<0>>>;
#endif

static_assert(Net::parameter_count >= 0);
