// Reading and writing safetensors files: named tensors of any element type, with text metadata.
// The format: 8 bytes with the header's length N (little-endian), N bytes of JSON, then the
// tensors' bytes, little-endian and in C order. Source: safetensors 0.8, README and tensor.rs.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../core/error.hpp"
#include "atomic_file.hpp"
#include "json.hpp"
#include "tensor_file.hpp"

namespace typenet {

/// What is wrong with a safetensors file, or with what should become one.
enum class SafetensorsFault {
    header_missing,    ///< fewer than 8 bytes
    header_too_large,  ///< longer than 100,000,000 bytes
    header_cut,        ///< longer than the file
    header_start,      ///< does not begin with '{'
    header_not_json,   ///< not UTF-8, not JSON, a key twice, or not the members of this format
    unknown_dtype,     ///< an element type that is not in Dtype
    size_overflow,     ///< a size exceeds 2^63 - 1
    partial_byte,      ///< elements smaller than a byte do not fill whole bytes
    size_mismatch,     ///< a tensor's bytes do not fit its shape and dtype
    offsets,           ///< a tensor begins elsewhere than where the one before ends
    data_size,         ///< bytes are missing at the end of the file, or left over
    name,              ///< writing: a name or metadata that cannot be written, or a name twice
};

/// A file that is not safetensors, or data that cannot become it.
class SafetensorsError : public FileError {
public:
    SafetensorsError(SafetensorsFault fault, const std::string& path, const std::string& problem,
                     const std::string& remedy)
        : FileError(path, problem, remedy), fault_(fault) {}
    SafetensorsFault fault() const { return fault_; }

private:
    SafetensorsFault fault_;
};

namespace detail {

/// The longest header that the reference reads, in bytes.
inline constexpr std::uint64_t max_safetensors_header = 100'000'000;

/// The name in the header that is no tensor's.
inline constexpr std::string_view metadata_key = "__metadata__";

/// Size of a tensor in bytes, or the fault of its shape and dtype.
struct ByteCount {
    std::int64_t bytes = 0;
    std::optional<SafetensorsFault> fault;
    std::string problem;
};

inline ByteCount byte_count(Dtype dtype, std::span<const std::int64_t> shape) {
    const std::string what = std::string(to_string(dtype)) + " " + shape_text(shape);
    const std::optional<std::int64_t> count = element_count(shape);
    const std::optional<std::int64_t> bits =
        count ? checked_product(*count, bits_of(dtype)) : std::nullopt;
    if (!bits)
        return {0, SafetensorsFault::size_overflow, "the size of " + what + " has no number"};
    if (*bits % 8 != 0)
        return {0, SafetensorsFault::partial_byte, what + " does not fill whole bytes"};
    return {*bits / 8, std::nullopt, {}};
}

struct SafetensorsEntry {
    std::string name;
    Dtype dtype = Dtype::F32;
    std::vector<std::int64_t> shape;
    std::int64_t begin = 0;  // bytes from the end of the header
    std::int64_t end = 0;
};

/// Reads and checks a header. Every check of the reference is here, and of what the reference
/// lets pass, this refuses: unknown members of a tensor's entry, keys that come twice in the
/// metadata, and sizes above 2^63 - 1.
class SafetensorsHeader {
public:
    std::vector<SafetensorsEntry> entries;  // by offset
    std::map<std::string, std::string> metadata;

    /// `data_size` is the number of bytes in the file after the header.
    SafetensorsHeader(std::string_view text, std::uint64_t data_size, const std::string& origin)
        : origin_(origin) {
        if (!text.starts_with('{'))
            fail(SafetensorsFault::header_start, "its header does not begin with '{'");
        try {
            read(text);
        } catch (const JsonError& error) {
            fail(SafetensorsFault::header_not_json,
                 std::string("its header is not the JSON of ") + "this format: " + error.what());
        }
        check_extents(data_size);
    }

