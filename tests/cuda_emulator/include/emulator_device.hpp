// What kernels call: built-in variables, barriers, warp operations, atomics and intrinsics.
// Included by <cuda_runtime.h> alone.
#pragma once

namespace emulator {

/// A place in the source, for reports.
struct Site {
    const char* file;
    int line;
    const char* function;

    static constexpr Site here(const char* file = __builtin_FILE(), int line = __builtin_LINE(),
                               const char* function = __builtin_FUNCTION()) {
        return {file, line, function};
    }
};

namespace detail {

struct BuiltIns {
    uint3 thread_index, block_index;
    dim3 block_dim, grid_dim;
};
/// Those of the running thread: the scheduler sets them before it lets a thread run on.
extern BuiltIns built_ins;

enum class Operation : unsigned char {
    syncthreads,
    syncthreads_count,
    syncthreads_and,
    syncthreads_or,
    syncwarp,
    shfl,
    shfl_up,
    shfl_down,
    shfl_xor,
    ballot,
    any,
    all
};

/// Waits for the block's threads that have not exited, and combines their predicates.
int block_barrier(Operation operation, int predicate, Site site);
/// Waits for the lanes of `mask` that have not exited, and exchanges their values.
std::uint64_t warp_exchange(Operation operation, unsigned mask, std::uint64_t value, int lane,
                            int width, Site site);
[[noreturn]] void trap(Site site);

template <class T>
T shuffle(Operation operation, unsigned mask, T value, int lane, int width, Site site) {
    static_assert(std::is_trivially_copyable_v<T> &&
                  (sizeof(T) == 4 || sizeof(T) == 8 || sizeof(T) == 2));
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof(T));
    bits = warp_exchange(operation, mask, bits, lane, width, site);
    std::memcpy(&value, &bits, sizeof(T));
    return value;
}

}  // namespace detail
}  // namespace emulator

inline constexpr const uint3& threadIdx = emulator::detail::built_ins.thread_index;
inline constexpr const uint3& blockIdx = emulator::detail::built_ins.block_index;
inline constexpr const dim3& blockDim = emulator::detail::built_ins.block_dim;
inline constexpr const dim3& gridDim = emulator::detail::built_ins.grid_dim;
inline constexpr int warpSize = 32;

// Barriers and fences -----------------------------------------------------------------------------

inline void __syncthreads(emulator::Site site = emulator::Site::here()) {
    emulator::detail::block_barrier(emulator::detail::Operation::syncthreads, 0, site);
}
inline int __syncthreads_count(int predicate, emulator::Site site = emulator::Site::here()) {
    return emulator::detail::block_barrier(emulator::detail::Operation::syncthreads_count,
                                           predicate, site);
}
inline int __syncthreads_and(int predicate, emulator::Site site = emulator::Site::here()) {
    return emulator::detail::block_barrier(emulator::detail::Operation::syncthreads_and, predicate,
                                           site);
}
inline int __syncthreads_or(int predicate, emulator::Site site = emulator::Site::here()) {
    return emulator::detail::block_barrier(emulator::detail::Operation::syncthreads_or, predicate,
                                           site);
}
inline void __threadfence() {}
inline void __threadfence_block() {}
[[noreturn]] inline void __trap(emulator::Site site = emulator::Site::here()) {
    emulator::detail::trap(site);
}

// Warps -------------------------------------------------------------------------------------------

inline void __syncwarp(unsigned mask = 0xffffffff, emulator::Site site = emulator::Site::here()) {
    emulator::detail::warp_exchange(emulator::detail::Operation::syncwarp, mask, 0, 0, 32, site);
}
template <class T>
T __shfl_sync(unsigned mask, T value, int lane, int width = 32,
              emulator::Site site = emulator::Site::here()) {
    return emulator::detail::shuffle(emulator::detail::Operation::shfl, mask, value, lane, width,
                                     site);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32,
                 emulator::Site site = emulator::Site::here()) {
    return emulator::detail::shuffle(emulator::detail::Operation::shfl_up, mask, value,
                                     static_cast<int>(delta), width, site);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                   emulator::Site site = emulator::Site::here()) {
    return emulator::detail::shuffle(emulator::detail::Operation::shfl_down, mask, value,
                                     static_cast<int>(delta), width, site);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32,
                  emulator::Site site = emulator::Site::here()) {
    return emulator::detail::shuffle(emulator::detail::Operation::shfl_xor, mask, value, lane_mask,
                                     width, site);
}
inline unsigned __ballot_sync(unsigned mask, int predicate,
                              emulator::Site site = emulator::Site::here()) {
    return static_cast<unsigned>(emulator::detail::warp_exchange(
        emulator::detail::Operation::ballot, mask, predicate != 0, 0, 32, site));
}
inline int __any_sync(unsigned mask, int predicate, emulator::Site site = emulator::Site::here()) {
    return static_cast<int>(emulator::detail::warp_exchange(emulator::detail::Operation::any, mask,
                                                            predicate != 0, 0, 32, site));
}
inline int __all_sync(unsigned mask, int predicate, emulator::Site site = emulator::Site::here()) {
    return static_cast<int>(emulator::detail::warp_exchange(emulator::detail::Operation::all, mask,
                                                            predicate != 0, 0, 32, site));
}

