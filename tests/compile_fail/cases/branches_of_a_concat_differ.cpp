// expect: shape_error<at_layer<2, Concat<Branch<Conv2d<4, Kernel<1
// expect: , got<8, 6, 6>, wanted<8, 8, 8>,
// expect: branches_of_a_concat_must_have_equal_height_and_width>

#include "typenet/core/network.hpp"
#include "typenet/layers/concat.hpp"
#include "typenet/layers/conv2d.hpp"

using namespace typenet;

#ifdef TYPENET_POSITIVE_TWIN
using Net = Network<Input<3, 8, 8>,
                    Concat<Branch<Conv2d<4, Kernel<1>>>, Branch<Conv2d<8, Kernel<3>, Padding<1>>>>>;
#else
using Net =
    Network<Input<3, 8, 8>, Concat<Branch<Conv2d<4, Kernel<1>>>, Branch<Conv2d<8, Kernel<3>>>>>;
#endif

static_assert(Net::parameter_count >= 0);
