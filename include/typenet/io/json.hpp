// A strict JSON reader and a writer, as small as typenet's own files need. The reader is pulled:
// the caller says what must come next, so nothing is built that the caller does not want, and
// nesting goes no deeper than the caller does. Source: RFC 8259.
#pragma once

#include <array>
#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "../core/error.hpp"

namespace typenet {

/// Text that is not JSON, or not the JSON that was wanted. `what()` gives the byte where reading
/// stopped, counted from 0.
class JsonError : public Error {
public:
    using Error::Error;
};

/// Whether `text` is UTF-8: no stray or missing bytes, no overlong form, no surrogate, nothing
/// above U+10FFFF.
constexpr bool is_utf8(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        const auto first = static_cast<unsigned char>(text[i++]);
        if (first < 0x80) continue;
        if (first < 0xC2 || first > 0xF4) return false;
        const int following = first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
        // The second byte alone tells an overlong form, a surrogate or too great a value.
        unsigned low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
        unsigned high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
        for (int k = 0; k < following; ++k) {
            if (i == text.size()) return false;
            const auto next = static_cast<unsigned char>(text[i++]);
            if (next < low || next > high) return false;
            low = 0x80;
            high = 0xBF;
        }
    }
    return true;
}

/// `text` as a JSON string, with its quotation marks. Only what must be escaped is.
/// Throws JsonError where `text` is not UTF-8.
inline std::string json_quoted(std::string_view text) {
    if (!is_utf8(text)) throw JsonError("JSON holds only UTF-8 text; convert the text first");
    std::string quoted = "\"";
    for (const char c : text) {
        constexpr std::string_view special = "\"\\\b\f\n\r\t";
        constexpr std::string_view letters = "\"\\bfnrt";
        constexpr std::string_view digits = "0123456789abcdef";
        if (const std::size_t k = special.find(c); k != special.npos) {
            quoted += '\\';
            quoted += letters[k];
        } else if (const auto code = static_cast<unsigned char>(c); code < 0x20) {
            quoted += "\\u00";
            quoted += digits[code >> 4];
            quoted += digits[code & 15];
        } else {
            quoted += c;
        }
    }
    return quoted += '"';
}

namespace detail {

/// `text` (UTF-8) quoted for a message that stays one line of bounded length.
inline std::string excerpt(std::string_view text) {
    constexpr std::size_t limit = 80;
    if (text.size() <= limit) return json_quoted(text);
    std::size_t end = limit;
    while ((static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    return json_quoted(text.substr(0, end)) + "...";
}

}  // namespace detail

/// Reads one JSON text from front to back:
///
///     JsonReader reader(text);
///     reader.object([&](const std::string& key) { values[key] = reader.natural(); });
///     reader.finish();
///
/// Every function throws JsonError where the text is malformed, has something else at this place,
/// or repeats a key within an object. `text` must outlive the reader.
class JsonReader {
public:
    explicit JsonReader(std::string_view text) : text_(text) {
        if (!is_utf8(text)) fail("the text is not UTF-8");
    }

    /// Calls `on_key(key)` for each member, in the text's order; it must read the member's value.
    template <class OnKey>
    void object(OnKey on_key) {
        expect('{');
        if (accept('}')) return;
        std::set<std::string> keys;
        do {
            const auto [key, is_first] = keys.insert(string());
            if (!is_first) fail("the key " + detail::excerpt(*key) + " comes twice");
            expect(':');
            on_key(*key);
        } while (accept(','));
        expect('}');
    }

    /// Calls `on_element()` for each element; it must read the element.
    template <class OnElement>
    void array(OnElement on_element) {
        expect('[');
        if (accept(']')) return;
        do on_element();
        while (accept(','));
        expect(']');
    }

    std::string string() {
        expect('"');
        std::string value;
        while (true) {
            if (at_ == text_.size()) fail("a string does not end");
            const char c = text_[at_++];
            if (c == '"') return value;
            if (static_cast<unsigned char>(c) < 0x20) {
                --at_;
                fail("a control character stands unescaped in a string");
            }
            if (c == '\\')
                append_escaped(value);
            else
                value += c;
        }
    }

    /// A whole number from 0 to 2^63 - 1, written without fraction and exponent.
    std::int64_t natural() {
        skip_space();
        const std::size_t start = at_;
        while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
        const std::string_view digits = text_.substr(start, at_ - start);
        const bool goes_on = at_ < text_.size() &&
                             std::string_view(".eE").find(text_[at_]) != std::string_view::npos;
        std::int64_t value = 0;
        const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), value);
        if (result.ec != std::errc{} || goes_on || (digits.size() > 1 && digits[0] == '0')) {
            at_ = start;
            fail("a whole number from 0 to 9223372036854775807 is wanted");
        }
        return value;
    }

