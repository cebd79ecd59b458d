// The kernels of all instruction sets for values of one type, TYPENET_VALUE, and the choice among
// them at run time. Included within a namespace. Where TYPENET_PAIRS is defined, values are
// bfloat16 and products take them in pairs.

// Vectors are passed between functions of one instruction set only, so their ABI does not matter.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpsabi"

#if defined(TYPENET_HAS_AVX512) && defined(TYPENET_PAIRS)
    #if defined(__clang__)
        #pragma clang attribute push( \
            __attribute__((target("avx512f,avx512bw,avx512bf16,avx2,fma"))), apply_to = function)
    #else
        #pragma GCC push_options
        #pragma GCC target("avx512f,avx512bw,avx512bf16,avx2,fma")
    #endif
namespace avx512_bf16 {
    #define TYPENET_LANES 16
    #define TYPENET_REGISTERS 32
    #define TYPENET_FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
    #define TYPENET_SQRT(v) _mm512_maskz_sqrt_ps(0xffff, v)
    #define TYPENET_DOT(c, a, b) \
        _mm512_dpbf16_ps(c, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b))
    #include "typenet/backends/cpu/kernels/all.inl"
    #undef TYPENET_LANES
    #undef TYPENET_REGISTERS
    #undef TYPENET_FMA
    #undef TYPENET_SQRT
    #undef TYPENET_DOT
}  // namespace avx512_bf16
    #if defined(__clang__)
        #pragma clang attribute pop
    #else
        #pragma GCC pop_options
    #endif
#endif

#ifdef TYPENET_HAS_AVX512
    #if defined(__clang__)
        #pragma clang attribute push(__attribute__((target("avx512f,avx2,fma"))), \
                                     apply_to = function)
    #else
        #pragma GCC push_options
        #pragma GCC target("avx512f,avx2,fma")
    #endif
namespace avx512 {
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
}  // namespace avx512
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
namespace avx2 {
    #define TYPENET_LANES 8
    #define TYPENET_REGISTERS 16
    #define TYPENET_FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
    #define TYPENET_SQRT(v) _mm256_sqrt_ps(v)
    #include "typenet/backends/cpu/kernels/all.inl"
    #undef TYPENET_LANES
    #undef TYPENET_REGISTERS
    #undef TYPENET_FMA
    #undef TYPENET_SQRT
}  // namespace avx2
    #if defined(__clang__)
        #pragma clang attribute pop
    #else
        #pragma GCC pop_options
    #endif
#endif

#ifdef TYPENET_HAS_BASELINE
namespace baseline {
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
}  // namespace baseline
#endif

#pragma GCC diagnostic pop

/// Forward of a stage with the kernels of `isa`.
template <Geometry g>
void stage_forward(Isa isa, const StageIo<TYPENET_VALUE>& io) {
    switch (isa) {
#if defined(TYPENET_HAS_AVX512) && defined(TYPENET_PAIRS)
        case Isa::avx512_bf16:
            return avx512_bf16::forward<g>(io);
#endif
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
void stage_backward(Isa isa, const StageIo<TYPENET_VALUE>& io, const Rule& rule) {
    switch (isa) {
#if defined(TYPENET_HAS_AVX512) && defined(TYPENET_PAIRS)
        case Isa::avx512_bf16:
            return avx512_bf16::backward<g>(io, rule);
#endif
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
#if defined(TYPENET_HAS_AVX512) && defined(TYPENET_PAIRS)
        case Isa::avx512_bf16:
            return avx512_bf16::update(pool, rule, count, parameters, gradients, state0, state1,
                                       scale);
#endif
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
