#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "machine.hpp"

namespace emulator::detail {

namespace {

constexpr std::size_t alignment = 256;  // bytes, as cudaMalloc's
constexpr std::size_t largest_guarded_from_host = std::size_t{4} << 20;
// NaN as a float and as a pair of bf16, but not the poison: a write of it shows.
constexpr std::array<unsigned char, 4> canary{0xa5, 0xff, 0xa5, 0xff};

struct Memory {
    // By `pages`. Those freed keep their addresses.
    std::map<const std::byte*, Allocation> alive;
    std::map<const std::byte*, Allocation> freed;
    std::size_t device_bytes = 0;
    std::size_t serial = 0;
    int accesses = 0;
    std::map<cudaMemcpyKind, std::size_t> copied;
};

Memory& memory() {
    static Memory& the_memory = *new Memory;
    return the_memory;
}

std::size_t page_bytes() {
    static const auto bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    return bytes;
}

std::size_t round_up(std::size_t value, std::size_t step) {
    return (value + step - 1) / step * step;
}

// The bytes before and after an allocation that nobody may write.
std::span<std::byte> front(const Allocation& a) {
    const auto slack = static_cast<std::size_t>(a.begin - a.pages) - page_bytes();
    const std::size_t bytes = std::min(slack, alignment);
    return {a.begin - bytes, bytes};
}
std::span<std::byte> back(const Allocation& a) {
    return {a.begin + a.bytes, round_up(a.bytes, alignment) - a.bytes};
}

unsigned char canary_at(const std::byte* address) {
    return canary[reinterpret_cast<std::uintptr_t>(address) % canary.size()];
}

void write_canaries(std::span<std::byte> bytes) {
    for (std::byte& byte : bytes) byte = std::byte{canary_at(&byte)};
}

// The first byte that is no canary any more, or null.
std::byte* overwritten(std::span<std::byte> bytes) {
    for (std::byte& byte : bytes) {
        if (byte != std::byte{canary_at(&byte)}) return &byte;
    }
    return nullptr;
}

bool guarded_from_host(const Allocation& a) {
    return a.place == Place::device && a.page_bytes <= largest_guarded_from_host;
}

void protect(const Allocation& a, int protection) {
    mprotect(a.pages + page_bytes(), a.page_bytes - 2 * page_bytes(), protection);
}

std::string describe(const Allocation& a) {
    return (a.place == Place::device ? "device memory #" : "pinned memory #") +
           std::to_string(a.serial) + " of " + std::to_string(a.bytes) + " bytes" +
           (a.freed ? ", freed" : "");
}

void check_guards(const Allocation& a, const std::string& when) {
    for (const auto guard : {front(a), back(a)}) {
        if (const std::byte* byte = overwritten(guard)) {
            report(cudaErrorIllegalAddress, "out-of-bounds write: " + describe_address(byte) +
                                                " was overwritten, seen " + when);
            write_canaries(guard);
        }
    }
}

}  // namespace

void poison(void* pointer, std::size_t bytes) {
    std::memset(pointer, 0xff, bytes);
}

cudaError_t allocate(Place place, void** pointer, std::size_t bytes) {
    Memory& m = memory();
    if (bytes == 0) {
        *pointer = nullptr;
        return cudaSuccess;
    }
    if (bytes > (std::size_t{1} << 46) ||
        (place == Place::device && m.device_bytes + bytes > device().memory)) {
        return cudaErrorMemoryAllocation;
    }
    const std::size_t rounded = round_up(bytes, alignment);
    const std::size_t total = round_up(rounded, page_bytes()) + 2 * page_bytes();
    void* mapped = mmap(nullptr, total, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) return cudaErrorMemoryAllocation;

    // The end touches the guard page, so that reads beyond it fault at once.
    auto* pages = static_cast<std::byte*>(mapped);
    const Allocation a{place,     pages + total - page_bytes() - rounded, bytes, pages, total,
                       ++m.serial};
    mprotect(pages, page_bytes(), PROT_NONE);
    mprotect(pages + total - page_bytes(), page_bytes(), PROT_NONE);
    write_canaries(front(a));
    write_canaries(back(a));
    poison(a.begin, bytes);

    m.alive.emplace(pages, a);
    if (place == Place::device) m.device_bytes += bytes;
    if (m.accesses == 0 && guarded_from_host(a)) protect(a, PROT_NONE);
    *pointer = a.begin;
    return cudaSuccess;
}

namespace {

const Allocation* around(const void* address, const std::map<const std::byte*, Allocation>& all) {
    const auto* byte = static_cast<const std::byte*>(address);
    const auto next = all.upper_bound(byte);
    if (next == all.begin()) return nullptr;
    const Allocation& a = std::prev(next)->second;
    return byte < a.pages + a.page_bytes ? &a : nullptr;
}

// The allocation, alive or freed, whose pages hold an address, or null.
const Allocation* around(const void* address) {
    const Allocation* a = around(address, memory().alive);
    return a != nullptr ? a : around(address, memory().freed);
}

}  // namespace

cudaError_t deallocate(Place place, void* pointer) {
    if (pointer == nullptr) return cudaSuccess;
    const Allocation* found = around(pointer);
    if (found == nullptr || found->begin != pointer || found->place != place) {
        return cudaErrorInvalidValue;
    }
    if (found->freed) {
        report(cudaErrorInvalidValue, "double free: " + describe(*found), false);
        return cudaErrorInvalidValue;
    }
    {
        const DeviceAccess access;
        check_guards(*found, "when it was freed");
    }
    // The address is never used again: whoever still holds it is found out.
    Memory& m = memory();
    Allocation& a = m.freed.emplace(found->pages, *found).first->second;
    m.alive.erase(a.pages);
    a.freed = true;
    mmap(a.pages, a.page_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
         -1, 0);
    if (place == Place::device) m.device_bytes -= a.bytes;
    return cudaSuccess;
}

std::size_t device_bytes_in_use() {
    return memory().device_bytes;
}

const Allocation* holding(const void* pointer, std::size_t bytes) {
    const Allocation* a = around(pointer);
    const auto* byte = static_cast<const std::byte*>(pointer);
    if (a == nullptr || a->freed || byte < a->begin) return nullptr;
    const auto offset = static_cast<std::size_t>(byte - a->begin);
    return offset <= a->bytes && bytes <= a->bytes - offset ? a : nullptr;
}

std::string describe_address(const void* address) {
    const auto value = reinterpret_cast<std::uintptr_t>(address);
    const Allocation* a = around(address);
    if (a == nullptr) return "address " + std::to_string(value) + " (in no allocation)";
    const auto* byte = static_cast<const std::byte*>(address);
    const std::ptrdiff_t offset = byte - a->begin;
    if (offset < 0) return "byte " + std::to_string(-offset) + " before " + describe(*a);
    const auto after = offset - static_cast<std::ptrdiff_t>(a->bytes);
    if (after >= 0) return "byte " + std::to_string(after + 1) + " past the end of " + describe(*a);
    return "byte " + std::to_string(offset) + " of " + describe(*a);
}

void check_guards(const std::string& when) {
    for (const auto& [pages, a] : memory().alive) check_guards(a, when);
}

void append_memory_leaks(std::vector<std::string>& lines) {
    for (const auto& [pages, a] : memory().alive) lines.push_back(describe(a));
}

DeviceAccess::DeviceAccess() {
    if (memory().accesses++ > 0) return;
    for (const auto& [pages, a] : memory().alive) {
        if (guarded_from_host(a)) protect(a, PROT_READ | PROT_WRITE);
    }
}

DeviceAccess::~DeviceAccess() {
    if (--memory().accesses > 0) return;
    for (const auto& [pages, a] : memory().alive) {
        if (guarded_from_host(a)) protect(a, PROT_NONE);
    }
}

}  // namespace emulator::detail

