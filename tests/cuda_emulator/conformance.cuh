// What a CUDA device must do, in small kernels whose results are known. The emulator has to pass it
// in every test run, and a real device shows that the suite itself is right.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "portable.cuh"

namespace conformance {

// Tests -------------------------------------------------------------------------------------------

struct Test {
    const char* name;
    void (*run)();
};
inline std::vector<Test>& tests() {
    static std::vector<Test> the_tests;
    return the_tests;
}
struct Registration {
    Registration(const char* name, void (*run)()) { tests().push_back({name, run}); }
};

struct Failure : std::runtime_error {
    using std::runtime_error::runtime_error;
};

inline void check(bool holds, const char* what, int line) {
    if (!holds) throw Failure("line " + std::to_string(line) + ": " + what);
}
inline void succeed(cudaError_t error, const char* what, int line) {
    if (error == cudaSuccess) return;
    throw Failure("line " + std::to_string(line) + ": " + what + ": " + cudaGetErrorString(error));
}
inline void succeed(cublasStatus_t status, const char* what, int line) {
    if (status == CUBLAS_STATUS_SUCCESS) return;
    throw Failure("line " + std::to_string(line) + ": " + what + ": " +
                  cublasGetStatusString(status));
}

#define TEST(name)                                                             \
    inline void name();                                                        \
    inline const ::conformance::Registration registration_##name{#name, name}; \
    inline void name()
#define CHECK(...) ::conformance::check((__VA_ARGS__), #__VA_ARGS__, __LINE__)
#define OK(...) ::conformance::succeed((__VA_ARGS__), #__VA_ARGS__, __LINE__)

// Resources ---------------------------------------------------------------------------------------

class Stream {
public:
    explicit Stream(unsigned flags = cudaStreamNonBlocking) {
        OK(cudaStreamCreateWithFlags(&stream_, flags));
    }
    ~Stream() { cudaStreamDestroy(stream_); }
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;
    operator cudaStream_t() const { return stream_; }
    void wait() const { OK(cudaStreamSynchronize(stream_)); }

private:
    cudaStream_t stream_ = nullptr;
};

class Event {
public:
    explicit Event(unsigned flags = cudaEventDisableTiming) {
        OK(cudaEventCreateWithFlags(&event_, flags));
    }
    ~Event() { cudaEventDestroy(event_); }
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;
    operator cudaEvent_t() const { return event_; }

private:
    cudaEvent_t event_ = nullptr;
};

/// `count` values in device memory, all bits set at first.
template <class T>
class Buffer {
public:
    explicit Buffer(std::size_t count) : count_(count) {
        OK(cudaMalloc(&data_, count * sizeof(T)));
        const Stream stream;
        OK(cudaMemsetAsync(data_, 0xff, count * sizeof(T), stream));
        stream.wait();
    }
    explicit Buffer(const std::vector<T>& values) : Buffer(values.size()) {
        const Stream stream;
        OK(cudaMemcpyAsync(data_, values.data(), count_ * sizeof(T), cudaMemcpyHostToDevice,
                           stream));
        stream.wait();
    }
    ~Buffer() { cudaFree(data_); }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;

    T* data() const { return data_; }
    std::vector<T> read() const {
        std::vector<T> values(count_);
        const Stream stream;
        OK(cudaMemcpyAsync(values.data(), data_, count_ * sizeof(T), cudaMemcpyDeviceToHost,
                           stream));
        stream.wait();
        return values;
    }

private:
    T* data_ = nullptr;
    std::size_t count_;
};

/// Pinned memory for one value.
class Pinned {
public:
    Pinned() { OK(cudaMallocHost(&data_, sizeof(int))); }
    ~Pinned() { cudaFreeHost(data_); }
    Pinned(const Pinned&) = delete;
    Pinned& operator=(const Pinned&) = delete;
    int* data() const { return data_; }

private:
    int* data_ = nullptr;
};

/// Runs kernel(out, arguments...) and returns the `count` values at `out`.
template <class T, class... P, class... A>
std::vector<T> run(std::size_t count, void (*kernel)(T*, P...), dim3 grid, dim3 block,
                   std::size_t shared_bytes, A... arguments) {
    const Buffer<T> out{count};
    const Stream stream;
    OK(launch(kernel, grid, block, shared_bytes, stream, out.data(), arguments...));
    stream.wait();
    return out.read();
}

/// Whether each value is what `expected(index)` says.
template <class T, class F>
bool are(const std::vector<T>& values, F expected) {
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (!(values[i] == static_cast<T>(expected(static_cast<int>(i))))) {
            std::printf("    value %zu is %g, not %g\n", i, static_cast<double>(values[i]),
                        static_cast<double>(static_cast<T>(expected(static_cast<int>(i)))));
            return false;
        }
    }
    return true;
}

__device__ inline int global_index() {
    return static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
}
__device__ inline int lane_index() {
    return static_cast<int>(threadIdx.x % 32);
}
inline constexpr unsigned all_lanes = 0xffffffff;

// Indices -----------------------------------------------------------------------------------------

__global__ void write_index(int* out) {
    out[global_index()] = global_index();
}

TEST(index_in_one_dimension) {
    CHECK(are(run(7 * 33, write_index, 7, 33, 0), [](int i) { return i; }));
}
TEST(block_of_1024_threads) {
    CHECK(are(run(3 * 1024, write_index, 3, 1024, 0), [](int i) { return i; }));
}
TEST(block_of_one_thread) {
    CHECK(are(run(1000, write_index, 1000, 1, 0), [](int i) { return i; }));
}

__global__ void write_3d_index(int* out) {
    const unsigned x = blockIdx.x * blockDim.x + threadIdx.x;
    const unsigned y = blockIdx.y * blockDim.y + threadIdx.y;
    const unsigned z = blockIdx.z * blockDim.z + threadIdx.z;
    const unsigned width = gridDim.x * blockDim.x;
    const unsigned height = gridDim.y * blockDim.y;
    out[x + width * (y + height * z)] = static_cast<int>(x + 1000 * y + 1000000 * z);
}

TEST(index_in_two_dimensions) {
    CHECK(are(run(15 * 14, write_3d_index, dim3(3, 2), dim3(5, 7), 0),
              [](int i) { return i % 15 + 1000 * (i / 15); }));
}
TEST(index_in_three_dimensions) {
    CHECK(are(run(10 * 9 * 8, write_3d_index, dim3(2, 3, 4), dim3(5, 3, 2), 0),
              [](int i) { return i % 10 + 1000 * (i / 10 % 9) + 1000000 * (i / 90); }));
}

__global__ void write_dimensions(int* out) {
    const unsigned values[] = {gridDim.x,
                               gridDim.y,
                               gridDim.z,
                               blockDim.x,
                               blockDim.y,
                               blockDim.z,
                               static_cast<unsigned>(warpSize)};
    for (int i = 0; i < 7; ++i) out[i] = static_cast<int>(values[i]);
}

TEST(dimensions_as_launched) {
    const int expected[] = {2, 3, 4, 5, 6, 7, 32};
    CHECK(are(run(7, write_dimensions, dim3(2, 3, 4), dim3(5, 6, 7), 0),
              [&](int i) { return expected[i]; }));
}

__global__ void count_blocks(int* out) {
    atomicAdd(out, static_cast<int>(blockIdx.x + blockIdx.y + blockIdx.z));
}

TEST(largest_grid_y_and_z) {
    const Buffer<int> sum{std::vector<int>{0}};
    const Stream stream;
    OK(launch(count_blocks, dim3(1, 65535), 1, 0, stream, sum.data()));
    OK(launch(count_blocks, dim3(1, 1, 65535), 1, 0, stream, sum.data()));
    stream.wait();
    const unsigned expected = 65534u * 65535u;
    CHECK(sum.read()[0] == static_cast<int>(expected));
}

__global__ void write_bounded(int* out, int count) {
    if (global_index() < count) out[global_index()] = 1;
}

