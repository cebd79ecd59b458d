// expect: shape_error<at_layer<1, Linear<0
// expect: , got<8>, wanted<>,
// expect: sizes_and_strides_must_be_at_least_1_and_padding_at_least_0>

#include "typenet/core/network.hpp"
#include "typenet/layers/linear.hpp"
#include "typenet/layers/relu.hpp"

using namespace typenet;

#ifdef TYPENET_POSITIVE_TWIN
using Net = Network<Input<8>, Relu, Linear<1>>;
#else
using Net = Network<Input<8>, Relu, Linear<0>>;
#endif

static_assert(Net::parameter_count >= 0);
