// expect: shape_error<at_layer<0, BatchNorm2d<Epsilon<std::ratio<0
// expect: , got<3, 8, 8>, wanted<>,
// expect: epsilon_must_be_positive>

#include "typenet/core/network.hpp"
#include "typenet/layers/batch_norm2d.hpp"

using namespace typenet;

#ifdef TYPENET_POSITIVE_TWIN
using Net = Network<Input<3, 8, 8>, BatchNorm2d<Epsilon<std::ratio<1, 1000>>>>;
#else
using Net = Network<Input<3, 8, 8>, BatchNorm2d<Epsilon<std::ratio<0>>>>;
#endif

static_assert(Net::parameter_count >= 0);