    /// Any number that a double holds, rounded to the nearest one; null, which JsonWriter makes of
    /// infinities and NaN, becomes NaN.
    double number() {
        skip_space();
        if (text_.substr(at_, 4) == "null") {
            at_ += 4;
            return std::numeric_limits<double>::quiet_NaN();
        }
        const std::size_t start = at_;
        const auto wanted = [&]() {
            at_ = start;
            fail("a number is wanted");
        };
        const auto digits = [&] {
            const std::size_t first = at_;
            while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
            if (at_ == first) wanted();
            return at_ - first;
        };
        const auto take = [&](std::string_view any) {
            if (at_ == text_.size() || any.find(text_[at_]) == any.npos) return false;
            ++at_;
            return true;
        };
        take("-");
        const bool leading_zero = at_ < text_.size() && text_[at_] == '0';
        if (digits() > 1 && leading_zero) wanted();
        if (take(".")) digits();
        if (take("eE")) {
            take("+-");
            digits();
        }
        double value = 0;
        if (std::from_chars(text_.data() + start, text_.data() + at_, value).ec != std::errc{})
            wanted();
        return value;
    }

    /// Demands that nothing but white space is left.
    void finish() {
        skip_space();
        if (at_ != text_.size()) fail("something follows the end of the JSON text");
    }

    /// Throws JsonError with the place reached.
    [[noreturn]] void fail(const std::string& reason) const {
        throw JsonError(reason + " (at byte " + std::to_string(at_) + ")");
    }

private:
    void skip_space() {
        while (at_ < text_.size() &&
               std::string_view(" \t\n\r").find(text_[at_]) != std::string_view::npos)
            ++at_;
    }

    bool accept(char wanted) {
        skip_space();
        if (at_ == text_.size() || text_[at_] != wanted) return false;
        ++at_;
        return true;
    }

    void expect(char wanted) {
        if (!accept(wanted)) fail(std::string("'") + wanted + "' is wanted");
    }

    void append_escaped(std::string& value) {
        constexpr std::string_view letters = "\"\\/bfnrt";
        constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
        if (at_ == text_.size()) fail("a string does not end");
        const char c = text_[at_++];
        if (c == 'u') return append_utf8(value, code_point());
        const std::size_t k = letters.find(c);
        if (k == letters.npos) fail("JSON has no such escape in a string");
        value += meanings[k];
    }

    std::uint32_t code_point() {
        const std::uint32_t first = hex4();
        if (first < 0xD800 || first > 0xDFFF) return first;
        // Above U+FFFF a character is escaped as two surrogates; alone they mean nothing.
        if (first < 0xDC00 && text_.substr(at_, 2) == "\\u") {
            at_ += 2;
            const std::uint32_t second = hex4();
            if (second >= 0xDC00 && second <= 0xDFFF)
                return 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        }
        fail("an escaped surrogate lacks its other half");
    }

    std::uint32_t hex4() {
        const std::string_view digits = text_.substr(at_, 4);
        std::uint32_t value = 0;
        const auto result =
            std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
        if (result.ec != std::errc{} || result.ptr != digits.data() + 4)
            fail("four hexadecimal digits are wanted");
        at_ += 4;
        return value;
    }

    static void append_utf8(std::string& value, std::uint32_t code) {
        const auto append = [&](std::uint32_t byte) { value += static_cast<char>(byte); };
        if (code < 0x80) return append(code);
        if (code < 0x800) {
            append(0xC0 | code >> 6);
        } else {
            if (code < 0x10000) {
                append(0xE0 | code >> 12);
            } else {
                append(0xF0 | code >> 18);
                append(0x80 | (code >> 12 & 0x3F));
            }
            append(0x80 | (code >> 6 & 0x3F));
        }
        append(0x80 | (code & 0x3F));
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

/// Builds one JSON text without white space, member by member:
///
///     JsonWriter json;
///     json.begin_object().key("epoch").value(3).key("loss").value(0.25).end_object();
///     json.text();  // {"epoch":3,"loss":0.25}
///
/// The caller keeps keys and values in turn and closes what it opens.
class JsonWriter {
public:
    JsonWriter& begin_object() { return begin('{'); }
    JsonWriter& end_object() { return end('}'); }
    JsonWriter& begin_array() { return begin('['); }
    JsonWriter& end_array() { return end(']'); }

    JsonWriter& key(std::string_view name) {
        put(json_quoted(name));
        text_ += ':';
        needs_comma_ = false;
        return *this;
    }

    JsonWriter& value(std::string_view text) { return put(json_quoted(text)); }
    JsonWriter& value(std::same_as<bool> auto flag) { return put(flag ? "true" : "false"); }
    JsonWriter& value(std::integral auto number) requires(!std::same_as<decltype(number), bool>) {
        return put(std::to_string(number));
    }
    /// The shortest text that reads back as the same number. JSON knows neither infinity nor NaN:
    /// they become null.
    JsonWriter& value(std::floating_point auto number) {
        if (!std::isfinite(number)) return put("null");
        std::array<char, 64> digits;
        const auto result = std::to_chars(digits.data(), digits.data() + digits.size(), number);
        return put({digits.data(), static_cast<std::size_t>(result.ptr - digits.data())});
    }

    const std::string& text() const { return text_; }

private:
    JsonWriter& begin(char bracket) {
        put({&bracket, 1});
        needs_comma_ = false;
        return *this;
    }
    JsonWriter& end(char bracket) {
        text_ += bracket;
        needs_comma_ = true;
        return *this;
    }
    JsonWriter& put(std::string_view piece) {
        if (needs_comma_) text_ += ',';
        text_ += piece;
        needs_comma_ = true;
        return *this;
    }

    std::string text_;
    bool needs_comma_ = false;
};

}  // namespace typenet
