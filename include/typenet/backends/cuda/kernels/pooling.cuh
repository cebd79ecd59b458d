// Max pooling, alone or behind a convolution's bias and ReLU, and average pooling.
#pragma once

#include "typenet/backends/cuda/kernels/elementwise.cuh"

namespace typenet::cuda {

/// A pool from one map to another. Scalars only: it is a template argument of kernels.
struct Pool {
    Map input;
    Map output;
    Window window;
    bool relu = false;  ///< of the input, before pooling
    friend constexpr bool operator==(const Pool&, const Pool&) = default;
};

/// The code of a window whose values the ReLU all cut off.
inline constexpr int nothing_won = 255;

/// The maximum of input + bias (then ReLU) under each window, and the code of who won: the first
/// largest, but the last NaN if there is one.
template <class T, Pool pool>
struct MaxPool {
    const T* input;
    const float* biases;  ///< or null
    std::uint8_t* codes;  ///< or null

    template <int n>
    __device__ Pack<n> at(std::int64_t row, int channel) const {
        constexpr Window w = pool.window;
        const Place<pool.output> place(row);
        const T* sample = input + place.sample * pool.input.sample() + channel;
        Pack<n> bias{};
        if (biases != nullptr) bias = load<n>(biases + channel);
        Pack<n> best{};
        int code[n];
        for (int c = 0; c < n; ++c) code[c] = -1;
        for (int i = 0; i < w.kernel_height; ++i) {
            const int y = place.y * w.stride_height - w.pad_top + i;
            if (y < 0 || y >= pool.input.height) continue;
            for (int j = 0; j < w.kernel_width; ++j) {
                const int x = place.x * w.stride_width - w.pad_left + j;
                if (x < 0 || x >= pool.input.width) continue;
                const Pack<n> values =
                    load<n>(sample + (y * pool.input.width + x) * pool.input.pixel);
                TYPENET_UNROLL
                for (int c = 0; c < n; ++c) {
                    float value = values[c] + bias[c];
                    if constexpr (pool.relu) value = rectify(value);
                    if (code[c] < 0 || value > best[c] || value != value) {
                        best[c] = value;
                        code[c] = i * w.kernel_width + j;
                    }
                }
            }
        }
        Stored<std::uint8_t, n> stored;
        TYPENET_UNROLL
        for (int c = 0; c < n; ++c) {
            if constexpr (pool.output.channels < pool.output.pixel)
                if (channel + c >= pool.output.channels) best[c] = 0;
            const bool won = !pool.relu || !(best[c] <= 0);
            stored.values[c] = static_cast<std::uint8_t>(won ? code[c] : nothing_won);
        }
        if (codes != nullptr)
            *reinterpret_cast<Stored<std::uint8_t, n>*>(codes + row * pool.output.pixel + channel) =
                stored;
        return best;
    }
};

/// The gradient before a max pool (and its ReLU): what the windows that a value won pass on.
template <class T, Pool pool>
struct MaxPoolGradient {
    const T* gradient;
    const std::uint8_t* codes;

    template <int n>
    __device__ Pack<n> at(std::int64_t row, int channel) const {
        constexpr Window w = pool.window;
        const Place<pool.input> place(row);
        const std::int64_t start = place.sample * pool.output.sample() + channel;
        const int y = place.y + w.pad_top;
        const int x = place.x + w.pad_left;
        const int top = y < w.kernel_height ? 0 : (y - w.kernel_height) / w.stride_height + 1;
        const int left = x < w.kernel_width ? 0 : (x - w.kernel_width) / w.stride_width + 1;
        Pack<n> sum{};
        for (int i = top; i <= y / w.stride_height && i < pool.output.height; ++i)
            for (int j = left; j <= x / w.stride_width && j < pool.output.width; ++j) {
                const int own = (y - i * w.stride_height) * w.kernel_width + x - j * w.stride_width;
                const std::int64_t from = start + (i * pool.output.width + j) * pool.output.pixel;
                const auto winners =
                    *reinterpret_cast<const Stored<std::uint8_t, n>*>(codes + from);
                const Pack<n> values = load<n>(gradient + from);
                TYPENET_UNROLL
                for (int c = 0; c < n; ++c)
                    if (winners.values[c] == own) sum[c] += values[c];
            }
        return sum;
    }
};

/// Mean under the window of each output: rows floor(y * in / out) to ceil((y + 1) * in / out) - 1.
template <class T, Map in, Map out>
struct AveragePool {
    const T* input;

