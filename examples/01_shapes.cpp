// A network is a type: the compiler knows its shapes, its parameters, its memory, and what a tiny
// one computes. Nothing here is trained; most of it has happened before the program starts.
#include <array>
#include <cstdint>
#include <cstdio>
#include <typenet/backends/reference/network.hpp>
#include <typenet/typenet.hpp>

namespace tn = typenet;

// Layers stand in the order in which data pass them. Only the first shape is given.
using Net = tn::Network<tn::Input<3, 32, 32>,  // channels, height, width
                        tn::Conv2d<16, tn::Kernel<3>, tn::Padding<1>>, tn::Relu,
                        tn::MaxPool2d<tn::Kernel<2>, tn::Stride<2>>,  //
                        tn::Conv2d<32, tn::Kernel<5>>, tn::Relu,      //
                        tn::Flatten, tn::Expect<32 * 12 * 12>,        //
                        tn::Linear<10>>;

// What the compiler inferred is there to be checked.
static_assert(Net::output_shape == tn::Shape{10});
static_assert(Net::layers[2].output == tn::Shape{16, 16, 16});
static_assert(Net::layers[3].parameter_count() == 32 * (16 * 5 * 5 + 1));
static_assert(Net::parameter_count == 448 + 12'832 + 46'090);
static_assert(Net::macs == 16 * 32 * 32 * 27 + 32 * 12 * 12 * 400 + 10 * 4'608);

// A network that does not fit is refused, and the compiler's first line of error says where, what
// came, what was wanted and why. To see it:
//     g++ -std=c++20 -Iinclude -fsyntax-only -DWITHOUT_FLATTEN examples/01_shapes.cpp
#ifdef WITHOUT_FLATTEN
using Wrong = tn::Network<tn::Input<3, 32, 32>, tn::Conv2d<32, tn::Kernel<5>>, tn::Linear<10>>;
static_assert(Wrong::output_shape == tn::Shape{10});
#endif

// The memory is planned as well, in bytes: to train with 64 images a step, to predict one by one.
static_assert(tn::memory_plan<Net, tn::Cpu<float>, tn::Training<tn::Adam>>(64).total < tn::MiB(16));
static_assert(tn::memory_plan<Net, tn::Cpu<float>, tn::Predicting>(1).total < tn::MiB(1));

// Convolutions by Winograd's algorithm keep 36 or 49 values for each kernel. Stages say which those
// are.
using ByWinograd = tn::PredictingUnder<tn::Winograd>;
static_assert(tn::memory_plan<Net, tn::Cpu<float>, ByWinograd>(64).transformed_weights ==
              4 * 49 * 16 * 32);
static_assert(!tn::stages_in<Net, ByWinograd>[0].geometry.winograd);  // it reads three channels
static_assert(tn::stages_in<Net, ByWinograd>[1].geometry.winograd);

// The same as a budget: where the plan is over it, the error says which layer takes the most.
static_assert(tn::require_budget<Net, tn::Cpu<float>, tn::Training<tn::Adam>, 64, tn::MiB(16)>());

// And so is what each layer costs: operations, bytes moved, and how many of the one for the other.
constexpr auto card = tn::model_card<Net>(64);
static_assert(card.total().flops == 64 * Net::flops);
static_assert(card.layers[3].cost.intensity() > 100);  // FLOP a byte

// A network small enough runs inside the compiler, on the reference backend: exclusive or.
using Xor = tn::Network<tn::Input<2>, tn::Linear<2>, tn::Relu, tn::Linear<1>>;
constexpr std::array<double, Xor::parameter_count> parameters{
    1, 1,  1, 1,  // two neurons add their inputs,
    0, -1,        // the second only what goes beyond 1,
    1, -2,        // and twice that is taken from the first's sum
    0};
constexpr double exclusive_or(double a, double b) {
    return tn::reference::evaluate<Xor>(parameters, std::array{a, b})[0];
}
static_assert(exclusive_or(0, 0) == 0 && exclusive_or(0, 1) == 1);
static_assert(exclusive_or(1, 0) == 1 && exclusive_or(1, 1) == 0);

int main() {
    std::fputs(to_text(card, tn::CardFormat::table, "Net").c_str(), stdout);

    // The plan is a function of the batch, at run time as well.
    std::printf("\n%-12s%20s%20s\n", "batch", "training, MiB", "prediction, MiB");
    for (const int batch : {1, 16, 256}) {
        const auto mebibytes = [](const tn::MemoryPlan& plan) {
            return static_cast<double>(plan.total) / static_cast<double>(tn::MiB(1));
        };
        std::printf("%-12d%20.2f%20.2f\n", batch,
                    mebibytes(tn::memory_plan<Net, tn::Cpu<float>, tn::Training<tn::Adam>>(batch)),
                    mebibytes(tn::memory_plan<Net, tn::Cpu<float>, tn::Predicting>(batch)));
    }
}
