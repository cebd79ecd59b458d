// Linear layers and the stages that stand alone agree with the reference backend.
#include "cuda/compare.hpp"

using namespace typenet;
using namespace typenet::testing;

namespace {

template <class Net>
void compare(Numbers numbers) {
    compare_on_gpu<Net>(numbers);
}

}  // namespace

#include "support/layer_cases.hpp"

TEST_CASE("Linear layers on a batch of odd size") {
    using Net = Network<Input<33>, Linear<17>, Relu, Linear<70>, Relu, Linear<5>>;
    Model<Net, Cuda<float>> model{Seed{1}};
    compare_with_reference(model, 129, Numbers::whole);
}
