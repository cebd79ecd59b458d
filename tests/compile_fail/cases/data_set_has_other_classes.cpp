// expect: shape_error<at_layer<1, Linear<100
// expect: , got<100>, wanted<10>,
// expect: the_network_needs_as_many_outputs_as_the_data_set_has_classes>

#include "typenet/core/require.hpp"
#include "typenet/layers/flatten.hpp"
#include "typenet/layers/linear.hpp"

using namespace typenet;

struct Photographs {
    static constexpr Shape image_shape{3, 32, 32};
    static constexpr int classes = 10;
};

#ifdef TYPENET_POSITIVE_TWIN
using Net = Network<Input<3, 32, 32>, Flatten, Linear<10>>;
static_assert(require_data<Net, Photographs>());
#else
using Net = Network<Input<3, 32, 32>, Flatten, Linear<100>>;
static_assert(require_data<Net, Photographs>());
#endif
