// Each test plants one bug that CUDA programs have, and sees the emulator find it. Beside it runs
// the same program without the bug, which must pass.
#include <cublas_v2.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>

#include "testing.hpp"

using namespace emulator_test;
using emulator::for_each_schedule;
using emulator::launch;
using emulator::ScheduleMismatch;

namespace planted {

// Missing barriers --------------------------------------------------------------------------------

template <bool has_barrier>
__global__ void rotate(float* out) {
    float* values = emulator::shared<float>([] {}, 128);
    values[threadIdx.x] = static_cast<float>(threadIdx.x);
    if constexpr (has_barrier) __syncthreads();
    out[threadIdx.x] = values[(threadIdx.x + 1) % 128];
}

// The barrier between two rounds of a loop that uses the same memory.
template <bool has_barrier>
__global__ void rotate_twice(float* out) {
    float* values = emulator::shared<float>([] {}, 128);
    float value = static_cast<float>(threadIdx.x);
    for (int round = 0; round < 2; ++round) {
        values[threadIdx.x] = value;
        __syncthreads();
        value = values[(threadIdx.x + 1) % 128];
        if constexpr (has_barrier) __syncthreads();
    }
    out[threadIdx.x] = value;
}

template <bool has_barrier>
__global__ void exchange_in_warp(float* out) {
    float* values = emulator::shared<float>([] {}, 32);
    values[threadIdx.x] = static_cast<float>(threadIdx.x);
    if constexpr (has_barrier) __syncwarp();
    out[threadIdx.x] = values[threadIdx.x ^ 1];
}

// Blocks that use what another block of the same launch writes.
__global__ void read_other_block(float* out) {
    out[blockIdx.x] = out[(blockIdx.x + 1) % gridDim.x] + 1.0f;
}

// Barriers that not all reach ---------------------------------------------------------------------

__global__ void diverge(float* out) {
    if (threadIdx.x < 40) {
        __syncthreads();
        out[threadIdx.x] = 0.0f;
    } else {
        __syncthreads();
    }
}

__global__ void wait_for_missing_lanes() {
    if (threadIdx.x % 32 < 16) {
        __syncwarp(0xffffffff);
    } else {
        __syncthreads();
    }
}

__global__ void leave_caller_out() {
    __shfl_sync(0x0000ffff, 1, 0);
}

__global__ void odd_width() {
    __shfl_sync(0xffffffff, 1, 0, 12);
}

// Wrong addresses ---------------------------------------------------------------------------------

__global__ void write_at(float* to, int offset) {
    to[static_cast<int>(threadIdx.x) + offset] = 1;
}

__global__ void read_at(float* to, const float* from, int offset) {
    to[threadIdx.x] = from[static_cast<int>(threadIdx.x) + offset];
}

__global__ void write_shared_at(float* out, int offset) {
    float* values = emulator::shared<float>([] {}, 64);
    values[static_cast<int>(threadIdx.x) + offset] = 1.0f;
    __syncthreads();
    out[threadIdx.x] = values[threadIdx.x];
}

__global__ void write_dynamic_shared_at(float* out, int offset) {
    float* values = emulator::dynamic_shared<float>();
    values[static_cast<int>(threadIdx.x) + offset] = 1.0f;
    __syncthreads();
    out[threadIdx.x] = values[threadIdx.x];
}

int overflow_stack(int depth) {
    volatile char frame[1024];
    frame[0] = static_cast<char>(depth);
    return depth == 0 ? 0 : overflow_stack(depth - 1) + frame[0];
}
__global__ void overflow(int* out, int depth) {
    *out = overflow_stack(depth);
}

// Too much ----------------------------------------------------------------------------------------

__global__ void use_shared(int* out) {
    int* first = emulator::shared<int>([] {}, 8000);
    int* second = emulator::shared<int>([] {}, 5000);
    first[0] = 1;
    second[0] = 2;
    *out = first[0] + second[0];
}

// Values ------------------------------------------------------------------------------------------

template <bool sets_all>
__global__ void sum_shared(float* out) {
    float* values = emulator::shared<float>([] {}, 64);
    if (sets_all || threadIdx.x != 5) values[threadIdx.x] = 1.0f;
    __syncthreads();
    float sum = 0.0f;
    for (int i = 0; i < 64; ++i) sum += values[i];
    out[threadIdx.x] = sum;
}

__global__ void scale(float* values, float factor) {
    values[threadIdx.x] *= factor;
}

__global__ void sum_lanes_that_left(float* out) {
    if (threadIdx.x >= 24) return;
    out[threadIdx.x] = __shfl_down_sync(0xffffffff, 1.0f, 8);
}

__global__ void stop_at(int* out) {
    if (threadIdx.x == 3) __trap();
    out[threadIdx.x] = 1;
}

__global__ void raise(int* out) {
    if (threadIdx.x == 3) throw std::runtime_error("not on a device");
    out[threadIdx.x] = 1;
}

}  // namespace planted

