// Named tensors as files hold them: element types, views of their bytes, and the reading that all
// formats share.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
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
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../core/error.hpp"
#include "atomic_file.hpp"

namespace typenet {

static_assert(std::endian::native == std::endian::little && sizeof(std::size_t) == 8,
              "this codec hands out a file's bytes as they are, and knows 64-bit machines only");

/// The element types of the format, in the order of their alignment, as the reference has them. The
/// writer puts the last ones first.
enum class Dtype : std::uint8_t {
    BOOL,
    F4,
    F6_E2M3,
    F6_E3M2,
    U8,
    I8,
    F8_E5M2,
    F8_E4M3,
    F8_E8M0,
    F8_E4M3FNUZ,
    F8_E5M2FNUZ,
    I16,
    U16,
    F16,
    BF16,
    I32,
    U32,
    F32,
    C64,
    F64,
    I64,
    U64,
};

namespace detail {

struct DtypeInfo {
    std::string_view name;
    int bits;
    std::size_t alignment;  // bytes
};

/// One entry for each Dtype, in its order.
inline constexpr std::array dtype_infos{
    DtypeInfo{"BOOL", 8, 1},        DtypeInfo{"F4", 4, 1},          DtypeInfo{"F6_E2M3", 6, 1},
    DtypeInfo{"F6_E3M2", 6, 1},     DtypeInfo{"U8", 8, 1},          DtypeInfo{"I8", 8, 1},
    DtypeInfo{"F8_E5M2", 8, 1},     DtypeInfo{"F8_E4M3", 8, 1},     DtypeInfo{"F8_E8M0", 8, 1},
    DtypeInfo{"F8_E4M3FNUZ", 8, 1}, DtypeInfo{"F8_E5M2FNUZ", 8, 1}, DtypeInfo{"I16", 16, 2},
    DtypeInfo{"U16", 16, 2},        DtypeInfo{"F16", 16, 2},        DtypeInfo{"BF16", 16, 2},
    DtypeInfo{"I32", 32, 4},        DtypeInfo{"U32", 32, 4},        DtypeInfo{"F32", 32, 4},
    DtypeInfo{"C64", 64, 4},        DtypeInfo{"F64", 64, 8},        DtypeInfo{"I64", 64, 8},
    DtypeInfo{"U64", 64, 8},
};
static_assert(dtype_infos.size() == std::size_t{static_cast<std::uint8_t>(Dtype::U64)} + 1);

constexpr const DtypeInfo& dtype_info(Dtype dtype) {
    return dtype_infos[static_cast<std::size_t>(dtype)];
}

/// a * b for a, b >= 0; nothing where it exceeds 2^63 - 1.
constexpr std::optional<std::int64_t> checked_product(std::int64_t a, std::int64_t b) {
    if (b != 0 && a > (std::numeric_limits<std::int64_t>::max)() / b) return std::nullopt;
    return a * b;
}

/// Number of elements of `shape`; nothing where a dimension is negative or the number exceeds
/// 2^63 - 1 on the way, be there a zero further on or not.
constexpr std::optional<std::int64_t> element_count(std::span<const std::int64_t> shape) {
    std::optional<std::int64_t> count = 1;
    for (const std::int64_t dimension : shape) {
        if (dimension < 0) return std::nullopt;
        count = checked_product(*count, dimension);
        if (!count) return std::nullopt;
    }
    return count;
}

/// "[64, 3, 11, 11]", shortened where there are many dimensions.
inline std::string shape_text(std::span<const std::int64_t> shape) {
    constexpr std::size_t limit = 8;
    std::string text = "[";
    for (std::size_t i = 0; i < (std::min)(shape.size(), limit); ++i)
        text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
    return text + (shape.size() > limit ? ", ...]" : "]");
}

}  // namespace detail

/// The name that a file has for `dtype`: "F32".
constexpr std::string_view to_string(Dtype dtype) {
    return detail::dtype_info(dtype).name;
}

/// Size of one element in bits: 32 for F32, 4 for F4.
constexpr int bits_of(Dtype dtype) {
    return detail::dtype_info(dtype).bits;
}

/// A named tensor in memory that others own. `shape` is in C order: the last dimension is
/// contiguous; empty for a scalar.
struct TensorView {
    std::string name;
    Dtype dtype = Dtype::F32;
    std::vector<std::int64_t> shape;
    std::span<const std::byte> bytes;

