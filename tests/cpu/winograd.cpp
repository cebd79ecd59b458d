// Convolutions by Winograd's algorithm on every instruction set, beside the reference backend in
// double: kernels of several sizes, maps that do and do not fill tiles, groups, pools, and batches
// that do and do not fill the groups of samples.
#include "cpu/compare.hpp"

using namespace typenet;
using namespace typenet::testing;

namespace {

/// Maps of 37x38 are cut into bands of which the last is shorter; those of 18x18 and 7x7 are
/// computed several samples at a time.
using Net = Network<Input<19, 37, 38>, Conv2d<33, Kernel<5>, Padding<2>>, Relu,
                    MaxPool2d<Kernel<3>, Stride<2>>,                                           //
                    Conv2d<64, Kernel<3>, Padding<1>>, Relu, MaxPool2d<Kernel<2>, Stride<2>>,  //
                    Conv2d<96, Kernel<3>, Groups<2>>, Relu,                                    //
                    Conv2d<40, Kernel<3, 4>, Same>,                                            //
                    Conv2d<16, Kernel<1>>, Flatten, Linear<20>>;

constexpr auto& direct = stages_in<Net, Predicting>;
constexpr auto& stages = stages_in<Net, PredictingUnder<Winograd>>;
static_assert(stages.count == 6);
static_assert(stages[0].geometry.winograd && stages[1].geometry.winograd &&
              stages[2].geometry.winograd && stages[3].geometry.winograd);
static_assert(!stages[4].geometry.winograd && !stages[5].geometry.winograd);
static_assert(!direct[0].geometry.winograd && direct[4].geometry == stages[4].geometry);
constexpr cpu::WinogradLayout layout_of(int stage) {
    return cpu::winograd_layout(stages[stage].geometry);
}
static_assert(layout_of(0).size == 7 && layout_of(0).bands == 2 && layout_of(0).rows == 13);
static_assert(layout_of(1).size == 7 && layout_of(1).samples == 4);
static_assert(layout_of(2).size == 6 && layout_of(2).samples == 16);
static_assert(layout_of(3).size == 6 && layout_of(3).samples == 8);

// A stride, too few channels, and a map that its tiles would waste are left to direct convolution.
template <class... Layers>
constexpr bool is_winograd =
    stages_in<Network<Layers...>, PredictingUnder<Winograd>>[0].geometry.winograd;
static_assert(is_winograd<Input<16, 6, 6>, Conv2d<16, Kernel<3>, Padding<1>>>);
static_assert(!is_winograd<Input<16, 6, 6>, Conv2d<16, Kernel<3>, Stride<2>, Padding<1>>>);
static_assert(!is_winograd<Input<3, 6, 6>, Conv2d<16, Kernel<3>, Padding<1>>>);
static_assert(!is_winograd<Input<16, 6, 6>, Conv2d<15, Kernel<3>, Padding<1>>>);
static_assert(!is_winograd<Input<16, 2, 2>, Conv2d<16, Kernel<3>, Padding<1>>>);
static_assert(!is_winograd<Input<16, 9, 9>, Conv2d<16, Kernel<7>, Padding<3>>>);

}  // namespace

TEST_CASE("Convolutions by Winograd's algorithm give what direct ones give") {
    constexpr std::int64_t batch = 19;
    const std::vector<float> inputs = real_numbers(batch * Net::input_shape.size(), 1, 1);
    Model<Net> model{Seed{1}, Initialization::kaiming_normal, Threads{2}};
    reference::Executor<Net, double> reference;
    for (const ParameterInfo& parameter : model.parameters()) {
        const std::vector<float> values = model.get(parameter.name);
        const int layer = stages_of<Net, Phase::inference>.stages[parameter.stage].layer;
        auto& own = reference.parameters[static_cast<std::size_t>(layer)];
        (parameter.kind == TensorKind::bias ? own.bias : own.weight)
            .assign(values.begin(), values.end());
    }
    const auto expected = reference.forward(std::vector<double>(inputs.begin(), inputs.end()),
                                            static_cast<int>(batch));
    for (const cpu::Isa isa : available_isas()) {
        INFO("instruction set " << to_string(isa));
        model.context().isa = isa;
        const std::vector<float> directly = Predictor{model, Batch{batch}}(inputs);
        Predictor predictor{model, Batch{batch}, winograd};
        const std::vector<float> outputs = predictor(inputs);
        CHECK(outputs != directly);  // it is another algorithm
        CHECK(relative_error(outputs, expected) <= 1e-5);
        CHECK(relative_error(directly, expected) <= 1e-5);

        // The same bits, whatever shares the batch.
        for (const std::int64_t pieces : {1, 8}) {
            Predictor small{model, Batch{pieces}, winograd};
            CHECK(small(inputs) == outputs);
        }
        constexpr auto sample = static_cast<std::size_t>(Net::input_shape.size());
        constexpr auto width = static_cast<std::ptrdiff_t>(Net::output_shape.size());
        CHECK(predictor(std::span{inputs}.first(3 * sample)) ==
              std::vector<float>(outputs.begin(), outputs.begin() + 3 * width));
    }
}
