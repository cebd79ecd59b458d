// What tests ask of the emulator: failures, devices, counts, schedules.
#include <cublas_v2.h>

#include <cstdlib>
#include <thread>

#include "testing.hpp"

using namespace emulator_test;

namespace {

__global__ void record_order(float* out) {
    const float place = out[0];
    out[0] = place + 1.0f;
    out[1 + blockIdx.x * blockDim.x + threadIdx.x] = place;
}

__global__ void record_order_after_barrier(float* out) {
    __syncthreads();
    record_order(out);
}

/// In which order the threads of 3 blocks of 50 threads run.
std::vector<float> order_of_threads(void (*kernel)(float*)) {
    const Floats out{151, 0.0f};
    const Stream stream;
    require_success(emulator::launch(kernel, 3, 50, 0, stream, out.data()));
    require_success(stream.wait());
    return out.read();
}

__global__ void set(float* out, float value) {
    *out = value;
}

/// Restores what the test changes.
struct KeepDevice {
    emulator::Device kept = emulator::device();
    ~KeepDevice() { emulator::device() = kept; }
};

}  // namespace

TEST_CASE("The n-th call fails as asked") {
    void* memory = nullptr;
    const Stream stream;
    emulator::fail_call(2, cudaErrorMemoryAllocation, "cudaMalloc");
    REQUIRE(cudaMalloc(&memory, 256) == cudaSuccess);
    REQUIRE(cudaMemsetAsync(memory, 0, 256, stream) == cudaSuccess);
    void* second = nullptr;
    CHECK(cudaMalloc(&second, 256) == cudaErrorMemoryAllocation);
    CHECK(second == nullptr);
    CHECK(cudaGetLastError() == cudaErrorMemoryAllocation);
    CHECK(cudaGetLastError() == cudaSuccess);

    emulator::fail_call(1, cudaErrorUnknown);
    CHECK(cudaStreamSynchronize(stream) == cudaErrorUnknown);
    CHECK(cudaStreamSynchronize(stream) == cudaSuccess);

    emulator::fail_call(1, cudaErrorLaunchOutOfResources, "launch");
    const Floats value{1, 1.0f};
    CHECK(emulator::launch(set, 1, 1, 0, stream, value.data(), 2.0f) ==
          cudaErrorLaunchOutOfResources);
    CHECK(value.read()[0] == 1.0f);

    // What gives something back does so even if it fails.
    emulator::fail_call(1, cudaErrorUnknown, "cudaFree");
    CHECK(cudaFree(memory) == cudaErrorUnknown);
    CHECK(emulator::leaks().size() == 2);  // `value` and `stream`
    cudaGetLastError();
}

TEST_CASE("cuBLAS fails as asked") {
    cublasHandle_t handle = nullptr;
    emulator::fail_call(1, cudaErrorMemoryAllocation, "cublasCreate");
    CHECK(cublasCreate(&handle) == CUBLAS_STATUS_ALLOC_FAILED);
    REQUIRE(cublasCreate(&handle) == CUBLAS_STATUS_SUCCESS);
    emulator::fail_call(1, cudaErrorLaunchFailure);
    CHECK(cublasSetMathMode(handle, CUBLAS_DEFAULT_MATH) == CUBLAS_STATUS_EXECUTION_FAILED);
    CHECK(cublasDestroy(handle) == CUBLAS_STATUS_SUCCESS);
    CHECK(cublasDestroy(handle) == CUBLAS_STATUS_NOT_INITIALIZED);
}

TEST_CASE("Calls are counted") {
    const auto all = emulator::calls();
    const auto allocations = emulator::calls("cudaMalloc");
    const Floats values{4};
    CHECK(emulator::calls("cudaMalloc") == allocations + 1);
    CHECK(emulator::calls() == all + 1);
    CHECK(emulator::calls("cudaNothing") == 0);
}

TEST_CASE("Bytes that are copied are counted by their direction") {
    const auto up = emulator::copied(cudaMemcpyHostToDevice);
    const auto down = emulator::copied(cudaMemcpyDeviceToHost);
    const Floats values{std::vector<float>{1, 2, 3}};
    CHECK(emulator::copied(cudaMemcpyHostToDevice) == up + 12);
    CHECK(values.read() == std::vector<float>{1, 2, 3});
    CHECK(emulator::copied(cudaMemcpyHostToDevice) == up + 12);
    CHECK(emulator::copied(cudaMemcpyDeviceToHost) == down + 12);
}

TEST_CASE("A machine without a device says so") {
    const KeepDevice keep;
    emulator::device().count = 0;
    int count = -1;
    CHECK(cudaGetDeviceCount(&count) == cudaErrorNoDevice);
    cudaStream_t stream = nullptr;
    CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaErrorNoDevice);
    cublasHandle_t handle = nullptr;
    CHECK(cublasCreate(&handle) == CUBLAS_STATUS_NOT_INITIALIZED);
    cudaGetLastError();
}

TEST_CASE("An old driver says so") {
    const KeepDevice keep;
    emulator::device().driver_version = 12080;
    int count = -1, version = 0;
    CHECK(cudaGetDeviceCount(&count) == cudaErrorInsufficientDriver);
    CHECK(cudaDriverGetVersion(&version) == cudaSuccess);
    CHECK(version == 12080);
    CHECK(cudaRuntimeGetVersion(&version) == cudaSuccess);
    CHECK(version == CUDART_VERSION);
    cudaGetLastError();
}

