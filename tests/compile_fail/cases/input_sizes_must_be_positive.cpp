// expect: shape_error<at_input<Input<3, 8
// expect: , got<3, 8, 0>, wanted<>,
// expect: sizes_and_strides_must_be_at_least_1_and_padding_at_least_0>

#include "typenet/core/network.hpp"
#include "typenet/layers/relu.hpp"

using namespace typenet;

#ifdef TYPENET_POSITIVE_TWIN
using Net = Network<Input<3, 8, 8>, Relu>;
#else
using Net = Network<Input<3, 8>, Relu>;
#endif

static_assert(Net::parameter_count >= 0);
