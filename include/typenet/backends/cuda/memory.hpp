// Everything of the CUDA runtime that must be given back: memory, streams, events, graphs.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "typenet/backends/cuda/status.hpp"

namespace typenet::cuda {

/// Gives back what it is handed. Failures have no one left to tell.
struct Release {
    void operator()(cudaStream_t stream) const { cudaStreamDestroy(stream); }
    void operator()(cudaEvent_t event) const { cudaEventDestroy(event); }
    void operator()(cudaGraph_t graph) const { cudaGraphDestroy(graph); }
    void operator()(cudaGraphExec_t graph) const { cudaGraphExecDestroy(graph); }
    void operator()(cublasHandle_t handle) const { cublasDestroy(handle); }
};
template <class Handle>
using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, Release>;

/// A stream that does not wait for the default stream.
inline Owned<cudaStream_t> make_stream() {
    cudaStream_t stream = nullptr;
    TYPENET_CUDA_CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    return Owned<cudaStream_t>{stream};
}
inline Owned<cudaEvent_t> make_event() {
    cudaEvent_t event = nullptr;
    TYPENET_CUDA_CHECK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
    return Owned<cudaEvent_t>{event};
}

/// A zeroed block of the GPU's memory, allocated once.
class Arena {
public:
    Arena() = default;
    /// Throws CudaError, which says how much was asked for and how much is free.
    explicit Arena(std::int64_t bytes) {
        if (bytes <= 0) return;
        void* memory = nullptr;
        const cudaError_t status = cudaMalloc(&memory, static_cast<std::size_t>(bytes));
        if (status == cudaErrorMemoryAllocation) {
            static_cast<void>(cudaGetLastError());
            std::size_t free = 0, total = 0;
            TYPENET_CUDA_CHECK(cudaMemGetInfo(&free, &total));
            fail("cudaMalloc",
                 std::to_string(bytes >> 20) + " MiB asked for, " + std::to_string(free >> 20) +
                     " of " + std::to_string(total >> 20) + " MiB free",
                 remedy(status), __FILE__, __LINE__);
        }
        TYPENET_CUDA_CHECK(status);
        data_ = static_cast<std::byte*>(memory);
        try {
            TYPENET_CUDA_CHECK(cudaMemsetAsync(data_, 0, static_cast<std::size_t>(bytes), nullptr));
            TYPENET_CUDA_CHECK(cudaStreamSynchronize(nullptr));
        } catch (...) {
            cudaFree(data_);
            throw;
        }
    }
    Arena(Arena&& other) noexcept : data_(std::exchange(other.data_, nullptr)) {}
    Arena& operator=(Arena&& other) noexcept {
        std::swap(data_, other.data_);
        return *this;
    }
    ~Arena() {
        if (data_ != nullptr) cudaFree(data_);  // waits for kernels that may still use it
    }

    float* floats() const { return reinterpret_cast<float*>(data_); }
    std::byte* bytes() const { return data_; }
    template <class T>
    T* as() const {
        return reinterpret_cast<T*>(data_);
    }

private:
    std::byte* data_ = nullptr;
};

/// Memory of the host that the GPU copies from and to by itself.
class PinnedMemory {
public:
    PinnedMemory() = default;
    explicit PinnedMemory(std::int64_t bytes) {
        if (bytes <= 0) return;
        void* memory = nullptr;
        TYPENET_CUDA_CHECK(cudaMallocHost(&memory, static_cast<std::size_t>(bytes)));
        data_.reset(static_cast<std::byte*>(memory));
    }
    template <class T>
    T* as() const {
        return reinterpret_cast<T*>(data_.get());
    }

private:
    struct Free {
        void operator()(std::byte* memory) const { cudaFreeHost(memory); }
    };
    std::unique_ptr<std::byte, Free> data_;
};

}  // namespace typenet::cuda
