// expect: shape_error<at_layer<0, Linear<4, 9>>
// expect: , got<8>, wanted<9>,
// expect: the_input_is_not_what_is_stated_here>

#include "typenet/core/network.hpp"
#include "typenet/layers/linear.hpp"

using namespace typenet;

#ifdef TYPENET_POSITIVE_TWIN
using Net = Network<Input<8>, Linear<4, 8>>;
#else
using Net = Network<Input<8>, Linear<4, 9>>;
#endif

static_assert(Net::parameter_count >= 0);