    /// The header's length from the first 8 bytes of a file of `file_size` bytes.
    static std::uint64_t length(std::span<const std::byte> start, std::uint64_t file_size,
                                const std::string& origin) {
        std::uint64_t length = 0;
        if (start.size() < sizeof length)
            fail(origin, SafetensorsFault::header_missing,
                 "it has " + std::to_string(start.size()) + " bytes, less than any such file");
        std::memcpy(&length, start.data(), sizeof length);
        if (length > max_safetensors_header)
            fail(origin, SafetensorsFault::header_too_large,
                 "its header would be " + std::to_string(length) +
                     " bytes long, over the limit of " + std::to_string(max_safetensors_header));
        if (length > file_size - sizeof length)
            fail(origin, SafetensorsFault::header_cut,
                 "its header of " + std::to_string(length) +
                     " bytes goes beyond the end of the file, " + std::to_string(file_size) +
                     " bytes in all");
        return length;
    }

    [[noreturn]] static void fail(const std::string& origin, SafetensorsFault fault,
                                  const std::string& problem) {
        throw SafetensorsError(fault, origin,
                               "not a safetensors file, or a damaged one: " + problem,
                               "get or write the file anew");
    }

private:
    [[noreturn]] void fail(SafetensorsFault fault, const std::string& problem) const {
        fail(origin_, fault, problem);
    }
    [[noreturn]] void fail(SafetensorsFault fault, const SafetensorsEntry& entry,
                           const std::string& problem) const {
        fail(fault, "tensor " + excerpt(entry.name) + ": " + problem);
    }

    void read(std::string_view text) {
        JsonReader reader(text);
        reader.object([&](const std::string& key) {
            if (key == metadata_key)
                reader.object([&](const std::string& name) { metadata[name] = reader.string(); });
            else
                entries.push_back(read_entry(reader, key));
        });
        reader.finish();
    }

    SafetensorsEntry read_entry(JsonReader& reader, const std::string& name) const {
        SafetensorsEntry entry;
        entry.name = name;
        std::vector<std::int64_t> offsets;
        int members = 0;
        reader.object([&](const std::string& key) {
            ++members;
            if (key == "dtype")
                entry.dtype = read_dtype(reader, entry);
            else if (key == "shape")
                reader.array([&] { entry.shape.push_back(reader.natural()); });
            else if (key == "data_offsets")
                reader.array([&] { offsets.push_back(reader.natural()); });
            else
                reader.fail("tensor " + excerpt(name) + " has the unknown member " + excerpt(key));
        });
        if (members != 3)
            reader.fail("tensor " + excerpt(name) + " lacks its dtype, shape or data_offsets");
        if (offsets.size() != 2)
            reader.fail("the data_offsets of tensor " + excerpt(name) + " are not two numbers");
        entry.begin = offsets[0];
        entry.end = offsets[1];
        return entry;
    }

    Dtype read_dtype(JsonReader& reader, const SafetensorsEntry& entry) const {
        const std::string name = reader.string();
        const auto found = std::ranges::find(dtype_infos, name, &DtypeInfo::name);
        if (found == dtype_infos.end())
            fail(SafetensorsFault::unknown_dtype, entry,
                 "the dtype " + excerpt(name) + " is unknown");
        return static_cast<Dtype>(found - dtype_infos.begin());
    }

    /// Every byte after the header belongs to exactly one tensor, and every tensor has as many as
    /// its shape and dtype say.
    void check_extents(std::uint64_t data_size) {
        std::ranges::stable_sort(entries, {}, [](const SafetensorsEntry& entry) {
            return std::pair(entry.begin, entry.end);
        });
        std::int64_t place = 0;
        for (const SafetensorsEntry& entry : entries) {
            const std::string extent =
                "bytes " + std::to_string(entry.begin) + " to " + std::to_string(entry.end);
            if (entry.begin != place || entry.end < entry.begin)
                fail(SafetensorsFault::offsets, entry,
                     "it has " + extent + ", but the tensor before it ends at " +
                         std::to_string(place));
            const ByteCount count = byte_count(entry.dtype, entry.shape);
            if (count.fault) fail(*count.fault, entry, count.problem);
            if (count.bytes != entry.end - entry.begin)
                fail(SafetensorsFault::size_mismatch, entry,
                     "it has " + extent + ", but " + std::string(to_string(entry.dtype)) + " " +
                         shape_text(entry.shape) + " takes " + std::to_string(count.bytes) +
                         " bytes");
            place = entry.end;
        }
        if (static_cast<std::uint64_t>(place) != data_size)
            fail(SafetensorsFault::data_size, "its tensors take " + std::to_string(place) +
                                                  " bytes, but " + std::to_string(data_size) +
                                                  " follow the header");
    }

