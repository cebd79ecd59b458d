// expect: shape_error<at_layer<13, Linear<4096
// expect: , named<'f', 'c', '1'>>, got<256, 6, 6>, wanted<9216>,
// expect: linear_needs_a_flat_input_put_Flatten_before_it>
// lines, g++: 24

#include "typenet/core.hpp"

using namespace typenet;

#ifdef TYPENET_POSITIVE_TWIN
    #define FLATTEN Flatten,
#else
    #define FLATTEN
#endif

using AlexNet =
    Network<Input<3, 227, 227>,  //
            Named<"cn1", Conv2d<96, Kernel<11>, Stride<4>>>, Relu,
            MaxPool2d<Kernel<3>, Stride<2>>,  //
            Named<"cn2", Conv2d<256, Kernel<5>, Padding<2>>>, Relu, MaxPool2d<Kernel<3>, Stride<2>>,
            Named<"cn3", Conv2d<384, Kernel<3>, Padding<1>>>, Relu,
            Named<"cn4", Conv2d<384, Kernel<3>, Padding<1>>>, Relu,
            Named<"cn5", Conv2d<256, Kernel<3>, Padding<1>>>, Relu, MaxPool2d<Kernel<3>, Stride<2>>,
            FLATTEN  //
                Named<"fc1", Linear<4096>>,
            Dropout<>, Relu,                              //
            Named<"fc2", Linear<4096>>, Dropout<>, Relu,  //
            Named<"fc3", Linear<10>>>;

static_assert(AlexNet::parameter_count == 58'322'314);
static_assert(AlexNet::output_shape == Shape{10});
