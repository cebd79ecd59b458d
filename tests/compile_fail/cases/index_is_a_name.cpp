// expect: shape_error<at_layer<1, Linear<2
// expect: , got<4>, wanted<>,
// expect: this_layer_goes_by_its_index_which_an_earlier_layer_has_as_its_name>

#include "typenet/core/network.hpp"
#include "typenet/layers/linear.hpp"
#include "typenet/layers/named.hpp"

using namespace typenet;

#ifdef TYPENET_POSITIVE_TWIN
using Net = Network<Input<8>, Named<"0", Linear<4>>, Linear<2>>;
#else
using Net = Network<Input<8>, Named<"1", Linear<4>>, Linear<2>>;
#endif

static_assert(Net::parameter_count >= 0);
