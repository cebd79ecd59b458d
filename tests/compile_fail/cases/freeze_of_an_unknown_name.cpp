// expect: shape_error<at_layer<0, Conv2d<4, Kernel<3
// expect: , named<'f', 'e', 'a', 't', 'u', 'r', 'e', 's', '.', '0'>>,
// expect: got_name<'f', 'e', 'a', 't', 'u', 'r', 'e'>,
// expect: nearest_name<'f', 'e', 'a', 't', 'u', 'r', 'e', 's', '.', '0'>,
// expect: the_network_has_no_layer_of_this_name>

#include "typenet/core/require.hpp"
#include "typenet/layers/conv2d.hpp"
#include "typenet/layers/flatten.hpp"
#include "typenet/layers/linear.hpp"
#include "typenet/layers/named.hpp"
#include "typenet/layers/relu.hpp"

using namespace typenet;

using Net = Network<Input<3, 8, 8>, Named<"features.0", Conv2d<4, Kernel<3>>>, Relu, Flatten,
                    Named<"decision", Linear<10>>>;

#ifdef TYPENET_POSITIVE_TWIN
static_assert(require_names<Net>(freeze<"decision", "features">));
#else
static_assert(require_names<Net>(freeze<"decision", "feature">));
#endif