    const std::string& origin_;
};

}  // namespace detail

/// The tensors and metadata of a safetensors file.
class SafetensorsFile : public TensorFile {
public:
    /// Reads the whole file, which may change or vanish afterwards. Throws SafetensorsError where
    /// it is not what it should be and FileError where it cannot be read.
    static SafetensorsFile open(const std::filesystem::path& path) {
        FileReader file(path, "name a safetensors file");
        const std::string origin = path.string();
        std::array<std::byte, 8> start;
        const std::span known(start.data(), (std::min<std::uint64_t>)(file.size(), start.size()));
        file.read(known);
        const std::uint64_t length = detail::SafetensorsHeader::length(known, file.size(), origin);
        std::string text(length, '\0');
        file.read(std::as_writable_bytes(std::span(text)));
        const std::uint64_t data_size = file.size() - start.size() - length;
        detail::SafetensorsHeader header(text, data_size, origin);
        const std::shared_ptr<const std::byte[]> data = file.read_rest();
        return SafetensorsFile(std::move(header), data, {data.get(), data_size});
    }

    /// The same of bytes in memory; `origin` names them in errors. Throws SafetensorsError.
    static SafetensorsFile parse(std::vector<std::byte> bytes, const std::string& origin) {
        const auto file = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
        const std::span<const std::byte> all(*file);
        const std::uint64_t length = detail::SafetensorsHeader::length(
            all.first((std::min<std::size_t>)(all.size(), 8)), all.size(), origin);
        const std::string_view text(reinterpret_cast<const char*>(all.data()) + 8, length);
        const std::span<const std::byte> data = all.subspan(8 + length);
        return SafetensorsFile(detail::SafetensorsHeader(text, data.size(), origin), file, data);
    }

private:
    SafetensorsFile(detail::SafetensorsHeader header, std::shared_ptr<const void> owner,
                    std::span<const std::byte> data)
        : TensorFile("safetensors", std::move(owner), std::move(header.metadata)) {
        for (detail::SafetensorsEntry& entry : header.entries)
            add({std::move(entry.name), entry.dtype, std::move(entry.shape),
                 data.subspan(static_cast<std::size_t>(entry.begin),
                              static_cast<std::size_t>(entry.end - entry.begin))});
    }
};

namespace detail {

/// Whether `text` can serve as a name: UTF-8, not empty, no control character.
constexpr bool is_printable_name(std::string_view text) {
    if (text.empty() || !is_utf8(text)) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (byte < 0x20 || byte == 0x7F) return false;
        // U+0080 to U+009F are the control characters that take two bytes.
        if (byte == 0xC2 && static_cast<unsigned char>(text[i + 1]) < 0xA0) return false;
    }
    return true;
}

/// Checks what should be written and throws SafetensorsError where it cannot.
inline void check_writable(const std::filesystem::path& path, std::span<const TensorView> tensors,
                           const std::map<std::string, std::string>& metadata) {
    const auto fail = [&](SafetensorsFault fault, const std::string& problem,
                          const std::string& remedy) {
        throw SafetensorsError(fault, path.string(), "cannot be written: " + problem, remedy);
    };
    const auto shown = [](std::string_view name) {
        return is_utf8(name) ? excerpt(name) : std::string("(not UTF-8)");
    };
    std::set<std::string_view> names;
    for (const TensorView& tensor : tensors) {
        const std::string which = "tensor " + shown(tensor.name);
        if (!is_printable_name(tensor.name) || tensor.name == metadata_key)
            fail(SafetensorsFault::name, which + " has a name that a file cannot have",
                 "choose a name of printable UTF-8 characters other than __metadata__");
        if (!names.insert(tensor.name).second)
            fail(SafetensorsFault::name, which + " comes twice", "give each tensor its own name");
        const ByteCount count = byte_count(tensor.dtype, tensor.shape);
        if (count.fault) fail(*count.fault, which + ": " + count.problem, "correct its shape");
    }
    for (const auto& [key, value] : metadata)
        if (!is_printable_name(key) || !is_utf8(value))
            fail(SafetensorsFault::name, "the metadata " + shown(key) + " is not text",
                 "give it a key of printable characters and a value of UTF-8");
}

/// Throws SafetensorsError unless a tensor of that shape and dtype takes `size` bytes.
inline void check_size(const std::filesystem::path& path, const TensorView& tensor,
                       std::size_t size) {
    const std::int64_t wanted = byte_count(tensor.dtype, tensor.shape).bytes;
    if (static_cast<std::uint64_t>(wanted) != size)
        throw SafetensorsError(SafetensorsFault::size_mismatch, path.string(),
                               "cannot be written: tensor " + excerpt(tensor.name) + ": " +
                                   std::string(to_string(tensor.dtype)) + " " +
                                   shape_text(tensor.shape) + " takes " + std::to_string(wanted) +
                                   " bytes, but it has " + std::to_string(size),
                               "correct its shape or its data");
}

}  // namespace detail