TEST(last_block_in_part) {
    CHECK(are(run(1001, write_bounded, 4, 256, 0, 1000), [](int i) { return i < 1000 ? 1 : -1; }));
}

__global__ void write_strided(int* out, int count) {
    const int step = static_cast<int>(gridDim.x * blockDim.x);
    for (int i = global_index(); i < count; i += step) out[i] = i * 3;
}

TEST(grid_stride_loop) {
    CHECK(are(run(1013, write_strided, 3, 40, 0, 1013), [](int i) { return 3 * i; }));
}

// Barriers, early exits and shared memory ---------------------------------------------------------

__global__ void reverse(int* out) {
    SHARED(int, values, 256);
    const unsigned n = blockDim.x;
    values[threadIdx.x] = global_index();
    __syncthreads();
    out[global_index()] = values[n - 1 - threadIdx.x];
}

TEST(barrier_orders_shared_memory) {
    CHECK(
        are(run(5 * 100, reverse, 5, 100, 0), [](int i) { return i / 100 * 100 + 99 - i % 100; }));
}

template <int threads>
__global__ void sum_block(int* out) {
    SHARED(int, partial, threads);
    const int t = static_cast<int>(threadIdx.x);
    partial[t] = global_index();
    __syncthreads();
    for (int left = threads; left > 1;) {
        const int half = (left + 1) / 2;
        if (t + half < left) partial[t] += partial[t + half];
        __syncthreads();
        left = half;
    }
    if (t == 0) out[blockIdx.x] = partial[0];
}

template <int threads>
bool sums_blocks() {
    return are(run(9, sum_block<threads>, 9, threads, 0),
               [](int b) { return b * threads * threads + threads * (threads - 1) / 2; });
}

TEST(tree_reductions) {
    CHECK(sums_blocks<1>());
    CHECK(sums_blocks<31>());
    CHECK(sums_blocks<100>());
    CHECK(sums_blocks<256>());
    CHECK(sums_blocks<1024>());
}

__global__ void prefix_sum(int* out) {
    SHARED(int, values, 200);
    const int t = static_cast<int>(threadIdx.x);
    values[t] = t;
    for (int step = 1; step < 200; step *= 2) {
        __syncthreads();
        const int before = t >= step ? values[t - step] : 0;
        __syncthreads();
        values[t] += before;
    }
    out[t] = values[t];
}

TEST(prefix_sum_with_two_barriers_a_step) {
    CHECK(are(run(200, prefix_sum, 1, 200, 0), [](int i) { return i * (i + 1) / 2; }));
}

__global__ void transpose(int* out, int width, int height) {
    SHARED(int, tile, 32 * 33);
    const int x = static_cast<int>(blockIdx.x * 32 + threadIdx.x);
    const int y = static_cast<int>(blockIdx.y * 32 + threadIdx.y);
    for (int row = 0; row < 32; row += 8) {
        if (x < width && y + row < height) {
            tile[(static_cast<int>(threadIdx.y) + row) * 33 + static_cast<int>(threadIdx.x)] =
                (y + row) * width + x;
        }
    }
    __syncthreads();
    const int to_x = static_cast<int>(blockIdx.y * 32 + threadIdx.x);
    const int to_y = static_cast<int>(blockIdx.x * 32 + threadIdx.y);
    for (int row = 0; row < 32; row += 8) {
        if (to_x < height && to_y + row < width) {
            out[(to_y + row) * height + to_x] =
                tile[static_cast<int>(threadIdx.x) * 33 + static_cast<int>(threadIdx.y) + row];
        }
    }
}

TEST(transpose_by_tiles) {
    CHECK(are(run(70 * 45, transpose, dim3(3, 2), dim3(32, 8), 0, 70, 45),
              [](int i) { return i % 45 * 70 + i / 45; }));
}

__global__ void two_arrays(int* out) {
    SHARED(int, first, 64);
    SHARED(int, second, 64);
    first[threadIdx.x] = static_cast<int>(threadIdx.x);
    second[threadIdx.x] = 100;
    __syncthreads();
    out[threadIdx.x] = first[63 - threadIdx.x] + second[63 - threadIdx.x];
}

TEST(two_shared_arrays_are_apart) {
    CHECK(are(run(64, two_arrays, 1, 64, 0), [](int i) { return 163 - i; }));
}

template <int value>
__device__ int* array_of_instance() {
    SHARED(int, array, 1);
    return array;
}

__global__ void instances(int* out) {
    int* const one = array_of_instance<1>();
    int* const two = array_of_instance<2>();
    *one = 1;
    *two = 2;
    out[0] = *one;
    out[1] = *two;
    out[2] = array_of_instance<1>() == one;
}

TEST(each_instance_of_a_template_has_its_shared_array) {
    const int expected[] = {1, 2, 1};
    CHECK(are(run(3, instances, 1, 1, 0), [&](int i) { return expected[i]; }));
}

__global__ void reverse_dynamic(int* out, int count) {
    DYNAMIC_SHARED(int, values);
    const int step = static_cast<int>(blockDim.x);
    for (int i = static_cast<int>(threadIdx.x); i < count; i += step) values[i] = i;
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.x); i < count; i += step) {
        out[i] = values[count - 1 - i];
    }
}

