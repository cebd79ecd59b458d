// expect: shape_error<at_input<Input<3, 227, 227>>, got<3, 32, 32>, wanted<3, 227, 227>,
// expect: the_images_of_the_data_set_differ_from_the_Input_state_Resized_or_change_it>

#include "typenet/core/require.hpp"
#include "typenet/layers/flatten.hpp"
#include "typenet/layers/linear.hpp"

using namespace typenet;

struct Photographs {
    static constexpr Shape image_shape{3, 32, 32};
    static constexpr int classes = 10;
};

using Net = Network<Input<3, 227, 227>, Flatten, Linear<10>>;

#ifdef TYPENET_POSITIVE_TWIN
static_assert(require_data<Net, Resized<Photographs, 227>>());
#else
static_assert(require_data<Net, Photographs>());
#endif
