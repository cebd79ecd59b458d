// expect: shape_error<at_layer<1, Relu>, got<10, 6, 6>, wanted<360>,
// expect: cross_entropy_needs_a_flat_output_end_with_Flatten_and_Linear>

#include "../backend.hpp"
#include "typenet/layers/conv2d.hpp"
#include "typenet/layers/flatten.hpp"
#include "typenet/layers/linear.hpp"
#include "typenet/layers/relu.hpp"

using namespace typenet;

#ifdef TYPENET_POSITIVE_TWIN
using Net = Network<Input<3, 8, 8>, Conv2d<10, Kernel<3>>, Relu, Flatten, Linear<10>>;
using ClassifierTrainer = Trainer<Model<Net, Device>, CrossEntropy, Sgd>;
#else
using Net = Network<Input<3, 8, 8>, Conv2d<10, Kernel<3>>, Relu>;
using ClassifierTrainer = Trainer<Model<Net, Device>, CrossEntropy, Sgd>;
#endif

static_assert(sizeof(ClassifierTrainer) > 0);
