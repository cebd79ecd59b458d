// A matrix product with cuBLAS's exact semantics: column-major, every leading dimension checked,
// C not read when beta is 0, operands rounded as the compute type says, sums in float.
#include <cublas_v2.h>
#include <cuda_bf16.h>

#include <algorithm>
#include <array>
#include <set>

#include "machine.hpp"

using namespace emulator::detail;

struct cublasContext {
    cudaStream_t stream = nullptr;
    void* workspace = nullptr;
    std::size_t workspace_bytes = 0;
    cublasMath_t math_mode = CUBLAS_DEFAULT_MATH;
};

namespace {

std::set<cublasHandle_t>& handles() {
    static auto& the_handles = *new std::set<cublasHandle_t>;
    return the_handles;
}

cublasStatus_t status_of(cudaError_t error) {
    switch (error) {
        case cudaSuccess:
            return CUBLAS_STATUS_SUCCESS;
        case cudaErrorMemoryAllocation:
            return CUBLAS_STATUS_ALLOC_FAILED;
        case cudaErrorNoDevice:
        case cudaErrorInsufficientDriver:
            return CUBLAS_STATUS_NOT_INITIALIZED;
        default:
            return CUBLAS_STATUS_EXECUTION_FAILED;
    }
}

template <class F>
cublasStatus_t call_cublas(const char* name, cublasHandle_t handle, F&& f) {
    const std::scoped_lock lock{machine_lock};
    if (const cudaError_t error = admit(name); error != cudaSuccess) return status_of(error);
    if (!handles().contains(handle)) return CUBLAS_STATUS_NOT_INITIALIZED;
    return f();
}

// The product -------------------------------------------------------------------------------------

enum class Rounding { none, tf32 };

/// A column-major matrix in device memory, as stored.
struct Matrix {
    const void* data;
    cudaDataType type;
    std::size_t leading;
};

/// To 10 bits of mantissa, to nearest, ties away from zero: as cvt.rna.tf32 does.
float rounded_to_tf32(float value) {
    if (!std::isfinite(value)) return value;
    return __uint_as_float((__float_as_uint(value) + 0x1000) & ~0x1fffu);
}

std::size_t bytes_of(cudaDataType type) {
    return type == CUDA_R_32F ? 4 : 2;
}

template <class T, Rounding rounding>
float load(const T* address) {
    const auto value = static_cast<float>(*address);
    return rounding == Rounding::tf32 ? rounded_to_tf32(value) : value;
}

constexpr std::size_t tile_rows = 16;
constexpr std::size_t tile_columns = 6;
constexpr std::size_t panel_depth = 256;
constexpr std::size_t panel_rows = 128;
constexpr std::size_t panel_columns = 1020;

/// Packs `width` x `depth` values (width: the matrix's side that is not summed over) in strips of
/// `strip`, padded with zeros: packed[strip][depth][within the strip].
template <class T, Rounding rounding>
void pack(const T* from, std::size_t width_step, std::size_t depth_step, std::size_t width,
          std::size_t depth, std::size_t strip, float* packed) {
    for (std::size_t begin = 0; begin < width; begin += strip, packed += strip * depth) {
        const std::size_t count = std::min(strip, width - begin);
        const T* source = from + begin * width_step;
        if (count < strip) std::fill_n(packed, strip * depth, 0.0f);
        if (width_step == 1) {
            for (std::size_t d = 0; d < depth; ++d) {
                for (std::size_t w = 0; w < count; ++w) {
                    packed[d * strip + w] = load<T, rounding>(source + d * depth_step + w);
                }
            }
        } else {
            for (std::size_t w = 0; w < count; ++w) {
                for (std::size_t d = 0; d < depth; ++d) {
                    packed[d * strip + w] =
                        load<T, rounding>(source + w * width_step + d * depth_step);
                }
            }
        }
    }
}

using Packer = void (*)(const void*, std::size_t, std::size_t, std::size_t, std::size_t,
                        std::size_t, float*);

template <class T, Rounding rounding>
void pack_untyped(const void* from, std::size_t width_step, std::size_t depth_step,
                  std::size_t width, std::size_t depth, std::size_t strip, float* packed) {
    pack<T, rounding>(static_cast<const T*>(from), width_step, depth_step, width, depth, strip,
                      packed);
}

Packer packer_for(cudaDataType type, Rounding rounding) {
    if (type == CUDA_R_16BF) return pack_untyped<__nv_bfloat16, Rounding::none>;
    return rounding == Rounding::tf32 ? pack_untyped<float, Rounding::tf32>
                                      : pack_untyped<float, Rounding::none>;
}

/// sums[column][row] += the product of a strip of A and a strip of B.
using TileFunction = void (*)(std::size_t depth, const float* a, const float* b, float* sums,
                              std::size_t column_step);

void multiply_tile(std::size_t depth, const float* a, const float* b, float* sums,
                   std::size_t column_step) {
    for (std::size_t d = 0; d < depth; ++d, a += tile_rows, b += tile_columns) {
        for (std::size_t j = 0; j < tile_columns; ++j) {
            for (std::size_t i = 0; i < tile_rows; ++i) sums[j * column_step + i] += a[i] * b[j];
        }
    }
}

#if defined(__x86_64__)
typedef float Vector __attribute__((vector_size(32), aligned(4)));

// A tile is twelve registers of eight floats. (Its own body: a function inlined from elsewhere
// would bring the instruction set that it was compiled for.)
__attribute__((target("avx2,fma"))) void multiply_tile_avx2(std::size_t depth, const float* a,
                                                            const float* b, float* sums,
                                                            std::size_t column_step) {
    static_assert(tile_rows == 16);
    Vector upper[tile_columns], lower[tile_columns];
    for (std::size_t j = 0; j < tile_columns; ++j) {
        upper[j] = *reinterpret_cast<const Vector*>(sums + j * column_step);
        lower[j] = *reinterpret_cast<const Vector*>(sums + j * column_step + 8);
    }
    for (std::size_t d = 0; d < depth; ++d, a += tile_rows, b += tile_columns) {
        const Vector a_upper = *reinterpret_cast<const Vector*>(a);
        const Vector a_lower = *reinterpret_cast<const Vector*>(a + 8);
        for (std::size_t j = 0; j < tile_columns; ++j) {
            upper[j] += a_upper * b[j];
            lower[j] += a_lower * b[j];
        }
    }
    for (std::size_t j = 0; j < tile_columns; ++j) {
        *reinterpret_cast<Vector*>(sums + j * column_step) = upper[j];
        *reinterpret_cast<Vector*>(sums + j * column_step + 8) = lower[j];
    }
}
#endif

TileFunction tile_function() {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return multiply_tile_avx2;
#endif
    return multiply_tile;
}

struct Product {
    bool transpose_a, transpose_b;
    std::size_t m, n, k;
    float alpha, beta;
    Matrix a, b;
    void* c;
    cudaDataType c_type;
    std::size_t c_leading;
    Rounding rounding;
};

std::size_t round_up(std::size_t value, std::size_t step) {
    return (value + step - 1) / step * step;
}

template <class T>
void store(const Product& p, const std::vector<float>& sums, std::size_t sums_rows,
           std::size_t first_column, std::size_t columns) {
    for (std::size_t j = 0; j < columns; ++j) {
        T* column = static_cast<T*>(p.c) + (first_column + j) * p.c_leading;
        const float* from = sums.data() + j * sums_rows;
        if (p.beta == 0.0f) {
            for (std::size_t i = 0; i < p.m; ++i) column[i] = static_cast<T>(p.alpha * from[i]);
        } else {
            for (std::size_t i = 0; i < p.m; ++i) {
                column[i] =
                    static_cast<T>(p.alpha * from[i] + p.beta * static_cast<float>(column[i]));
            }
        }
    }
}

void multiply(const Product& p) {
    static const TileFunction multiply_one_tile = tile_function();
    const Packer pack_a = packer_for(p.a.type, p.rounding);
    const Packer pack_b = packer_for(p.b.type, p.rounding);
    const auto at = [](const Matrix& matrix, std::size_t element) {
        return static_cast<const std::byte*>(matrix.data) + element * bytes_of(matrix.type);
    };
    // Steps in elements: along the side that C keeps, and along the one summed over.
    const std::size_t a_row = p.transpose_a ? p.a.leading : 1;
    const std::size_t a_depth = p.transpose_a ? 1 : p.a.leading;
    const std::size_t b_column = p.transpose_b ? 1 : p.b.leading;
    const std::size_t b_depth = p.transpose_b ? p.b.leading : 1;

    static std::vector<float> sums, packed_a, packed_b;  // guarded by the machine's lock
    const std::size_t sums_rows = round_up(p.m, tile_rows);
    packed_a.resize(panel_rows * panel_depth);
    packed_b.resize(panel_columns * panel_depth);

    for (std::size_t j = 0; j < p.n; j += panel_columns) {
        const std::size_t columns = std::min(panel_columns, p.n - j);
        sums.assign(sums_rows * round_up(columns, tile_columns), 0.0f);
        // With alpha = 0 the real library reads neither A nor B.
        const std::size_t depth_end = p.alpha == 0.0f ? 0 : p.k;
        for (std::size_t d = 0; d < depth_end; d += panel_depth) {
            const std::size_t depth = std::min(panel_depth, p.k - d);
            pack_b(at(p.b, j * b_column + d * b_depth), b_column, b_depth, columns, depth,
                   tile_columns, packed_b.data());
            for (std::size_t i = 0; i < p.m; i += panel_rows) {
                const std::size_t rows = std::min(panel_rows, p.m - i);
                pack_a(at(p.a, i * a_row + d * a_depth), a_row, a_depth, rows, depth, tile_rows,
                       packed_a.data());
                for (std::size_t tj = 0; tj < columns; tj += tile_columns) {
                    for (std::size_t ti = 0; ti < rows; ti += tile_rows) {
                        multiply_one_tile(depth, packed_a.data() + ti * depth,
                                          packed_b.data() + tj * depth,
                                          sums.data() + tj * sums_rows + i + ti, sums_rows);
                    }
                }
            }
        }
        if (p.c_type == CUDA_R_32F) {
            store<float>(p, sums, sums_rows, j, columns);
        } else {
            store<__nv_bfloat16>(p, sums, sums_rows, j, columns);
        }
    }
}

// Whether a matrix of rows x columns lies in one allocation; if not, a report says so.
bool check_extent(const char* name, const void* data, cudaDataType type, std::size_t rows,
                  std::size_t columns, std::size_t leading) {
    if (rows == 0 || columns == 0) return true;
    const std::size_t bytes = ((columns - 1) * leading + rows) * bytes_of(type);
    if (holding(data, bytes) != nullptr) return true;
    report(cudaErrorIllegalAddress, std::string("cuBLAS: the matrix ") + name + " of " +
                                        std::to_string(rows) + " x " + std::to_string(columns) +
                                        " with leading dimension " + std::to_string(leading) +
                                        " takes " + std::to_string(bytes) +
                                        " bytes, which are not there at " + describe_address(data));
    return false;
}

void run_product(const Product& p, std::size_t batch, long long stride_a, long long stride_b,
                 long long stride_c, void* workspace, std::size_t workspace_bytes) {
    // The library may write anything there.
    if (workspace != nullptr) {
        if (holding(workspace, workspace_bytes) == nullptr) {
            report(cudaErrorIllegalAddress,
                   "cuBLAS: the workspace is not there at " + describe_address(workspace));
            return;
        }
        poison(workspace, std::min(workspace_bytes, std::size_t{1} << 16));
    }
    const auto moved = [](const void* data, cudaDataType type, long long stride, std::size_t i) {
        return static_cast<const std::byte*>(data) + static_cast<std::ptrdiff_t>(bytes_of(type)) *
                                                         stride * static_cast<std::ptrdiff_t>(i);
    };
    for (std::size_t i = 0; i < batch; ++i) {
        Product one = p;
        one.a.data = moved(p.a.data, p.a.type, stride_a, i);
        one.b.data = moved(p.b.data, p.b.type, stride_b, i);
        one.c = const_cast<std::byte*>(moved(p.c, p.c_type, stride_c, i));
        const bool is_there = check_extent("A", one.a.data, p.a.type, p.transpose_a ? p.k : p.m,
                                           p.transpose_a ? p.m : p.k, p.a.leading) &&
                              check_extent("B", one.b.data, p.b.type, p.transpose_b ? p.n : p.k,
                                           p.transpose_b ? p.k : p.n, p.b.leading) &&
                              check_extent("C", one.c, p.c_type, p.m, p.n, p.c_leading);
        if (!is_there) return;
        multiply(one);
    }
}

bool is_compute_type(cublasComputeType_t type) {
    return type == CUBLAS_COMPUTE_32F || type == CUBLAS_COMPUTE_32F_PEDANTIC ||
           type == CUBLAS_COMPUTE_32F_FAST_TF32;
}

}  // namespace

