// The numbers that the CPU backend keeps in memory.
#pragma once

#include <bit>
#include <cstdint>

#include "typenet/core/precision.hpp"

namespace typenet::cpu {

/// A bfloat16: the upper half of a float. A float is rounded to the nearest one, ties to even; NaN
/// stays NaN.
struct Bf16 {
    std::uint16_t bits;

    Bf16() = default;
    constexpr explicit Bf16(float value) : bits(rounded(std::bit_cast<std::uint32_t>(value))) {}
    constexpr Bf16& operator=(float value) { return *this = Bf16(value); }
    constexpr operator float() const {
        return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
    }

private:
    static constexpr std::uint16_t rounded(std::uint32_t bits) {
        const bool is_nan = (bits & 0x7fff'ffff) > 0x7f80'0000;
        const std::uint32_t nearest = bits + 0x7fff + (bits >> 16 & 1);
        return static_cast<std::uint16_t>((is_nan ? bits | 0x40'0000 : nearest) >> 16);
    }
};

/// What holds an activation of Cpu<T>, and a weight where products read it.
template <class T>
struct ValueOf;
template <>
struct ValueOf<float> {
    using type = float;
};
template <>
struct ValueOf<bf16> {
    using type = Bf16;
};

}  // namespace typenet::cpu
