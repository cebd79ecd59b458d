// Networks with branches on the GPU against the reference and PyTorch's goldens.
#include "cuda/compare.hpp"
#include "parity/branching.hpp"
#include "parity/goldens.hpp"

using namespace typenet;
using namespace typenet::testing;

namespace {

template <class Net>
void compare(Numbers numbers) {
    compare_on_gpu<Net>(numbers);
}

}  // namespace

#include "support/branch_cases.hpp"

TEST_CASE("Batch normalisation, with and without ReLU, in and around branches") {
    using Net =
        Network<Input<3, 6, 5>, BatchNorm2d<>, Conv2d<18, Kernel<3>, Padding<1>>, BatchNorm2d<>,
                Relu,
                Residual<Conv2d<18, Kernel<3>, Padding<1>>, BatchNorm2d<Momentum<std::ratio<1, 2>>>,
                         Relu, BatchNorm2d<Epsilon<std::ratio<1, 10>>>>,
                Relu, Conv2d<5, Kernel<2>>>;
    compare_on_gpu<Net>(Numbers::real);
}

TEST_CASE("A ResNet's blocks and an Inception block train as with PyTorch") {
    Model<ResidualNet, Cuda<float>> residual;
    compare_with_branching_goldens(residual, "residual", 1e-4);
    Model<InceptionNet, Cuda<float>> inception;
    compare_with_branching_goldens(inception, "inception", 1e-4);
}
