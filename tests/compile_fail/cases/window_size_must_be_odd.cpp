// expect: shape_error<at_layer<0, LocalResponseNorm<4
// expect: , got<8, 3, 3>, wanted<>,
// expect: the_window_of_channels_must_be_odd>

#include "typenet/core/network.hpp"
#include "typenet/layers/local_response_norm.hpp"

using namespace typenet;

#ifdef TYPENET_POSITIVE_TWIN
using Net = Network<Input<8, 3, 3>, LocalResponseNorm<5>>;
#else
using Net = Network<Input<8, 3, 3>, LocalResponseNorm<4>>;
#endif

static_assert(Net::parameter_count >= 0);
