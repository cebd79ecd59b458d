// expect: shape_error<at_layer<15, Linear<4096
// expect: , named<'f', 'c', '1'>>, planned_MiB<
// expect: >, allowed_MiB<300>,
// expect: the_memory_plan_is_over_its_budget_and_this_layer_takes_the_most>
// lines, g++: 24

#include "typenet/core.hpp"
#include "typenet/models/alexnet.hpp"

using namespace typenet;

using models::AlexNet;

#ifdef TYPENET_POSITIVE_TWIN
static_assert(require_budget<AlexNet, Cpu<float>, Training<Sgd>, 64, MiB(900)>());
#else
static_assert(require_budget<AlexNet, Cpu<float>, Training<Sgd>, 64, MiB(300)>());
#endif
