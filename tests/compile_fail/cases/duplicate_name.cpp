// expect: shape_error<at_layer<2, Linear<2
// expect: , named<'f', 'c'>>, got<4>, wanted<>,
// expect: this_name_is_taken_by_an_earlier_layer>

#include "typenet/core/network.hpp"
#include "typenet/layers/linear.hpp"
#include "typenet/layers/named.hpp"
#include "typenet/layers/relu.hpp"

using namespace typenet;

#ifdef TYPENET_POSITIVE_TWIN
using Net = Network<Input<8>, Named<"fc1", Linear<4>>, Relu, Named<"fc2", Linear<2>>>;
#else
using Net = Network<Input<8>, Named<"fc", Linear<4>>, Relu, Named<"fc", Linear<2>>>;
#endif

static_assert(Net::parameter_count >= 0);
