// expect: shape_error<at_layer<1, Kernel<3
// expect: , got<3, 8, 8>, wanted<>,
// expect: this_is_not_a_layer_and_an_option_belongs_inside_its_layer>

#include "typenet/core/network.hpp"
#include "typenet/layers/conv2d.hpp"
#include "typenet/layers/relu.hpp"

using namespace typenet;

#ifdef TYPENET_POSITIVE_TWIN
using Net = Network<Input<3, 8, 8>, Relu, Conv2d<4, Kernel<3>>>;
#else
using Net = Network<Input<3, 8, 8>, Relu, Kernel<3>>;
#endif

static_assert(Net::parameter_count >= 0);
