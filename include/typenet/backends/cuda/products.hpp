// The matrix products of layers with weights, by cuBLAS.
#pragma once

#include <cublas_v2.h>

#include <cstdint>
#include <limits>
#include <string>

#include "typenet/backends/cuda/context.hpp"

namespace typenet::cuda {

/// The matrices of a layer, row by row: inputs [group][rows][length], weights
/// [group][outputs][length], outputs [rows][stride] with each group's `outputs` side by side.
template <class Precision>
class Products {
    using T = typename Format<Precision>::Value;

public:
    Products(const Context& context, std::int64_t rows, int outputs, std::int64_t length,
             int stride, int groups)
        : context_(context),
          rows_(whole(rows)),
          outputs_(outputs),
          length_(whole(length)),
          stride_(stride),
          groups_(groups) {}

    /// outputs = inputs * weights^T
    void forward(const T* inputs, const T* weights, T* outputs) const {
        // cuBLAS counts by columns: our rows are its columns, and everything is transposed.
        multiply(CUBLAS_OP_T, CUBLAS_OP_N, outputs_, rows_, length_,  //
                 weights, length_, std::int64_t{outputs_} * length_,  //
                 inputs, length_, std::int64_t{rows_} * length_,      //
                 outputs, stride_, outputs_, false);
    }
    /// input gradients = output gradients * weights
    void input_gradient(const T* output_gradients, const T* weights, T* input_gradients) const {
        multiply(CUBLAS_OP_N, CUBLAS_OP_N, length_, rows_, outputs_,  //
                 weights, length_, std::int64_t{outputs_} * length_,  //
                 output_gradients, stride_, outputs_,                 //
                 input_gradients, length_, std::int64_t{rows_} * length_, false);
    }
    /// weight gradients = (or +=) output gradients^T * inputs
    void weight_gradient(const T* output_gradients, const T* inputs, float* weight_gradients,
                         bool accumulate) const {
        multiply(CUBLAS_OP_N, CUBLAS_OP_T, length_, outputs_, rows_,  //
                 inputs, length_, std::int64_t{rows_} * length_,      //
                 output_gradients, stride_, outputs_,                 //
                 weight_gradients, length_, std::int64_t{outputs_} * length_, accumulate);
    }

private:
    static int whole(std::int64_t size) {
        if (size > (std::numeric_limits<int>::max)())
            throw CudaError("a matrix of " + std::to_string(size) +
                            " rows or columns is more than cuBLAS takes; use a smaller batch");
        return static_cast<int>(size);
    }

    template <class C>
    void multiply(cublasOperation_t op_a, cublasOperation_t op_b, int m, int n, int k, const T* a,
                  int lda, std::int64_t stride_a, const T* b, int ldb, std::int64_t stride_b, C* c,
                  int ldc, std::int64_t stride_c, bool accumulate) const {
        const float alpha = 1;
        const float beta = accumulate ? 1 : 0;
        constexpr cudaDataType_t type = Format<Precision>::type;
        constexpr cudaDataType_t result = sizeof(C) == sizeof(float) ? CUDA_R_32F : type;
        if (groups_ == 1)
            TYPENET_CUDA_CHECK(cublasGemmEx(context_.blas(), op_a, op_b, m, n, k, &alpha, a, type,
                                            lda, b, type, ldb, &beta, c, result, ldc,
                                            CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT));
        else
            TYPENET_CUDA_CHECK(cublasGemmStridedBatchedEx(
                context_.blas(), op_a, op_b, m, n, k, &alpha, a, type, lda, stride_a, b, type, ldb,
                stride_b, &beta, c, result, ldc, stride_c, groups_, CUBLAS_COMPUTE_32F,
                CUBLAS_GEMM_DEFAULT));
    }

    const Context& context_;
    int rows_;
    int outputs_;
    int length_;
    int stride_;
    int groups_;
};

}  // namespace typenet::cuda
