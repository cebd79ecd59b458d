// Each stage of AlexNet that has parameters, forward and backward, beside the peak of the machine:
// the rate at which all threads together run a loop of multiply-adds in registers.
//
// Counters: GFLOP/s, its share of the peak, and for linear stages GB/s of the weights' own traffic:
// read once forward; read and written once, and their momentum with them, in the backward pass that
// also updates them.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <boost/hana/for_each.hpp>
#include <chrono>
#include <cstdint>
#include <exception>
#include <iostream>
#include <string>
#include <type_traits>

#include "typenet/typenet.hpp"

namespace {

using namespace typenet;
using Backend = Cpu<float>;
using Network = models::AlexNet;

// The peak ---------------------------------------------------------------------------------------

/// Independent sums of different values: enough to hide the latency of a multiply-add; with both
/// factors they fill sixteen registers.
constexpr int sums_at_once = 14;

#define TYPENET_DEFINE_MULTIPLY_ADD_LOOP(isa, attribute)                                        \
    attribute void multiply_add_loop_##isa(std::int64_t repeats, float factor) {                \
        namespace simd = cpu::isa;                                                              \
        const simd::Vector a = simd::broadcast(factor), b = simd::broadcast(1 - factor);        \
        simd::Vector sums[sums_at_once];                                                        \
        for (int k = 0; k < sums_at_once; ++k) sums[k] = simd::broadcast(factor * float(k));    \
        for (std::int64_t i = 0; i < repeats; ++i)                                              \
            _Pragma("GCC unroll 14") for (simd::Vector & sum : sums) sum =                      \
                simd::multiply_add(sum, a, b);                                                  \
        for (const simd::Vector& sum : sums) benchmark::DoNotOptimize(simd::sum_of_lanes(sum)); \
    }
#ifdef TYPENET_HAS_AVX512
TYPENET_DEFINE_MULTIPLY_ADD_LOOP(avx512, [[gnu::target("avx512f,avx2,fma")]])
#endif
#ifdef TYPENET_HAS_AVX2
TYPENET_DEFINE_MULTIPLY_ADD_LOOP(avx2, [[gnu::target("avx2,fma")]])
#endif
#ifdef TYPENET_HAS_BASELINE
TYPENET_DEFINE_MULTIPLY_ADD_LOOP(baseline, )
#endif
#undef TYPENET_DEFINE_MULTIPLY_ADD_LOOP

/// Runs the loop of one instruction set; returns how many lanes its vectors have.
int multiply_add_loop(cpu::Isa isa, std::int64_t repeats, float factor) {
    switch (isa) {
#ifdef TYPENET_HAS_AVX512
        case cpu::Isa::avx512:
            multiply_add_loop_avx512(repeats, factor);
            return cpu::avx512::lanes;
#endif
#ifdef TYPENET_HAS_AVX2
        case cpu::Isa::avx2:
            multiply_add_loop_avx2(repeats, factor);
            return cpu::avx2::lanes;
#endif
#ifdef TYPENET_HAS_BASELINE
        case cpu::Isa::baseline:
            multiply_add_loop_baseline(repeats, factor);
            return cpu::baseline::lanes;
#endif
        default:
            throw Error("the kernels of this instruction set were not compiled");
    }
}

/// Floating-point operations per second of all threads together: the best of several trials.
double measure_peak(Backend::Context& context) {
    constexpr std::int64_t repeats = 2'000'000;
    const std::int64_t tasks = 4 * context.threads();  // several each, so that late threads join in
    const int lanes = multiply_add_loop(context.isa, 1, 0.5f);
    const auto task = [](const void* isa, std::int64_t, int) {
        multiply_add_loop(*static_cast<const cpu::Isa*>(isa), repeats, 0.5f);
    };
    double best = 0;
    for (int trial = 0; trial < 10; ++trial) {
        const auto start = std::chrono::steady_clock::now();
        context.pool.parallel_for(tasks, task, &context.isa);
        const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
        const auto multiply_adds = static_cast<double>(tasks * repeats * sums_at_once * lanes);
        best = std::max(best, 2 * multiply_adds / spent.count());
    }
    return best;
}

// The stages -------------------------------------------------------------------------------------

enum class Pass {
    forward,
    weight_gradient,  ///< backward where nothing before the stage learns
    backward,         ///< gradients of input and weights; a linear stage also updates its weights
};

void fill(const Backend::Arena& arena, std::int64_t count, float low, float high) {
    RandomStream random{Seed{1}, Purpose::synthetic};
    for (std::int64_t i = 0; i < count; ++i) arena.floats()[i] = random.uniform(low, high);
}

