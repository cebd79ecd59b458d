// <typenet/core.hpp> is enough for types, shapes, stages and plans, and takes in none of the
// standard headers that take compilers longer than all of that.
#include <typenet/core.hpp>
#include <typenet/models/alexnet.hpp>

#if defined(_GLIBCXX_STRING) || defined(_GLIBCXX_ALGORITHM) || defined(_GLIBCXX_CMATH) || \
    defined(_GLIBCXX_FUNCTIONAL) || defined(_GLIBCXX_STDEXCEPT) || defined(_GLIBCXX_VECTOR)
    #error "<typenet/core.hpp> includes a dear header"
#endif

using namespace typenet;
using models::AlexNet;

static_assert(AlexNet::output_shape == Shape{10});
static_assert(stages_of<AlexNet, Phase::training>.count == 8);
static_assert(memory_plan<AlexNet, Cpu<float>, Training<Sgd>>(64).total < MiB(775));
static_assert(memory_plan<AlexNet, Cpu<float>, Predicting>(1).total < MiB(230));