void emulator::detail::append_cublas_leaks(std::vector<std::string>& lines) {
    if (!handles().empty()) lines.push_back(std::to_string(handles().size()) + " cuBLAS handles");
}

cublasStatus_t cublasCreate(cublasHandle_t* handle) {
    const std::scoped_lock lock{machine_lock};
    if (handle == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
    if (const cudaError_t error = admit("cublasCreate"); error != cudaSuccess) {
        return status_of(error);
    }
    *handle = new cublasContext;
    handles().insert(*handle);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDestroy(cublasHandle_t handle) {
    const std::scoped_lock lock{machine_lock};
    const cudaError_t failure = admit("cublasDestroy");
    if (handles().erase(handle) == 0) return CUBLAS_STATUS_NOT_INITIALIZED;
    delete handle;
    return status_of(failure);
}

cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream) {
    return call_cublas("cublasSetStream", handle, [&] {
        if (!is_stream(stream)) return CUBLAS_STATUS_INVALID_VALUE;
        handle->stream = stream;
        handle->workspace = nullptr;
        handle->workspace_bytes = 0;
        return CUBLAS_STATUS_SUCCESS;
    });
}

cublasStatus_t cublasSetWorkspace(cublasHandle_t handle, void* workspace, std::size_t bytes) {
    return call_cublas("cublasSetWorkspace", handle, [&] {
        const bool is_aligned = reinterpret_cast<std::uintptr_t>(workspace) % 256 == 0;
        if (!is_aligned || (bytes > 0 && holding(workspace, bytes) == nullptr)) {
            return CUBLAS_STATUS_INVALID_VALUE;
        }
        handle->workspace = workspace;
        handle->workspace_bytes = bytes;
        return CUBLAS_STATUS_SUCCESS;
    });
}

cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode) {
    return call_cublas("cublasSetMathMode", handle, [&] {
        if (mode != CUBLAS_DEFAULT_MATH && mode != CUBLAS_PEDANTIC_MATH &&
            mode != CUBLAS_TF32_TENSOR_OP_MATH) {
            return CUBLAS_STATUS_INVALID_VALUE;
        }
        handle->math_mode = mode;
        return CUBLAS_STATUS_SUCCESS;
    });
}

