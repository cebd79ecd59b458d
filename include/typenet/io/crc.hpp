// Cyclic redundancy checks of 32 bits, with bits reflected, all ones at the start and inverted at
// the end: CRC-32 of zip and PNG, and CRC-32C (Castagnoli, RFC 3720) of TensorFlow's records.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace typenet::detail {

/// Tables of a polynomial, for eight bytes at a time.
template <std::uint32_t polynomial>
inline constexpr auto crc_tables = [] {
    std::array<std::array<std::uint32_t, 256>, 8> tables{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t value = i;
        for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value & 1 ? polynomial : 0);
        tables[0][i] = value;
    }
    for (std::size_t k = 1; k < 8; ++k)
        for (std::size_t i = 0; i < 256; ++i)
            tables[k][i] = tables[k - 1][i] >> 8 ^ tables[0][tables[k - 1][i] & 255];
    return tables;
}();

template <std::uint32_t polynomial>
std::uint32_t crc(std::span<const std::byte> bytes) {
    constexpr auto& tables = crc_tables<polynomial>;
    std::uint32_t sum = ~std::uint32_t{0};
    for (; bytes.size() >= 8; bytes = bytes.subspan(8)) {
        std::uint64_t word;
        std::memcpy(&word, bytes.data(), 8);
        word ^= sum;
        sum = 0;
        for (std::size_t k = 0; k < 8; ++k) sum ^= tables[7 - k][word >> (8 * k) & 255];
    }
    for (const std::byte byte : bytes)
        sum = sum >> 8 ^ tables[0][(sum ^ std::to_integer<std::uint32_t>(byte)) & 255];
    return ~sum;
}

inline std::uint32_t crc32(std::span<const std::byte> bytes) {
    return crc<0xEDB88320>(bytes);
}
inline std::uint32_t crc32c(std::span<const std::byte> bytes) {
    return crc<0x82F63B78>(bytes);
}

}  // namespace typenet::detail
