#include "machine.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <random>

namespace emulator {

namespace detail {

std::recursive_mutex machine_lock;

namespace {

struct State {
    std::vector<Report> reports;
    cudaError_t sticky = cudaSuccess;
    int quiet = 0;

    std::map<std::string, std::size_t, std::less<>> calls;
    std::size_t all_calls = 0;
    std::size_t fail_in = 0;
    cudaError_t fail_with = cudaSuccess;
    std::string fail_name;

    Device device;
    bool has_schedule = false;
    Schedule schedule;
    std::uint64_t random = 0;
};

// A program that has found bugs must not end as if it had not.
void check_at_exit() {
    const std::scoped_lock lock{machine_lock};
    const auto left = leaks();
    const auto reports = take_reports();
    if (left.empty() && reports.empty()) return;
    for (const std::string& line : left) {
        std::fprintf(stderr, "cuda emulator: never given back: %s\n", line.c_str());
    }
    std::fprintf(stderr, "cuda emulator: %zu reports, %zu leaks: the program fails\n",
                 reports.size(), left.size());
    std::fflush(nullptr);
    std::_Exit(1);
}

// Never destroyed: destructors of static objects may still give memory back.
State& state() {
    static State& the_state = [&]() -> State& {
        std::atexit(check_at_exit);
        return *new State;
    }();
    return the_state;
}

thread_local cudaError_t last_error = cudaSuccess;

}  // namespace

void report(cudaError_t error, std::string text, bool sticky) {
    State& s = state();
    if (s.quiet == 0) std::fprintf(stderr, "cuda emulator: %s\n", text.c_str());
    s.reports.push_back({error, std::move(text)});
    if (sticky && s.sticky == cudaSuccess) s.sticky = error;
}

cudaError_t sticky_error() {
    return state().sticky;
}

cudaError_t admit(const char* name, bool needs_device) {
    State& s = state();
    ++s.all_calls;
    ++s.calls[name];
    if (s.fail_in > 0 && (s.fail_name.empty() || s.fail_name == name) && --s.fail_in == 0) {
        return s.fail_with;
    }
    if (!needs_device) return cudaSuccess;
    if (s.device.driver_version < CUDART_VERSION) return cudaErrorInsufficientDriver;
    if (s.device.count < 1) return cudaErrorNoDevice;
    return s.sticky;
}

cudaError_t remember(cudaError_t error) {
    if (error != cudaSuccess) last_error = error;
    return error;
}

std::uint64_t random_word() {
    // splitmix64
    std::uint64_t z = state().random += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

Permutation::Permutation(std::size_t count) : count_(count) {
    const Order order = schedule().order;
    reversed_ = order == Order::reversed;
    if (order != Order::random || count < 2) return;
    start_ = random_word() % count;
    do {
        step_ = 1 + random_word() % count;
    } while (std::gcd(step_, count) != 1);
}

Quiet::Quiet() {
    const std::scoped_lock lock{machine_lock};
    ++state().quiet;
}
Quiet::~Quiet() {
    const std::scoped_lock lock{machine_lock};
    --state().quiet;
}

std::string describe(Schedule schedule) {
    switch (schedule.order) {
        case Order::forward:
            return "the forward schedule";
        case Order::reversed:
            return "the reversed schedule";
        case Order::random:
            break;
    }
    return "the random schedule of seed " + std::to_string(schedule.seed);
}

void require_same_bits(std::span<const std::byte> expected, std::span<const std::byte> actual,
                       std::size_t element_bytes, Schedule schedule) {
    if (expected.size() != actual.size()) {
        throw ScheduleMismatch(std::to_string(expected.size() / element_bytes) +
                               " results under the forward schedule, " +
                               std::to_string(actual.size() / element_bytes) + " under " +
                               describe(schedule));
    }
    const auto [first, other] = std::mismatch(expected.begin(), expected.end(), actual.begin());
    if (first == expected.end()) return;
    const auto index = static_cast<std::size_t>(first - expected.begin()) / element_bytes;
    throw ScheduleMismatch("result " + std::to_string(index) +
                           " differs between the forward schedule and " + describe(schedule) +
                           ": threads, blocks or streams race");
}

}  // namespace detail

using detail::machine_lock;
using detail::state;

std::vector<Report> take_reports() {
    const std::scoped_lock lock{machine_lock};
    state().sticky = cudaSuccess;
    detail::last_error = cudaSuccess;
    return std::exchange(state().reports, {});
}

std::vector<std::string> leaks() {
    const std::scoped_lock lock{machine_lock};
    std::vector<std::string> lines;
    detail::append_memory_leaks(lines);
    detail::append_stream_leaks(lines);
    detail::append_cublas_leaks(lines);
    return lines;
}

std::uint64_t seed() {
    const std::scoped_lock lock{machine_lock};
    static const std::uint64_t value = [] {
        std::uint64_t chosen = std::random_device{}();
        if (const char* text = std::getenv("TYPENET_EMULATOR_SEED")) {
            const char* end = text + std::strlen(text);
            if (const auto [stop, error] = std::from_chars(text, end, chosen);
                error != std::errc{} || stop != end) {
                std::fprintf(stderr,
                             "cuda emulator: TYPENET_EMULATOR_SEED is '%s': a whole number"
                             " is wanted\n",
                             text);
                std::_Exit(2);
            }
        }
        std::fprintf(stderr, "cuda emulator: TYPENET_EMULATOR_SEED=%llu\n",
                     static_cast<unsigned long long>(chosen));
        return chosen;
    }();
    return value;
}

Schedule schedule() {
    const std::scoped_lock lock{machine_lock};
    if (!state().has_schedule) set_schedule({Order::random, seed()});
    return state().schedule;
}

void set_schedule(Schedule schedule) {
    const std::scoped_lock lock{machine_lock};
    state().has_schedule = true;
    state().schedule = schedule;
    state().random = schedule.seed;
}

void fail_call(std::size_t n, cudaError_t error, std::string_view name) {
    const std::scoped_lock lock{machine_lock};
    state().fail_in = n;
    state().fail_with = error;
    state().fail_name = name;
}

std::size_t calls(std::string_view name) {
    const std::scoped_lock lock{machine_lock};
    if (name.empty()) return state().all_calls;
    const auto found = state().calls.find(name);
    return found == state().calls.end() ? 0 : found->second;
}

Device& device() {
    return state().device;
}

}  // namespace emulator

using namespace emulator::detail;

// Errors and devices ------------------------------------------------------------------------------

namespace {

struct ErrorText {
    cudaError_t error;
    const char* name;
    const char* text;
};
#define TYPENET_EMULATOR_ERROR(error, text) \
    { error, #error, text }
constexpr ErrorText error_texts[] = {
    TYPENET_EMULATOR_ERROR(cudaSuccess, "no error"),
    TYPENET_EMULATOR_ERROR(cudaErrorInvalidValue, "invalid argument"),
    TYPENET_EMULATOR_ERROR(cudaErrorMemoryAllocation, "out of memory"),
    TYPENET_EMULATOR_ERROR(cudaErrorInitializationError, "initialization error"),
    TYPENET_EMULATOR_ERROR(cudaErrorInvalidConfiguration, "invalid configuration argument"),
    TYPENET_EMULATOR_ERROR(cudaErrorInvalidMemcpyDirection, "invalid copy direction for memcpy"),
    TYPENET_EMULATOR_ERROR(cudaErrorInsufficientDriver,
                           "CUDA driver version is insufficient for CUDA runtime version"),
    TYPENET_EMULATOR_ERROR(cudaErrorInvalidDeviceFunction, "invalid device function"),
    TYPENET_EMULATOR_ERROR(cudaErrorNoDevice, "no CUDA-capable device is detected"),
    TYPENET_EMULATOR_ERROR(cudaErrorInvalidDevice, "invalid device ordinal"),
    TYPENET_EMULATOR_ERROR(cudaErrorNoKernelImageForDevice,
                           "no kernel image is available for execution on the device"),
    TYPENET_EMULATOR_ERROR(cudaErrorInvalidResourceHandle, "invalid resource handle"),
    TYPENET_EMULATOR_ERROR(cudaErrorNotReady, "device not ready"),
    TYPENET_EMULATOR_ERROR(cudaErrorIllegalAddress, "an illegal memory access was encountered"),
    TYPENET_EMULATOR_ERROR(cudaErrorLaunchOutOfResources,
                           "too many resources requested for launch"),
    TYPENET_EMULATOR_ERROR(cudaErrorLaunchTimeout, "the launch timed out and was terminated"),
    TYPENET_EMULATOR_ERROR(cudaErrorMisalignedAddress, "misaligned address"),
    TYPENET_EMULATOR_ERROR(cudaErrorLaunchFailure, "unspecified launch failure"),
    TYPENET_EMULATOR_ERROR(cudaErrorStreamCaptureUnsupported,
                           "operation not permitted when stream is capturing"),
    TYPENET_EMULATOR_ERROR(cudaErrorStreamCaptureInvalidated,
                           "operation failed due to a previous error during capture"),
    TYPENET_EMULATOR_ERROR(cudaErrorStreamCaptureMerge,
                           "operation would result in a merge of separate capture sequences"),
    TYPENET_EMULATOR_ERROR(cudaErrorStreamCaptureUnmatched,
                           "capture was not ended in the same stream as it began"),
    TYPENET_EMULATOR_ERROR(cudaErrorStreamCaptureUnjoined, "capturing stream has unjoined work"),
    TYPENET_EMULATOR_ERROR(cudaErrorStreamCaptureIsolation,
                           "dependency created on uncaptured work in another stream"),
    TYPENET_EMULATOR_ERROR(cudaErrorStreamCaptureImplicit,
                           "operation would make the legacy stream depend on a capturing blocking "
                           "stream"),
    TYPENET_EMULATOR_ERROR(cudaErrorCapturedEvent,
                           "operation not permitted on an event last recorded in a capturing "
                           "stream"),
    TYPENET_EMULATOR_ERROR(cudaErrorUnknown, "unknown error"),
};
#undef TYPENET_EMULATOR_ERROR

}  // namespace

const char* cudaGetErrorName(cudaError_t error) {
    for (const ErrorText& entry : error_texts) {
        if (entry.error == error) return entry.name;
    }
    return "unrecognized error code";
}

const char* cudaGetErrorString(cudaError_t error) {
    for (const ErrorText& entry : error_texts) {
        if (entry.error == error) return entry.text;
    }
    return "unrecognized error code";
}

cudaError_t cudaGetLastError() {
    const std::scoped_lock lock{machine_lock};
    if (sticky_error() != cudaSuccess) return sticky_error();
    return std::exchange(last_error, cudaSuccess);
}

cudaError_t cudaGetDeviceCount(int* count) {
    return call("cudaGetDeviceCount", [&] {
        *count = state().device.count;
        return cudaSuccess;
    });
}

cudaError_t cudaGetDevice(int* device) {
    return call("cudaGetDevice", [&] {
        *device = 0;
        return cudaSuccess;
    });
}

cudaError_t cudaSetDevice(int device) {
    return call("cudaSetDevice", [&] {
        return device >= 0 && device < state().device.count ? cudaSuccess : cudaErrorInvalidDevice;
    });
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
    return call("cudaGetDeviceProperties", [&] {
        if (device < 0 || device >= state().device.count) return cudaErrorInvalidDevice;
        *properties = {.name = "typenet emulator",
                       .totalGlobalMem = state().device.memory,
                       .sharedMemPerBlock = static_shared_limit,
                       .sharedMemPerBlockOptin = shared_limit,
                       .sharedMemPerMultiprocessor = std::size_t{228} << 10,
                       .regsPerBlock = 65536,
                       .warpSize = 32,
                       .maxThreadsPerBlock = 1024,
                       .maxThreadsDim = {1024, 1024, 64},
                       .maxGridSize = {2147483647, 65535, 65535},
                       .maxThreadsPerMultiProcessor = 2048,
                       .multiProcessorCount = 1,
                       .major = 9,
                       .minor = 0,
                       .memoryBusWidth = 64,
                       .l2CacheSize = 1 << 20};
        return cudaSuccess;
    });
}

cudaError_t cudaDriverGetVersion(int* version) {
    const std::scoped_lock lock{machine_lock};
    const cudaError_t error = admit("cudaDriverGetVersion", false);
    if (error == cudaSuccess) *version = state().device.driver_version;
    return remember(error);
}

cudaError_t cudaRuntimeGetVersion(int* version) {
    const std::scoped_lock lock{machine_lock};
    const cudaError_t error = admit("cudaRuntimeGetVersion", false);
    if (error == cudaSuccess) *version = CUDART_VERSION;
    return remember(error);
}

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
    return call("cudaMemGetInfo", [&] {
        *total = state().device.memory;
        *free = *total - std::min(*total, device_bytes_in_use());
        return cudaSuccess;
    });
}
