// expect: shape_error<at_layer<0, Dropout<std::ratio<3
// expect: , got<8>, wanted<>,
// expect: the_dropout_rate_must_be_at_least_0_and_less_than_1>

#include <ratio>

#include "typenet/core/network.hpp"
#include "typenet/layers/dropout.hpp"

using namespace typenet;

#ifdef TYPENET_POSITIVE_TWIN
using Net = Network<Input<8>, Dropout<std::ratio<2, 3>>>;
#else
using Net = Network<Input<8>, Dropout<std::ratio<3, 2>>>;
#endif

static_assert(Net::parameter_count >= 0);
