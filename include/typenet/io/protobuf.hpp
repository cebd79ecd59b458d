// Protocol buffers, written field by field without a schema. Little-endian machines. Source:
// protobuf.dev, "Encoding".
#pragma once

#include <concepts>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace typenet::detail {

/// A message of a protocol buffer, built field by field.
class ProtoMessage {
public:
    ProtoMessage& number(int field, std::int64_t value) {
        tag(field, 0);
        return varint(static_cast<std::uint64_t>(value));
    }
    ProtoMessage& real(int field, std::same_as<float> auto value) {
        tag(field, 5);
        return raw(value);
    }
    ProtoMessage& real(int field, std::same_as<double> auto value) {
        tag(field, 1);
        return raw(value);
    }
    ProtoMessage& text(int field, std::string_view value) {
        head(field, value.size());
        bytes_ += value;
        return *this;
    }
    ProtoMessage& message(int field, const ProtoMessage& value) {
        return text(field, value.bytes_);
    }
    /// The start of a field of `size` bytes that are written elsewhere.
    ProtoMessage& head(int field, std::uint64_t size) {
        tag(field, 2);
        return varint(size);
    }
    const std::string& bytes() const { return bytes_; }

private:
    template <class Value>
    ProtoMessage& raw(Value value) {
        char bytes[sizeof value];
        std::memcpy(bytes, &value, sizeof value);
        bytes_.append(bytes, sizeof value);
        return *this;
    }
    void tag(int field, int type) { varint(static_cast<std::uint64_t>(field * 8 + type)); }
    ProtoMessage& varint(std::uint64_t value) {
        for (; value > 127; value >>= 7) bytes_ += static_cast<char>(value | 128);
        bytes_ += static_cast<char>(value);
        return *this;
    }

    std::string bytes_;
};

}  // namespace typenet::detail
