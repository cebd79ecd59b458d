// Cpu<bf16> against the reference and against Cpu<float>, on every instruction set and with the
// kernels of AVX512_BF16 lowered to whatever this processor has.
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>
#include <vector>

#include "cpu/compare.hpp"
#include "typenet/bf16.hpp"

namespace typenet::cpu::wide_bf16 {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpsabi"
using Lanes [[gnu::vector_size(64)]] = float;
/// What vdpbf16ps does to each lane, but for its rounding.
template <class Pairs>
Lanes dot(Lanes sum, Pairs a, Pairs b) {
    std::uint16_t first[32], second[32];
    std::memcpy(first, &a, sizeof first);
    std::memcpy(second, &b, sizeof second);
    for (int lane = 0; lane < 16; ++lane)
        for (const int half : {2 * lane + 1, 2 * lane}) {
            Bf16 x, y;
            x.bits = first[half];
            y.bits = second[half];
            sum[lane] += x * y;
        }
    return sum;
}
#define TYPENET_VALUE Bf16
#define TYPENET_PAIRS
#define TYPENET_DOT(c, a, b) dot(c, a, b)
#include "cpu/lowered_avx512.hpp"
#include "typenet/backends/cpu/kernels/all.inl"
#pragma GCC diagnostic pop
}  // namespace typenet::cpu::wide_bf16

using namespace typenet;
using namespace typenet::testing;

namespace {

/// The backend with the lowered kernels in place of the processor's.
struct WideCpu : Cpu<bf16> {
    template <Geometry g>
    static void forward(Context& context, StageIo& io) {
        prepare(context, io);
        cpu::wide_bf16::forward<g>(io);
    }
    template <Geometry g, class Rule>
    static void backward(Context& context, StageIo& io, const Rule* rule) {
        prepare(context, io);
        cpu::wide_bf16::backward<g>(io, *rule);
    }
};

std::vector<cpu::Isa> isas() {
    return available_isas(cpu::Isa::avx512_bf16);
}

/// On every instruction set, on batches that do and do not fill register tiles.
template <class Net>
void compare(Numbers numbers, double tolerance = 0) {
    for (const cpu::Isa isa : isas()) {
        INFO("instruction set " << to_string(isa));
        for (const std::int64_t batch : {1, 3}) {
            Model<Net, Cpu<bf16>> model{Seed{1}, Initialization::pytorch, Threads{2}};
            model.context().isa = isa;
            compare_with_reference(model, batch, numbers, tolerance);
        }
    }
}

float of_bits(std::uint32_t bits) {
    return std::bit_cast<float>(bits);
}

/// y = -2 x.
struct Twice {
    static constexpr Inference infer(const Shape& input) {
        LayerInfo info;
        info.type = "Twice";
        info.input = info.output = input;
        return {info};
    }
    template <class T>
    static void forward(const ForwardPass<T>& pass) {
        for (std::int64_t i = 0; i < pass.layer.input.size(); ++i)
            pass.output[i] = -2 * pass.input[i];
    }
    template <class T>
    static void backward(const BackwardPass<T>& pass) {
        for (std::int64_t i = 0; i < pass.layer.input.size(); ++i)
            pass.input_gradient[i] += -2 * pass.output_gradient[i];
    }
};

// Eight bits hold all numbers of these networks. Runs and rows of odd lengths, strides, groups,
// pools whose windows overlap, layers that do not fill blocks, joins.
using Planar = Network<Input<3, 17, 15>, Conv2d<35, Kernel<5>, Stride<2>, Padding<2>>, Relu,
                       MaxPool2d<Kernel<3>, Stride<2>>, Dropout<>>;
using Deep = Network<Input<2, 9, 8>, Conv2d<19, Kernel<3>>, Relu,
                     MaxPool2d<Kernel<3>, Stride<2>, Padding<1>>, Conv2d<5, Kernel<2>>, Flatten>;
using Grouped =
    Network<Input<32, 6, 5>, Conv2d<64, Kernel<1>, Groups<2>>, MaxPool2d<Kernel<2>, Stride<1>>,
            Relu, Conv2d<6, Kernel<2>, Stride<1, 2>, Groups<2>>>;
using Flat = Network<Input<75>, Linear<33>, Dropout<>, Relu, Linear<17>>;
using Joined =
    Network<Input<2, 6, 5>, Concat<Conv2d<5, Kernel<3>, Padding<1>>, Branch<Conv2d<16, Kernel<1>>>>,
            Residual<Relu>, AvgPool2d<Kernel<1>, Stride<2>>, Twice, Conv2d<4, Kernel<2>>>;

/// What decides nothing: small errors stay small.
using Smooth =
    Network<Input<3, 9, 8>, Conv2d<18, Kernel<3>, Padding<1>>, BatchNorm2d<>,
            Residual<Conv2d<18, Kernel<3>, Padding<1>>>, LocalResponseNorm<3>,
            Concat<Branch<AvgPool2d<Kernel<3>, Stride<1>, Padding<1>>>, Conv2d<5, Kernel<1>>>,
            AdaptiveAvgPool2d<4, 3>, Resize<5, 4>, Flatten, Linear<75>, Dropout<>, Linear<6>>;
/// A softmax makes of an error of a value an error of so many times what it puts out.
using Within = Network<Input<12>, Linear<75>, Softmax, Linear<4>>;

using Small = Network<Input<3, 15, 15>, Conv2d<20, Kernel<3>>, Relu,
                      MaxPool2d<Kernel<3>, Stride<2>>, Conv2d<33, Kernel<3>, Padding<1>>, Relu,
                      Flatten, Linear<40>, Dropout<>, Relu, Linear<4>>;

struct Problem {
    std::vector<float> samples = real_numbers(8 * Small::input_shape.size(), 1, 2);
    std::vector<std::int32_t> labels{0, 1, 2, 3, 0, 1, 2, 3};
};

/// Parameters and losses of a few steps.
template <class Backend, class... Policies>
std::pair<std::vector<std::vector<float>>, std::vector<float>> train(Model<Small, Backend>& model,
                                                                     int steps,
                                                                     Policies... policies) {
    const Problem problem;
    Trainer trainer{model,    CrossEntropy{}, Sgd{.learning_rate = 0.02f, .momentum = 0.9f},
                    Batch{8}, Seed{2},        policies...};
    std::vector<float> losses;
    for (int step = 0; step < steps; ++step) {
        trainer.step(problem.samples, problem.labels);
        losses.push_back(trainer.loss());
    }
    std::vector<std::vector<float>> parameters;
    for (const ParameterInfo& parameter : model.parameters())
        parameters.push_back(model.get(parameter.name));
    return {parameters, losses};
}

}  // namespace