namespace {

/// `count` floats that a kernel, launched as one block of as many threads, writes.
template <class... A>
std::vector<float> written(std::size_t count, void (*kernel)(float*, A...), A... arguments) {
    const Floats out{count};
    const Stream stream;
    require_success(
        launch(kernel, 1, static_cast<unsigned>(count), 0, stream, out.data(), arguments...));
    require_success(stream.wait());
    return out.read();
}

}  // namespace

TEST_CASE("A missing __syncthreads is found") {
    CHECK_NOTHROW(for_each_schedule([] { return written(128, planted::rotate<true>); }));
    CHECK_THROWS_AS(for_each_schedule([] { return written(128, planted::rotate<false>); }),
                    ScheduleMismatch);
    CHECK_NOTHROW(for_each_schedule([] { return written(128, planted::rotate_twice<true>); }));
    CHECK_THROWS_AS(for_each_schedule([] { return written(128, planted::rotate_twice<false>); }),
                    ScheduleMismatch);
}

TEST_CASE("A missing __syncwarp is found") {
    CHECK_NOTHROW(for_each_schedule([] { return written(32, planted::exchange_in_warp<true>); }));
    CHECK_THROWS_AS(for_each_schedule([] { return written(32, planted::exchange_in_warp<false>); }),
                    ScheduleMismatch);
}

TEST_CASE("Blocks that need one another's results are found") {
    const auto run = [] {
        const Floats out{64, 0.0f};
        const Stream stream;
        require_success(launch(planted::read_other_block, 64, 1, 0, stream, out.data()));
        require_success(stream.wait());
        return out.read();
    };
    CHECK_THROWS_AS(for_each_schedule(run), ScheduleMismatch);
}

TEST_CASE("A divergent barrier is found, and the report says who waits where") {
    const Floats out{64};
    const std::string text = report_of(cudaErrorLaunchTimeout, [&] {
        const Stream stream;
        require_success(launch(planted::diverge, 2, 64, 0, stream, out.data()));
        CHECK(stream.wait() == cudaErrorLaunchTimeout);
        // The device does nothing more.
        CHECK(launch(planted::diverge, 1, 64, 0, stream, out.data()) == cudaErrorLaunchTimeout);
        CHECK(cudaGetLastError() == cudaErrorLaunchTimeout);
    });
    CHECK_THAT(text, ContainsText("planted::diverge"));
    CHECK_THAT(text, ContainsText("40 threads, the first (0,0,0), wait in __syncthreads at "
                                  "planted_bugs.cpp:"));
    CHECK_THAT(text, ContainsText("24 threads, the first (40,0,0), wait in __syncthreads"));
    CHECK(written(32, planted::exchange_in_warp<true>)[0] == 1.0f);  // and again it does
}