/// A stage of geometry `g` with data of its own.
template <Geometry g>
class StageData {
public:
    StageData(const Backend::Context& context, const StageInfo& stage, std::int64_t batch)
        : input_(batch * Backend::input_bytes(g)),
          output_(batch * Backend::output_bytes(g)),
          codes_(batch * Backend::code_bytes(g)),
          output_gradient_(batch * Backend::gradient_bytes(g)),
          input_gradient_(batch * 4 * cpu::layout_of(g.input, {}, false).sample),
          weights_(parameter_bytes),
          gradients_(parameter_bytes),
          momentum_(parameter_bytes),
          workspace_(Backend::workspace_bytes(g, Phase::training, batch, context.threads())),
          mask_(Seed{1}, 0, stage.dropout_layer, stage.rate) {
        fill(input_, batch * Backend::input_bytes(g) / 4, -1, 1);
        fill(output_gradient_, batch * Backend::gradient_bytes(g) / 4, -1e-3f, 1e-3f);
        fill(weights_, parameter_bytes / 4, -0.01f, 0.01f);
        io_.layer = &Network::layers[static_cast<std::size_t>(stage.layer)];
        io_.batch = batch;
        io_.input = input_.floats();
        io_.output = output_.floats();
        io_.codes = reinterpret_cast<std::uint8_t*>(codes_.bytes());
        io_.weights = weights_.floats();
        io_.biases = weights_.floats() + Backend::weight_count(g);
        io_.output_gradient = output_gradient_.floats();
        io_.bias_gradient = gradients_.floats() + Backend::weight_count(g);
        io_.weight_state[0] = momentum_.floats();
        if constexpr (g.dropout) io_.dropout = &mask_;
        if constexpr (g.input_gradient) io_.input_gradient = input_gradient_.floats();
        // A linear stage updates its weights at once, the others leave their gradients.
        if constexpr (!Backend::updates_in_backward(g)) io_.weight_gradient = gradients_.floats();
        Backend::use_workspace(g, io_, workspace_.bytes(), Phase::training, batch);
    }

    void forward(Backend::Context& context) { Backend::forward<g>(context, io_); }

    void backward(Backend::Context& context) {
        if constexpr (Backend::updates_in_backward(g))
            Backend::backward<g>(context, io_, &rule_);
        else
            Backend::backward<g>(context, io_, &keep_);
    }

private:
    static constexpr std::int64_t parameter_bytes =
        4 * (Backend::weight_count(g) + Backend::bias_count(g));
    Backend::Arena input_, output_, codes_, output_gradient_, input_gradient_;
    Backend::Arena weights_, gradients_, momentum_, workspace_;
    DropoutMask mask_;
    Backend::StageIo io_;
    // Without a learning rate (and with dropout's scale left at 1) repetitions do not blow up.
    SgdRule rule_ = Sgd{.learning_rate = 0, .momentum = 0.9f}.rule(1);
    Backend::KeepGradient keep_;
};

template <Geometry g>
void measure(benchmark::State& state, Backend::Context& context, double peak,
             const StageInfo& stage, Pass pass, std::int64_t batch) {
    StageData<g> data{context, stage, batch};
    data.forward(context);  // the backward pass reads the output and the codes
    const auto start = std::chrono::steady_clock::now();
    for (auto _ : state) pass == Pass::forward ? data.forward(context) : data.backward(context);
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;

    const LayerInfo& layer = Network::layers[static_cast<std::size_t>(stage.layer)];
    const double runs_per_second = static_cast<double>(state.iterations()) / spent.count();
    const double operations = static_cast<double>(2 * layer.macs * batch) *
                              (pass == Pass::backward && g.input_gradient ? 2 : 1);
    state.counters["GFLOP/s"] = operations * runs_per_second * 1e-9;
    state.counters["of_peak"] = operations * runs_per_second / peak;
    const std::int64_t weight_bytes = 4 * Backend::weight_count(g);
    if (g.op == Op::linear)
        state.counters["GB/s"] =
            static_cast<double>(weight_bytes * (pass == Pass::forward ? 1 : 4)) * runs_per_second *
            1e-9;
}

constexpr Geometry without_input_gradient(Geometry g) {
    g.input_gradient = false;
    return g;
}

template <std::size_t s>
void register_stage(Backend::Context& context, double peak) {
    constexpr StageInfo stage = stages_of<Network, Phase::training>.stages[s];
    constexpr Geometry g = stage.geometry;
    if constexpr (has_parameters(g)) {
        const std::string name = name_of(Network::layers[static_cast<std::size_t>(stage.layer)]);
        const auto add = [&]<Geometry measured>(std::integral_constant<Geometry, measured>,
                                                const char* pass_name, Pass pass) {
            for (const std::int64_t batch : {4, 64})
                benchmark::RegisterBenchmark(
                    (name + "/" + pass_name + "/" + std::to_string(batch)).c_str(),
                    [&context, peak, pass, batch, stage](benchmark::State& state) {
                        measure<measured>(state, context, peak, stage, pass, batch);
                    })
                    ->Unit(benchmark::kMillisecond)
                    ->UseRealTime();
        };
        using Whole = std::integral_constant<Geometry, g>;
        add(Whole{}, "forward", Pass::forward);
        if constexpr (g.op == Op::convolution)
            add(std::integral_constant<Geometry, without_input_gradient(g)>{}, "weight_gradient",
                Pass::weight_gradient);
        if constexpr (g.input_gradient) add(Whole{}, "backward", Pass::backward);
    }
}

void register_stages(Backend::Context& context, double peak) {
    [&]<std::size_t... s>(std::index_sequence<s...>) {
        (register_stage<s>(context, peak), ...);
    }
    (std::make_index_sequence<stages_of<Network, Phase::training>.count>{});
}

}  // namespace

int main(int argc, char** argv) {
    try {
        benchmark::Initialize(&argc, argv);
        if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
        Backend::Context context{Threads{}};
        const double peak = measure_peak(context);
        benchmark::AddCustomContext("threads", std::to_string(context.threads()));
        benchmark::AddCustomContext("kernels", std::string{to_string(context.isa)});
        benchmark::AddCustomContext("peak", std::to_string(peak * 1e-9) + " GFLOP/s");
        register_stages(context, peak);
        benchmark::RunSpecifiedBenchmarks();
        benchmark::Shutdown();
        return 0;
    } catch (const std::exception& error) {
        std::cerr << "bench_kernels: " << error.what() << '\n';
        return 1;
    }
}