TEST_CASE("A bfloat16 is the nearest one, ties go to even, NaN stays") {
    const std::pair<std::uint32_t, std::uint32_t> cases[] = {
        {0x3f80'0000, 0x3f80}, {0x3f80'7fff, 0x3f80}, {0x3f80'8000, 0x3f80}, {0x3f80'8001, 0x3f81},
        {0x3f81'8000, 0x3f82}, {0xbf81'8000, 0xbf82}, {0x7f7f'7fff, 0x7f7f}, {0x7f7f'8000, 0x7f80},
        {0x7f80'0000, 0x7f80}, {0xff80'0000, 0xff80}, {0x7f80'0001, 0x7fc0}, {0xffff'ffff, 0xffff},
        {0x0000'8001, 0x0001}, {0x0000'8000, 0x0000}, {0x0001'8000, 0x0002}, {0x0000'0001, 0x0000},
    };
    std::vector<float> floats;
    for (const auto& [wide, narrow] : cases) {
        INFO(std::hex << wide);
        CHECK(cpu::Bf16(of_bits(wide)).bits == narrow);
        floats.push_back(of_bits(wide));
    }
    // The kernels round as well: biases come out where all else is zero.
    using Net = Network<Input<5>, Linear<16>>;
    const auto check = [&](auto& model) {
        model.set("0.weight", std::vector<float>(80));
        model.set("0.bias", floats);
        Predictor predictor{model, Batch{1}};
        const std::vector<float> outputs = predictor(std::vector<float>(5));
        for (std::size_t i = 0; i < outputs.size(); ++i) {
            INFO(std::hex << cases[i].first);
            CHECK(std::bit_cast<std::uint32_t>(outputs[i]) == cases[i].second << 16);
        }
    };
    for (const cpu::Isa isa : isas()) {
        INFO(to_string(isa));
        Model<Net, Cpu<bf16>> model;
        model.context().isa = isa;
        check(model);
    }
    Model<Net, WideCpu> wide;
    check(wide);
}

