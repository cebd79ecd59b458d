// One block of memory on huge pages, allocated once.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "typenet/core/error.hpp"

namespace typenet::cpu {

/// A zeroed, 2 MiB aligned block, released with the object. Pages are touched at construction, so
/// that no step pays for a page fault.
class Arena {
public:
    Arena() = default;
    /// Throws Error when the system does not give `bytes`.
    explicit Arena(std::int64_t bytes) {
        if (bytes <= 0) return;
        constexpr std::size_t page = std::size_t{2} << 20;
        const std::size_t size =
            (static_cast<std::size_t>(bytes) + read_past_end + page - 1) / page * page;
        void* base =
            mmap(nullptr, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (base == MAP_FAILED)
            throw Error("out of memory: " + std::to_string(bytes >> 20) +
                        " MiB asked for; use a smaller batch");
        // Give back what lies outside the aligned part.
        auto* start = static_cast<std::byte*>(base);
        const std::size_t skip = (page - reinterpret_cast<std::uintptr_t>(start) % page) % page;
        if (skip > 0) munmap(start, skip);
        if (page - skip > 0) munmap(start + skip + size, page - skip);
        data_ = start + skip;
        size_ = size;
        madvise(data_, size_, MADV_HUGEPAGE);  // a hint: without huge pages it is only slower
        for (std::size_t i = 0; i < static_cast<std::size_t>(bytes); i += 4096)
            static_cast<volatile std::byte*>(data_)[i] = std::byte{0};
    }
    Arena(Arena&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    Arena& operator=(Arena&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~Arena() {
        if (data_ != nullptr) munmap(data_, size_);
    }

    float* floats() const { return reinterpret_cast<float*>(data_); }
    std::byte* bytes() const { return data_; }

private:
    /// Bytes behind the block that a kernel may read: a vector's.
    static constexpr std::size_t read_past_end = 64;

    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace typenet::cpu
