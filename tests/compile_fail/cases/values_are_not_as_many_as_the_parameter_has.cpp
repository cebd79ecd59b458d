// expect: shape_error<at_layer<3, Linear<10
// expect: , named<'d', 'e', 'c', 'i', 's', 'i', 'o', 'n'>>, got<9>, wanted<10>,
// expect: a_parameter_is_set_to_as_many_values_as_it_has>

#include <array>
#include "../backend.hpp"
#include "typenet/layers/conv2d.hpp"
#include "typenet/layers/flatten.hpp"
#include "typenet/layers/linear.hpp"
#include "typenet/layers/named.hpp"
#include "typenet/layers/relu.hpp"

using namespace typenet;
using namespace typenet::literals;

using Net = Network<Input<3, 8, 8>, Named<"features.0", Conv2d<4, Kernel<3>>>, Relu, Flatten,
                    Named<"decision", Linear<10>>>;

void reset(Model<Net, Device>& model) {
#ifdef TYPENET_POSITIVE_TWIN
    model["decision.bias"_name].set(std::array<float, 10>{});
#else
    model["decision.bias"_name].set(std::array<float, 9>{});
#endif
}
