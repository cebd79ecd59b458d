// expect: shape_error<at_input<Input<3, 8, 8>>
// expect: , got<3, 8, 8>, wanted<>,
// expect: a_network_needs_at_least_one_layer>

#include "typenet/core/network.hpp"
#include "typenet/layers/relu.hpp"

using namespace typenet;

#ifdef TYPENET_POSITIVE_TWIN
using Net = Network<Input<3, 8, 8>, Relu>;
#else
using Net = Network<Input<3, 8, 8> >;
#endif

static_assert(Net::parameter_count >= 0);
