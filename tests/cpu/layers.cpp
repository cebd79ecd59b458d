// Linear layers and the stages that stand alone agree with the reference backend.
#include "cpu/compare.hpp"

using namespace typenet;
using namespace typenet::testing;

namespace {

template <class Net>
void compare(Numbers numbers) {
    compare_everywhere<Net>(numbers);
}

}  // namespace

#include "support/layer_cases.hpp"

TEST_CASE("Linear layers on a batch of odd size") {
    using Net = Network<Input<33>, Linear<17>, Relu, Linear<70>, Relu, Linear<5>>;
    for (const cpu::Isa isa : available_isas())
        compare_with_reference<Net>(isa, 29, Numbers::whole);
}

TEST_CASE("Wide linear layers are cut into tasks by columns") {
    using Net = Network<Input<2100>, Linear<40>, Linear<1000>, Linear<7>>;
    for (const cpu::Isa isa : available_isas())
        compare_with_reference<Net>(isa, 4, Numbers::whole, 3);
}
