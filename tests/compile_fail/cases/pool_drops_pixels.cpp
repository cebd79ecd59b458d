// expect: shape_error<at_layer<1, Exact<MaxPool2d<Kernel<2
// expect: , named<'p', 'o', 'o', 'l'>>, got<3, 8, 9>, wanted<3, 8, 8>,
// expect: the_stride_leaves_pixels_over_which_Exact_forbids>

#include "typenet/core/network.hpp"
#include "typenet/layers/exact.hpp"
#include "typenet/layers/max_pool2d.hpp"
#include "typenet/layers/named.hpp"
#include "typenet/layers/relu.hpp"

using namespace typenet;

#ifdef TYPENET_POSITIVE_TWIN
using Net = Network<Input<3, 8, 9>, Relu, Named<"pool", Exact<MaxPool2d<Kernel<2, 3>>>>>;
#else
using Net = Network<Input<3, 8, 9>, Relu, Named<"pool", Exact<MaxPool2d<Kernel<2>>>>>;
#endif

static_assert(Net::parameter_count >= 0);
