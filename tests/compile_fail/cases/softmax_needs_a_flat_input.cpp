// expect: shape_error<at_layer<0, Softmax>
// expect: , got<10, 1, 1>, wanted<10>,
// expect: softmax_needs_a_flat_input_put_Flatten_before_it>

#include "typenet/core/network.hpp"
#include "typenet/layers/flatten.hpp"
#include "typenet/layers/softmax.hpp"

using namespace typenet;

#ifdef TYPENET_POSITIVE_TWIN
using Net = Network<Input<10, 1, 1>, Flatten, Softmax>;
#else
using Net = Network<Input<10, 1, 1>, Softmax>;
#endif

static_assert(Net::parameter_count >= 0);