using namespace emulator::detail;

std::size_t emulator::copied(cudaMemcpyKind direction) {
    const std::scoped_lock lock{machine_lock};
    return memory().copied[direction];
}

cudaError_t cudaMalloc(void** pointer, std::size_t bytes) {
    return call("cudaMalloc", [&] {
        if (const cudaError_t error = forbid_during_capture()) return error;
        return allocate(Place::device, pointer, bytes);
    });
}

cudaError_t cudaMallocHost(void** pointer, std::size_t bytes) {
    return call("cudaMallocHost", [&] {
        if (const cudaError_t error = forbid_during_capture()) return error;
        return allocate(Place::host, pointer, bytes);
    });
}

cudaError_t cudaFree(void* pointer) {
    return release("cudaFree", [&] {
        if (const cudaError_t error = forbid_during_capture()) return error;
        synchronize_device();
        return deallocate(Place::device, pointer);
    });
}

cudaError_t cudaFreeHost(void* pointer) {
    return release("cudaFreeHost", [&] {
        if (const cudaError_t error = forbid_during_capture()) return error;
        synchronize_device();
        return deallocate(Place::host, pointer);
    });
}

namespace {

bool direction_is_right(cudaMemcpyKind kind, bool to_device, bool from_device) {
    switch (kind) {
        case cudaMemcpyHostToHost:
            return !to_device && !from_device;
        case cudaMemcpyHostToDevice:
            return to_device && !from_device;
        case cudaMemcpyDeviceToHost:
            return !to_device && from_device;
        case cudaMemcpyDeviceToDevice:
            return to_device && from_device;
        case cudaMemcpyDefault:
            return true;
    }
    return false;
}

// What is wrong with touching [pointer, pointer + bytes), or an empty string. Memory that was not
// allocated by the runtime is the host's own.
std::string complaint(const void* pointer, std::size_t bytes) {
    if (around(pointer) == nullptr || holding(pointer, bytes) != nullptr) return {};
    return std::to_string(bytes) + " bytes do not fit at " + describe_address(pointer);
}

cudaError_t refuse(const char* function, const std::string& why) {
    report(cudaErrorInvalidValue, std::string(function) + ": " + why, false);
    return cudaErrorInvalidValue;
}

bool on_device(const void* pointer) {
    const Allocation* a = around(pointer);
    return a != nullptr && a->place == Place::device;
}

}  // namespace

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
    return call("cudaMemcpyAsync", [&] {
        if (!is_stream(stream)) return cudaErrorInvalidResourceHandle;
        if (bytes == 0) return cudaSuccess;
        if (to == nullptr || from == nullptr) return cudaErrorInvalidValue;
        for (const void* pointer : {static_cast<const void*>(to), from}) {
            if (const auto why = complaint(pointer, bytes); !why.empty()) {
                return refuse("cudaMemcpyAsync", why);
            }
        }
        if (!direction_is_right(kind, on_device(to), on_device(from))) {
            return refuse("cudaMemcpyAsync", "the direction does not fit the pointers");
        }
        memory().copied[kind] += bytes;
        return enqueue(stream,
                       {"cudaMemcpyAsync", [=] {
                            for (const void* pointer : {static_cast<const void*>(to), from}) {
                                if (const auto why = complaint(pointer, bytes); !why.empty()) {
                                    report(cudaErrorIllegalAddress, "cudaMemcpyAsync: " + why);
                                    return;
                                }
                            }
                            std::memmove(to, from, bytes);
                        }});
    });
}

cudaError_t cudaMemsetAsync(void* pointer, int value, std::size_t bytes, cudaStream_t stream) {
    return call("cudaMemsetAsync", [&] {
        if (!is_stream(stream)) return cudaErrorInvalidResourceHandle;
        if (bytes == 0) return cudaSuccess;
        if (holding(pointer, bytes) == nullptr) {
            return refuse("cudaMemsetAsync", around(pointer) != nullptr
                                                 ? complaint(pointer, bytes)
                                                 : "the pointer is not the device's");
        }
        return enqueue(stream, {"cudaMemsetAsync", [=] {
                                    if (holding(pointer, bytes) == nullptr) {
                                        report(cudaErrorIllegalAddress,
                                               "cudaMemsetAsync: " + complaint(pointer, bytes));
                                        return;
                                    }
                                    std::memset(pointer, value, bytes);
                                }});
    });
}
