// The emulated machine's state, shared by the sources of the emulator. One lock guards all of it;
// every entry point takes it first.
#pragma once

#include <emulator.hpp>

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace emulator::detail {

extern std::recursive_mutex machine_lock;

// Reports and failures (machine.cpp) --------------------------------------------------------------

/// Records a bug. A sticky one is the device's answer until the reports are taken.
void report(cudaError_t error, std::string text, bool sticky = true);
/// The bug after which the device does nothing more, or cudaSuccess.
cudaError_t sticky_error();
void forget_sticky_error();

/// Counts a call of the function `name` and says whether it may go on: cudaSuccess, or the device's
/// standing error, or the failure asked for.
cudaError_t admit(const char* name, bool needs_device = true);
/// Keeps an error for cudaGetLastError; returns it.
cudaError_t remember(cudaError_t error);

/// One entry point of the runtime: lock, count, maybe fail, do it.
template <class F>
cudaError_t call(const char* name, F&& f) {
    const std::scoped_lock lock{machine_lock};
    if (const cudaError_t error = admit(name); error != cudaSuccess) return remember(error);
    return remember(f());
}
/// The same for what gives something back: that happens even if the call fails.
template <class F>
cudaError_t release(const char* name, F&& f) {
    const std::scoped_lock lock{machine_lock};
    const cudaError_t failure = admit(name);
    const cudaError_t error = f();
    return remember(failure != cudaSuccess ? failure : error);
}

// Permutations (machine.cpp) ----------------------------------------------------------------------

std::uint64_t random_word();

/// A permutation of {0, ..., count - 1} in the order of the schedule.
class Permutation {
public:
    explicit Permutation(std::size_t count);
    std::size_t operator()(std::size_t i) const {
        return reversed_ ? count_ - 1 - i : (start_ + i * step_) % count_;
    }

private:
    std::size_t count_;
    std::size_t start_ = 0;
    std::size_t step_ = 1;
    bool reversed_ = false;
};

// Memory (memory.cpp) -----------------------------------------------------------------------------

enum class Place { device, host };

struct Allocation {
    Place place;
    std::byte* begin;
    std::size_t bytes;
    std::byte* pages;  ///< with a page on either side that nobody may touch
    std::size_t page_bytes;
    std::size_t serial;
    bool freed = false;
};

/// Poisons memory: every float, double and bf16 in it is NaN.
void poison(void* memory, std::size_t bytes);

cudaError_t allocate(Place place, void** pointer, std::size_t bytes);
cudaError_t deallocate(Place place, void* pointer);
std::size_t device_bytes_in_use();
/// The allocation that holds [pointer, pointer + bytes), alive, or null.
const Allocation* holding(const void* pointer, std::size_t bytes);
/// The allocation, alive or freed, in or beside which an address lies, in words.
std::string describe_address(const void* address);
/// Reports writes outside of the allocations since the last look. `when`: "after kernel k", ...
void check_guards(const std::string& when);
void append_memory_leaks(std::vector<std::string>& lines);

/// While it lives, device memory can be read and written. Otherwise the host that touches it gets a
/// segmentation fault (arenas over 4 MiB excepted: protecting them takes long).
class DeviceAccess {
public:
    DeviceAccess();
    ~DeviceAccess();
    DeviceAccess(const DeviceAccess&) = delete;
    DeviceAccess& operator=(const DeviceAccess&) = delete;
};

// Kernels (block.cpp) -----------------------------------------------------------------------------

struct Kernel {
    const void* function;
    dim3 grid, block;
    std::size_t shared_bytes;
    std::function<void()> body;
};
void run(const Kernel& kernel);

inline constexpr std::size_t static_shared_limit = std::size_t{48} << 10;
inline constexpr std::size_t shared_limit = std::size_t{227} << 10;

// Streams (streams.cpp) ---------------------------------------------------------------------------

/// Something for a stream to do.
struct Work {
    const char* name;
    std::function<void()> run;
};

/// Puts work into a stream or into the graph that is captured from it.
cudaError_t enqueue(cudaStream_t stream, Work work);
bool is_capturing(cudaStream_t stream);
bool is_stream(cudaStream_t stream);
/// Fails (and spoils the captures) while a capture forbids this thread what allocates.
cudaError_t forbid_during_capture();
/// Runs all pending work.
void synchronize_device();
void append_stream_leaks(std::vector<std::string>& lines);
void append_cublas_leaks(std::vector<std::string>& lines);

}  // namespace emulator::detail