    /// Number of elements. Throws ShapeError where `shape` has none that fits 63 bits.
    std::int64_t size() const {
        const std::optional<std::int64_t> count = detail::element_count(shape);
        if (!count)
            throw ShapeError("tensor " + name + ": the shape " + detail::shape_text(shape) +
                             " has no size; give dimensions >= 0 with a product below 2^63");
        return *count;
    }

    /// The elements of an F32 tensor. Throws Error for other types, and for bytes that are not
    /// aligned for float (those of a SafetensorsFile always are).
    std::span<const float> floats() const {
        if (dtype != Dtype::F32)
            throw Error("tensor " + name + ": holds " + std::string(to_string(dtype)) +
                        " where F32 is wanted; convert it to F32");
        if (std::bit_cast<std::uintptr_t>(bytes.data()) % alignof(float) != 0)
            throw Error("tensor " + name + ": its bytes are not aligned for float; copy them");
        return {reinterpret_cast<const float*>(bytes.data()), bytes.size() / sizeof(float)};
    }

    /// A view of `values` as F32.
    static TensorView of(std::string name, std::vector<std::int64_t> shape,
                         std::span<const float> values) {
        return {std::move(name), Dtype::F32, std::move(shape), std::as_bytes(values)};
    }
};

namespace detail {

/// The number that 16 bits are as an IEEE 754 half.
constexpr float half_to_float(std::uint16_t bits) {
    const std::uint32_t sign = std::uint32_t{bits & 0x8000U} << 16;
    const std::uint32_t exponent = bits >> 10 & 31;
    const std::uint32_t fraction = bits & 1023;
    if (exponent == 0) {
        const float magnitude = static_cast<float>(fraction) / (1 << 24);
        return sign ? -magnitude : magnitude;
    }
    const std::uint32_t widened = exponent == 31 ? 255 : exponent + 127 - 15;
    return std::bit_cast<float>(sign | widened << 23 | fraction << 13);
}
constexpr float bfloat16_to_float(std::uint16_t bits) {
    return std::bit_cast<float>(std::uint32_t{bits} << 16);
}

}  // namespace detail

/// The elements of a tensor of floating-point numbers: a view of F32, and a copy in floats of F64
/// (rounded), F16 and BF16. Throws Error for other types, as TensorView::floats.
class FloatValues {
public:
    explicit FloatValues(const TensorView& tensor) {
        if (tensor.dtype == Dtype::F64)
            convert<double>(tensor, [](double value) { return static_cast<float>(value); });
        else if (tensor.dtype == Dtype::F16)
            convert<std::uint16_t>(tensor, detail::half_to_float);
        else if (tensor.dtype == Dtype::BF16)
            convert<std::uint16_t>(tensor, detail::bfloat16_to_float);
        else
            values_ = tensor.floats();
    }
    FloatValues(const FloatValues&) = delete;
    FloatValues& operator=(const FloatValues&) = delete;

    static bool can_hold(Dtype dtype) {
        return dtype == Dtype::F32 || dtype == Dtype::F64 || dtype == Dtype::F16 ||
               dtype == Dtype::BF16;
    }

    std::span<const float> get() const { return values_; }

private:
    template <class T, class ToFloat>
    void convert(const TensorView& tensor, const ToFloat& to_float) {
        converted_.resize(tensor.bytes.size() / sizeof(T));
        for (std::size_t i = 0; i < converted_.size(); ++i) {
            T value;
            std::memcpy(&value, tensor.bytes.data() + i * sizeof(T), sizeof(T));
            converted_[i] = to_float(value);
        }
        values_ = converted_;
    }

