// expect: shape_error<at_layer<0, BatchNorm2d<Momentum<std::ratio<3
// expect: , got<3, 8, 8>, wanted<>,
// expect: momentum_must_be_more_than_0_and_at_most_1>

#include "typenet/core/network.hpp"
#include "typenet/layers/batch_norm2d.hpp"

using namespace typenet;

#ifdef TYPENET_POSITIVE_TWIN
using Net = Network<Input<3, 8, 8>, BatchNorm2d<Momentum<std::ratio<1, 2>>>>;
#else
using Net = Network<Input<3, 8, 8>, BatchNorm2d<Momentum<std::ratio<3, 2>>>>;
#endif

static_assert(Net::parameter_count >= 0);
