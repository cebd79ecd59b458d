#include <typenet/typenet.hpp>

namespace tn = typenet;

using Tiny = tn::Network<tn::Input<3, 8, 8>, tn::Conv2d<16, tn::Kernel<3>, tn::Padding<1>>, tn::Relu,
                         tn::MaxPool2d<tn::Kernel<2>, tn::Stride<2>>, tn::Flatten, tn::Linear<10>>;

static_assert(Tiny::output_shape == tn::Shape{10});
static_assert(Tiny::parameter_count == 3 * 3 * 3 * 16 + 16 + 16 * 4 * 4 * 10 + 10);

int main() {}
