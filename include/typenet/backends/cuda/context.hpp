// What a model on the GPU computes with: a stream, a cuBLAS handle with its workspace, and the way
// in for data.
#pragma once

#include <cublas_v2.h>
#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <type_traits>

#include "typenet/backends/cuda/kernels/optimizer.cuh"
#include "typenet/backends/cuda/layout.hpp"
#include "typenet/backends/cuda/memory.hpp"
#include "typenet/backends/cuda/staging.hpp"
#include "typenet/core/precision.hpp"
#include "typenet/core/threads.hpp"

namespace typenet::cuda {

/// How a precision is stored and multiplied.
template <class Precision>
struct Format {
    static_assert(std::is_same_v<Precision, float> || std::is_same_v<Precision, tf32>,
                  "Cuda computes with float, tf32 or bf16");
    using Value = float;
    static constexpr cudaDataType_t type = CUDA_R_32F;
    static constexpr cublasMath_t math =
        std::is_same_v<Precision, tf32> ? CUBLAS_TF32_TENSOR_OP_MATH : CUBLAS_DEFAULT_MATH;
};
template <>
struct Format<bf16> {
    using Value = __nv_bfloat16;
    static constexpr cudaDataType_t type = CUDA_R_16BF;
    static constexpr cublasMath_t math = CUBLAS_DEFAULT_MATH;
};

/// Bytes that cuBLAS may use; what NVIDIA recommends for Hopper.
inline constexpr std::int64_t blas_workspace_bytes = std::int64_t{32} << 20;

class Context {
public:
    /// What it takes of the GPU's memory.
    static constexpr std::int64_t device_bytes = blas_workspace_bytes + Staging::device_bytes;

    /// Throws CudaError where there is no GPU or its driver is too old.
    explicit Context(cublasMath_t math) {
        int count = 0;
        TYPENET_CUDA_CHECK(cudaGetDeviceCount(&count));
        if (count == 0) check(cudaErrorNoDevice, "cudaGetDeviceCount", __FILE__, __LINE__);
        TYPENET_CUDA_CHECK(cudaGetDevice(&device_));
        stream_ = make_stream();
        cublasHandle_t blas = nullptr;
        TYPENET_CUDA_CHECK(cublasCreate(&blas));
        blas_.reset(blas);
        TYPENET_CUDA_CHECK(cublasSetStream(blas, stream_.get()));
        blas_workspace_ = Arena(blas_workspace_bytes);
        TYPENET_CUDA_CHECK(cublasSetWorkspace(blas, blas_workspace_.bytes(),
                                              static_cast<std::size_t>(blas_workspace_bytes)));
        TYPENET_CUDA_CHECK(cublasSetMathMode(blas, math));
        staging_ = std::make_unique<Staging>();
    }

    /// Threads of the host that compute: the memory plan asks.
    int threads() const { return 1; }
    cudaStream_t stream() const { return stream_.get(); }
    cublasHandle_t blas() const { return blas_.get(); }
    Staging& staging() { return *staging_; }
    void synchronize() const { TYPENET_CUDA_CHECK(cudaStreamSynchronize(stream_.get())); }

    /// The right to enqueue: threads that share a model take turns, so that none enqueues into what
    /// another records.
    class Turn {
    public:
        explicit Turn(Context& context) : lock_(context.mutex_) {
            TYPENET_CUDA_CHECK(cudaSetDevice(context.device_));
        }

    private:
        std::unique_lock<std::recursive_mutex> lock_;
    };

    /// The model's parameters, and their copies as T where T is not float.
    template <class T>
    void set_parameters(float* parameters, std::int64_t count) {
        parameters_ = parameters;
        parameter_count_ = count;
        copies_ = std::is_same_v<T, float> ? nullptr : parameters + count;
    }
    bool is_parameter(const float* place) const {
        return place >= parameters_ && place < parameters_ + parameter_count_;
    }
    /// Where the copy of a parameter lies; for float the parameter itself.
    template <class T>
    T* copy_of(float* parameter) const {
        if constexpr (std::is_same_v<T, float>)
            return parameter;
        else
            return static_cast<T*>(copies_) + (parameter - parameters_);
    }

private:
    int device_ = 0;
    Owned<cudaStream_t> stream_;
    Arena blas_workspace_;
    Owned<cublasHandle_t> blas_;
    std::unique_ptr<Staging> staging_;
    std::recursive_mutex mutex_;
    float* parameters_ = nullptr;
    std::int64_t parameter_count_ = 0;
    void* copies_ = nullptr;
};

/// A value that the host sets before a step and that kernels read through a pointer. It travels as
/// an argument of a kernel, so that the host may set it again at once.
template <class T>
class Shared {
    static_assert(std::is_trivially_copyable_v<T>);

public:
    explicit Shared(const T& value) : memory_(bytes) {
        write(nullptr, value);
        TYPENET_CUDA_CHECK(cudaStreamSynchronize(nullptr));
    }
    void set(Context& context, const T& value) {
        const Context::Turn turn(context);
        write(context.stream(), value);
    }
    const T* get() const { return memory_.as<T>(); }

private:
    static constexpr std::int64_t bytes = round_up(sizeof(T), 4);

    void write(cudaStream_t stream, const T& value) {
        constexpr int capacity = 256;
        constexpr auto words = static_cast<int>(bytes / 4);
        for (int first = 0; first < words; first += capacity) {
            const int count = (std::min)(capacity, words - first);
            ValuePiece<capacity> piece{};
            const std::size_t offset = static_cast<std::size_t>(first) * 4;
            std::memcpy(piece.words, reinterpret_cast<const std::byte*>(&value) + offset,
                        (std::min)(static_cast<std::size_t>(count) * 4, sizeof(T) - offset));
            launch(store_piece<capacity>, dim3(1), dim3(threads_per_block), 0, stream,
                   memory_.as<std::uint32_t>() + first, piece, count);
        }
    }

    Arena memory_;
};

/// Repeats a body of kernels: records it as a CUDA graph when a key is first met, and launches the
/// graph each time. So a body runs as a whole or, where any of its calls fails, not at all.
class Recording {
public:
    template <class Body>
    void run(Context& context, std::int64_t key, const Body& body) {
        const Context::Turn turn(context);
        auto found = graphs_.find(key);
        if (found == graphs_.end()) found = graphs_.emplace(key, record(context, body)).first;
        TYPENET_CUDA_CHECK(cudaGraphLaunch(found->second.get(), context.stream()));
    }

private:
    template <class Body>
    static Owned<cudaGraphExec_t> record(Context& context, const Body& body) {
        // Relaxed, since cuBLAS may load the kernels that it chooses while we record.
        TYPENET_CUDA_CHECK(cudaStreamBeginCapture(context.stream(), cudaStreamCaptureModeRelaxed));
        cudaGraph_t graph = nullptr;
        try {
            body();
            TYPENET_CUDA_CHECK(cudaStreamEndCapture(context.stream(), &graph));
        } catch (...) {
            cudaStreamEndCapture(context.stream(), &graph);
            if (graph != nullptr) cudaGraphDestroy(graph);
            static_cast<void>(cudaGetLastError());
            throw;
        }
        const Owned<cudaGraph_t> owner{graph};
        cudaGraphExec_t executable = nullptr;
        TYPENET_CUDA_CHECK(cudaGraphInstantiate(&executable, graph, 0));
        return Owned<cudaGraphExec_t>{executable};
    }

    std::map<std::int64_t, Owned<cudaGraphExec_t>> graphs_;
};

}  // namespace typenet::cuda
