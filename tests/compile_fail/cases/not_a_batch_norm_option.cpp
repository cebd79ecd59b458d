// expect: shape_error<at_layer<0, BatchNorm2d<Kernel<3
// expect: , got<3, 8, 8>, wanted<>,
// expect: the_options_of_this_layer_are_Epsilon_and_Momentum>

#include "typenet/core/network.hpp"
#include "typenet/layers/batch_norm2d.hpp"
#include "typenet/layers/options.hpp"

using namespace typenet;

#ifdef TYPENET_POSITIVE_TWIN
using Net = Network<Input<3, 8, 8>, BatchNorm2d<>>;
#else
using Net = Network<Input<3, 8, 8>, BatchNorm2d<Kernel<3>>>;
#endif

static_assert(Net::parameter_count >= 0);