/// Makes `path` a safetensors file of `tensors` and `metadata`, byte for byte as the reference
/// writes it (metadata in the order of its keys): sorted by dtype, the most aligned first, then by
/// name. The tensors' own `bytes` are not looked at: `bytes_of(tensor)` is called once for each, in
/// the order of the file, and what it returns need only last until the next call. So a program
/// that makes its tensors on demand holds one at a time. The file is crash-safe as AtomicFile is.
/// Throws FileError, and SafetensorsError with nothing changed where a name comes twice or has
/// unprintable characters, a tensor's bytes do not fit its shape, or the header would be too large
/// to read.
template <std::invocable<const TensorView&> BytesOf>
void write_safetensors(const std::filesystem::path& path, std::span<const TensorView> tensors,
                       const std::map<std::string, std::string>& metadata, BytesOf bytes_of) {
    detail::check_writable(path, tensors, metadata);

    std::vector<const TensorView*> order;
    for (const TensorView& tensor : tensors) order.push_back(&tensor);
    std::ranges::sort(order, [](const TensorView* a, const TensorView* b) {
        return a->dtype != b->dtype ? a->dtype > b->dtype : a->name < b->name;
    });

    JsonWriter json;
    json.begin_object();
    if (!metadata.empty()) {
        json.key(detail::metadata_key).begin_object();
        for (const auto& [key, value] : metadata) json.key(key).value(value);
        json.end_object();
    }
    std::int64_t place = 0;
    for (const TensorView* tensor : order) {
        json.key(tensor->name).begin_object();
        json.key("dtype").value(to_string(tensor->dtype));
        json.key("shape").begin_array();
        for (const std::int64_t dimension : tensor->shape) json.value(dimension);
        json.end_array().key("data_offsets").begin_array().value(place);
        place += detail::byte_count(tensor->dtype, tensor->shape).bytes;
        json.value(place).end_array().end_object();
    }
    std::string header = json.end_object().text();
    header.resize((header.size() + 7) / 8 * 8, ' ');
    const std::uint64_t length = header.size();
    if (length > detail::max_safetensors_header)
        throw SafetensorsError(SafetensorsFault::header_too_large, path.string(),
                               "cannot be written: its header would be " + std::to_string(length) +
                                   " bytes long, over the limit of " +
                                   std::to_string(detail::max_safetensors_header),
                               "write fewer tensors or less metadata");

    AtomicFile file(path);
    file.write(std::as_bytes(std::span(&length, 1)));
    file.write(std::as_bytes(std::span(header)));
    for (const TensorView* tensor : order) {
        const std::span<const std::byte> bytes = bytes_of(*tensor);
        detail::check_size(path, *tensor, bytes.size());
        file.write(bytes);
    }
    file.commit();
}

/// The same of tensors that are all in memory; their `bytes` are written, and none is copied. Their
/// sizes too are checked before anything is written.
inline void write_safetensors(const std::filesystem::path& path,
                              std::span<const TensorView> tensors,
                              const std::map<std::string, std::string>& metadata = {}) {
    detail::check_writable(path, tensors, metadata);
    for (const TensorView& tensor : tensors) detail::check_size(path, tensor, tensor.bytes.size());
    write_safetensors(path, tensors, metadata,
                      [](const TensorView& tensor) { return tensor.bytes; });
}

}  // namespace typenet
