// Bytes taken from front to back, never beyond their end: what the readers of binary formats share.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "../core/error.hpp"

namespace typenet::detail {

static_assert(std::endian::native == std::endian::little, "take() reads little-endian numbers");

/// Takes little-endian numbers, texts and spans off `bytes`. Where they do not suffice, throws the
/// FileError `origin: what ends too early; remedy`.
class ByteReader {
public:
    ByteReader(std::span<const std::byte> bytes, std::string_view origin, std::string_view what,
               std::string_view remedy)
        : bytes_(bytes), origin_(origin), what_(what), remedy_(remedy) {}

    std::size_t left() const { return bytes_.size(); }

    std::span<const std::byte> take(std::uint64_t count) {
        if (count > bytes_.size())
            throw FileError(std::string(origin_), std::string(what_) + " ends too early",
                            std::string(remedy_));
        const std::span<const std::byte> taken = bytes_.first(static_cast<std::size_t>(count));
        bytes_ = bytes_.subspan(taken.size());
        return taken;
    }
    std::string_view text(std::uint64_t count) {
        const std::span<const std::byte> taken = take(count);
        return {reinterpret_cast<const char*>(taken.data()), taken.size()};
    }
    /// The text before the next `end`, which is taken as well.
    std::string_view text_until(char end) {
        const std::string_view rest(reinterpret_cast<const char*>(bytes_.data()), bytes_.size());
        const std::string_view found = text(rest.substr(0, rest.find(end)).size());
        take(1);
        return found;
    }
    template <class T>
    requires std::is_arithmetic_v<T> T number() {
        T value;
        std::memcpy(&value, take(sizeof value).data(), sizeof value);
        return value;
    }

private:
    std::span<const std::byte> bytes_;
    std::string_view origin_;
    std::string_view what_;
    std::string_view remedy_;
};

}  // namespace typenet::detail
