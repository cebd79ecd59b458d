// Convolution stages of odd sizes, strides, paddings and groups. A room that compares a backend
// with the reference defines compare<Net>(Numbers) and includes this.
#pragma once

#include "cpu/compare.hpp"

TEST_CASE("Convolutions, ReLU and pools in a chain of odd sizes") {
    using Net = Network<Input<3, 13, 11>, Conv2d<19, Kernel<3>, Padding<1>>, Relu,
                        MaxPool2d<Kernel<3>, Stride<2>>, Conv2d<33, Kernel<5>, Padding<2>>, Relu,
                        Conv2d<7, Kernel<3>>, Flatten, Linear<5>>;
    compare<Net>(Numbers::whole);
}

TEST_CASE("Strides") {
    using Net = Network<Input<3, 23, 21>, Conv2d<17, Kernel<3>, Padding<1>>,
                        Conv2d<20, Kernel<3>, Stride<2>, Padding<1>>, Relu,
                        Conv2d<5, Kernel<5>, Stride<3>, Padding<2>>>;
    compare<Net>(Numbers::whole);
}

TEST_CASE("Strides larger than the kernel leave pixels without gradient") {
    using Net = Network<Input<2, 11, 12>, Conv2d<16, Kernel<1>>, Conv2d<18, Kernel<2>, Stride<3>>,
                        Conv2d<4, Kernel<1>, Stride<2>>>;
    compare<Net>(Numbers::whole);
}

TEST_CASE("A first layer of few channels reads pixels of few values") {
    using Net = Network<Input<3, 41, 39>, Conv2d<20, Kernel<11>, Stride<4>, Padding<2>>, Relu,
                        MaxPool2d<Kernel<3>, Stride<2>>, Flatten, Linear<3>>;
    compare<Net>(Numbers::whole);
    using Pointwise = Network<Input<4, 5, 6>, Conv2d<8, Kernel<1>>>;
    compare<Pointwise>(Numbers::whole);
}

TEST_CASE("Same padding is asymmetric where the kernel is even or the stride wants it") {
    using Net = Network<Input<5, 10, 9>, Conv2d<9, Kernel<4>, Same>,
                        Conv2d<6, Kernel<3>, Stride<2>, Same>, Conv2d<5, Kernel<2>, Same>>;
    compare<Net>(Numbers::whole);
}

TEST_CASE("Kernels and strides need not be square") {
    using Net = Network<Input<18, 9, 14>, Conv2d<40, Kernel<3, 5>, Padding<1, 2>>,
                        Conv2d<8, Kernel<5, 2>, Stride<1, 2>, Padding<2, 0>>, Relu,
                        Conv2d<3, Kernel<1, 3>, Stride<2, 1>>>;
    compare<Net>(Numbers::whole);
}

TEST_CASE("Groups of whole blocks of channels") {
    using Net = Network<Input<3, 9, 8>, Conv2d<64, Kernel<3>>,
                        Conv2d<96, Kernel<3>, Padding<1>, Groups<2>>, Relu, Conv2d<16, Kernel<1>>>;
    compare<Net>(Numbers::whole);
}

TEST_CASE("Groups of whole packs of channels, and down to one channel each") {
    using Whole =
        Network<Input<3, 9, 8>, Conv2d<32, Kernel<3>>, Conv2d<48, Kernel<3>, Padding<1>, Groups<2>>,
                Relu, Conv2d<16, Kernel<1>>>;
    compare<Whole>(Numbers::whole);
    using Odd = Network<Input<6, 8, 7>, Conv2d<10, Kernel<3>, Padding<1>, Groups<2>>,
                        MaxPool2d<Kernel<2>>, Conv2d<10, Kernel<3>, Padding<1>, Groups<10>>, Relu,
                        Conv2d<15, Kernel<1>, Groups<5>>>;
    compare<Odd>(Numbers::whole);
}

TEST_CASE("A pool without ReLU, with padding, and with ties") {
    using Net = Network<Input<20, 9, 10>, Conv2d<17, Kernel<3>, Padding<1>>,
                        MaxPool2d<Kernel<3>, Stride<2>, Padding<1>>, Conv2d<6, Kernel<1>>, Relu,
                        MaxPool2d<Kernel<2>, Stride<3>>>;
    compare<Net>(Numbers::whole);
}
