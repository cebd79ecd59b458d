// expect: shape_error<at_layer<3, Linear<10
// expect: , named<'d', 'e', 'c', 'i', 's', 'i', 'o', 'n'>>,
// expect: got_name<'d', 'e', 'c', 'i', 's', 'i', 'o', 'n', '.', 'w', 'i', 'e', 'g', 'h', 't'>,
// expect: nearest_name<'d', 'e', 'c', 'i', 's', 'i', 'o', 'n', '.', 'w', 'e', 'i', 'g', 'h', 't'>,
// expect: the_network_has_no_parameter_of_this_name>

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

std::vector<float> weights(const Model<Net, Device>& model) {
#ifdef TYPENET_POSITIVE_TWIN
    return model["decision.weight"_name].get();
#else
    return model["decision.wieght"_name].get();
#endif
}
