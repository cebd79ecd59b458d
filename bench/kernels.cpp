// Each stage of AlexNet that has parameters, forward and backward, and the optimizers' updates,
// beside two limits of the machine that are measured first, with all threads: the rate of
// multiply-adds in registers, and that of reading memory.
//
// Counters: GFLOP/s and its share of the peak; for linear stages and updates GB/s of the
// parameters' own traffic and its share of the bandwidth. A linear stage reads its weights once
// forward; the backward pass, which also updates them, reads and writes them and their momentum
// once.
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

// The limits --------------------------------------------------------------------------------------

/// Independent sums of different values: enough to hide the latency of a multiply-add; with both
/// factors they fill sixteen registers.
constexpr int sums_at_once = 14;

#define TYPENET_DEFINE_LOOPS(isa, attribute)                                                 \
    attribute void multiply_add_loop_##isa(std::int64_t repeats, float factor) {             \
        namespace simd = cpu::isa;                                                           \
        const simd::Vector a = simd::broadcast(factor), b = simd::broadcast(1 - factor);     \
        simd::Vector sums[sums_at_once];                                                     \
        for (int k = 0; k < sums_at_once; ++k) sums[k] = simd::broadcast(factor * float(k)); \
        for (std::int64_t i = 0; i < repeats; ++i)                                           \
            _Pragma("GCC unroll 14") for (simd::Vector & sum : sums) sum =                   \
                simd::multiply_add(sum, a, b);                                               \
        for (const simd::Vector& sum : sums) benchmark::DoNotOptimize(sum);                  \
    }                                                                                        \
    attribute void read_loop_##isa(const float* values, std::int64_t count) {                \
        namespace simd = cpu::isa;                                                           \
        simd::Vector sums[8] = {};                                                           \
        for (std::int64_t i = 0; i < count; i += 8 * simd::lanes)                            \
            _Pragma("GCC unroll 8") for (int k = 0; k < 8; ++k) sums[k] +=                   \
                simd::load(values + i + k * simd::lanes);                                    \
        for (const simd::Vector& sum : sums) benchmark::DoNotOptimize(sum);                  \
    }
#ifdef TYPENET_HAS_AVX512
TYPENET_DEFINE_LOOPS(avx512, [[gnu::target("avx512f,avx2,fma")]])
#endif
#ifdef TYPENET_HAS_AVX2
TYPENET_DEFINE_LOOPS(avx2, [[gnu::target("avx2,fma")]])
#endif
#ifdef TYPENET_HAS_BASELINE
TYPENET_DEFINE_LOOPS(baseline, )
#endif
#undef TYPENET_DEFINE_LOOPS

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

void read_loop(cpu::Isa isa, const float* values, std::int64_t count) {
    switch (isa) {
#ifdef TYPENET_HAS_AVX512
        case cpu::Isa::avx512:
            return read_loop_avx512(values, count);
#endif
#ifdef TYPENET_HAS_AVX2
        case cpu::Isa::avx2:
            return read_loop_avx2(values, count);
#endif
#ifdef TYPENET_HAS_BASELINE
        case cpu::Isa::baseline:
            return read_loop_baseline(values, count);
#endif
        default:
            throw Error("the kernels of this instruction set were not compiled");
    }
}

/// Calls f(), several times, and returns the seconds of the quickest.
template <class F>
double quickest(const F& f) {
    double best = 1e9;
    for (int trial = 0; trial < 10; ++trial) {
        const auto start = std::chrono::steady_clock::now();
        f();
        const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
        best = std::min(best, spent.count());
    }
    return best;
}

/// Floating-point operations per second of all threads together: the best of several trials.
double measure_peak(Backend::Context& context) {
    constexpr std::int64_t repeats = 2'000'000;
    const std::int64_t tasks = 4 * context.threads();  // several each, so that late threads join in
    const int lanes = multiply_add_loop(context.isa, 1, 0.5f);
    const auto task = [](const void* isa, std::int64_t, int) {
        multiply_add_loop(*static_cast<const cpu::Isa*>(isa), repeats, 0.5f);
    };
    const double seconds = quickest([&] { context.pool.parallel_for(tasks, task, &context.isa); });
    return static_cast<double>(2 * tasks * repeats * sums_at_once * lanes) / seconds;
}

/// Bytes per second that all threads together read from memory: the best of several trials.
double measure_bandwidth(Backend::Context& context) {
    constexpr std::int64_t count = std::int64_t{64} << 20;  // 256 MiB, beyond any cache
    constexpr std::int64_t piece = std::int64_t{1} << 18;
    struct Values {
        Backend::Arena arena;
        cpu::Isa isa;
    };
    const Values values{Backend::Arena{count * 4}, context.isa};
    const auto task = [](const void* given, std::int64_t index, int) {
        const auto& from = *static_cast<const Values*>(given);
        read_loop(from.isa, from.arena.floats() + index * piece, piece);
    };
    const double seconds =
        quickest([&] { context.pool.parallel_for(count / piece, task, &values); });
    return static_cast<double>(count * 4) / seconds;
}

