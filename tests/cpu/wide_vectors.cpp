// The kernels of AVX-512 with their 16 lanes and 32 registers, lowered to whatever this processor
// has: their logic is tested on machines that cannot run the instruction set itself.
#include "cpu/compare.hpp"

namespace typenet::cpu::wide {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpsabi"
#define TYPENET_VALUE float
#include "cpu/lowered_avx512.hpp"
#include "typenet/backends/cpu/kernels/all.inl"
#undef TYPENET_VALUE
#pragma GCC diagnostic pop
}  // namespace typenet::cpu::wide

using namespace typenet;
using namespace typenet::testing;

namespace {

/// The CPU backend with these kernels in place of the processor's.
struct WideCpu : Cpu<float> {
    template <Geometry g>
    static void forward(Context& context, StageIo& io) {
        prepare(context, io);
        cpu::wide::forward<g>(io);
    }
    template <Geometry g, class Rule>
    static void backward(Context& context, StageIo& io, const Rule* rule) {
        prepare(context, io);
        cpu::wide::backward<g>(io, *rule);
    }
    template <class Rule>
    static void update(Context& context, const Rule* rule, std::int64_t count, float* parameters,
                       const float* gradients, float* state0, float* state1, const float* scale) {
        cpu::wide::update(context.pool, *rule, count, parameters, gradients, state0, state1,
                          scale == nullptr ? 1.0f : *scale);
    }
};

}  // namespace

TEST_CASE("AVX-512's tiles: convolutions, strides, groups, pools, linear layers") {
    using Net =
        Network<Input<3, 31, 29>, Conv2d<35, Kernel<5>, Stride<2>, Padding<2>>, Relu,
                MaxPool2d<Kernel<3>, Stride<2>>, Conv2d<64, Kernel<3>, Padding<1>>,
                Conv2d<96, Kernel<3>, Stride<2>, Groups<2>>, Relu,
                Conv2d<40, Kernel<3>, Padding<1>>, Flatten, Linear<50>, Dropout<>, Relu, Linear<7>>;
    Model<Net, WideCpu> model;
    for (const std::int64_t batch : {1, 5}) {
        compare_with_reference(model, batch, Numbers::whole);
        const std::vector<float> inputs = real_numbers(batch * Net::input_shape.size(), 1, 9);
        const std::vector<float> directly = Predictor{model, Batch{batch}}(inputs);
        const std::vector<float> outputs = Predictor{model, Batch{batch}, winograd}(inputs);
        CHECK(outputs != directly);
        CHECK(relative_error(outputs, directly) <= 1e-5);
    }
}
