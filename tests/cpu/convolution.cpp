// Convolution stages of odd sizes, strides, paddings and groups agree with the reference backend to
// the bit on whole numbers, forward and backward, on every instruction set.
#include "cpu/compare.hpp"

using namespace typenet;
using namespace typenet::testing;

namespace {

template <class Net>
void compare(Numbers numbers) {
    compare_everywhere<Net>(numbers);
}

}  // namespace

#include "support/convolution_cases.hpp"
