// expect: shape_error<at_layer<3, Conv2d<8, Kernel<9
// expect: , got<4, 8, 8>, wanted<4, 9, 9>,
// expect: the_kernel_is_larger_than_the_padded_input>

#include "typenet/core/network.hpp"
#include "typenet/layers/concat.hpp"
#include "typenet/layers/conv2d.hpp"
#include "typenet/layers/relu.hpp"
#include "typenet/layers/residual.hpp"

using namespace typenet;

#ifdef TYPENET_POSITIVE_TWIN
using Large = Conv2d<8, Kernel<9>, Padding<4>>;
#else
using Large = Conv2d<8, Kernel<9>>;
#endif
using Net = Network<
    Input<3, 8, 8>, Relu,
    Concat<Relu, Branch<Conv2d<4, Kernel<1>>, Residual<Large, Shortcut<Conv2d<8, Kernel<1>>>>>>>;

static_assert(Net::parameter_count >= 0);
