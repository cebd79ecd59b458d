// expect: shape_error<at_layer<1, Conv2d<4, Kernel<3
// expect: , got<192>, wanted<>,
// expect: this_layer_needs_a_map_of_channels_height_width_not_a_flat_input>

#include "typenet/core/network.hpp"
#include "typenet/layers/conv2d.hpp"
#include "typenet/layers/flatten.hpp"

using namespace typenet;

#ifdef TYPENET_POSITIVE_TWIN
using Net = Network<Input<3, 8, 8>, Conv2d<4, Kernel<3>>, Flatten>;
#else
using Net = Network<Input<3, 8, 8>, Flatten, Conv2d<4, Kernel<3>>>;
#endif

static_assert(Net::parameter_count >= 0);
