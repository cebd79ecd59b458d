// expect: shape_error<at_layer<1, Concat<>>, got<3, 8, 8>, wanted<>,
// expect: a_concat_has_1_to_8_branches>

#include "typenet/core/network.hpp"
#include "typenet/layers/concat.hpp"
#include "typenet/layers/relu.hpp"

using namespace typenet;

#ifdef TYPENET_POSITIVE_TWIN
using Net = Network<Input<3, 8, 8>, Relu, Concat<Branch<>>>;
#else
using Net = Network<Input<3, 8, 8>, Relu, Concat<>>;
#endif

static_assert(Net::parameter_count >= 0);