TEST_CASE("Lanes that wait for lanes that do not come are found") {
    const Stream stream;
    const std::string text = report_of(cudaErrorLaunchTimeout, [&] {
        require_success(launch(planted::wait_for_missing_lanes, 1, 64, 0, stream));
        stream.wait();
    });
    CHECK_THAT(text, ContainsText("32 threads, the first (0,0,0), wait in __syncwarp, mask "
                                  "0xffffffff,"));
    CHECK_THAT(text, ContainsText("32 threads, the first (16,0,0), wait in __syncthreads"));
}

TEST_CASE("Wrong masks and widths of shuffles are found") {
    const Stream stream;
    check_report(cudaErrorLaunchFailure, "the mask 0x0000ffff leaves out the caller", [&] {
        require_success(launch(planted::leave_caller_out, 1, 32, 0, stream));
        stream.wait();
    });
    check_report(cudaErrorLaunchFailure, "the width 12", [&] {
        require_success(launch(planted::odd_width, 1, 32, 0, stream));
        stream.wait();
    });
}

TEST_CASE("A write out of bounds is found") {
    // 100 floats: the slack up to the alignment catches near misses, a guard page those further
    // off.
    for (const int offset : {1, 28, 64, 200, -1, -64}) {
        CAPTURE(offset);
        const auto reports = emulator::reports_of([&] {
            const Floats floats{100};
            const Stream stream;
            require_success(launch(planted::write_at, 1, 100, 0, stream, floats.data(), offset));
            CHECK(stream.wait() == cudaErrorIllegalAddress);
        });
        REQUIRE(reports.size() >= 1);
        CHECK(reports[0].error == cudaErrorIllegalAddress);
        CHECK_THAT(reports[0].text, ContainsText("of 400 bytes"));
        CHECK_THAT(reports[0].text, ContainsText("planted::write_at"));
    }
}

TEST_CASE("A read far out of bounds is found") {
    const Floats from{64, 1.0f}, to{64};
    const Stream stream;
    check_report(cudaErrorIllegalAddress, "illegal address: read of byte", [&] {
        require_success(launch(planted::read_at, 1, 64, 0, stream, to.data(),
                               static_cast<const float*>(from.data()), 64));
        stream.wait();
    });
}

TEST_CASE("A read just out of bounds is NaN") {
    const Floats from{60, 1.0f}, to{64};
    const Stream stream;
    require_success(launch(planted::read_at, 1, 64, 0, stream, to.data(),
                           static_cast<const float*>(from.data()), 0));
    require_success(stream.wait());
    const auto values = to.read();
    CHECK(values[59] == 1.0f);
    for (std::size_t i = 60; i < 64; ++i) CHECK(std::isnan(values[i]));
}

TEST_CASE("An address in no allocation is found") {
    const Stream stream;
    float* nowhere = reinterpret_cast<float*>(64);
    CHECK_THAT(
        report_of(cudaErrorIllegalAddress,
                  [&] {
                      require_success(launch(planted::write_at, 1, 1, 0, stream, nowhere, 0));
                      stream.wait();
                  }),
        ContainsText("illegal address: write to address 64 (in no allocation)"));
}

TEST_CASE("A write out of shared memory's bounds is found") {
    const Floats out{64};
    const Stream stream;
    for (const int offset : {1, -1}) {
        check_report(cudaErrorIllegalAddress, "out-of-bounds write in shared memory", [&] {
            require_success(launch(planted::write_shared_at, 1, 64, 0, stream, out.data(), offset));
            CHECK(stream.wait() == cudaErrorIllegalAddress);
        });
        check_report(cudaErrorIllegalAddress, "dynamic shared memory", [&] {
            require_success(
                launch(planted::write_dynamic_shared_at, 1, 64, 256, stream, out.data(), offset));
            CHECK(stream.wait() == cudaErrorIllegalAddress);
        });
    }
}

