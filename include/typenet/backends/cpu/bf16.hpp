// Cpu<bf16>: activations and the weights of products as bfloat16, with kernels of their own. Apart
// from cpu.hpp, so that whoever computes in floats does not compile them.
#pragma once

#include "typenet/backends/cpu/cpu.hpp"

namespace typenet {
namespace cpu {
namespace in_bf16 {
#define TYPENET_VALUE Bf16
#define TYPENET_PAIRS
#include "typenet/backends/cpu/kernels/instruction_sets.inl"
#undef TYPENET_PAIRS
#undef TYPENET_VALUE
}  // namespace in_bf16

template <>
struct Kernels<bf16> {
    static constexpr Isa most = Isa::avx512_bf16;

    template <Geometry g>
    static void forward(Isa isa, const StageIo<Bf16>& io) {
        in_bf16::stage_forward<g>(isa, io);
    }
    template <Geometry g, class Rule>
    static void backward(Isa isa, const StageIo<Bf16>& io, const Rule& rule) {
        in_bf16::stage_backward<g>(isa, io, rule);
    }
    template <class Rule, class... Arguments>
    static void update(Isa isa, ThreadPool& pool, const Rule& rule, Arguments... arguments) {
        in_bf16::update(isa, pool, rule, arguments...);
    }
};

}  // namespace cpu

template <>
struct Cpu<bf16> : cpu::Processor<bf16> {};

}  // namespace typenet