    template <int n>
    __device__ Pack<n> at(std::int64_t row, int channel) const {
        const Place<out> place(row);
        const int top = place.y * in.height / out.height;
        const int bottom = ((place.y + 1) * in.height + out.height - 1) / out.height;
        const int left = place.x * in.width / out.width;
        const int right = ((place.x + 1) * in.width + out.width - 1) / out.width;
        const T* sample = input + place.sample * in.sample() + channel;
        Pack<n> sum{};
        for (int y = top; y < bottom; ++y)
            for (int x = left; x < right; ++x) {
                const Pack<n> values = load<n>(sample + (y * in.width + x) * in.pixel);
                for (int c = 0; c < n; ++c) sum[c] += values[c];
            }
        const auto count = static_cast<float>((bottom - top) * (right - left));
        for (int c = 0; c < n; ++c) sum[c] /= count;
        return sum;
    }
};

template <class T, Map in, Map out>
struct AveragePoolGradient {
    const T* gradient;

    template <int n>
    __device__ Pack<n> at(std::int64_t row, int channel) const {
        const Place<in> place(row);
        const T* sample = gradient + place.sample * out.sample() + channel;
        // The outputs whose windows hold this pixel.
        const int top = place.y * out.height / in.height;
        const int bottom = ((place.y + 1) * out.height + in.height - 1) / in.height;
        const int left = place.x * out.width / in.width;
        const int right = ((place.x + 1) * out.width + in.width - 1) / in.width;
        Pack<n> sum{};
        for (int y = top; y < bottom; ++y)
            for (int x = left; x < right; ++x) {
                const int height = ((y + 1) * in.height + out.height - 1) / out.height -
                                   y * in.height / out.height;
                const int width =
                    ((x + 1) * in.width + out.width - 1) / out.width - x * in.width / out.width;
                const Pack<n> values = load<n>(sample + (y * out.width + x) * out.pixel);
                for (int c = 0; c < n; ++c)
                    sum[c] += values[c] / static_cast<float>(height * width);
            }
        return sum;
    }
};

/// Mean under each window, in which padding counts with nothing in it.
template <class T, Pool pool>
struct WindowAverage {
    const T* input;

    template <int n>
    __device__ Pack<n> at(std::int64_t row, int channel) const {
        constexpr Window w = pool.window;
        const Place<pool.output> place(row);
        const T* sample = input + place.sample * pool.input.sample() + channel;
        Pack<n> sum{};
        for (int i = 0; i < w.kernel_height; ++i) {
            const int y = place.y * w.stride_height - w.pad_top + i;
            if (y < 0 || y >= pool.input.height) continue;
            for (int j = 0; j < w.kernel_width; ++j) {
                const int x = place.x * w.stride_width - w.pad_left + j;
                if (x < 0 || x >= pool.input.width) continue;
                const Pack<n> values =
                    load<n>(sample + (y * pool.input.width + x) * pool.input.pixel);
                TYPENET_UNROLL
                for (int c = 0; c < n; ++c) sum[c] += values[c];
            }
        }
        TYPENET_UNROLL
        for (int c = 0; c < n; ++c) sum[c] *= 1.0f / (w.kernel_height * w.kernel_width);
        return sum;
    }
};

template <class T, Pool pool>
struct WindowAverageGradient {
    const T* gradient;

    template <int n>
    __device__ Pack<n> at(std::int64_t row, int channel) const {
        constexpr Window w = pool.window;
        const Place<pool.input> place(row);
        const T* sample = gradient + place.sample * pool.output.sample() + channel;
        Pack<n> sum{};
        for (int i = 0; i < w.kernel_height; ++i) {
            const int top = place.y + w.pad_top - i;
            if (top < 0 || top % w.stride_height != 0) continue;
            const int y = top / w.stride_height;
            if (y >= pool.output.height) continue;
            for (int j = 0; j < w.kernel_width; ++j) {
                const int left = place.x + w.pad_left - j;
                if (left < 0 || left % w.stride_width != 0) continue;
                const int x = left / w.stride_width;
                if (x >= pool.output.width) continue;
                const Pack<n> values =
                    load<n>(sample + (y * pool.output.width + x) * pool.output.pixel);
                TYPENET_UNROLL
                for (int c = 0; c < n; ++c) sum[c] += values[c];
            }
        }
        TYPENET_UNROLL
        for (int c = 0; c < n; ++c) sum[c] *= 1.0f / (w.kernel_height * w.kernel_width);
        return sum;
    }
};

}  // namespace typenet::cuda
