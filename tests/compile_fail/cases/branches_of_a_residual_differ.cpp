// expect: shape_error<at_layer<3, Residual<Conv2d<8, Kernel<3
// expect: , got<8, 8, 8>, wanted<3, 8, 8>,
// expect: branches_of_a_residual_must_have_equal_shapes>

#include "typenet/core/network.hpp"
#include "typenet/layers/conv2d.hpp"
#include "typenet/layers/relu.hpp"
#include "typenet/layers/residual.hpp"

using namespace typenet;

#ifdef TYPENET_POSITIVE_TWIN
using Net =
    Network<Input<3, 8, 8>, Relu,
            Residual<Conv2d<8, Kernel<3>, Padding<1>>, Relu, Shortcut<Conv2d<8, Kernel<1>>>>>;
#else
using Net = Network<Input<3, 8, 8>, Relu, Residual<Conv2d<8, Kernel<3>, Padding<1>>, Relu>>;
#endif

static_assert(Net::parameter_count >= 0);
