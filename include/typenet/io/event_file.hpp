// TensorBoard's event files: scalars that it draws as curves. Sources: TensorFlow's event.proto,
// summary.proto and record_writer.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "crc.hpp"
#include "protobuf.hpp"

namespace typenet {

namespace detail {

/// A record of a TFRecord file: its size and its bytes, each with its masked CRC-32C. Little-endian
/// machines.
inline std::string tf_record(std::string_view data) {
    const auto raw = [](auto value) {
        std::string bytes(sizeof value, '\0');
        std::memcpy(bytes.data(), &value, sizeof value);
        return bytes;
    };
    const auto masked_crc = [&](std::string_view bytes) {
        const std::uint32_t sum = crc32c(std::as_bytes(std::span(bytes)));
        return raw((sum >> 15 | sum << 17) + std::uint32_t{0xa282ead8});
    };
    const std::string size = raw(std::uint64_t{data.size()});
    return size + masked_crc(size) + std::string{data} + masked_crc(data);
}

}  // namespace detail

/// The bytes of an event file, whose name must hold "tfevents" for TensorBoard to find it. Times
/// are in seconds since 1970.
class EventFile {
public:
    explicit EventFile(double start) {
        add(start, detail::ProtoMessage{}.text(3, "brain.Event:2"));  // the version
    }
    /// The value of the curve `tag` at `step`. What stands before a slash in tags groups curves.
    EventFile& scalar(std::string_view tag, std::int64_t step, double time, double value) {
        const detail::ProtoMessage point =
            detail::ProtoMessage{}.text(1, tag).real(2, static_cast<float>(value));
        return add(time, detail::ProtoMessage{}.number(2, step).message(
                             5, detail::ProtoMessage{}.message(1, point)));
    }
    const std::string& bytes() const { return bytes_; }

private:
    /// An event: its time and, in `rest`, its other fields.
    EventFile& add(double time, const detail::ProtoMessage& rest) {
        bytes_ += detail::tf_record(detail::ProtoMessage{}.real(1, time).bytes() + rest.bytes());
        return *this;
    }

    std::string bytes_;
};

}  // namespace typenet
