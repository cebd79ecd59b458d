// Training steps and the whole AlexNet against PyTorch 1.13.1, on the GPU's kernels.
#include "cuda/compare.hpp"
#include "parity/goldens.hpp"

using namespace typenet;
using namespace typenet::testing;

TEST_CASE("Three training steps with clipped gradients") {
    compare_with_clipping_goldens<Cuda<float>>(1e-4);
}

TEST_CASE("The whole AlexNet on two images of 227x227") {
    Model<AlexNetWithoutDropout, Cuda<float>> model;
    compare_with_alexnet_goldens(model, 1e-4);
}