TEST_CASE("Memory runs out") {
    const KeepDevice keep;
    emulator::device().memory = 10000;
    std::size_t free = 0, total = 0;
    const Floats values{1000};
    REQUIRE(cudaMemGetInfo(&free, &total) == cudaSuccess);
    CHECK(total == 10000);
    CHECK(free == 6000);
    void* more = nullptr;
    CHECK(cudaMalloc(&more, 6001) == cudaErrorMemoryAllocation);
    CHECK(cudaMalloc(&more, 6000) == cudaSuccess);
    CHECK(cudaFree(more) == cudaSuccess);
    cudaGetLastError();
}

TEST_CASE("Schedules order threads and blocks") {
    const emulator::detail::KeepSchedule keep;
    for (const auto kernel : {record_order, record_order_after_barrier}) {
        emulator::set_schedule({emulator::Order::forward, 0});
        const auto forward = order_of_threads(kernel);
        emulator::set_schedule({emulator::Order::reversed, 0});
        const auto reversed = order_of_threads(kernel);
        for (std::size_t i = 0; i < 150; ++i) {
            CHECK(forward[1 + i] == static_cast<float>(i));
            CHECK(reversed[1 + i] == static_cast<float>(149 - i));
        }
        emulator::set_schedule({emulator::Order::random, 7});
        const auto random = order_of_threads(kernel);
        emulator::set_schedule({emulator::Order::random, 7});
        CHECK(order_of_threads(kernel) == random);
        emulator::set_schedule({emulator::Order::random, 8});
        CHECK(order_of_threads(kernel) != random);
        CHECK(random != forward);
    }
}

TEST_CASE("Schedules order streams that do not wait for one another") {
    const emulator::detail::KeepSchedule keep;
    const auto last_to_write = [] {
        const Floats value{1};
        const Stream first, second;
        require_success(emulator::launch(set, 1, 1, 0, first, value.data(), 1.0f));
        require_success(emulator::launch(set, 1, 1, 0, second, value.data(), 2.0f));
        require_success(first.wait());
        require_success(second.wait());
        return value.read()[0];
    };
    emulator::set_schedule({emulator::Order::forward, 0});
    CHECK(last_to_write() == 2.0f);
    emulator::set_schedule({emulator::Order::reversed, 0});
    CHECK(last_to_write() == 1.0f);
    emulator::set_schedule({emulator::Order::random, 1});
    int firsts = 0;
    for (int i = 0; i < 40; ++i) firsts += last_to_write() == 1.0f;
    CHECK(firsts > 0);
    CHECK(firsts < 40);
}

TEST_CASE("What differs between schedules is told by its index") {
    int run = 0;
    const auto changes = [&] { return std::vector<int>{1, 2, ++run}; };
    CHECK_THROWS_WITH(emulator::for_each_schedule(changes),
                      ContainsText("result 2 differs between the forward schedule and the reversed "
                                   "schedule"));
    const auto grows = [&] { return std::vector<int>(static_cast<std::size_t>(++run)); };
    CHECK_THROWS_AS(emulator::for_each_schedule(grows), emulator::ScheduleMismatch);
}

TEST_CASE("The schedule starts with the seed of the run") {
    if (const char* text = std::getenv("TYPENET_EMULATOR_SEED")) {
        CHECK(emulator::seed() == std::strtoull(text, nullptr, 10));
    }
    CHECK(emulator::schedule().order == emulator::Order::random);
    CHECK(emulator::schedule().seed == emulator::seed());
}

TEST_CASE("Nothing runs before somebody waits") {
    const Floats value{1, 1.0f};
    const Stream stream;
    float* pinned = nullptr;
    REQUIRE(cudaMallocHost(&pinned, sizeof(float)) == cudaSuccess);
    *pinned = 0.0f;
    REQUIRE(cudaMemcpyAsync(pinned, value.data(), sizeof(float), cudaMemcpyDeviceToHost, stream) ==
            cudaSuccess);
    CHECK(*pinned == 0.0f);
    REQUIRE(stream.wait() == cudaSuccess);
    CHECK(*pinned == 1.0f);
    REQUIRE(cudaFreeHost(pinned) == cudaSuccess);
}

TEST_CASE("Several host threads may use the device") {
    std::vector<std::thread> threads;
    std::vector<float> sums(4);
    for (std::size_t t = 0; t < sums.size(); ++t) {
        threads.emplace_back([&sums, t] {
            for (int i = 0; i < 20; ++i) sums[t] += order_of_threads(record_order_after_barrier)[0];
        });
    }
    for (std::thread& thread : threads) thread.join();
    for (const float sum : sums) CHECK(sum == 3000.0f);
}

TEST_CASE("Handles that are not alive are refused") {
    cudaStream_t stream = nullptr;
    REQUIRE(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess);
    REQUIRE(cudaStreamDestroy(stream) == cudaSuccess);
    const Floats value{1};
    CHECK(emulator::launch(set, 1, 1, 0, stream, value.data(), 1.0f) ==
          cudaErrorInvalidResourceHandle);
    CHECK(cudaStreamSynchronize(stream) == cudaErrorInvalidResourceHandle);
    CHECK(cudaStreamDestroy(stream) == cudaErrorInvalidResourceHandle);
    CHECK(cudaEventDestroy(nullptr) == cudaErrorInvalidResourceHandle);
    cudaGetLastError();
}

TEST_CASE("Errors have CUDA's names and texts") {
    CHECK(std::string(cudaGetErrorName(cudaErrorMemoryAllocation)) == "cudaErrorMemoryAllocation");
    CHECK(std::string(cudaGetErrorString(cudaErrorMemoryAllocation)) == "out of memory");
    CHECK(std::string(cudaGetErrorName(static_cast<cudaError_t>(998))) ==
          "unrecognized error code");
}