// The stages -------------------------------------------------------------------------------------

enum class Pass {
    forward,
    winograd,         ///< forward by Winograd's algorithm
    weight_gradient,  ///< backward where nothing before the stage learns
    data_gradient,    ///< backward where the stage is frozen
    backward,         ///< gradients of input and weights; a linear stage also updates its weights
};
constexpr bool is_forward(Pass pass) {
    return pass == Pass::forward || pass == Pass::winograd;
}

void fill(const Backend::Arena& arena, std::int64_t count, float low, float high) {
    RandomStream random{Seed{1}, Purpose::synthetic};
    for (std::int64_t i = 0; i < count; ++i) arena.floats()[i] = random.uniform(low, high);
}

/// A stage of geometry `g` with data of its own.
template <Geometry g>
class StageData {
public:
    StageData(Backend::Context& context, const StageInfo& stage, std::int64_t batch)
        : input_(batch * Backend::input_bytes(g)),
          output_(batch * Backend::output_bytes(g)),
          codes_(batch * Backend::code_bytes(g)),
          output_gradient_(batch * Backend::gradient_bytes(g)),
          input_gradient_(batch * 4 * cpu::layout_of(g.input, {}, false).sample),
          weights_(parameter_bytes),
          gradients_(parameter_bytes),
          momentum_(parameter_bytes),
          transformed_(4 * Backend::transformed_weight_count(g)),
          workspace_(Backend::workspace_bytes(g, Phase::training, batch, context.threads())),
          mask_(Seed{1}, 0, stage.dropout_layer, stage.rate) {
        fill(input_, batch * Backend::input_bytes(g) / 4, -1, 1);
        fill(output_gradient_, batch * Backend::gradient_bytes(g) / 4, -1e-3f, 1e-3f);
        fill(weights_, parameter_bytes / 4, -0.01f, 0.01f);
        io_.layer = &Network::layers[static_cast<std::size_t>(stage.layer)];
        io_.batch = batch;
        io_.input = input_.floats();
        io_.output = output_.floats();
        if constexpr (g.winograd)  // in inference nobody reads codes
            Backend::transform_weights(context, g, weights_.floats(), transformed_.floats());
        else
            io_.codes = reinterpret_cast<std::uint8_t*>(codes_.bytes());
        io_.transformed_weights = transformed_.floats();
        io_.weights = weights_.floats();
        io_.biases = weights_.floats() + Backend::weight_count(g);
        io_.output_gradient = output_gradient_.floats();
        if constexpr (learns(g)) {
            io_.bias_gradient = gradients_.floats() + Backend::weight_count(g);
            io_.weight_state[0] = momentum_.floats();
        }
        if constexpr (g.dropout) io_.dropout = &mask_;
        if constexpr (g.input_gradient) io_.input_gradient = input_gradient_.floats();
        // A linear stage updates its weights at once, the others leave their gradients.
        if constexpr (!Backend::updates_in_backward(g)) io_.weight_gradient = gradients_.floats();
        Backend::use_workspace(g, io_, workspace_.bytes(), Phase::training, batch);
    }

    void forward(Backend::Context& context) { Backend::forward<g>(context, io_); }

    void backward(Backend::Context& context) {
        if constexpr (g.winograd)
            throw Error("Winograd's algorithm is for inference");
        else if constexpr (Backend::updates_in_backward(g))
            Backend::backward<g>(context, io_, &rule_);
        else
            Backend::backward<g>(context, io_, &keep_);
    }

private:
    static constexpr std::int64_t parameter_bytes =
        4 * (Backend::weight_count(g) + Backend::bias_count(g));
    Backend::Arena input_, output_, codes_, output_gradient_, input_gradient_;
    Backend::Arena weights_, gradients_, momentum_, transformed_, workspace_;
    DropoutMask mask_;
    Backend::StageIo io_;
    // Without a learning rate (and with dropout's scale left at 1) repetitions do not blow up.
    SgdRule rule_ = Sgd{.learning_rate = 0, .momentum = 0.9f}.rule(1);
    Backend::KeepGradient keep_;
};

void count_traffic(benchmark::State& state, const Peak& limits, double bytes_per_second) {
    state.counters["GB/s"] = bytes_per_second * 1e-9;
    state.counters["of_bandwidth"] = bytes_per_second / limits.bytes;
}

template <Geometry g>
void measure(benchmark::State& state, Backend::Context& context, const Peak& limits,
             const StageInfo& stage, Pass pass, std::int64_t batch) {
    StageData<g> data{context, stage, batch};
    data.forward(context);  // the backward pass reads the output and the codes
    const auto start = std::chrono::steady_clock::now();
    for (auto _ : state) is_forward(pass) ? data.forward(context) : data.backward(context);
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;

    const LayerInfo& layer = Network::layers[static_cast<std::size_t>(stage.layer)];
    const double runs_per_second = static_cast<double>(state.iterations()) / spent.count();
    const double operations = static_cast<double>(2 * layer.macs * batch) *
                              (pass == Pass::backward && g.input_gradient ? 2 : 1);
    state.counters["GFLOP/s"] = operations * runs_per_second * 1e-9;
    double multiplied = operations;
    if constexpr (g.winograd) {
        const cpu::WinogradLayout w = cpu::winograd_layout(g);
        multiplied = static_cast<double>(2 * batch * w.rows * w.columns * w.positions *
                                         (g.input.channels / g.groups) * g.middle.channels);
    }
    state.counters["of_peak"] = multiplied * runs_per_second / limits.flops;
    if (g.op == Op::linear)
        count_traffic(
            state, limits,
            static_cast<double>(4 * Backend::weight_count(g) * (is_forward(pass) ? 1 : 4)) *
                runs_per_second);
}

