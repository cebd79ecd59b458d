// expect: shape_error<at_layer<1, Linear<1
// expect: , got<1>, wanted<2>,
// expect: cross_entropy_needs_an_output_for_each_of_2_classes_or_more>

#include "typenet/core/require.hpp"
#include "typenet/layers/linear.hpp"
#include "typenet/layers/relu.hpp"
#include "typenet/training/losses.hpp"

using namespace typenet;

#ifdef TYPENET_POSITIVE_TWIN
using Net = Network<Input<8>, Relu, Linear<2>>;
static_assert(require_loss<Net, CrossEntropy>());
#else
using Net = Network<Input<8>, Relu, Linear<1>>;
static_assert(require_loss<Net, CrossEntropy>());
#endif
