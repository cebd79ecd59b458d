// Linear layers and the stages that stand alone. A room that compares a backend with the reference
// defines compare<Net>(Numbers) and includes this.
#pragma once

#include "cpu/compare.hpp"

TEST_CASE("Linear layers of odd widths") {
    using Net = Network<Input<33>, Linear<17>, Relu, Linear<70>, Relu, Linear<5>>;
    compare<Net>(Numbers::whole);
}

TEST_CASE("A linear layer reads a map as it lies in memory") {
    using Net = Network<Input<21, 3, 5>, Conv2d<19, Kernel<1>>, Flatten, Linear<4>>;
    compare<Net>(Numbers::whole);
    using First = Network<Input<3, 5, 4>, Flatten, Linear<6>>;
    compare<First>(Numbers::whole);
}

TEST_CASE("Dropout beside a linear layer, in either order with ReLU") {
    using Net = Network<Input<24>, Linear<50>, Dropout<>, Relu, Linear<40>, Relu,
                        Dropout<std::ratio<1, 2>>, Linear<6>, Dropout<>>;
    compare<Net>(Numbers::whole);
}

TEST_CASE("Dropout on maps, whole or flattened") {
    using Net = Network<Input<3, 7, 6>, Conv2d<18, Kernel<3>, Padding<1>>, Dropout<>,
                        Conv2d<5, Kernel<3>, Padding<1>>, Flatten, Dropout<>, Linear<3>>;
    compare<Net>(Numbers::whole);
}

TEST_CASE("Stages that stand alone") {
    using Net = Network<Input<3, 9, 10>, Relu, MaxPool2d<Kernel<3>, Stride<1>, Padding<1>>,
                        Conv2d<18, Kernel<3>>, MaxPool2d<Kernel<2>, Stride<2>>, Relu,
                        MaxPool2d<Kernel<2>>, Conv2d<5, Kernel<1>>>;
    compare<Net>(Numbers::whole);
    using Within = Network<Input<3, 9, 10>, Conv2d<9, Kernel<3>>, Resize<5, 6>, Relu,
                           MaxPool2d<Kernel<3>, Stride<2>, Padding<1>>, Flatten, Linear<4>>;
    compare<Within>(Numbers::real);
}

TEST_CASE("Adaptive average pool") {
    using Net = Network<Input<4, 7, 9>, Conv2d<18, Kernel<3>, Padding<1>>, AdaptiveAvgPool2d<5, 6>,
                        Conv2d<7, Kernel<3>, Padding<1>>, AdaptiveAvgPool2d<9, 4>, Relu>;
    compare<Net>(Numbers::real);
}

TEST_CASE("Resize, as a first layer and within the network") {
    using First = Network<Input<3, 6, 5>, Resize<13, 17>, Conv2d<7, Kernel<3>, Padding<1>>>;
    compare<First>(Numbers::real);
    using Within = Network<Input<3, 6, 5>, Conv2d<18, Kernel<3>>, Resize<9, 7>,
                           Conv2d<7, Kernel<3>, Padding<1>>, Resize<2, 3>>;
    compare<Within>(Numbers::real);
    using Edges = Network<Input<9, 1, 7>, Conv2d<8, Kernel<1>>, Resize<5, 20>, Conv2d<8, Kernel<1>>,
                          Resize<1, 1>>;
    compare<Edges>(Numbers::real);
    using Twice = Network<Input<3, 6, 5>, Resize<7, 9>, Resize<4, 8>, Relu>;
    compare<Twice>(Numbers::real);
    using Alone = Network<Input<3, 6, 5>, Resize<4, 8>>;
    compare<Alone>(Numbers::real);
    using Unpadded = Network<Input<3, 6, 5>, Resize<4, 8>, Flatten, Linear<3>>;
    compare<Unpadded>(Numbers::real);
}

TEST_CASE("Local response normalisation") {
    using Net = Network<Input<3, 5, 6>, Conv2d<19, Kernel<3>, Padding<1>>,
                        LocalResponseNorm<5, std::ratio<1, 2>>, Conv2d<7, Kernel<3>, Padding<1>>,
                        LocalResponseNorm<3>>;
    compare<Net>(Numbers::real);
}

TEST_CASE("Softmax, last and within") {
    using Last = Network<Input<12>, Linear<10>, Softmax>;
    compare<Last>(Numbers::real);
    using Within = Network<Input<12>, Linear<75>, Softmax, Linear<4>>;
    compare<Within>(Numbers::real);
    using OfMap = Network<Input<3, 4, 5>, Conv2d<9, Kernel<3>>, Flatten, Softmax, Linear<4>>;
    compare<OfMap>(Numbers::real);
}
