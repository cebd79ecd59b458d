// One kernel for everything that computes a matrix of pixels and channels value by value: a source
// says what stands where, the kernel runs over it and, where asked, sums up its columns.
#pragma once

#include <algorithm>
#include <cstdint>

#include "typenet/backends/cuda/kernels/pack.cuh"
#include "typenet/backends/cuda/launch.hpp"
#include "typenet/backends/cuda/layout.hpp"

namespace typenet::cuda {

/// target[row][channel] = what stands there by the source, whose at<n>(row, channel) gives `n`
/// channels at a time; unless `target` is null.
/// With `sums`, partial_sums[block][channel] are the sums over the rows that each block took.
template <class T, int n, bool sums, class Source>
__global__ void __launch_bounds__(threads_per_block)
    compute_rows(Source source, T* target, float* partial_sums, std::int64_t rows, int packs) {
    const int pack = static_cast<int>(blockIdx.y * blockDim.x + threadIdx.x);
    const int channel = pack * n;
    Pack<n> sum{};
    if (pack < packs) {
        const std::int64_t first = std::int64_t{blockIdx.x} * blockDim.y + threadIdx.y;
        const std::int64_t step = std::int64_t{gridDim.x} * blockDim.y;
        for (std::int64_t row = first; row < rows; row += step) {
            const Pack<n> values = source.template at<n>(row, channel);
            if (target != nullptr) store(target + (row * packs + pack) * n, values);
            if constexpr (sums) {
                TYPENET_UNROLL
                for (int i = 0; i < n; ++i) sum[i] += values[i];
            }
        }
    }
    if constexpr (sums) {
        TYPENET_SHARED(float, shared, threads_per_block* n);
        const unsigned thread = threadIdx.y * blockDim.x + threadIdx.x;
        for (int i = 0; i < n; ++i) shared[thread * n + static_cast<unsigned>(i)] = sum[i];
        __syncthreads();
        if (threadIdx.y > 0 || pack >= packs) return;
        for (unsigned y = 1; y < blockDim.y; ++y)
            for (int i = 0; i < n; ++i)
                sum[i] += shared[(y * blockDim.x + threadIdx.x) * n + static_cast<unsigned>(i)];
        store(partial_sums + (std::int64_t{blockIdx.x} * packs + pack) * n, sum);
    }
}

/// sums[column] (= or +=) the sum of partial_sums[0..count-1][column], in a fixed order.
/// Blocks of 32 columns and `depth` threads a column.
template <int depth>
__global__ void add_partial_sums(const float* partial_sums, int count, int columns, float* sums,
                                 bool accumulate) {
    const unsigned column = blockIdx.x * 32 + threadIdx.x;
    const bool inside = column < static_cast<unsigned>(columns);
    float sum = 0;
    if (inside)
        for (int i = static_cast<int>(threadIdx.y); i < count; i += depth)
            sum += partial_sums[std::int64_t{i} * columns + column];
    TYPENET_SHARED(float, shared, 32 * depth);
    shared[threadIdx.y * 32 + threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y > 0 || !inside) return;
    for (unsigned y = 1; y < depth; ++y) sum += shared[y * 32 + threadIdx.x];
    sums[column] = accumulate ? sums[column] + sum : sum;
}

/// The launch of compute_rows for a matrix: a thread takes about four rows.
struct RowsLaunch {
    dim3 grid;
    dim3 block;

    RowsLaunch(std::int64_t rows, int packs, std::int64_t most_blocks) {
        block.x = static_cast<unsigned>((std::min)(packs, 32));
        block.y = threads_per_block / block.x;
        const std::int64_t blocks = divide_up(rows, 4 * std::int64_t{block.y});
        grid.x = static_cast<unsigned>(std::clamp<std::int64_t>(blocks, 1, most_blocks));
        grid.y = static_cast<unsigned>(divide_up(packs, block.x));
    }
};

/// Most blocks whose sums are added up: bounds the memory for them.
inline constexpr std::int64_t most_partial_sums = 256;

/// Computes rows x channels values; T's pack size divides `channels`.
template <class T, int channels, class Source>
void compute(cudaStream_t stream, const Source& source, T* target, std::int64_t rows) {
    constexpr int n = pack_size<T>(channels);
    const RowsLaunch shape(rows, channels / n, std::int64_t{1} << 30);
    launch(compute_rows<T, n, false, Source>, shape.grid, shape.block, 0, stream, source, target,
           nullptr, rows, channels / n);
}

/// The same with the sums of the columns added to `sums`, or stored there unless `accumulate`.
/// `partial_sums` holds most_partial_sums * channels floats.
template <class T, int channels, class Source>
void compute_with_sums(cudaStream_t stream, const Source& source, T* target, std::int64_t rows,
                       float* partial_sums, float* sums, bool accumulate) {
    constexpr int n = pack_size<T>(channels);
    const RowsLaunch shape(rows, channels / n, most_partial_sums);
    launch(compute_rows<T, n, true, Source>, shape.grid, shape.block, 0, stream, source, target,
           partial_sums, rows, channels / n);
    launch(add_partial_sums<8>, dim3(static_cast<unsigned>(divide_up(channels, 32))), dim3(32, 8),
           0, stream, static_cast<const float*>(partial_sums), static_cast<int>(shape.grid.x),
           channels, sums, accumulate);
}

/// Values that a thread takes at once from pixels of whole packs.
template <class T>
inline constexpr int whole_pack = pack_size<T>(8);

/// compute for a number of channels of run time, a multiple of 8: what moves data and computes
/// little is compiled once.
template <class T, class Source>
void compute_map(cudaStream_t stream, const Source& source, T* target, std::int64_t rows,
                 int channels) {
    constexpr int n = whole_pack<T>;
    const RowsLaunch shape(rows, channels / n, std::int64_t{1} << 30);
    launch(compute_rows<T, n, false, Source>, shape.grid, shape.block, 0, stream, source, target,
           nullptr, rows, channels / n);
}
/// The sums of its columns alone.
template <class T, class Source>
void sum_map(cudaStream_t stream, const Source& source, std::int64_t rows, int channels,
             float* partial_sums, float* sums) {
    constexpr int n = whole_pack<T>;
    const RowsLaunch shape(rows, channels / n, most_partial_sums);
    launch(compute_rows<T, n, true, Source>, shape.grid, shape.block, 0, stream, source,
           static_cast<T*>(nullptr), partial_sums, rows, channels / n);
    launch(add_partial_sums<8>, dim3(static_cast<unsigned>(divide_up(channels, 32))), dim3(32, 8),
           0, stream, static_cast<const float*>(partial_sums), static_cast<int>(shape.grid.x),
           channels, sums, false);
}

/// Where a row of a map's matrix lies: its sample and its pixel.
template <Map map>
struct Place {
    std::int64_t sample;
    int y;
    int x;

    __device__ explicit Place(std::int64_t row) {
        constexpr int pixels = map.pixels();
        constexpr int width = map.width;
        sample = row / pixels;
        const int pixel = static_cast<int>(row - sample * pixels);
        y = pixel / width;
        x = pixel % width;
    }
};

/// The same for a map of run time.
struct MapPlace {
    std::int64_t sample;
    int y;
    int x;

    __device__ MapPlace(const Map& map, std::int64_t row) {
        const int pixels = map.height * map.width;
        sample = row / pixels;
        const int pixel = static_cast<int>(row - sample * pixels);
        y = pixel / map.width;
        x = pixel % map.width;
    }
};

}  // namespace typenet::cuda