TEST_CASE("Dynamic shared memory that was not asked for is found") {
    const Floats out{64};
    const Stream stream;
    check_report(cudaErrorLaunchFailure, "the launch asked for 0 bytes", [&] {
        require_success(launch(planted::write_dynamic_shared_at, 1, 64, 0, stream, out.data(), 0));
        stream.wait();
    });
}

TEST_CASE("Too much static shared memory is found") {
    int* out = nullptr;
    require_success(cudaMalloc(&out, sizeof(int)));
    const Stream stream;
    check_report(cudaErrorLaunchOutOfResources, "to 52000 bytes (at most 49152", [&] {
        require_success(launch(planted::use_shared, 1, 1, 0, stream, out));
        stream.wait();
    });
    require_success(cudaFree(out));
}

TEST_CASE("A stack that overflows is found") {
    int* out = nullptr;
    require_success(cudaMalloc(&out, sizeof(int)));
    const Stream stream;
    require_success(launch(planted::overflow, 1, 1, 0, stream, out, 4));
    require_success(stream.wait());
    check_report(cudaErrorLaunchOutOfResources, "stack overflow", [&] {
        require_success(launch(planted::overflow, 1, 1, 0, stream, out, 4000));
        stream.wait();
    });
    require_success(cudaFree(out));
}

TEST_CASE("Use after free is found") {
    const Stream stream;
    float* freed = nullptr;
    require_success(cudaMalloc(&freed, 256));
    require_success(cudaFree(freed));
    check_report(cudaErrorIllegalAddress, "use after free: write to byte", [&] {
        require_success(launch(planted::write_at, 1, 64, 0, stream, freed, 0));
        CHECK(stream.wait() == cudaErrorIllegalAddress);
    });
    CHECK_THAT(
        report_of(cudaErrorInvalidValue,
                  [&] { CHECK(cudaMemsetAsync(freed, 0, 256, stream) == cudaErrorInvalidValue); }),
        ContainsText("freed"));
    CHECK_THAT(
        report_of(cudaErrorInvalidValue, [&] { CHECK(cudaFree(freed) == cudaErrorInvalidValue); }),
        ContainsText("double free"));
}

