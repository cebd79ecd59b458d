// expect: shape_error<at_layer<1, Linear<4
// expect: , got<3, 8, 8>, wanted<192>,
// expect: linear_needs_a_flat_input_put_Flatten_before_it>

#include "typenet/core/network.hpp"
#include "typenet/layers/flatten.hpp"
#include "typenet/layers/linear.hpp"
#include "typenet/layers/relu.hpp"

using namespace typenet;

#ifdef TYPENET_POSITIVE_TWIN
using Net = Network<Input<3, 8, 8>, Relu, Flatten, Linear<4>>;
#else
using Net = Network<Input<3, 8, 8>, Relu, Linear<4>>;
#endif

static_assert(Net::parameter_count >= 0);
