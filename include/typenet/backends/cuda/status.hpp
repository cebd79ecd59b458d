// Every CUDA and cuBLAS call goes through TYPENET_CUDA_CHECK, which turns a bad status into an
// exception that names the call and says what to do.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <string>

#include "typenet/core/error.hpp"

namespace typenet {

/// A CUDA or cuBLAS call that failed: `call failed: reason (file:line); what to do`.
class CudaError : public Error {
public:
    using Error::Error;
};

}  // namespace typenet

namespace typenet::cuda {

/// What a person can do about a status.
inline const char* remedy(cudaError_t status) {
    switch (status) {
        case cudaErrorNoDevice:
            return "this machine has no NVIDIA GPU that the driver can use; compute on the CPU";
        case cudaErrorInsufficientDriver:
            return "there is no NVIDIA driver, or one older than this program's CUDA: install or "
                   "update the driver, or compute on the CPU";
        case cudaErrorMemoryAllocation:
            return "the GPU's memory does not suffice; use a smaller batch or end other programs "
                   "on it";
        case cudaErrorNoKernelImageForDevice:
            return "the program was not compiled for this GPU; add its architecture to "
                   "CMAKE_CUDA_ARCHITECTURES";
        default:
            return "an error of the GPU stays until the process ends; run compute-sanitizer to "
                   "find its cause";
    }
}

[[noreturn]] inline void fail(const std::string& call, const std::string& reason,
                              const std::string& remedy, const char* file, int line) {
    throw CudaError(call + " failed: " + reason + " (" + file + ":" + std::to_string(line) + "); " +
                    remedy);
}

inline void check(cudaError_t status, const char* call, const char* file, int line) {
    if (status == cudaSuccess) return;
    static_cast<void>(cudaGetLastError());  // so that the next check does not see it again
    fail(call,
         std::string{cudaGetErrorName(status)} + ", " + std::string{cudaGetErrorString(status)},
         remedy(status), file, line);
}
inline void check(cublasStatus_t status, const char* call, const char* file, int line) {
    if (status == CUBLAS_STATUS_SUCCESS) return;
    fail(call, cublasGetStatusString(status),
         status == CUBLAS_STATUS_ALLOC_FAILED || status == CUBLAS_STATUS_NOT_INITIALIZED
             ? remedy(cudaErrorMemoryAllocation)
             : remedy(cudaErrorUnknown),
         file, line);
}

}  // namespace typenet::cuda

/// Throws CudaError unless the call, a CUDA runtime or cuBLAS function, succeeds.
#define TYPENET_CUDA_CHECK(call) ::typenet::cuda::check((call), #call, __FILE__, __LINE__)