// Atomics, on integers only: sums of floats in the order of arrival are not reproducible ----------

namespace emulator::detail {

template <class T>
inline constexpr bool has_atomics =
    std::is_same_v<T, int> || std::is_same_v<T, unsigned> || std::is_same_v<T, unsigned long long>;

}  // namespace emulator::detail

template <class T>
T atomicAdd(T* address, std::type_identity_t<T> value) {
    static_assert(emulator::detail::has_atomics<T>, "atomicAdd: integers only");
    const T old = *address;
    using Unsigned = std::make_unsigned_t<T>;  // which wraps, as the device does
    *address = static_cast<T>(static_cast<Unsigned>(old) + static_cast<Unsigned>(value));
    return old;
}
template <class T>
T atomicMax(T* address, std::type_identity_t<T> value) {
    static_assert(emulator::detail::has_atomics<T>, "atomicMax: integers only");
    const T old = *address;
    if (value > old) *address = value;
    return old;
}
template <class T>
T atomicMin(T* address, std::type_identity_t<T> value) {
    static_assert(emulator::detail::has_atomics<T>, "atomicMin: integers only");
    const T old = *address;
    if (value < old) *address = value;
    return old;
}
template <class T>
T atomicExch(T* address, std::type_identity_t<T> value) {
    static_assert(emulator::detail::has_atomics<T>, "atomicExch: integers only");
    const T old = *address;
    *address = value;
    return old;
}
template <class T>
T atomicCAS(T* address, std::type_identity_t<T> compare, std::type_identity_t<T> value) {
    static_assert(emulator::detail::has_atomics<T>, "atomicCAS: integers only");
    const T old = *address;
    if (old == compare) *address = value;
    return old;
}

// Loads and stores with a cache hint --------------------------------------------------------------

// clang-format off
template <class T> T __ldg(const T* address) { return *address; }
template <class T> T __ldcg(const T* address) { return *address; }
template <class T> T __ldcs(const T* address) { return *address; }
template <class T> void __stcg(T* address, std::type_identity_t<T> value) { *address = value; }
template <class T> void __stcs(T* address, std::type_identity_t<T> value) { *address = value; }

// Arithmetic --------------------------------------------------------------------------------------

inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline float __fsqrt_rn(float a) { return std::sqrt(a); }
inline float __frcp_rn(float a) { return 1.0f / a; }
inline float __fdividef(float a, float b) { return a / b; }
inline float __expf(float a) { return std::exp(a); }
inline float __logf(float a) { return std::log(a); }
inline float __powf(float a, float b) { return std::pow(a, b); }
inline float __saturatef(float a) { return !(a > 0.0f) ? 0.0f : a < 1.0f ? a : 1.0f; }
inline float rsqrtf(float a) { return 1.0f / std::sqrt(a); }

inline int min(int a, int b) { return b < a ? b : a; }
inline unsigned min(unsigned a, unsigned b) { return b < a ? b : a; }
inline long long min(long long a, long long b) { return b < a ? b : a; }
inline float min(float a, float b) { return std::fmin(a, b); }
inline int max(int a, int b) { return a < b ? b : a; }
inline unsigned max(unsigned a, unsigned b) { return a < b ? b : a; }
inline long long max(long long a, long long b) { return a < b ? b : a; }
inline float max(float a, float b) { return std::fmax(a, b); }

inline int __popc(unsigned a) { return __builtin_popcount(a); }
inline int __clz(int a) { return a == 0 ? 32 : __builtin_clz(static_cast<unsigned>(a)); }
inline int __ffs(int a) { return __builtin_ffs(a); }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>((std::uint64_t{a} * b) >> 32); }

inline int __float_as_int(float a) { return __builtin_bit_cast(int, a); }
inline unsigned __float_as_uint(float a) { return __builtin_bit_cast(unsigned, a); }
inline float __int_as_float(int a) { return __builtin_bit_cast(float, a); }
inline float __uint_as_float(unsigned a) { return __builtin_bit_cast(float, a); }
// clang-format on