TEST_CASE("A leak is found") {
    const auto before = emulator::leaks().size();
    float* leaked = nullptr;
    cudaEvent_t event = nullptr;
    require_success(cudaMalloc(&leaked, 1234));
    require_success(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
    const auto lines = emulator::leaks();
    REQUIRE(lines.size() == before + 2);
    CHECK_THAT(lines[0], ContainsText("of 1234 bytes"));
    CHECK(lines[1] == "1 events");
    require_success(cudaFree(leaked));
    require_success(cudaEventDestroy(event));
    CHECK(emulator::leaks().size() == before);
}

TEST_CASE("An uninitialised read is NaN in the result") {
    CHECK(written(64, planted::sum_shared<true>)[0] == 64.0f);
    CHECK(std::isnan(written(64, planted::sum_shared<false>)[0]));

    const auto scaled = written(8, planted::scale, 2.0f);
    for (const float value : scaled) CHECK(std::isnan(value));

    const Floats out{24};
    const Stream stream;
    require_success(launch(planted::sum_lanes_that_left, 1, 32, 0, stream, out.data()));
    require_success(stream.wait());
    CHECK(out.read()[0] == 1.0f);
    CHECK(std::isnan(out.read()[20]));
}

TEST_CASE("A missing wait between streams is found") {
    const auto run = [](bool waits) {
        const Floats values{32, 1.0f}, copy{32};
        const Stream compute, copies;
        cudaEvent_t event = nullptr;
        require_success(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
        require_success(launch(planted::scale, 1, 32, 0, compute, values.data(), 3.0f));
        require_success(cudaEventRecord(event, compute));
        if (waits) require_success(cudaStreamWaitEvent(copies, event));
        require_success(
            cudaMemcpyAsync(copy.data(), values.data(), 128, cudaMemcpyDeviceToDevice, copies));
        require_success(copies.wait());
        const auto result = copy.read();
        require_success(compute.wait());
        require_success(cudaEventDestroy(event));
        return result;
    };
    CHECK(for_each_schedule([&] { return run(true); })[0] == 3.0f);
    CHECK_THROWS_AS(for_each_schedule([&] { return run(false); }), ScheduleMismatch);
}

TEST_CASE("Memory that is overwritten while another stream reads it is found") {
    const auto run = [](bool waits) {
        const Floats values{32, 1.0f}, copy{32};
        const Stream compute, copies;
        cudaEvent_t event = nullptr;
        require_success(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
        require_success(
            cudaMemcpyAsync(copy.data(), values.data(), 128, cudaMemcpyDeviceToDevice, copies));
        require_success(cudaEventRecord(event, copies));
        if (waits) require_success(cudaStreamWaitEvent(compute, event));
        require_success(launch(planted::scale, 1, 32, 0, compute, values.data(), 3.0f));
        require_success(copies.wait());
        require_success(compute.wait());
        require_success(cudaEventDestroy(event));
        return copy.read();
    };
    CHECK(for_each_schedule([&] { return run(true); })[0] == 1.0f);
    CHECK_THROWS_AS(for_each_schedule([&] { return run(false); }), ScheduleMismatch);
}

TEST_CASE("A missing wait of the host is found") {
    const auto run = [](bool waits) {
        const Floats values{1, 2.0f};
        const Stream stream;
        float* result = nullptr;
        require_success(cudaMallocHost(&result, sizeof(float)));
        require_success(
            cudaMemcpyAsync(result, values.data(), sizeof(float), cudaMemcpyDeviceToHost, stream));
        if (waits) require_success(stream.wait());
        const float seen = *result;
        require_success(stream.wait());
        require_success(cudaFreeHost(result));
        return seen;
    };
    CHECK(run(true) == 2.0f);
    CHECK(std::isnan(run(false)));
}

TEST_CASE("Host memory that is reused before the copy has run is found") {
    const auto run = [](bool waits) {
        const Floats values{1};
        const Stream stream;
        float host = 1.0f;
        require_success(
            cudaMemcpyAsync(values.data(), &host, sizeof host, cudaMemcpyHostToDevice, stream));
        if (waits) require_success(stream.wait());
        host = 2.0f;
        require_success(stream.wait());
        return values.read()[0];
    };
    CHECK(run(true) == 1.0f);
    CHECK(run(false) == 2.0f);
}

TEST_CASE("A missing dependency in a graph is found") {
    const auto run = [](bool waits) {
        const Floats values{32, 1.0f}, copy{32, 0.0f};
        const Stream main, side;
        cudaEvent_t fork = nullptr, join = nullptr;
        require_success(cudaEventCreateWithFlags(&fork, cudaEventDisableTiming));
        require_success(cudaEventCreateWithFlags(&join, cudaEventDisableTiming));
        cudaGraph_t graph = nullptr;
        cudaGraphExec_t executable = nullptr;
        require_success(cudaStreamBeginCapture(main, cudaStreamCaptureModeThreadLocal));
        if (!waits) {
            require_success(cudaEventRecord(fork, main));
            require_success(cudaStreamWaitEvent(side, fork));
        }
        require_success(launch(planted::scale, 1, 32, 0, main, values.data(), 3.0f));
        if (waits) {
            require_success(cudaEventRecord(fork, main));
            require_success(cudaStreamWaitEvent(side, fork));
        }
        require_success(
            cudaMemcpyAsync(copy.data(), values.data(), 128, cudaMemcpyDeviceToDevice, side));
        require_success(cudaEventRecord(join, side));
        require_success(cudaStreamWaitEvent(main, join));
        require_success(cudaStreamEndCapture(main, &graph));
        require_success(cudaGraphInstantiate(&executable, graph));
        require_success(cudaGraphLaunch(executable, main));
        require_success(main.wait());
        require_success(cudaGraphExecDestroy(executable));
        require_success(cudaGraphDestroy(graph));
        require_success(cudaEventDestroy(fork));
        require_success(cudaEventDestroy(join));
        return copy.read();
    };
    CHECK(for_each_schedule([&] { return run(true); })[0] == 3.0f);
    CHECK_THROWS_AS(for_each_schedule([&] { return run(false); }), ScheduleMismatch);
}

TEST_CASE("A __trap is reported with its thread") {
    int* out = nullptr;
    require_success(cudaMalloc(&out, 8 * sizeof(int)));
    const Stream stream;
    const std::string text = report_of(cudaErrorLaunchFailure, [&] {
        require_success(launch(planted::stop_at, 1, 8, 0, stream, out));
        stream.wait();
    });
    CHECK_THAT(text, ContainsText("__trap at planted_bugs.cpp:"));
    CHECK_THAT(text, ContainsText("thread (3,0,0)"));
    require_success(cudaFree(out));
}

TEST_CASE("An exception in a kernel is reported") {
    int* out = nullptr;
    require_success(cudaMalloc(&out, 8 * sizeof(int)));
    const Stream stream;
    check_report(cudaErrorLaunchFailure, "an exception left the kernel", [&] {
        require_success(launch(planted::raise, 1, 8, 0, stream, out));
        CHECK(stream.wait() == cudaErrorLaunchFailure);
    });
    require_success(cudaFree(out));
}

TEST_CASE("Copies that do not fit, or in the wrong direction, are found") {
    const Floats values{10};
    const Stream stream;
    float host[20] = {};
    CHECK_THAT(
        report_of(cudaErrorInvalidValue,
                  [&] {
                      CHECK(cudaMemcpyAsync(values.data() + 1, host, 40, cudaMemcpyHostToDevice,
                                            stream) == cudaErrorInvalidValue);
                  }),
        ContainsText("40 bytes do not fit at byte 4 of device memory"));
    check_report(cudaErrorInvalidValue, "direction", [&] {
        CHECK(cudaMemcpyAsync(values.data(), host, 40, cudaMemcpyDeviceToHost, stream) ==
              cudaErrorInvalidValue);
    });
    CHECK_THAT(
        report_of(cudaErrorInvalidValue,
                  [&] { CHECK(cudaMemsetAsync(host, 0, 4, stream) == cudaErrorInvalidValue); }),
        ContainsText("not the device's"));
}

// cuBLAS ------------------------------------------------------------------------------------------

namespace {

class Blas {
public:
    Blas() {
        if (cublasCreate(&handle_) != CUBLAS_STATUS_SUCCESS) throw std::runtime_error("cuBLAS");
        cublasSetStream(handle_, stream_);
    }
    ~Blas() { cublasDestroy(handle_); }
    Blas(const Blas&) = delete;
    Blas& operator=(const Blas&) = delete;

    const Stream& stream() const { return stream_; }
    cublasHandle_t handle() const { return handle_; }
    /// C[8 x 6] = A[8 x 4] B[4 x 6], column-major.
    cublasStatus_t multiply(const Floats& a, const Floats& b, const Floats& c, int lda, int ldb,
                            int ldc, float beta = 0.0f) const {
        const float one = 1.0f;
        return cublasGemmEx(handle_, CUBLAS_OP_N, CUBLAS_OP_N, 8, 6, 4, &one, a.data(), CUDA_R_32F,
                            lda, b.data(), CUDA_R_32F, ldb, &beta, c.data(), CUDA_R_32F, ldc,
                            CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT);
    }

private:
    Stream stream_;
    cublasHandle_t handle_ = nullptr;
};

}  // namespace

TEST_CASE("A wrong leading dimension is found") {
    const Floats a{32, 1.0f}, b{24, 1.0f}, c{48};
    const Blas blas;
    REQUIRE(blas.multiply(a, b, c, 8, 4, 8) == CUBLAS_STATUS_SUCCESS);
    REQUIRE(blas.stream().wait() == cudaSuccess);
    for (const float value : c.read()) CHECK(value == 4.0f);

    // Too small: the library itself says so.
    CHECK(blas.multiply(a, b, c, 4, 4, 8) == CUBLAS_STATUS_INVALID_VALUE);
    CHECK(blas.multiply(a, b, c, 8, 3, 8) == CUBLAS_STATUS_INVALID_VALUE);
    CHECK(blas.multiply(a, b, c, 8, 4, 6) == CUBLAS_STATUS_INVALID_VALUE);

    // Too large: the matrix ends where there is no memory.
    const int wrong[3][3] = {{9, 4, 8}, {8, 5, 8}, {8, 4, 9}};
    const char* names[] = {"matrix A of 8 x 4 with leading dimension 9",
                           "matrix B of 4 x 6 with leading dimension 5",
                           "matrix C of 8 x 6 with leading dimension 9"};
    for (int i = 0; i < 3; ++i) {
        const std::string text = report_of(cudaErrorIllegalAddress, [&] {
            CHECK(blas.multiply(a, b, c, wrong[i][0], wrong[i][1], wrong[i][2]) ==
                  CUBLAS_STATUS_SUCCESS);
            CHECK(blas.stream().wait() == cudaErrorIllegalAddress);
        });
        CHECK_THAT(text, ContainsText(names[i]));
    }
}

TEST_CASE("A product added to memory that was never set is NaN") {
    const Floats a{32, 1.0f}, b{24, 1.0f}, c{48};
    const Blas blas;
    REQUIRE(blas.multiply(a, b, c, 8, 4, 8, 1.0f) == CUBLAS_STATUS_SUCCESS);
    REQUIRE(blas.stream().wait() == cudaSuccess);
    CHECK(std::isnan(c.read()[0]));
}

TEST_CASE("A captured product without a workspace is found") {
    const Floats a{32, 1.0f}, b{24, 1.0f}, c{48}, workspace{1024, 0.0f};
    const Blas blas;
    const auto capture = [&] {
        require_success(cudaStreamBeginCapture(blas.stream(), cudaStreamCaptureModeThreadLocal));
        const cublasStatus_t status = blas.multiply(a, b, c, 8, 4, 8);
        cudaGraph_t graph = nullptr;
        require_success(cudaStreamEndCapture(blas.stream(), &graph));
        require_success(cudaGraphDestroy(graph));
        return status;
    };
    check_report(cudaErrorStreamCaptureUnsupported, "cublasSetWorkspace",
                 [&] { CHECK(capture() == CUBLAS_STATUS_ALLOC_FAILED); });

    REQUIRE(cublasSetWorkspace(blas.handle(), workspace.data(), 4096) == CUBLAS_STATUS_SUCCESS);
    CHECK(capture() == CUBLAS_STATUS_SUCCESS);
    // Setting the stream takes the workspace away again.
    REQUIRE(cublasSetStream(blas.handle(), blas.stream()) == CUBLAS_STATUS_SUCCESS);
    check_report(cudaErrorStreamCaptureUnsupported, "workspace",
                 [&] { CHECK(capture() == CUBLAS_STATUS_ALLOC_FAILED); });
}

TEST_CASE("Operands too fine for TF32 are rounded") {
    // 10 bits of mantissa, to nearest, ties away from zero.
    const float given[] = {1.0f,
                           1.0f + 0x1p-10f,
                           1.0f + 0x1p-11f,
                           -1.0f - 0x1p-11f,
                           1.0f + 0x1p-12f,
                           3.0f + 0x1.8p-10f,
                           0x1p-120f,
                           65537.0f};
    const float expected[] = {1.0f, 1.0f + 0x1p-10f, 1.0f + 0x1p-10f, -1.0f - 0x1p-10f,
                              1.0f, 3.0f + 0x1p-9f,  0x1p-120f,       65536.0f};
    std::vector<float> identity(64);
    for (std::size_t i = 0; i < 8; ++i) identity[9 * i] = 1.0f;
    const Floats a{identity}, b{std::vector<float>(given, given + 8)}, c{8};
    const Blas blas;
    const auto product = [&](cublasComputeType_t type) {
        const float one = 1.0f, zero = 0.0f;
        REQUIRE(cublasGemmEx(blas.handle(), CUBLAS_OP_N, CUBLAS_OP_N, 8, 1, 8, &one, a.data(),
                             CUDA_R_32F, 8, b.data(), CUDA_R_32F, 8, &zero, c.data(), CUDA_R_32F, 8,
                             type, CUBLAS_GEMM_DEFAULT) == CUBLAS_STATUS_SUCCESS);
        REQUIRE(blas.stream().wait() == cudaSuccess);
        return c.read();
    };
    const std::vector<float> exact(given, given + 8), rounded(expected, expected + 8);
    CHECK(product(CUBLAS_COMPUTE_32F) == exact);
    CHECK(product(CUBLAS_COMPUTE_32F_FAST_TF32) == rounded);
    REQUIRE(cublasSetMathMode(blas.handle(), CUBLAS_TF32_TENSOR_OP_MATH) == CUBLAS_STATUS_SUCCESS);
    CHECK(product(CUBLAS_COMPUTE_32F) == rounded);
    CHECK(product(CUBLAS_COMPUTE_32F_PEDANTIC) == exact);
}

TEST_CASE("Data in cuBLAS's workspace is overwritten") {
    const Floats a{32, 1.0f}, b{24, 1.0f}, c{48}, workspace{1024, 5.0f};
    const Blas blas;
    REQUIRE(cublasSetWorkspace(blas.handle(), workspace.data(), 4096) == CUBLAS_STATUS_SUCCESS);
    REQUIRE(blas.multiply(a, b, c, 8, 4, 8) == CUBLAS_STATUS_SUCCESS);
    REQUIRE(blas.stream().wait() == cudaSuccess);
    CHECK(std::isnan(workspace.read()[0]));
}

// How programs end --------------------------------------------------------------------------------

namespace {

/// How a child process ends that runs `f` and then, unless `f` ends it, exits with status 0.
template <class F>
int status_of_child(F&& f) {
    std::fflush(nullptr);
    const pid_t child = fork();
    if (child == 0) {
        if (std::freopen("/dev/null", "w", stderr) == nullptr) _exit(99);
        f();
        std::exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return status;
}

}  // namespace

TEST_CASE("A program with a leak or an unread report fails") {
    const int clean = status_of_child([] {});
    CHECK((WIFEXITED(clean) && WEXITSTATUS(clean) == 0));

    const int leaks = status_of_child([] {
        void* leaked = nullptr;
        cudaMalloc(&leaked, 1);
    });
    CHECK((WIFEXITED(leaks) && WEXITSTATUS(leaks) == 1));

    const int reports = status_of_child([] {
        const Stream stream;
        float* nowhere = reinterpret_cast<float*>(64);
        launch(planted::write_at, 1, 1, 0, stream, nowhere, 0);
        stream.wait();
    });
    CHECK((WIFEXITED(reports) && WEXITSTATUS(reports) == 1));
}

TEST_CASE("A host that touches device memory is stopped") {
    const auto stops = [](const float* memory) {
        const int status = status_of_child([&] {
            signal(SIGSEGV, SIG_DFL);
            [[maybe_unused]] const volatile float seen = *memory;
        });
        return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
    };
    const Floats fresh{16};
    CHECK(stops(fresh.data()));
    const Floats used{16, 1.0f};
    CHECK(stops(used.data()));
    float* pinned = nullptr;
    require_success(cudaMallocHost(&pinned, sizeof(float)));
    CHECK_FALSE(stops(pinned));
    require_success(cudaFreeHost(pinned));
}
