// expect: shape_error<at_layer<0, Shortcut<Relu>>, got<3, 8, 8>, wanted<>,
// expect: this_is_not_a_layer_and_an_option_belongs_inside_its_layer>

#include "typenet/core/network.hpp"
#include "typenet/layers/relu.hpp"
#include "typenet/layers/residual.hpp"

using namespace typenet;

#ifdef TYPENET_POSITIVE_TWIN
using Net = Network<Input<3, 8, 8>, Residual<Relu, Shortcut<Relu>>>;
#else
using Net = Network<Input<3, 8, 8>, Residual<Shortcut<Relu>, Relu>>;
#endif

static_assert(Net::parameter_count >= 0);
