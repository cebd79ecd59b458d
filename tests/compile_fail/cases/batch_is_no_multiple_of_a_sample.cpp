// expect: shape_error<at_input<Input<3, 8, 8>>, got<200>, wanted<192>,
// expect: a_batch_is_a_multiple_of_the_values_of_one_sample>

#include <array>
#include "typenet/layers/flatten.hpp"
#include "typenet/layers/linear.hpp"
#include "typenet/training/samples.hpp"

using namespace typenet;

using Net = Network<Input<3, 8, 8>, Flatten, Linear<10>>;

Samples<Net> some_images() {
#ifdef TYPENET_POSITIVE_TWIN
    static constexpr std::array<float, 2 * 3 * 8 * 8> images{};
    return images;
#else
    static constexpr std::array<float, 200> images{};
    return images;
#endif
}
