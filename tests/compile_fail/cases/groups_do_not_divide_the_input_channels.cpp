// expect: shape_error<at_layer<0, Conv2d<4, Kernel<3
// expect: , got<3, 8, 8>, wanted<>,
// expect: the_groups_must_divide_the_input_channels>

#include "typenet/core/network.hpp"
#include "typenet/layers/conv2d.hpp"

using namespace typenet;

#ifdef TYPENET_POSITIVE_TWIN
using Net = Network<Input<4, 8, 8>, Conv2d<4, Kernel<3>, Groups<2>>>;
#else
using Net = Network<Input<3, 8, 8>, Conv2d<4, Kernel<3>, Groups<2>>>;
#endif

static_assert(Net::parameter_count >= 0);
