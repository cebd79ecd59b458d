// A string as a template argument, in the one spelling that every supported compiler accepts.
#pragma once

#include <cstddef>
#include <string_view>

namespace typenet {

/// A name of at most 63 characters, e.g. the "features.0" of `Named<"features.0", Relu>`.
struct Text {
    char characters[64]{};

    template <std::size_t size>
    constexpr Text(const char (&literal)[size]) {
        static_assert(size <= 64, "a name has at most 63 characters");
        for (std::size_t i = 0; i < size; ++i) characters[i] = literal[i];
    }
    constexpr std::string_view view() const { return characters; }
};

}  // namespace typenet
