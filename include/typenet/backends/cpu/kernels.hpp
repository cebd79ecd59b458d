// The CPU kernels on floats, compiled once for each instruction set under target pragmas, so that a
// program needs no compiler flag: the best set of the processor is chosen at run time.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "typenet/backends/cpu/isa.hpp"
#include "typenet/backends/cpu/layout.hpp"
#include "typenet/backends/cpu/stage_io.hpp"
#include "typenet/backends/cpu/values.hpp"
#include "typenet/backends/cpu/winograd.hpp"
#include "typenet/core/random.hpp"
#include "typenet/core/stages.hpp"
#include "typenet/data/transforms.hpp"
#include "typenet/training/optimizers.hpp"

#if defined(__x86_64__)
    #include <immintrin.h>
#endif

namespace typenet::cpu {
#define TYPENET_VALUE float
#include "typenet/backends/cpu/kernels/instruction_sets.inl"
#undef TYPENET_VALUE

/// The kernels on activations of Cpu<T>.
template <class T>
struct Kernels;
template <>
struct Kernels<float> {
    static constexpr Isa most = Isa::avx512;  ///< the strongest of its instruction sets

    template <Geometry g>
    static void forward(Isa isa, const StageIo<float>& io) {
        stage_forward<g>(isa, io);
    }
    template <Geometry g, class Rule>
    static void backward(Isa isa, const StageIo<float>& io, const Rule& rule) {
        stage_backward<g>(isa, io, rule);
    }
    template <class Rule, class... Arguments>
    static void update(Isa isa, ThreadPool& pool, const Rule& rule, Arguments... arguments) {
        cpu::update(isa, pool, rule, arguments...);
    }
};

}  // namespace typenet::cpu
