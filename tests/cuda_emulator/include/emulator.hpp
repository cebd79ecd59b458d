// The emulator of a CUDA device: launches, and what tests ask of it. README.md says how it works.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace emulator {

// Reports -----------------------------------------------------------------------------------------

/// A bug in the emulated program (a divergent barrier, an illegal address, ...). Each is printed to
/// stderr as it is found, and a program that ends with reports that nobody took, or with device
/// memory or handles not given back, exits with status 1.
struct Report {
    cudaError_t error;  ///< what the device answers from then on
    std::string text;   ///< one line, or several: what happened, where, in which kernel
};

/// Takes the reports so far and lets the device answer again.
std::vector<Report> take_reports();

/// What is allocated and not given back, one line for each: memory, streams, events, graphs,
/// cuBLAS handles.
std::vector<std::string> leaks();

namespace detail {

/// Keeps reports from stderr while it lives.
struct Quiet {
    Quiet();
    ~Quiet();
    Quiet(const Quiet&) = delete;
    Quiet& operator=(const Quiet&) = delete;
};

}  // namespace detail

/// Runs `f`, expecting bugs: the reports it caused.
template <class F>
std::vector<Report> reports_of(F&& f) {
    const detail::Quiet quiet;
    std::forward<F>(f)();
    return take_reports();
}

// Schedules ---------------------------------------------------------------------------------------

/// The order in which a block's threads run after each barrier, blocks run in a grid, graph nodes
/// in a graph, and streams beside one another.
enum class Order {
    forward,   ///< in index order; streams advance only as far as the one waited for demands
    reversed,  ///< in reversed order; streams that nobody waits for go first
    random     ///< a random order each time
};

struct Schedule {
    Order order = Order::random;
    std::uint64_t seed = 0;
};

/// The seed of this run: TYPENET_EMULATOR_SEED, or fresh; printed to stderr when first used. A
/// program starts with the random schedule of this seed.
std::uint64_t seed();
Schedule schedule();
void set_schedule(Schedule schedule);

/// Results of two schedules that differ: a race.
class ScheduleMismatch : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

namespace detail {

struct KeepSchedule {
    Schedule kept = schedule();
    KeepSchedule() = default;
    ~KeepSchedule() { set_schedule(kept); }
    KeepSchedule(const KeepSchedule&) = delete;
    KeepSchedule& operator=(const KeepSchedule&) = delete;
};

/// Throws ScheduleMismatch at the first byte that differs.
void require_same_bits(std::span<const std::byte> expected, std::span<const std::byte> actual,
                       std::size_t element_bytes, Schedule schedule);
std::string describe(Schedule schedule);

}  // namespace detail

/// Runs `f` under the forward, the reversed and `random_schedules` random schedules. `f` returns a
/// contiguous container of plain values (std::vector<float>, ...), whose bits must never differ;
/// they are returned. Throws ScheduleMismatch.
template <class F>
auto for_each_schedule(F&& f, int random_schedules = 3) {
    const detail::KeepSchedule keep;
    set_schedule({Order::forward, 0});
    const auto expected = f();
    const auto check = [&](Schedule tried) {
        set_schedule(tried);
        const auto actual = f();
        detail::require_same_bits(std::as_bytes(std::span{expected}),
                                  std::as_bytes(std::span{actual}), sizeof(expected[0]), tried);
    };
    check({Order::reversed, 0});
    for (int i = 0; i < random_schedules; ++i) {
        check({Order::random, seed() + static_cast<std::uint64_t>(i)});
    }
    return expected;
}

// Failures ----------------------------------------------------------------------------------------

/// Lets the n-th call from now (n = 1: the next one) fail with `error`: of any function of the
/// runtime, of cuBLAS or launch, or of the function `name` alone ("cudaMalloc", "launch"). A
/// function that gives something back does so even then. Replaces what was asked before; n = 0
/// asks for nothing.
void fail_call(std::size_t n, cudaError_t error, std::string_view name = {});

/// The calls so far: all, or those of the function `name`.
std::size_t calls(std::string_view name = {});

/// Bytes that cudaMemcpyAsync was asked to copy in a direction so far.
std::size_t copied(cudaMemcpyKind direction);

/// What the machine claims to be.
struct Device {
    int count = 1;
    int driver_version = 13000;
    std::size_t memory = std::size_t{8} << 30;  ///< bytes
};
/// Change it to see a machine without a device, with an old driver or with little memory.
Device& device();

// Kernels -----------------------------------------------------------------------------------------

namespace detail {

cudaError_t enqueue_kernel(const void* kernel, dim3 grid, dim3 block, std::size_t shared_bytes,
                           cudaStream_t stream, std::function<void()> body);
void* shared(const void* key, std::size_t bytes, std::size_t alignment, Site site);
void* dynamic_shared(Site site);

}  // namespace detail

/// Copies the arguments, as CUDA does, and puts the kernel into the stream.
template <class... P, class... A>
cudaError_t launch(void (*kernel)(P...), dim3 grid, dim3 block, std::size_t shared_bytes,
                   cudaStream_t stream, A&&... arguments) {
    static_assert(sizeof...(P) == sizeof...(A), "the kernel takes another number of arguments");
    static_assert((std::is_trivially_copyable_v<P> && ...), "arguments are copied bit by bit");
    static_assert((sizeof(P) + ... + 0) <= 4096, "a kernel takes at most 4 KiB of arguments");
    return detail::enqueue_kernel(
        reinterpret_cast<const void*>(kernel), grid, block, shared_bytes, stream,
        [kernel, copied = std::tuple<P...>(std::forward<A>(arguments)...)] {
            std::apply(kernel, copied);
        });
}

/// The block's static shared array of `count` T, one for each type of `tag`. With a lambda for it,
/// each instance of a template has its own array, as on the device:
/// `T* name = emulator::shared<T>([] {}, count)`.
template <class T, class Tag>
T* shared(Tag, std::size_t count, Site site = Site::here()) {
    static constexpr char key = 0;
    return static_cast<T*>(detail::shared(&key, count * sizeof(T), alignof(T), site));
}

/// The shared memory asked for at the launch.
template <class T>
T* dynamic_shared(Site site = Site::here()) {
    return static_cast<T*>(detail::dynamic_shared(site));
}

}  // namespace emulator
