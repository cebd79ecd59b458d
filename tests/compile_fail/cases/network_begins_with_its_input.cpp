// expect: shape_error<at_input<Conv2d<4, Kernel<3
// expect: >>>, got<>, wanted<>,
// expect: a_network_begins_with_its_Input>

#include "typenet/core/network.hpp"
#include "typenet/layers/conv2d.hpp"
#include "typenet/layers/relu.hpp"

using namespace typenet;

#ifdef TYPENET_POSITIVE_TWIN
using Net = Network<Input<3, 8, 8>, Conv2d<4, Kernel<3>>, Relu>;
#else
using Net = Network<Conv2d<4, Kernel<3>>, Relu>;
#endif

static_assert(Net::parameter_count >= 0);
