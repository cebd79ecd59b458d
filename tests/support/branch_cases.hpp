// Networks with branches: joins, forks, halos that several readers share, average pools. A room
// that compares a backend with the reference defines compare<Net>(Numbers) and includes this.
#pragma once

#include "cpu/compare.hpp"

TEST_CASE("Residual blocks of odd widths, with the identity and with layers as shortcut") {
    // What the second block reads has the halo of its 5x5 kernel; the 1x1 kernel skips it.
    using Net =
        Network<Input<3, 8, 7>, Conv2d<19, Kernel<3>, Padding<1>>, Relu,
                Residual<Conv2d<19, Kernel<3>, Padding<1>>, Relu, Conv2d<19, Kernel<1>>>, Relu,
                Residual<Conv2d<33, Kernel<5>, Padding<2>>, Shortcut<Conv2d<33, Kernel<1>>>>,
                Residual<Residual<MaxPool2d<Kernel<3>, Stride<1>, Padding<1>>>>, Residual<>,
                Conv2d<5, Kernel<3>, Stride<2>>>;
    compare<Net>(Numbers::whole);
}

TEST_CASE("Concatenated branches that do and do not fill blocks of channels") {
    using Net = Network<
        Input<3, 7, 6>,
        Concat<Conv2d<5, Kernel<3>, Padding<1>>, Branch<Conv2d<16, Kernel<1>>, Relu>,
               Branch<Resize<7, 6>, Conv2d<11, Kernel<1>>>>,
        Concat<Branch<Relu>, Branch<Conv2d<32, Kernel<5>, Padding<2>>>, Branch<Dropout<>>,
               MaxPool2d<Kernel<3>, Stride<1>, Padding<1>>, Branch<Concat<Branch<>, Branch<>>>>,
        Conv2d<4, Kernel<2>>>;
    compare<Net>(Numbers::whole);
}

TEST_CASE("Branches straight from the network's input") {
    using Net = Network<Input<3, 6, 5>, Concat<Branch<>, Conv2d<18, Kernel<3>, Padding<1>>>,
                        Residual<Conv2d<21, Kernel<1>>>, Flatten, Linear<4>>;
    compare<Net>(Numbers::whole);
}

TEST_CASE("Branches of flat vectors, also where a map lies behind them") {
    using Net =
        Network<Input<2, 3, 4>, Conv2d<19, Kernel<2>>,
                Concat<Branch<Conv2d<3, Kernel<3>, Padding<1>>, Flatten>,
                       Branch<Flatten, Linear<10>>, Branch<Flatten>>,
                Residual<Linear<142>, Relu>, Concat<Branch<Linear<17>>, Branch<>>, Linear<3>>;
    compare<Net>(Numbers::whole);
    using Views = Network<Input<2, 3, 4>, Conv2d<19, Kernel<2>>, Flatten, Residual<Linear<114>>,
                          Relu, Linear<3>>;
    compare<Views>(Numbers::whole);
}

TEST_CASE("Average pools with padding, larger strides and floor semantics") {
    using Net =
        Network<Input<3, 9, 10>, Conv2d<18, Kernel<1>>,
                AvgPool2d<Kernel<4, 2>, Stride<2, 1>, Padding<1, 0, 2, 1>>, Conv2d<7, Kernel<1>>,
                AvgPool2d<Kernel<1>, Stride<2>>, AvgPool2d<Kernel<2>>, Conv2d<4, Kernel<1>>>;
    compare<Net>(Numbers::whole);  // areas are powers of two: exact
}

TEST_CASE("More branches read one output than a kernel takes at once") {
    using Four = Concat<Branch<>, Branch<>, Branch<>, Branch<>>;
    using Net = Network<Input<2, 3, 4>, Conv2d<3, Kernel<2>>, Concat<Four, Four, Four, Relu>,
                        Conv2d<2, Kernel<1>>>;
    compare<Net>(Numbers::whole);
}
