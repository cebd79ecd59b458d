// Convolution stages of odd sizes, strides, paddings and groups agree with the reference backend to
// the bit on whole numbers, forward and backward.
#include "cuda/compare.hpp"

using namespace typenet;
using namespace typenet::testing;

namespace {

template <class Net>
void compare(Numbers numbers) {
    compare_on_gpu<Net>(numbers);
}

}  // namespace

#include "support/convolution_cases.hpp"

TEST_CASE("Convolutions on real numbers") {
    using Net = Network<Input<3, 13, 11>, Conv2d<19, Kernel<3>, Padding<1>>, Relu,
                        MaxPool2d<Kernel<3>, Stride<2>>, Conv2d<33, Kernel<5>, Padding<2>>, Relu,
                        Conv2d<7, Kernel<3>>, Flatten, Linear<5>>;
    compare<Net>(Numbers::real);
}

TEST_CASE("A batch is cut into chunks, down to one sample") {
    using Net = Network<Input<3, 13, 11>, Conv2d<19, Kernel<3>, Padding<1>>, Relu,
                        MaxPool2d<Kernel<3>, Stride<2>>, Conv2d<16, Kernel<5>, Padding<2>>, Relu,
                        Conv2d<6, Kernel<1>>, Relu, Flatten, Linear<5>>;
    compare_on_gpu<Net, 1>(Numbers::whole);
    // Two samples of the first convolution's patches (143 pixels of 32 values) and output (24).
    constexpr std::int64_t two = 2 * 143 * (32 + 24) * 4;
    Model<Net, Cuda<float, two>> model{Seed{1}};
    compare_with_reference(model, 5, Numbers::whole);
}
