// A number on the command line of the programs that are compared with PyTorch's.
#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include "typenet/core/error.hpp"

namespace typenet::testing {

/// Throws Error where `text` is anything but a whole number.
inline std::uint64_t whole_number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || stop != text.data() + text.size())
        throw Error("'" + std::string{text} + "' given; use a whole number");
    return value;
}

}  // namespace typenet::testing