TEST(dynamic_shared_memory) {
    CHECK(are(run(300, reverse_dynamic, 1, 128, 300 * sizeof(int), 300),
              [](int i) { return 299 - i; }));
}
TEST(dynamic_shared_memory_of_48_kib) {
    CHECK(are(run(12288, reverse_dynamic, 1, 256, 49152, 12288), [](int i) { return 12287 - i; }));
}
TEST(dynamic_shared_memory_opted_in) {
    const int bytes = 64 << 10;  // what every device since 7.5 has
    OK(cudaFuncSetAttribute(reverse_dynamic, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
    CHECK(are(run(16384, reverse_dynamic, 1, 256, bytes, 16384), [](int i) { return 16383 - i; }));
    OK(cudaFuncSetAttribute(reverse_dynamic, cudaFuncAttributeMaxDynamicSharedMemorySize, 49152));
}

__global__ void static_and_dynamic(int* out) {
    SHARED(int, fixed, 32);
    DYNAMIC_SHARED(int, values);
    fixed[threadIdx.x] = 1;
    values[threadIdx.x] = static_cast<int>(threadIdx.x) * 10;
    __syncthreads();
    out[threadIdx.x] = fixed[31 - threadIdx.x] + values[31 - threadIdx.x];
}

TEST(static_and_dynamic_shared_memory) {
    CHECK(are(run(32, static_and_dynamic, 1, 32, 128), [](int i) { return 311 - 10 * i; }));
}

__global__ void static_48_kib(int* out) {
    SHARED(int, values, 12288);
    for (int i = static_cast<int>(threadIdx.x); i < 12288; i += 64) values[i] = i;
    __syncthreads();
    out[threadIdx.x] = values[12287 - threadIdx.x];
}

TEST(static_shared_memory_of_48_kib) {
    CHECK(are(run(64, static_48_kib, 2, 64, 0), [](int i) { return 12287 - i; }));
}

__global__ void exit_early(int* out, int survivors) {
    SHARED(int, values, 128);
    if (static_cast<int>(threadIdx.x) >= survivors) return;
    values[threadIdx.x] = static_cast<int>(threadIdx.x);
    __syncthreads();
    out[threadIdx.x] = values[survivors - 1 - static_cast<int>(threadIdx.x)];
}

TEST(barrier_after_threads_have_exited) {
    for (const int survivors : {1, 31, 32, 33, 64, 100, 127}) {
        CHECK(are(run(static_cast<std::size_t>(survivors), exit_early, 1, 128, 0, survivors),
                  [&](int i) { return survivors - 1 - i; }));
    }
}

__global__ void exit_one_by_one(int* out) {
    SHARED(int, turns, 1);
    const int t = static_cast<int>(threadIdx.x);
    if (t == 0) turns[0] = 0;
    for (int turn = 0; turn < 40; ++turn) {
        __syncthreads();
        if (t == 39 - turn) {
            out[t] = turns[0];
            return;
        }
        __syncthreads();
        if (t == 0) ++turns[0];
    }
}

TEST(threads_that_exit_between_barriers) {
    CHECK(are(run(40, exit_one_by_one, 1, 40, 0), [](int i) { return 39 - i; }));
}

__global__ void predicates(int* out, int limit) {
    const int t = static_cast<int>(threadIdx.x);
    const int counted = __syncthreads_count(t < limit);
    const int every = __syncthreads_and(t < limit);
    const int some = __syncthreads_or(t < limit);
    out[t] = counted * 100 + (every != 0) * 10 + (some != 0);
}

TEST(barriers_that_combine_predicates) {
    for (const int limit : {0, 1, 50, 77}) {
        CHECK(are(run(77, predicates, 1, 77, 0, limit),
                  [&](int) { return limit * 100 + (limit == 77) * 10 + (limit > 0); }));
    }
}

// Warps -------------------------------------------------------------------------------------------

template <int width>
__global__ void shuffle_all(int* out, int argument) {
    const int lane = lane_index();
    const unsigned delta = static_cast<unsigned>(argument);
    out[lane] = __shfl_sync(all_lanes, lane, argument, width);
    out[32 + lane] = __shfl_up_sync(all_lanes, lane, delta, width);
    out[64 + lane] = __shfl_down_sync(all_lanes, lane, delta, width);
    out[96 + lane] = __shfl_xor_sync(all_lanes, lane, argument, width);
}

template <int width>
bool shuffles() {
    for (int argument = 0; argument < 32; ++argument) {
        const bool holds = are(run(128, shuffle_all<width>, 1, 32, 0, argument), [&](int i) {
            const int lane = i % 32;
            const int begin = lane / width * width;
            switch (i / 32) {
                case 0:
                    return begin + argument % width;
                case 1:
                    return lane - argument >= begin ? lane - argument : lane;
                case 2:
                    return lane + argument < begin + width ? lane + argument : lane;
                default:
                    return (lane ^ argument) < begin + width ? lane ^ argument : lane;
            }
        });
        if (!holds) return false;
    }
    return true;
}

TEST(shuffles_of_width_32) {
    CHECK(shuffles<32>());
}
TEST(shuffles_of_width_16) {
    CHECK(shuffles<16>());
}
TEST(shuffles_of_width_8) {
    CHECK(shuffles<8>());
}
TEST(shuffles_of_width_4) {
    CHECK(shuffles<4>());
}
TEST(shuffles_of_width_2) {
    CHECK(shuffles<2>());
}
TEST(shuffles_of_width_1) {
    CHECK(shuffles<1>());
}

template <class T>
__global__ void shuffle_type(T* out) {
    out[threadIdx.x] = __shfl_xor_sync(all_lanes, static_cast<T>(threadIdx.x * 3), 5);
}

template <class T>
bool shuffles_type() {
    return are(run(64, shuffle_type<T>, 1, 64, 0), [](int i) { return (i ^ 5) * 3; });
}

TEST(shuffles_of_each_type) {
    CHECK(shuffles_type<int>());
    CHECK(shuffles_type<unsigned>());
    CHECK(shuffles_type<float>());
    CHECK(shuffles_type<double>());
    CHECK(shuffles_type<long long>());
    CHECK(shuffles_type<unsigned long long>());
}

__global__ void shuffle_halves(int* out) {
    const int lane = lane_index();
    if (lane < 16) {
        out[threadIdx.x] = __shfl_sync(0x0000ffff, lane, 3);
    } else {
        out[threadIdx.x] = __shfl_sync(0xffff0000, lane, 20);
    }
}

TEST(halves_of_a_warp_shuffle_apart) {
    CHECK(are(run(96, shuffle_halves, 1, 96, 0), [](int i) { return i % 32 < 16 ? 3 : 20; }));
}

__global__ void shuffle_odd_lanes(int* out) {
    const int lane = lane_index();
    out[lane] = 0;
    if (lane % 2 == 1) out[lane] = __shfl_xor_sync(0xaaaaaaaa, lane, 2);
}

TEST(odd_lanes_shuffle_alone) {
    CHECK(are(run(32, shuffle_odd_lanes, 1, 32, 0), [](int i) { return i % 2 == 1 ? i ^ 2 : 0; }));
}

__global__ void sum_warps(int* out) {
    int value = global_index();
    for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(all_lanes, value, step);
    out[global_index()] = value;
}

TEST(warp_sums) {
    CHECK(are(run(3 * 96, sum_warps, 3, 96, 0), [](int i) { return i / 32 * 32 * 32 + 496; }));
}

__global__ void sum_last_warp(int* out) {
    const unsigned mask = __ballot_sync(threadIdx.x < 32 ? all_lanes : 0xff, 1);
    int value = 1;
    for (int step = 4; step > 0; step /= 2)
        value += __shfl_down_sync(mask, value, static_cast<unsigned>(step), 8);
    if (threadIdx.x % 8 == 0) out[threadIdx.x / 8] = value;
}

TEST(last_warp_in_part) {
    CHECK(are(run(5, sum_last_warp, 1, 40, 0), [](int) { return 8; }));
}

__global__ void votes(int* out, unsigned pattern) {
    const int lane = lane_index();
    const int predicate = static_cast<int>(pattern >> lane & 1);
    out[lane] = static_cast<int>(__ballot_sync(all_lanes, predicate));
    out[32 + lane] = __any_sync(all_lanes, predicate) != 0;
    out[64 + lane] = __all_sync(all_lanes, predicate) != 0;
}

TEST(votes_of_a_warp) {
    for (const unsigned pattern : {0u, 1u, 0x80000000u, 0xdeadbeefu, 0xffffffffu}) {
        CHECK(are(run(96, votes, 1, 32, 0, pattern), [&](int i) {
            return i < 32   ? static_cast<int>(pattern)
                   : i < 64 ? static_cast<int>(pattern != 0)
                            : static_cast<int>(pattern == all_lanes);
        }));
    }
}

__global__ void votes_of_some(int* out) {
    const int lane = lane_index();
    if (lane >= 20) return;
    const unsigned mask = 0x000fffff;
    out[lane] = static_cast<int>(__ballot_sync(mask, lane % 3 == 0));
    out[20 + lane] = __all_sync(mask, lane < 20) != 0;
}

TEST(votes_of_lanes_that_remain) {
    CHECK(are(run(40, votes_of_some, 1, 32, 0), [](int i) { return i < 20 ? 0x49249 : 1; }));
}

__global__ void exchange_in_warp(int* out) {
    SHARED(int, values, 64);
    values[threadIdx.x] = static_cast<int>(threadIdx.x);
    __syncwarp();
    out[threadIdx.x] = values[threadIdx.x ^ 1];
    __syncwarp();
    values[threadIdx.x] = 100;
    __syncwarp();
    out[threadIdx.x] += values[threadIdx.x ^ 16];
}

TEST(warp_barrier_orders_shared_memory) {
    CHECK(are(run(64, exchange_in_warp, 1, 64, 0), [](int i) { return (i ^ 1) + 100; }));
}

__global__ void warp_barriers_in_branches(int* out) {
    SHARED(int, values, 32);
    const int lane = lane_index();
    values[lane] = lane;
    if (lane % 2 == 0) {
        __syncwarp(0x55555555);
        out[lane] = values[(lane + 2) % 32];
    } else {
        __syncwarp(0xaaaaaaaa);
        out[lane] = values[(lane + 30) % 32];
    }
}

TEST(warp_barriers_in_branches_apart) {
    CHECK(are(run(32, warp_barriers_in_branches, 1, 32, 0),
              [](int i) { return i % 2 == 0 ? (i + 2) % 32 : (i + 30) % 32; }));
}

__global__ void warps_go_their_own_way(int* out) {
    int value = 1;
    // Warp w does w rounds; then all meet.
    for (unsigned round = 0; round < threadIdx.x / 32; ++round) {
        value += __shfl_xor_sync(all_lanes, value, 1);
    }
    const int total = __syncthreads_count(1);
    out[threadIdx.x] = value * 1000 + total;
}

TEST(warps_with_different_trip_counts) {
    CHECK(are(run(128, warps_go_their_own_way, 1, 128, 0),
              [](int i) { return (1 << (i / 32)) * 1000 + 128; }));
}

// Atomics -----------------------------------------------------------------------------------------

__global__ void take_tickets(int* out, int* counter) {
    const int ticket = atomicAdd(counter, 1);
    out[ticket] = ticket;
}

TEST(atomic_add_gives_each_its_ticket) {
    const Buffer<int> counter{std::vector<int>{0}};
    CHECK(are(run(500, take_tickets, 5, 100, 0, counter.data()), [](int i) { return i; }));
    CHECK(counter.read()[0] == 500);
}

__global__ void add_64_bits(unsigned long long* out) {
    atomicAdd(out, 0xffffffffull + threadIdx.x);
}

TEST(atomic_add_of_64_bits) {
    const Buffer<unsigned long long> sum{std::vector<unsigned long long>{0}};
    const Stream stream;
    OK(launch(add_64_bits, 2, 64, 0, stream, sum.data()));
    stream.wait();
    CHECK(sum.read()[0] == 128 * 0xffffffffull + 2 * 2016);
}

__global__ void extremes(int* out) {
    const int value = global_index() * 7919 % 1000 - 500;
    atomicMax(&out[0], value);
    atomicMin(&out[1], value);
    atomicMax(reinterpret_cast<unsigned*>(&out[2]), static_cast<unsigned>(global_index()));
    atomicExch(&out[3], 77);
}

TEST(atomic_extremes_and_exchange) {
    const Buffer<int> out{std::vector<int>{-1000, 1000, 0, 0}};
    const Stream stream;
    OK(launch(extremes, 10, 100, 0, stream, out.data()));
    stream.wait();
    const auto values = out.read();
    CHECK(values == std::vector<int>{499, -500, 999, 77});
}

__global__ void multiply_by_cas(unsigned* out) {
    unsigned seen = *out;
    for (;;) {
        const unsigned old = atomicCAS(out, seen, seen * 3);
        if (old == seen) return;
        seen = old;
    }
}

TEST(compare_and_swap) {
    const Buffer<unsigned> out{std::vector<unsigned>{1}};
    const Stream stream;
    OK(launch(multiply_by_cas, 4, 16, 0, stream, out.data()));
    stream.wait();
    unsigned expected = 1;
    for (int i = 0; i < 64; ++i) expected *= 3;
    CHECK(out.read()[0] == expected);
}

__global__ void histogram(int* out, int count) {
    SHARED(int, bins, 10);
    if (threadIdx.x < 10) bins[threadIdx.x] = 0;
    __syncthreads();
    if (global_index() < count) atomicAdd(&bins[global_index() % 10], 1);
    __syncthreads();
    if (threadIdx.x < 10) atomicAdd(&out[threadIdx.x], bins[threadIdx.x]);
}

TEST(histogram_in_shared_memory) {
    const Buffer<int> out{std::vector<int>(10, 0)};
    const Stream stream;
    OK(launch(histogram, 5, 64, 0, stream, out.data(), 305));
    stream.wait();
    CHECK(are(out.read(), [](int i) { return i < 5 ? 31 : 30; }));
}

// Arithmetic and types ----------------------------------------------------------------------------

__global__ void integer_intrinsics(int* out) {
    out[0] = __popc(0xf0f01u);
    out[1] = __clz(1);
    out[2] = __clz(0);
    out[3] = __ffs(0);
    out[4] = __ffs(0x50);
    out[5] = static_cast<int>(__umulhi(0xffffffffu, 0xfffffffeu));
    out[6] = __float_as_int(1.5f);
    out[7] = __int_as_float(0x40490fdb) > 3.14159f ? 1 : 0;
    out[8] = min(-3, 2) * 100 + max(-3, 2);
}

TEST(intrinsics_on_integers) {
    const int expected[] = {9, 31, 32, 0, 5, static_cast<int>(0xfffffffdu), 0x3fc00000, 1, -298};
    CHECK(are(run(9, integer_intrinsics, 1, 1, 0), [&](int i) { return expected[i]; }));
}

__global__ void float_intrinsics(float* out, float a, float b) {
    out[0] = __fmaf_rn(a, a, -b);
    out[1] = __fadd_rn(__fmul_rn(a, a), -b);
    out[2] = __fdiv_rn(1.0f, 3.0f);
    out[3] = __fsqrt_rn(2.0f);
    out[4] = fmaxf(a, __int_as_float(0x7fc00000));
    out[5] = max(1.0f, 2.0f) + min(1.0f, 2.0f);
}

TEST(rounding_of_floats) {
    const float a = 1.0f + 0x1p-12f;
    const float b = 1.0f + 0x1p-11f;  // a * a, rounded
    const float expected[] = {0x1p-24f, 0.0f, 1.0f / 3.0f, std::sqrt(2.0f), a, 3.0f};
    CHECK(are(run(6, float_intrinsics, 1, 1, 0, a, b), [&](int i) { return expected[i]; }));
}

__global__ void approximations(float* out, float a) {
    out[0] = rsqrtf(a);
    out[1] = __expf(-a);
    out[2] = __logf(a);
    out[3] = __fdividef(1.0f, a);
}

TEST(approximate_functions) {
    const auto values = run(4, approximations, 1, 1, 0, 2.5f);
    const float expected[] = {1.0f / std::sqrt(2.5f), std::exp(-2.5f), std::log(2.5f), 0.4f};
    for (std::size_t i = 0; i < 4; ++i) {
        CHECK(std::abs(values[i] - expected[i]) <= 1e-6f * std::abs(expected[i]) + 1e-7f);
    }
}

__global__ void copy_by_sixteen_bytes(float* out, const float* from, int count) {
    if (global_index() >= count / 4) return;
    float4 v = __ldg(reinterpret_cast<const float4*>(from) + global_index());
    v = make_float4(v.w, v.z, v.y, v.x);
    reinterpret_cast<float4*>(out)[global_index()] = v;
}

TEST(accesses_of_sixteen_bytes) {
    static_assert(sizeof(float4) == 16 && alignof(float4) == 16);
    static_assert(sizeof(uint4) == 16 && alignof(uint4) == 16 && alignof(float2) == 8);
    std::vector<float> values(400);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
    const Buffer<float> from{values};
    CHECK(
        are(run(400, copy_by_sixteen_bytes, 4, 32, 0, static_cast<const float*>(from.data()), 400),
            [](int i) { return i / 4 * 4 + 3 - i % 4; }));
}

// bf16 --------------------------------------------------------------------------------------------

__global__ void to_bf16(int* out, const float* values, int count) {
    const int i = global_index();
    if (i < count) out[i] = __bfloat16_as_ushort(__float2bfloat16(values[i]));
}

std::vector<int> inline rounded_to_bf16(const std::vector<float>& values) {
    const Buffer<float> from{values};
    const auto count = static_cast<int>(values.size());
    return run(values.size(), to_bf16, static_cast<unsigned>(count + 127) / 128, 128, 0,
               static_cast<const float*>(from.data()), count);
}

inline float float_of_bits(std::uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

TEST(bf16_rounds_to_nearest_even) {
    const std::vector<int> bits = rounded_to_bf16(
        {1.0f, float_of_bits(0x3f808000), float_of_bits(0x3f818000), float_of_bits(0x3f808001),
         float_of_bits(0x3f807fff), -0.0f, std::numeric_limits<float>::max(), 1e-45f,
         std::numeric_limits<float>::infinity()});
    CHECK(bits ==
          std::vector<int>{0x3f80, 0x3f80, 0x3f82, 0x3f81, 0x3f80, 0x8000, 0x7f80, 0, 0x7f80});
}

TEST(bf16_of_nan) {
    const auto bits = rounded_to_bf16({float_of_bits(0x7f800001), float_of_bits(0xffffffff)});
    CHECK(bits[0] == 0x7fff);
    CHECK(bits[1] == 0x7fff);
}

__global__ void round_trip_bf16(int* out) {
    const int i = global_index();
    const float wide = __bfloat162float(__ushort_as_bfloat16(static_cast<unsigned short>(i)));
    out[i] = __bfloat16_as_ushort(__float2bfloat16(wide));
}

TEST(bf16_round_trip_of_every_value) {
    CHECK(are(run(65536, round_trip_bf16, 256, 256, 0), [](int i) {
        const bool is_nan = (i & 0x7f80) == 0x7f80 && (i & 0x7f) != 0;
        return is_nan ? 0x7fff : i;
    }));
}

TEST(bf16_of_many_floats) {
    std::vector<float> values;
    std::uint32_t state = 1;
    for (int i = 0; i < 5000; ++i) {
        state = state * 1664525u + 1013904223u;
        if (std::isfinite(float_of_bits(state))) values.push_back(float_of_bits(state));
    }
    const auto bits = rounded_to_bf16(values);
    for (std::size_t i = 0; i < values.size(); ++i) {
        std::uint32_t wide;
        std::memcpy(&wide, &values[i], sizeof wide);
        const std::uint32_t low = wide & 0xffff;
        std::uint32_t expected = wide >> 16;
        if (low > 0x8000 || (low == 0x8000 && (expected & 1) == 1)) ++expected;
        CHECK(bits[i] == static_cast<int>(expected));
    }
}

__global__ void pairs_of_bf16(int* out, __nv_bfloat162* pairs) {
    pairs[0] = __floats2bfloat162_rn(1.0f, 2.0f);
    const auto* halves = reinterpret_cast<const __nv_bfloat16*>(pairs);
    out[0] = static_cast<int>(__bfloat162float(halves[0]));
    out[1] = static_cast<int>(__bfloat162float(halves[1]));
    const float2 both = __bfloat1622float2(pairs[0]);
    out[2] = static_cast<int>(both.x + 10.0f * both.y);
    out[3] = static_cast<int>(__low2float(pairs[0]) + 10.0f * __high2float(pairs[0]));
}

TEST(pairs_of_bf16_in_order) {
    const Buffer<__nv_bfloat162> pairs{1};
    const int expected[] = {1, 2, 21, 21};
    CHECK(are(run(4, pairs_of_bf16, 1, 1, 0, pairs.data()), [&](int i) { return expected[i]; }));
}

// Limits ------------------------------------------------------------------------------------------

inline bool refuses(dim3 grid, dim3 block, std::size_t shared_bytes, cudaError_t error) {
    const Buffer<int> out{1};
    const Stream stream;
    const bool holds =
        launch(write_dimensions, grid, block, shared_bytes, stream, out.data()) == error;
    const bool is_remembered = cudaGetLastError() == error && cudaGetLastError() == cudaSuccess;
    stream.wait();
    return holds && is_remembered && out.read()[0] == -1;
}

TEST(limits_of_a_launch) {
    CHECK(refuses(0, 1, 0, cudaErrorInvalidConfiguration));
    CHECK(refuses(dim3(1, 0), 1, 0, cudaErrorInvalidConfiguration));
    CHECK(refuses(dim3(1, 1, 0), 1, 0, cudaErrorInvalidConfiguration));
    CHECK(refuses(1, 0, 0, cudaErrorInvalidConfiguration));
    CHECK(refuses(1, 1025, 0, cudaErrorInvalidConfiguration));
    CHECK(refuses(1, dim3(32, 33), 0, cudaErrorInvalidConfiguration));
    CHECK(refuses(1, dim3(1, 1, 65), 0, cudaErrorInvalidConfiguration));
    CHECK(refuses(dim3(1, 65536), 1, 0, cudaErrorInvalidConfiguration));
    CHECK(refuses(dim3(1, 1, 65536), 1, 0, cudaErrorInvalidConfiguration));
    CHECK(refuses(1, 1, 49153, cudaErrorInvalidValue));
    CHECK(refuses(1, 1, 1 << 20, cudaErrorInvalidValue));
}

TEST(limit_of_opted_in_shared_memory) {
    CHECK(cudaFuncSetAttribute(reverse_dynamic, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               (227 << 10) + 1) == cudaErrorInvalidValue);
    CHECK(cudaGetLastError() == cudaErrorInvalidValue);
}

TEST(limits_as_the_device_says) {
    int count = 0;
    OK(cudaGetDeviceCount(&count));
    CHECK(count >= 1);
    cudaDeviceProp properties;
    OK(cudaGetDeviceProperties(&properties, 0));
    CHECK(properties.maxThreadsPerBlock == 1024 && properties.warpSize == 32);
    CHECK(properties.sharedMemPerBlock == 49152);
    CHECK(properties.maxGridSize[1] == 65535 && properties.maxThreadsDim[2] == 64);
    CHECK(cudaGetDeviceProperties(&properties, count) == cudaErrorInvalidDevice);
    cudaGetLastError();
    CHECK(cudaSetDevice(count) == cudaErrorInvalidDevice);
    cudaGetLastError();
}

// Memory ------------------------------------------------------------------------------------------

TEST(copies_both_ways_with_odd_sizes) {
    std::vector<unsigned char> bytes(1001);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<unsigned char>(i * 7);
    const Buffer<unsigned char> device{bytes};
    CHECK(device.read() == bytes);

    const Stream stream;
    std::vector<unsigned char> part(500, 0);
    OK(cudaMemcpyAsync(part.data(), device.data() + 3, 500, cudaMemcpyDeviceToHost, stream));
    stream.wait();
    CHECK(std::equal(part.begin(), part.end(), bytes.begin() + 3));
}

TEST(copy_on_the_device) {
    const Buffer<int> from{std::vector<int>{1, 2, 3, 4}};
    const Buffer<int> to{4};
    const Stream stream;
    OK(cudaMemcpyAsync(to.data() + 1, from.data() + 2, 2 * sizeof(int), cudaMemcpyDeviceToDevice,
                       stream));
    stream.wait();
    CHECK(to.read() == std::vector<int>{-1, 3, 4, -1});
}

TEST(copy_whose_direction_follows_from_the_pointers) {
    const Buffer<int> device{std::vector<int>{5}};
    int value = 0;
    const Stream stream;
    OK(cudaMemcpyAsync(&value, device.data(), sizeof value, cudaMemcpyDefault, stream));
    stream.wait();
    CHECK(value == 5);
}

TEST(memset_sets_bytes) {
    const Buffer<int> device{std::vector<int>{0, 0, 0}};
    const Stream stream;
    OK(cudaMemsetAsync(device.data() + 1, 0x11, 4, stream));
    OK(cudaMemsetAsync(device.data(), 0x22, 0, stream));
    stream.wait();
    CHECK(device.read() == std::vector<int>{0, 0x11111111, 0});
}

TEST(allocations_are_aligned) {
    for (const int bytes : {1, 255, 256, 257, 5000}) {
        const Buffer<unsigned char> buffer{static_cast<std::size_t>(bytes)};
        CHECK(reinterpret_cast<std::uintptr_t>(buffer.data()) % 256 == 0);
    }
}

TEST(too_large_an_allocation) {
    void* pointer = nullptr;
    CHECK(cudaMalloc(&pointer, std::size_t{1} << 50) == cudaErrorMemoryAllocation);
    CHECK(pointer == nullptr);
    CHECK(cudaGetLastError() == cudaErrorMemoryAllocation);
    CHECK(cudaGetLastError() == cudaSuccess);
}

TEST(freeing_nothing) {
    OK(cudaFree(nullptr));
    OK(cudaFreeHost(nullptr));
}

TEST(memory_info_counts) {
    std::size_t free = 0, total = 0;
    OK(cudaMemGetInfo(&free, &total));
    CHECK(free > 0 && free <= total);
}

// Streams and events ------------------------------------------------------------------------------

__global__ void affine(int* value, int factor, int summand) {
    *value = *value * factor + summand;
}

TEST(a_stream_keeps_its_order) {
    const Buffer<int> value{std::vector<int>{1}};
    const Stream stream;
    for (int i = 0; i < 5; ++i) OK(launch(affine, 1, 1, 0, stream, value.data(), 3, i));
    stream.wait();
    CHECK(value.read()[0] == 301);
}

struct Pair {
    int first, second;
};
__global__ void add_pair(int* out, Pair pair) {
    *out = pair.first + pair.second;
}

TEST(arguments_are_copied_at_the_launch) {
    const Buffer<int> out{1};
    const Stream stream;
    Pair pair{40, 2};
    OK(launch(add_pair, 1, 1, 0, stream, out.data(), pair));
    pair = {0, 0};
    stream.wait();
    CHECK(out.read()[0] == 42);
}

TEST(an_event_orders_two_streams) {
    const Buffer<int> value{std::vector<int>{1}};
    const Stream first, second;
    const Event event, back;
    OK(launch(affine, 1, 1, 0, first, value.data(), 10, 0));
    OK(cudaEventRecord(event, first));
    OK(cudaStreamWaitEvent(second, event));
    OK(launch(affine, 1, 1, 0, second, value.data(), 1, 5));
    OK(cudaEventRecord(back, second));
    OK(cudaStreamWaitEvent(first, back));
    OK(launch(affine, 1, 1, 0, first, value.data(), 2, 0));
    first.wait();
    CHECK(value.read()[0] == 30);
}

TEST(a_wait_is_for_the_record_before_it) {
    const Buffer<int> value{std::vector<int>{1}};
    const Stream first, second;
    const Event event;
    OK(launch(affine, 1, 1, 0, first, value.data(), 1, 1));
    OK(cudaEventRecord(event, first));
    OK(cudaStreamWaitEvent(second, event));
    OK(launch(affine, 1, 1, 0, second, value.data(), 10, 0));
    OK(cudaEventRecord(event, second));
    OK(cudaEventSynchronize(event));
    CHECK(value.read()[0] == 20);
}

TEST(an_event_never_recorded_is_no_wait) {
    const Stream stream;
    const Event event;
    OK(cudaStreamWaitEvent(stream, event));
    OK(cudaEventSynchronize(event));
    stream.wait();
}

TEST(elapsed_time) {
    const Buffer<int> value{std::vector<int>{1}};
    const Stream stream;
    const Event start{cudaEventDefault}, end{cudaEventDefault}, untimed;
    OK(cudaEventRecord(start, stream));
    OK(launch(affine, 1, 1, 0, stream, value.data(), 1, 1));
    OK(cudaEventRecord(end, stream));
    OK(cudaEventRecord(untimed, stream));
    stream.wait();
    float milliseconds = -1.0f;
    OK(cudaEventElapsedTime(&milliseconds, start, end));
    CHECK(milliseconds >= 0.0f);
    CHECK(cudaEventElapsedTime(&milliseconds, start, untimed) != cudaSuccess);
    cudaGetLastError();
}

TEST(the_null_stream_takes_turns_with_blocking_streams) {
    const Buffer<int> value{std::vector<int>{1}};
    const Stream first{cudaStreamDefault}, second{cudaStreamDefault};
    OK(launch(affine, 1, 1, 0, first, value.data(), 10, 0));
    OK(launch(affine, 1, 1, 0, nullptr, value.data(), 1, 5));
    OK(launch(affine, 1, 1, 0, second, value.data(), 2, 0));
    second.wait();
    CHECK(value.read()[0] == 30);
}

TEST(device_synchronize_waits_for_all) {
    const Buffer<int> value{std::vector<int>{1, 1}};
    const Stream first, second;
    const Pinned a, b;
    OK(launch(affine, 1, 1, 0, first, value.data(), 10, 0));
    OK(launch(affine, 1, 1, 0, second, value.data() + 1, 20, 0));
    OK(cudaMemcpyAsync(a.data(), value.data(), 4, cudaMemcpyDeviceToHost, first));
    OK(cudaMemcpyAsync(b.data(), value.data() + 1, 4, cudaMemcpyDeviceToHost, second));
    OK(cudaDeviceSynchronize());
    CHECK(*a.data() == 10 && *b.data() == 20);
}

// Graphs ------------------------------------------------------------------------------------------

/// What is put into `stream` by `f`, as an executable graph.
class Graph {
public:
    template <class F>
    Graph(cudaStream_t stream, F&& f) {
        OK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
        f();
        cudaGraph_t graph = nullptr;
        OK(cudaStreamEndCapture(stream, &graph));
        OK(cudaGraphInstantiate(&executable_, graph));
        OK(cudaGraphDestroy(graph));
    }
    ~Graph() { cudaGraphExecDestroy(executable_); }
    Graph(const Graph&) = delete;
    Graph& operator=(const Graph&) = delete;
    void launch(cudaStream_t stream) const { OK(cudaGraphLaunch(executable_, stream)); }

private:
    cudaGraphExec_t executable_ = nullptr;
};

TEST(a_graph_is_replayed) {
    const Buffer<int> value{std::vector<int>{1}};
    const Stream stream;
    int summand = 1;
    const Graph graph{stream, [&] {
                          OK(launch(affine, 1, 1, 0, stream, value.data(), 2, summand));
                          OK(launch(affine, 1, 1, 0, stream, value.data(), 3, summand));
                      }};
    CHECK(value.read()[0] == 1);
    summand = 100;
    graph.launch(stream);
    graph.launch(stream);
    stream.wait();
    CHECK(value.read()[0] == 64);
}

TEST(a_graph_runs_on_another_stream) {
    const Buffer<int> value{std::vector<int>{1}};
    const Stream captured, other;
    const Graph graph{captured, [&] { OK(launch(affine, 1, 1, 0, captured, value.data(), 2, 0)); }};
    OK(launch(affine, 1, 1, 0, other, value.data(), 1, 4));
    graph.launch(other);
    other.wait();
    CHECK(value.read()[0] == 10);
}

TEST(a_graph_of_two_streams) {
    const Buffer<int> value{std::vector<int>{1, 1, 0}};
    const Stream main, side;
    const Event fork, join;
    int* const v = value.data();
    const Graph graph{main, [&] {
                          OK(launch(affine, 1, 1, 0, main, v, 2, 0));
                          OK(cudaEventRecord(fork, main));
                          OK(cudaStreamWaitEvent(side, fork));
                          OK(cudaMemcpyAsync(v + 1, v, 4, cudaMemcpyDeviceToDevice, side));
                          OK(launch(affine, 1, 1, 0, side, v + 1, 10, 1));
                          OK(cudaEventRecord(join, side));
                          OK(cudaStreamWaitEvent(main, join));
                          OK(launch(affine, 1, 1, 0, main, v, 1, 3));
                          OK(cudaMemcpyAsync(v + 2, v + 1, 4, cudaMemcpyDeviceToDevice, main));
                      }};
    graph.launch(main);
    main.wait();
    CHECK(value.read() == std::vector<int>{5, 21, 21});
    graph.launch(main);
    main.wait();
    CHECK(value.read() == std::vector<int>{13, 101, 101});
}

TEST(a_graph_reads_host_memory_when_it_runs) {
    const Buffer<int> value{1};
    const Pinned host;
    const Stream stream;
    *host.data() = 1;
    const Graph graph{
        stream, [&] {
            OK(cudaMemcpyAsync(value.data(), host.data(), 4, cudaMemcpyHostToDevice, stream));
            OK(launch(affine, 1, 1, 0, stream, value.data(), 2, 0));
        }};
    *host.data() = 21;
    graph.launch(stream);
    stream.wait();
    CHECK(value.read()[0] == 42);
}

/// The error of `f`, called while `stream` is captured, and that of the end of the capture.
template <class F>
std::pair<cudaError_t, cudaError_t> during_capture(const Stream& stream, F&& f) {
    OK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
    const cudaError_t inside = f();
    cudaGraph_t graph = nullptr;
    const cudaError_t end = cudaStreamEndCapture(stream, &graph);
    if (graph != nullptr) cudaGraphDestroy(graph);
    cudaGetLastError();
    return {inside, end};
}

TEST(a_capture_cannot_be_waited_for) {
    const Stream stream;
    const auto [inside, end] =
        during_capture(stream, [&] { return cudaStreamSynchronize(stream); });
    CHECK(inside == cudaErrorStreamCaptureUnsupported);
    CHECK(end == cudaErrorStreamCaptureInvalidated);
}

TEST(a_capture_forbids_allocations) {
    const Stream stream;
    void* pointer = nullptr;
    const auto [inside, end] = during_capture(stream, [&] { return cudaMalloc(&pointer, 256); });
    CHECK(inside == cudaErrorStreamCaptureUnsupported);
    CHECK(end == cudaErrorStreamCaptureInvalidated);
}

TEST(a_capture_must_be_joined) {
    const Buffer<int> value{std::vector<int>{1}};
    const Stream stream, side;
    const Event fork;
    const auto [inside, end] = during_capture(stream, [&] {
        OK(cudaEventRecord(fork, stream));
        OK(cudaStreamWaitEvent(side, fork));
        return launch(affine, 1, 1, 0, side, value.data(), 2, 0);
    });
    CHECK(inside == cudaSuccess);
    CHECK(end == cudaErrorStreamCaptureUnjoined);
}

TEST(a_capture_ends_where_it_began) {
    const Stream stream, side;
    const Event fork;
    const auto [inside, end] = during_capture(stream, [&] {
        OK(cudaEventRecord(fork, stream));
        OK(cudaStreamWaitEvent(side, fork));
        cudaGraph_t graph = nullptr;
        return cudaStreamEndCapture(side, &graph);
    });
    CHECK(inside == cudaErrorStreamCaptureUnmatched);
    CHECK(end != cudaSuccess);
}

TEST(a_capture_cannot_wait_for_what_is_outside) {
    const Stream stream, outside;
    const Event event;
    OK(cudaEventRecord(event, outside));
    const auto [inside, end] =
        during_capture(stream, [&] { return cudaStreamWaitEvent(stream, event); });
    CHECK(inside == cudaErrorStreamCaptureIsolation);
    CHECK(end == cudaErrorStreamCaptureInvalidated);
    outside.wait();
}

// cuBLAS ------------------------------------------------------------------------------------------

/// A handle with its own stream and workspace.
class Blas {
public:
    Blas() {
        OK(cublasCreate(&handle_));
        OK(cublasSetStream(handle_, stream_));
        OK(cublasSetWorkspace(handle_, workspace_.data(), 4 << 20));
    }
    ~Blas() { cublasDestroy(handle_); }
    Blas(const Blas&) = delete;
    Blas& operator=(const Blas&) = delete;
    operator cublasHandle_t() const { return handle_; }
    const Stream& stream() const { return stream_; }

private:
    Stream stream_;
    Buffer<unsigned char> workspace_{4 << 20};
    cublasHandle_t handle_ = nullptr;
};

/// Small whole numbers, exact in every type.
inline int entry(std::size_t i) {
    return static_cast<int>(i * 2654435761u % 17u) - 8;
}

template <class T>
std::vector<T> entries(std::size_t count, std::size_t first = 0) {
    std::vector<T> values(count);
    for (std::size_t i = 0; i < count; ++i)
        values[i] = static_cast<T>(static_cast<float>(entry(first + i)));
    return values;
}

template <class T>
constexpr cudaDataType data_type = CUDA_R_32F;
template <>
inline constexpr cudaDataType data_type<__nv_bfloat16> = CUDA_R_16BF;

/// What `multiplies` tries: alpha op(A) op(B) + beta C, column-major.
struct Case {
    bool transpose_a, transpose_b;
    int m, n, k, lda, ldb, ldc;
    float alpha, beta;
};

inline std::size_t size(int value) {
    return static_cast<std::size_t>(value);
}

/// Whether the library gives what three loops give, and leaves what is between C's columns alone.
template <class In, class Out>
bool multiplies(const Case& c, cublasComputeType_t compute_type = CUBLAS_COMPUTE_32F) {
    const auto a = entries<In>(size(c.lda) * size(c.transpose_a ? c.m : c.k));
    const auto b = entries<In>(size(c.ldb) * size(c.transpose_b ? c.k : c.n), 1000);
    const auto before = entries<Out>(size(c.ldc) * size(c.n), 2000);
    const Buffer<In> device_a{a}, device_b{b};
    const Buffer<Out> device_c{before};
    const Blas blas;
    OK(cublasGemmEx(blas, c.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N,
                    c.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N, c.m, c.n, c.k, &c.alpha,
                    device_a.data(), data_type<In>, c.lda, device_b.data(), data_type<In>, c.ldb,
                    &c.beta, device_c.data(), data_type<Out>, c.ldc, compute_type,
                    CUBLAS_GEMM_DEFAULT));
    blas.stream().wait();
    const auto after = device_c.read();
    for (std::size_t j = 0; j < size(c.n); ++j) {
        for (std::size_t i = 0; i < size(c.ldc); ++i) {
            const std::size_t at = i + j * size(c.ldc);
            auto expected = static_cast<float>(before[at]);
            if (i < size(c.m)) {
                float sum = 0.0f;
                for (std::size_t d = 0; d < size(c.k); ++d) {
                    sum += static_cast<float>(
                               a[c.transpose_a ? d + i * size(c.lda) : i + d * size(c.lda)]) *
                           static_cast<float>(
                               b[c.transpose_b ? j + d * size(c.ldb) : d + j * size(c.ldb)]);
                }
                expected = c.alpha * sum + c.beta * expected;
            }
            if (static_cast<float>(after[at]) != static_cast<float>(static_cast<Out>(expected))) {
                std::printf("    C(%zu, %zu) is %g, not %g\n", i, j,
                            static_cast<double>(static_cast<float>(after[at])),
                            static_cast<double>(expected));
                return false;
            }
        }
    }
    return true;
}

TEST(product) {
    CHECK(multiplies<float, float>({false, false, 5, 7, 9, 5, 9, 5, 1, 0}));
}
TEST(product_with_a_transposed) {
    CHECK(multiplies<float, float>({true, false, 5, 7, 9, 9, 9, 5, 1, 0}));
}
TEST(product_with_b_transposed) {
    CHECK(multiplies<float, float>({false, true, 5, 7, 9, 5, 7, 5, 1, 0}));
}
TEST(product_with_both_transposed) {
    CHECK(multiplies<float, float>({true, true, 5, 7, 9, 9, 7, 5, 1, 0}));
}
TEST(product_with_padded_leading_dimensions) {
    CHECK(multiplies<float, float>({false, false, 5, 7, 9, 8, 11, 6, 1, 0}));
    CHECK(multiplies<float, float>({true, true, 5, 7, 9, 12, 10, 7, 1, 0}));
}
TEST(product_of_odd_sizes) {
    CHECK(multiplies<float, float>({false, false, 67, 33, 301, 70, 301, 67, 1, 0}));
    CHECK(multiplies<float, float>({true, false, 129, 130, 257, 257, 260, 131, 1, 0}));
    CHECK(multiplies<float, float>({false, true, 1, 1, 1000, 1, 1, 1, 1, 0}));
    CHECK(multiplies<float, float>({true, false, 300, 1, 40, 40, 40, 300, 1, 0}));
}
TEST(product_scaled_and_added) {
    CHECK(multiplies<float, float>({false, false, 20, 30, 40, 20, 40, 21, 2, 1}));
    CHECK(multiplies<float, float>({false, true, 20, 30, 40, 20, 30, 20, -1, -3}));
    CHECK(multiplies<float, float>({false, false, 20, 30, 40, 20, 40, 21, 0, 2}));
    CHECK(multiplies<float, float>({false, false, 4, 3, 0, 4, 1, 4, 1, 2}));
}
TEST(product_of_bf16) {
    CHECK(multiplies<__nv_bfloat16, float>({true, false, 64, 24, 40, 40, 40, 64, 1, 1}));
    CHECK(multiplies<__nv_bfloat16, __nv_bfloat16>({false, true, 64, 24, 8, 64, 24, 64, 1, 0}));
}
TEST(product_in_tf32_of_numbers_that_fit) {
    CHECK(multiplies<float, float>({true, false, 64, 24, 40, 40, 40, 64, 1, 0},
                                   CUBLAS_COMPUTE_32F_FAST_TF32));
}

TEST(tf32_keeps_ten_bits) {
    const float one_and_a_bit = 1.0f + 0x1p-12f;
    const Buffer<float> a{std::vector<float>(16, one_and_a_bit)}, c{16};
    const float one = 1.0f, zero = 0.0f;
    const Blas blas;
    const auto product = [&](cublasComputeType_t type) {
        OK(cublasGemmEx(blas, CUBLAS_OP_N, CUBLAS_OP_N, 4, 4, 4, &one, a.data(), CUDA_R_32F, 4,
                        a.data(), CUDA_R_32F, 4, &zero, c.data(), CUDA_R_32F, 4, type,
                        CUBLAS_GEMM_DEFAULT));
        blas.stream().wait();
        return c.read()[0];
    };
    const float exact = 4.0f * (1.0f + 0x1p-11f + 0x1p-24f);
    CHECK(std::abs(product(CUBLAS_COMPUTE_32F) - exact) <= 1e-6f);
    // The operands may be rounded or cut off, and the library may also choose not to.
    CHECK(std::abs(product(CUBLAS_COMPUTE_32F_FAST_TF32) - exact) <= 4.0f * 0x1p-9f);
}

TEST(with_beta_zero_c_is_not_read) {
    const Buffer<float> a{entries<float>(64)}, c{64};  // c: NaN
    const float one = 1.0f, zero = 0.0f;
    const Blas blas;
    OK(cublasGemmEx(blas, CUBLAS_OP_N, CUBLAS_OP_N, 8, 8, 8, &one, a.data(), CUDA_R_32F, 8,
                    a.data(), CUDA_R_32F, 8, &zero, c.data(), CUDA_R_32F, 8, CUBLAS_COMPUTE_32F,
                    CUBLAS_GEMM_DEFAULT));
    blas.stream().wait();
    for (const float value : c.read()) CHECK(std::isfinite(value));
}

TEST(row_major_product_by_exchanging_the_operands) {
    // C[2 x 3] = A[2 x 4] B[4 x 3], all stored row by row.
    const Buffer<float> a{std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8}};
    const Buffer<float> b{std::vector<float>{1, 0, 2, 0, 1, 0, 3, 0, 0, 0, 0, 1}};
    const Buffer<float> c{6};
    const float one = 1.0f, zero = 0.0f;
    const Blas blas;
    OK(cublasGemmEx(blas, CUBLAS_OP_N, CUBLAS_OP_N, 3, 2, 4, &one, b.data(), CUDA_R_32F, 3,
                    a.data(), CUDA_R_32F, 4, &zero, c.data(), CUDA_R_32F, 3, CUBLAS_COMPUTE_32F,
                    CUBLAS_GEMM_DEFAULT));
    blas.stream().wait();
    CHECK(c.read() == std::vector<float>{10, 2, 6, 26, 6, 18});
}

TEST(strided_batches) {
    const int m = 6, n = 5, k = 4, batch = 3;
    const auto a = entries<float>(size(m * k + 3) * size(batch));
    const auto b = entries<float>(size(k * n), 500);
    const Buffer<float> device_a{a}, device_b{b}, c{size(m * n * batch)};
    const float one = 1.0f, zero = 0.0f;
    const Blas blas;
    // One B for all: its stride is 0.
    OK(cublasGemmStridedBatchedEx(blas, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, &one, device_a.data(),
                                  CUDA_R_32F, m, m * k + 3, device_b.data(), CUDA_R_32F, k, 0,
                                  &zero, c.data(), CUDA_R_32F, m, m * n, batch, CUBLAS_COMPUTE_32F,
                                  CUBLAS_GEMM_DEFAULT));
    blas.stream().wait();
    CHECK(are(c.read(), [&](int at) {
        const int i = at % m, j = at / m % n, z = at / (m * n);
        float sum = 0.0f;
        for (int d = 0; d < k; ++d)
            sum += a[size(z * (m * k + 3) + i + d * m)] * b[size(d + j * k)];
        return sum;
    }));
}

TEST(leading_dimensions_are_checked) {
    const Buffer<float> a{100};
    const float one = 1.0f, zero = 0.0f;
    const Blas blas;
    const auto product = [&](cublasOperation_t ta, cublasOperation_t tb, int m, int n, int k,
                             int lda, int ldb, int ldc) {
        return cublasGemmEx(blas, ta, tb, m, n, k, &one, a.data(), CUDA_R_32F, lda, a.data(),
                            CUDA_R_32F, ldb, &zero, a.data(), CUDA_R_32F, ldc, CUBLAS_COMPUTE_32F,
                            CUBLAS_GEMM_DEFAULT);
    };
    const auto N = CUBLAS_OP_N, T = CUBLAS_OP_T;
    CHECK(product(N, N, 4, 3, 2, 3, 2, 4) == CUBLAS_STATUS_INVALID_VALUE);
    CHECK(product(N, N, 4, 3, 2, 4, 1, 4) == CUBLAS_STATUS_INVALID_VALUE);
    CHECK(product(N, N, 4, 3, 2, 4, 2, 3) == CUBLAS_STATUS_INVALID_VALUE);
    CHECK(product(T, N, 4, 3, 2, 1, 2, 4) == CUBLAS_STATUS_INVALID_VALUE);
    CHECK(product(N, T, 4, 3, 2, 4, 2, 4) == CUBLAS_STATUS_INVALID_VALUE);
    CHECK(product(N, N, -1, 3, 2, 4, 2, 4) == CUBLAS_STATUS_INVALID_VALUE);
    CHECK(product(N, N, 0, 3, 2, 1, 2, 1) == CUBLAS_STATUS_SUCCESS);
    blas.stream().wait();
}

TEST(products_are_in_stream_order_and_in_graphs) {
    const Buffer<float> a{std::vector<float>{1, 0, 0, 1}}, b{std::vector<float>{1, 2, 3, 4}}, c{4};
    const Blas blas;
    const Graph graph{
        blas.stream(), [&] {
            float two = 2.0f, zero = 0.0f;
            OK(cublasGemmEx(blas, CUBLAS_OP_N, CUBLAS_OP_N, 2, 2, 2, &two, a.data(), CUDA_R_32F, 2,
                            b.data(), CUDA_R_32F, 2, &zero, c.data(), CUDA_R_32F, 2,
                            CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT));
            two = 0.0f;  // read at the call
            OK(cudaMemcpyAsync(b.data(), c.data(), 16, cudaMemcpyDeviceToDevice, blas.stream()));
        }};
    graph.launch(blas.stream());
    graph.launch(blas.stream());
    blas.stream().wait();
    CHECK(c.read() == std::vector<float>{4, 8, 12, 16});
}

// The suite ---------------------------------------------------------------------------------------

/// Runs every test and prints what failed, then `N passed, M failed`. The number that failed.
inline int run_all() {
    int passed = 0, failed = 0;
    for (const Test& test : tests()) {
        try {
            test.run();
            ++passed;
        } catch (const std::exception& error) {
            std::printf("FAILED %s: %s\n", test.name, error.what());
            ++failed;
        }
    }
    std::printf("%d passed, %d failed\n", passed, failed);
    return failed;
}

}  // namespace conformance
