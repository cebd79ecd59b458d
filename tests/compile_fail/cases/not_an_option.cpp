// expect: shape_error<at_layer<0, Conv2d<4, Kernel<3
// expect: Relu>>, got<3, 8, 8>, wanted<>,
// expect: the_options_of_this_layer_are_Kernel_Stride_Padding_Same_and_Groups>

#include "typenet/core/network.hpp"
#include "typenet/layers/conv2d.hpp"
#include "typenet/layers/relu.hpp"

using namespace typenet;

#ifdef TYPENET_POSITIVE_TWIN
using Net = Network<Input<3, 8, 8>, Conv2d<4, Kernel<3>>, Relu>;
#else
using Net = Network<Input<3, 8, 8>, Conv2d<4, Kernel<3>, Relu>>;
#endif

static_assert(Net::parameter_count >= 0);
