// expect: shape_error<at_layer<0, Conv2d<4>>, got<3, 8, 8>, wanted<>,
// expect: this_layer_needs_the_option_Kernel_of_at_least_1>

#include "typenet/core/network.hpp"
#include "typenet/layers/conv2d.hpp"

using namespace typenet;

#ifdef TYPENET_POSITIVE_TWIN
using Net = Network<Input<3, 8, 8>, Conv2d<4, Kernel<3>>>;
#else
using Net = Network<Input<3, 8, 8>, Conv2d<4>>;
#endif

static_assert(Net::parameter_count >= 0);