constexpr Geometry without_input_gradient(Geometry g) {
    g.input_gradient = false;
    return g;
}
constexpr Geometry frozen(Geometry g) {
    g.frozen = true;
    return g;
}
constexpr Geometry by_winograd(Geometry g) {
    g = forward_geometry(g);
    g.winograd = true;
    return g;
}

template <std::size_t s>
void register_stage(Backend::Context& context, const Peak& limits) {
    constexpr StageInfo stage = stages_of<Network, Phase::training>.stages[s];
    constexpr Geometry g = stage.geometry;
    if constexpr (has_parameters(g)) {
        const std::string name = name_of(Network::layers[static_cast<std::size_t>(stage.layer)]);
        const auto add = [&]<Geometry measured>(std::integral_constant<Geometry, measured>,
                                                const char* pass_name, Pass pass) {
            for (const std::int64_t batch : {1, 4, 64})
                benchmark::RegisterBenchmark(
                    (name + "/" + pass_name + "/" + std::to_string(batch)).c_str(),
                    [&context, limits, pass, batch, stage](benchmark::State& state) {
                        measure<measured>(state, context, limits, stage, pass, batch);
                    })
                    ->Unit(benchmark::kMillisecond)
                    ->UseRealTime();
        };
        using Whole = std::integral_constant<Geometry, g>;
        add(Whole{}, "forward", Pass::forward);
        if constexpr (has_winograd_form(g))
            add(std::integral_constant<Geometry, by_winograd(g)>{}, "winograd", Pass::winograd);
        if constexpr (g.op == Op::convolution) {
            add(std::integral_constant<Geometry, without_input_gradient(g)>{}, "weight_gradient",
                Pass::weight_gradient);
            if constexpr (g.input_gradient)
                add(std::integral_constant<Geometry, frozen(g)>{}, "data_gradient",
                    Pass::data_gradient);
        }
        if constexpr (g.input_gradient) add(Whole{}, "backward", Pass::backward);
    }
}

void register_stages(Backend::Context& context, const Peak& limits) {
    [&]<std::size_t... s>(std::index_sequence<s...>) {
        (register_stage<s>(context, limits), ...);
    }
    (std::make_index_sequence<stages_of<Network, Phase::training>.count>{});
}

// The optimizers ----------------------------------------------------------------------------------

/// The update of parameters whose gradients lie in memory. It reads parameters, gradients and
/// state, and writes parameters and state.
template <class Optimizer>
void register_update(Backend::Context& context, const Peak& limits, const char* name) {
    constexpr std::int64_t count = std::int64_t{16} << 20;
    benchmark::RegisterBenchmark(
        name,
        [&context, limits](benchmark::State& state) {
            const Backend::Arena parameters(4 * count), gradients(4 * count);
            const Backend::Arena states[2] = {Backend::Arena(4 * count), Backend::Arena(4 * count)};
            const auto rule = Optimizer{}.rule(1);
            const auto start = std::chrono::steady_clock::now();
            for (auto _ : state)
                Backend::update(context, &rule, count, parameters.floats(), gradients.floats(),
                                states[0].floats(), states[1].floats(), nullptr);
            const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
            const auto bytes = static_cast<double>(4 * count * (3 + 2 * Optimizer::state_count));
            count_traffic(state, limits,
                          bytes * static_cast<double>(state.iterations()) / spent.count());
        })
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime();
}

}  // namespace

int main(int argc, char** argv) {
    try {
        benchmark::Initialize(&argc, argv);
        if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
        Backend::Context context{Threads{}};
        const Peak limits{measure_peak(context), measure_bandwidth(context)};
        benchmark::AddCustomContext("threads", std::to_string(context.threads()));
        benchmark::AddCustomContext("kernels", std::string{to_string(context.isa)});
        benchmark::AddCustomContext("peak", std::to_string(limits.flops * 1e-9) + " GFLOP/s");
        benchmark::AddCustomContext("bandwidth", std::to_string(limits.bytes * 1e-9) + " GB/s");
        register_stages(context, limits);
        register_update<Sgd>(context, limits, "update/sgd");
        register_update<Adam>(context, limits, "update/adam");
        benchmark::RunSpecifiedBenchmarks();
        benchmark::Shutdown();
        return 0;
    } catch (const std::exception& error) {
        std::cerr << "bench_kernels: " << error.what() << '\n';
        return 1;
    }
}
