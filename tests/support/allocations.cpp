#include "support/allocations.hpp"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

// The operators stand in a file of their own: where g++ can inline one of a pair and not the other,
// it takes them for mismatched. They are weak, since a sanitizer may bring its own.
#define TYPENET_WEAK __attribute__((weak))

namespace {
std::atomic<std::int64_t> counted{0};
}

std::int64_t allocations() {
    return counted;
}

TYPENET_WEAK void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    ++counted;
    return std::malloc(size ? size : 1);
}
TYPENET_WEAK void* operator new(std::size_t size) {
    if (void* memory = operator new(size, std::nothrow)) return memory;
    throw std::bad_alloc();
}
TYPENET_WEAK void operator delete(void* memory) noexcept {
    std::free(memory);
}
TYPENET_WEAK void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}