    std::vector<float> converted_;
    std::span<const float> values_;
};

namespace detail {

/// Fills `bytes` from `descriptor`.
inline void read_all(int descriptor, std::span<std::byte> bytes,
                     const std::filesystem::path& path) {
    while (!bytes.empty()) {
        const auto count =
            uninterrupted([&] { return ::read(descriptor, bytes.data(), bytes.size()); });
        if (count < 0) throw_file_error(path, "cannot read", errno);
        if (count == 0)
            throw FileError(path.string(), "became shorter while it was read",
                            "read it again when nobody writes it");
        bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
}

}  // namespace detail

/// A regular file, read from front to back. Throws FileError.
class FileReader {
public:
    /// `remedy` says what to name where `path` is no regular file.
    FileReader(const std::filesystem::path& path, const std::string& remedy)
        : path_(path), file_(detail::uninterrupted([&] {
              return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
          })) {
        struct ::stat status {};
        if (file_.get() < 0 || ::fstat(file_.get(), &status) != 0)
            detail::throw_file_error(path, "cannot be opened", errno);
        if (!S_ISREG(status.st_mode))
            throw FileError(path.string(),
                            S_ISDIR(status.st_mode) ? "is a folder" : "is not a regular file",
                            remedy);
        size_ = static_cast<std::uint64_t>(status.st_size);
    }

    std::uint64_t size() const { return size_; }  ///< of the whole file, in bytes

    void read(std::span<std::byte> bytes) {
        detail::read_all(file_.get(), bytes, path_);
        done_ += bytes.size();
    }

    /// All that has not been read yet.
    std::shared_ptr<const std::byte[]> read_rest() try {
        const std::uint64_t rest = size_ - done_;
        std::shared_ptr<std::byte[]> data = std::make_unique_for_overwrite<std::byte[]>(rest);
        read({data.get(), rest});
        return data;
    } catch (const std::bad_alloc&) {
        throw FileError(path_.string(),
                        "its " + std::to_string(size_) + " bytes do not fit in memory",
                        "free some memory");
    }

private:
    std::filesystem::path path_;
    detail::Descriptor file_;
    std::uint64_t size_ = 0;
    std::uint64_t done_ = 0;
};

/// The tensors and metadata of one file, checked and in memory. It shares that memory with its
/// copies: the views live as long as one of them.
class TensorFile {
public:
    /// What the file is, for a person: "safetensors".
    std::string_view format() const { return format_; }

    /// In the order of the file. All bytes are aligned for their dtype.
    std::span<const TensorView> tensors() const& { return tensors_; }

    /// The tensor of that name, or nullptr.
    const TensorView* find(std::string_view name) const& {
        const auto found = places_.find(name);
        return found == places_.end() ? nullptr : &tensors_[found->second];
    }

    const std::map<std::string, std::string>& metadata() const& { return metadata_; }

    // What they give would outlive a file that has no name, as in `for (auto& t :
    // open(p).tensors())`.
    void tensors() const&& = delete;
    void find(std::string_view) const&& = delete;
    void metadata() const&& = delete;

protected:
    TensorFile(std::string_view format, std::shared_ptr<const void> owner,
               std::map<std::string, std::string> metadata = {})
        : format_(format), metadata_(std::move(metadata)) {
        owners_.push_back(std::move(owner));
    }

    /// Whether there was none of that name. Bytes that the format leaves unaligned are copied.
    bool add(TensorView tensor) {
        if (!places_.try_emplace(tensor.name, tensors_.size()).second) return false;
        if (!is_aligned(tensor.bytes, tensor.dtype)) {
            const std::span<std::byte> copy = own(tensor.bytes.size());
            std::ranges::copy(tensor.bytes, copy.begin());
            tensor.bytes = copy;
        }
        tensors_.push_back(std::move(tensor));
        return true;
    }

    static bool is_aligned(std::span<const std::byte> bytes, Dtype dtype) {
        return std::bit_cast<std::uintptr_t>(bytes.data()) % detail::dtype_info(dtype).alignment ==
               0;
    }

    /// Memory that lives as long as the views.
    std::span<std::byte> own(std::size_t size) {
        const std::shared_ptr<std::byte[]> memory =
            std::make_unique_for_overwrite<std::byte[]>(size);
        owners_.push_back(memory);
        return {memory.get(), size};
    }

private:
    std::string_view format_;
    std::vector<std::shared_ptr<const void>> owners_;
    std::vector<TensorView> tensors_;
    std::map<std::string, std::size_t, std::less<>> places_;
    std::map<std::string, std::string> metadata_;
};

}  // namespace typenet
