// The CPU kernels, compiled once for each instruction set under target pragmas, so that a program
// needs no compiler flag: the best set of the processor is chosen at run time.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "typenet/backends/cpu/isa.hpp"
#include "typenet/backends/cpu/layout.hpp"
#include "typenet/backends/cpu/stage_io.hpp"
#include "typenet/backends/cpu/winograd.hpp"
#include "typenet/core/random.hpp"
#include "typenet/core/stages.hpp"
#include "typenet/data/transforms.hpp"
#include "typenet/training/optimizers.hpp"

#if defined(__x86_64__)
    #include <immintrin.h>
#endif

// Vectors are passed between functions of one instruction set only, so their ABI does not matter.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpsabi"

#ifdef TYPENET_HAS_AVX512
    #if defined(__clang__)
        #pragma clang attribute push(__attribute__((target("avx512f,avx2,fma"))), \
                                     apply_to = function)
    #else
        #pragma GCC push_options
        #pragma GCC target("avx512f,avx2,fma")
    #endif
namespace typenet::cpu::avx512 {
    #define TYPENET_LANES 16
    #define TYPENET_REGISTERS 32
    #define TYPENET_FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
    // The unmasked intrinsic makes g++ 12 warn of an uninitialised value that nobody reads.
    #define TYPENET_SQRT(v) _mm512_maskz_sqrt_ps(0xffff, v)
    #include "typenet/backends/cpu/kernels/all.inl"
    #undef TYPENET_LANES
    #undef TYPENET_REGISTERS
    #undef TYPENET_FMA
    #undef TYPENET_SQRT
}  // namespace typenet::cpu::avx512
    #if defined(__clang__)
        #pragma clang attribute pop
    #else
        #pragma GCC pop_options
    #endif
#endif

#ifdef TYPENET_HAS_AVX2
    #if defined(__clang__)
        #pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
    #else
        #pragma GCC push_options
        #pragma GCC target("avx2,fma")
    #endif
namespace typenet::cpu::avx2 {
    #define TYPENET_LANES 8
    #define TYPENET_REGISTERS 16
    #define TYPENET_FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
    #define TYPENET_SQRT(v) _mm256_sqrt_ps(v)
    #include "typenet/backends/cpu/kernels/all.inl"
    #undef TYPENET_LANES
    #undef TYPENET_REGISTERS
    #undef TYPENET_FMA
    #undef TYPENET_SQRT
}  // namespace typenet::cpu::avx2
    #if defined(__clang__)
        #pragma clang attribute pop
    #else
        #pragma GCC pop_options
    #endif
#endif

#ifdef TYPENET_HAS_BASELINE
namespace typenet::cpu::baseline {
    #define TYPENET_LANES 4
    #define TYPENET_REGISTERS 15  // of 16: without multiply-add one holds a product
    #define TYPENET_FMA(a, b, c) ((a) * (b) + (c))
    #if defined(__x86_64__)
        #define TYPENET_SQRT(v) _mm_sqrt_ps(v)
    #else
        #define TYPENET_SQRT(v) \
            (Vector{std::sqrt(v[0]), std::sqrt(v[1]), std::sqrt(v[2]), std::sqrt(v[3])})
    #endif
    #include "typenet/backends/cpu/kernels/all.inl"
    #undef TYPENET_LANES
    #undef TYPENET_REGISTERS
    #undef TYPENET_FMA
    #undef TYPENET_SQRT
}  // namespace typenet::cpu::baseline
#endif

#pragma GCC diagnostic pop

namespace typenet::cpu {

/// Forward of a stage with the kernels of `isa`.
template <Geometry g>
void stage_forward(Isa isa, const StageIo& io) {
    switch (isa) {
#ifdef TYPENET_HAS_AVX512
        case Isa::avx512:
            return avx512::forward<g>(io);
#endif
#ifdef TYPENET_HAS_AVX2
        case Isa::avx2:
            return avx2::forward<g>(io);
#endif
#ifdef TYPENET_HAS_BASELINE
        case Isa::baseline:
            return baseline::forward<g>(io);
#endif
        default:
            break;
    }
}

/// Backward of a stage with the kernels of `isa`.
template <Geometry g, class Rule>
void stage_backward(Isa isa, const StageIo& io, const Rule& rule) {
    switch (isa) {
#ifdef TYPENET_HAS_AVX512
        case Isa::avx512:
            return avx512::backward<g>(io, rule);
#endif
#ifdef TYPENET_HAS_AVX2
        case Isa::avx2:
            return avx2::backward<g>(io, rule);
#endif
#ifdef TYPENET_HAS_BASELINE
        case Isa::baseline:
            return baseline::backward<g>(io, rule);
#endif
        default:
            break;
    }
}

/// Applies an optimizer's rule to `count` parameters (a multiple of 16), by their gradients times
/// `scale`.
template <class Rule>
void update(Isa isa, ThreadPool& pool, const Rule& rule, std::int64_t count, float* parameters,
            const float* gradients, float* state0, float* state1, float scale) {
    switch (isa) {
#ifdef TYPENET_HAS_AVX512
        case Isa::avx512:
            return avx512::update(pool, rule, count, parameters, gradients, state0, state1, scale);
#endif
#ifdef TYPENET_HAS_AVX2
        case Isa::avx2:
            return avx2::update(pool, rule, count, parameters, gradients, state0, state1, scale);
#endif
#ifdef TYPENET_HAS_BASELINE
        case Isa::baseline:
            return baseline::update(pool, rule, count, parameters, gradients, state0, state1,
                                    scale);
#endif
        default:
            break;
    }
}

}  // namespace typenet::cpu