const char* cublasGetStatusString(cublasStatus_t status) {
    switch (status) {
        case CUBLAS_STATUS_SUCCESS:
            return "CUBLAS_STATUS_SUCCESS";
        case CUBLAS_STATUS_NOT_INITIALIZED:
            return "CUBLAS_STATUS_NOT_INITIALIZED";
        case CUBLAS_STATUS_ALLOC_FAILED:
            return "CUBLAS_STATUS_ALLOC_FAILED";
        case CUBLAS_STATUS_INVALID_VALUE:
            return "CUBLAS_STATUS_INVALID_VALUE";
        case CUBLAS_STATUS_ARCH_MISMATCH:
            return "CUBLAS_STATUS_ARCH_MISMATCH";
        case CUBLAS_STATUS_MAPPING_ERROR:
            return "CUBLAS_STATUS_MAPPING_ERROR";
        case CUBLAS_STATUS_EXECUTION_FAILED:
            return "CUBLAS_STATUS_EXECUTION_FAILED";
        case CUBLAS_STATUS_INTERNAL_ERROR:
            return "CUBLAS_STATUS_INTERNAL_ERROR";
        case CUBLAS_STATUS_NOT_SUPPORTED:
            return "CUBLAS_STATUS_NOT_SUPPORTED";
        case CUBLAS_STATUS_LICENSE_ERROR:
            return "CUBLAS_STATUS_LICENSE_ERROR";
    }
    return "<unknown>";
}

