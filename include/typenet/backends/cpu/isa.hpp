// The instruction sets that the CPU kernels are compiled for, and the choice among them.
#pragma once

#include <cstdlib>
#include <string>
#include <string_view>

#include "typenet/core/error.hpp"

// A build may pin one set (cmake -DTYPENET_ISA=...) to compile faster; otherwise all are compiled.
#if defined(TYPENET_ONLY_AVX512) || defined(TYPENET_ONLY_AVX2) || defined(TYPENET_ONLY_BASELINE)
    #if defined(TYPENET_ONLY_AVX512)
        #define TYPENET_HAS_AVX512 1
    #elif defined(TYPENET_ONLY_AVX2)
        #define TYPENET_HAS_AVX2 1
    #else
        #define TYPENET_HAS_BASELINE 1
    #endif
#else
    #if defined(__x86_64__)
        #define TYPENET_HAS_AVX512 1
        #define TYPENET_HAS_AVX2 1
    #endif
    #define TYPENET_HAS_BASELINE 1
#endif

namespace typenet::cpu {

/// Instruction sets, weakest first. Baseline is what the compiler targets without any flag;
/// avx512_bf16, which multiplies pairs of bfloat16, serves Cpu<bf16> alone.
enum class Isa { baseline, avx2, avx512, avx512_bf16 };
inline constexpr Isa all_isas[] = {Isa::avx512_bf16, Isa::avx512, Isa::avx2, Isa::baseline};

constexpr std::string_view to_string(Isa isa) {
    switch (isa) {
        case Isa::avx2:
            return "avx2";
        case Isa::avx512:
            return "avx512";
        case Isa::avx512_bf16:
            return "avx512_bf16";
        case Isa::baseline:
            break;
    }
    return "baseline";
}

/// Whether kernels for `isa` were compiled into this program.
constexpr bool is_compiled(Isa isa) {
    switch (isa) {
        case Isa::avx512:
        case Isa::avx512_bf16:
#ifdef TYPENET_HAS_AVX512
            return true;
#else
            return false;
#endif
        case Isa::avx2:
#ifdef TYPENET_HAS_AVX2
            return true;
#else
            return false;
#endif
        case Isa::baseline:
#ifdef TYPENET_HAS_BASELINE
            return true;
#else
            return false;
#endif
    }
    return false;
}

/// Whether this processor (and system) can run `isa`.
inline bool is_supported(Isa isa) {
#if defined(__x86_64__)
    switch (isa) {
        case Isa::avx512:
            return __builtin_cpu_supports("avx512f") != 0;
        case Isa::avx512_bf16:
            return __builtin_cpu_supports("avx512f") != 0 &&
                   __builtin_cpu_supports("avx512bw") != 0 &&
                   __builtin_cpu_supports("avx512bf16") != 0;
        case Isa::avx2:
            return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
        case Isa::baseline:
            break;
    }
#endif
    return isa == Isa::baseline;
}

/// The best instruction set up to `most` that is compiled and that this processor runs. The
/// environment variable TYPENET_ISA (baseline, avx2, avx512, avx512_bf16) lowers it further; a name
/// that cannot be used throws Error.
inline Isa best_isa(Isa most = Isa::avx512) {
    if (const char* wish = std::getenv("TYPENET_ISA"); wish != nullptr && *wish != '\0') {
        for (const Isa isa : all_isas)
            if (to_string(isa) == wish && is_compiled(isa) && is_supported(isa))
                return isa < most ? isa : most;
        throw Error("TYPENET_ISA=" + std::string{wish} +
                    ": not an instruction set that this program and processor have; use baseline, "
                    "avx2, avx512 or avx512_bf16, or unset it");
    }
    for (const Isa isa : all_isas)
        if (isa <= most && is_compiled(isa) && is_supported(isa)) return isa;
    throw Error(
        "this program was built for another instruction set than this processor has; "
        "configure it without TYPENET_ISA");
}

}  // namespace typenet::cpu