TEST_CASE("Whole numbers that eight bits hold are exact in bfloat16") {
    compare<Planar>(Numbers::whole);
    compare<Deep>(Numbers::whole);
    compare<Grouped>(Numbers::whole);
    compare<Flat>(Numbers::whole);
    compare<Joined>(Numbers::whole);
}

TEST_CASE("The kernels of AVX512_BF16, lowered") {
    const auto compare_lowered = []<class Net>(std::type_identity<Net>) {
        Model<Net, WideCpu> model;
        for (const std::int64_t batch : {1, 5})
            compare_with_reference(model, batch, Numbers::whole);
    };
    compare_lowered(std::type_identity<Planar>{});
    compare_lowered(std::type_identity<Deep>{});
    compare_lowered(std::type_identity<Flat>{});
}

TEST_CASE("Every layer that decides nothing is as near as bfloat16 allows") {
    // Each value in memory is off by up to 2^-9 of itself; on a path through this network about ten
    // are, and their errors add up.
    compare<Smooth>(Numbers::real, 10.0 / 512);
    compare<Within>(Numbers::real, 10.0 / 512);
}

TEST_CASE("Training in bfloat16 gives the same bits on any number of threads") {
    for (const cpu::Isa isa : isas()) {
        INFO(to_string(isa));
        std::vector<std::vector<float>> first;
        for (const int threads : {1, 2, 3}) {
            Model<Small, Cpu<bf16>> model{Seed{1}, Initialization::pytorch, Threads{threads}};
            model.context().isa = isa;
            const auto parameters = train(model, 3).first;
            if (threads == 1) first = parameters;
            CHECK(parameters == first);
        }
    }
}

TEST_CASE("Products always read the parameters as they are, rounded") {
    // A model that was trained and one that was given its parameters predict the same bits: no copy
    // is stale, whether stages update their weights at once or all gradients are kept.
    const Problem problem;
    const auto check = [&](auto... policies) {
        Model<Small, Cpu<bf16>> trained{Seed{1}};
        const std::vector<std::vector<float>> parameters = train(trained, 3, policies...).first;
        Model<Small, Cpu<bf16>> given{Seed{5}};
        for (const ParameterInfo& parameter : trained.parameters())
            given.set(parameter.name, trained.get(parameter.name));
        Predictor predict_trained{trained, Batch{8}}, predict_given{given, Batch{8}};
        CHECK(predict_trained(problem.samples) == predict_given(problem.samples));
        return parameters;
    };
    CHECK(check() == check(KeepGradients{}));
    check(freeze<"0">);
}

TEST_CASE("Ten steps in bfloat16 follow those in float") {
    Model<Small> exact{Seed{1}};
    const auto [wanted, wanted_losses] = train(exact, 10);
    const Model<Small> start{Seed{1}};
    for (const cpu::Isa isa : isas()) {
        INFO(to_string(isa));
        Model<Small, Cpu<bf16>> model{Seed{1}};
        model.context().isa = isa;
        const auto [parameters, losses] = train(model, 10);
        REQUIRE(wanted_losses.back() < 0.97f * wanted_losses.front());
        for (std::size_t step = 0; step < losses.size(); ++step)
            CHECK_THAT(losses[step], WithinRel(wanted_losses[step], 0.02f));
        // Learning rate times gradient is far below 2^-9 of a weight: only weights that stay float
        // can follow.
        for (std::size_t p = 0; p < parameters.size(); ++p) {
            const ParameterInfo& info = model.parameters()[p];
            INFO(info.name);
            const std::vector<float> initial = start.get(info.name);
            double difference = 0, change = 0;
            for (std::size_t i = 0; i < initial.size(); ++i) {
                difference += std::pow(double{parameters[p][i]} - double{wanted[p][i]}, 2);
                change += std::pow(double{wanted[p][i]} - double{initial[i]}, 2);
            }
            CHECK(std::sqrt(difference / change) < 0.15);
        }
    }
}
