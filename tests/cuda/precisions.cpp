// Every kind of stage in TF32 and bfloat16, beside the reference.
#include "cuda/compare.hpp"

using namespace typenet;
using namespace typenet::testing;

namespace {

using Mixed =
    Network<Input<3, 13, 11>, Resize<17, 15>, Conv2d<19, Kernel<3>, Padding<1>>, Relu,
            MaxPool2d<Kernel<3>, Stride<2>>, LocalResponseNorm<5>,
            Conv2d<16, Kernel<3>, Padding<1>>, Dropout<>, Relu,
            MaxPool2d<Kernel<2>, Stride<2>, Padding<1>>, AdaptiveAvgPool2d<3, 2>,
            Conv2d<24, Kernel<1>>, Resize<4, 5>, Flatten, Linear<20>, Relu, Dropout<>, Linear<6>>;
using Smooth = Network<Input<9, 7, 6>, Conv2d<12, Kernel<3>, Padding<1>, Groups<3>>,
                       Conv2d<10, Kernel<1>>, Flatten, Linear<20>, Softmax, Linear<7>>;

template <class Net, class Precision>
void compare_in(double tolerance) {
    for (const std::int64_t batch : {1, 3}) {
        Model<Net, Cuda<Precision>> model{Seed{1}};
        compare_with_reference(model, batch, Numbers::real, tolerance);
    }
}

}  // namespace

TEST_CASE("Stages in TF32") {
    // 2^-11 for each operand of a product, through a few products in a row.
    compare_in<Smooth, tf32>(5e-3);
    // Where a ReLU or a pool decides otherwise, a whole gradient goes elsewhere.
    compare_in<Mixed, tf32>(5e-2);
}

TEST_CASE("Stages in bfloat16") {
    compare_in<Smooth, bf16>(3e-2);  // 2^-9 for each value in memory
    compare_in<Mixed, bf16>(0.3);
}

TEST_CASE("Whole numbers that eight bits hold are exact in bfloat16 too") {
    using Net = Network<Input<8, 5, 5>, Conv2d<8, Kernel<1>>, Relu, MaxPool2d<Kernel<3>, Stride<2>>,
                        Flatten, Linear<4>>;
    Model<Net, Cuda<bf16>> model{Seed{1}};
    compare_with_reference(model, 2, Numbers::whole);
}
