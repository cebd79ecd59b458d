// expect: shape_error<at_layer<1, Expect<128
// expect: , got<192>, wanted<128>,
// expect: the_input_is_not_what_is_stated_here>

#include "typenet/core/network.hpp"
#include "typenet/layers/expect.hpp"
#include "typenet/layers/flatten.hpp"

using namespace typenet;

#ifdef TYPENET_POSITIVE_TWIN
using Net = Network<Input<3, 8, 8>, Flatten, Expect<192>>;
#else
using Net = Network<Input<3, 8, 8>, Flatten, Expect<128>>;
#endif

static_assert(Net::parameter_count >= 0);