namespace {

cublasStatus_t enqueue_product(const char* name, cublasHandle_t handle, cublasOperation_t transa,
                               cublasOperation_t transb, int m, int n, int k, const void* alpha,
                               const void* A, cudaDataType Atype, int lda, long long stride_a,
                               const void* B, cudaDataType Btype, int ldb, long long stride_b,
                               const void* beta, void* C, cudaDataType Ctype, int ldc,
                               long long stride_c, int batch, cublasComputeType_t compute_type) {
    return call_cublas(name, handle, [&] {
        const bool transpose_a = transa != CUBLAS_OP_N;
        const bool transpose_b = transb != CUBLAS_OP_N;
        if (m < 0 || n < 0 || k < 0 || batch < 0 || lda < std::max(1, transpose_a ? k : m) ||
            ldb < std::max(1, transpose_b ? n : k) || ldc < std::max(1, m)) {
            return CUBLAS_STATUS_INVALID_VALUE;
        }
        if (alpha == nullptr || beta == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
        if (!is_compute_type(compute_type) || Atype != Btype ||
            (Ctype != Atype && Ctype != CUDA_R_32F)) {
            return CUBLAS_STATUS_NOT_SUPPORTED;
        }
        if (m == 0 || n == 0 || batch == 0) return CUBLAS_STATUS_SUCCESS;
        if (holding(A, 1) == nullptr || holding(B, 1) == nullptr || holding(C, 1) == nullptr) {
            if (k > 0 || holding(C, 1) == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
        }
        if (is_capturing(handle->stream) && handle->workspace == nullptr) {
            report(cudaErrorStreamCaptureUnsupported,
                   std::string(name) +
                       " is captured without a workspace: the library would "
                       "allocate one; call cublasSetWorkspace after cublasSetStream",
                   false);
            return CUBLAS_STATUS_ALLOC_FAILED;
        }
        const bool is_tf32 =
            compute_type == CUBLAS_COMPUTE_32F_FAST_TF32 ||
            (compute_type == CUBLAS_COMPUTE_32F && handle->math_mode == CUBLAS_TF32_TENSOR_OP_MATH);
        const Product product{transpose_a,
                              transpose_b,
                              static_cast<std::size_t>(m),
                              static_cast<std::size_t>(n),
                              static_cast<std::size_t>(k),
                              *static_cast<const float*>(alpha),
                              *static_cast<const float*>(beta),
                              {A, Atype, static_cast<std::size_t>(lda)},
                              {B, Btype, static_cast<std::size_t>(ldb)},
                              C,
                              Ctype,
                              static_cast<std::size_t>(ldc),
                              is_tf32 ? Rounding::tf32 : Rounding::none};
        const cudaError_t error = enqueue(
            handle->stream,
            {name, [=, workspace = handle->workspace, workspace_bytes = handle->workspace_bytes] {
                 run_product(product, static_cast<std::size_t>(batch), stride_a, stride_b, stride_c,
                             workspace, workspace_bytes);
             }});
        return status_of(error);
    });
}

}  // namespace

cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t transa,
                            cublasOperation_t transb, int m, int n, int k, const void* alpha,
                            const void* A, cudaDataType Atype, int lda, const void* B,
                            cudaDataType Btype, int ldb, const void* beta, void* C,
                            cudaDataType Ctype, int ldc, cublasComputeType_t computeType,
                            cublasGemmAlgo_t) {
    return enqueue_product("cublasGemmEx", handle, transa, transb, m, n, k, alpha, A, Atype, lda, 0,
                           B, Btype, ldb, 0, beta, C, Ctype, ldc, 0, 1, computeType);
}

cublasStatus_t cublasGemmStridedBatchedEx(
    cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m, int n, int k,
    const void* alpha, const void* A, cudaDataType Atype, int lda, long long strideA, const void* B,
    cudaDataType Btype, int ldb, long long strideB, const void* beta, void* C, cudaDataType Ctype,
    int ldc, long long strideC, int batchCount, cublasComputeType_t computeType, cublasGemmAlgo_t) {
    return enqueue_product("cublasGemmStridedBatchedEx", handle, transa, transb, m, n, k, alpha, A,
                           Atype, lda, strideA, B, Btype, ldb, strideB, beta, C, Ctype, ldc,
                           strideC, batchCount, computeType);
}
