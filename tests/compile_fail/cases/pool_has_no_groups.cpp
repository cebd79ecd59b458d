// expect: shape_error<at_layer<0, MaxPool2d<Kernel<3
// expect: , got<4, 8, 8>, wanted<>,
// expect: a_pool_has_no_groups_remove_the_option>

#include "typenet/core/network.hpp"
#include "typenet/layers/max_pool2d.hpp"

using namespace typenet;

#ifdef TYPENET_POSITIVE_TWIN
using Net = Network<Input<4, 8, 8>, MaxPool2d<Kernel<3>>>;
#else
using Net = Network<Input<4, 8, 8>, MaxPool2d<Kernel<3>, Groups<2>>>;
#endif

static_assert(Net::parameter_count >= 0);
