// Batch normalisation as sources of compute_rows. Maps are values of run time.
#pragma once

#include <cmath>

#include "typenet/backends/cuda/kernels/elementwise.cuh"
#include "typenet/backends/cuda/kernels/rows.cuh"

namespace typenet::cuda {

/// The values themselves, to be summed.
template <class T>
struct Values {
    const T* values;
    int channels;

    template <int n>
    __device__ Pack<n> at(std::int64_t row, int channel) const {
        return load<n>(values + row * channels + channel);
    }
};

/// (x - mean)^2 with mean = sums * share.
template <class T>
struct SquaredDistances {
    const T* input;
    const float* sums;
    float share;
    int channels;

    template <int n>
    __device__ Pack<n> at(std::int64_t row, int channel) const {
        Pack<n> values = load<n>(input + row * channels + channel);
        const Pack<n> sum = load<n>(sums + channel);
        TYPENET_UNROLL
        for (int i = 0; i < n; ++i) {
            const float distance = values[i] - sum[i] * share;
            values[i] = distance * distance;
        }
        return values;
    }
};

/// From sums of x and of (x - mean)^2 to mean and 1 / deviation, in place; and the running means
/// and variances. One thread a channel; arrays are [2][channels].
template <int threads>
__global__ void finish_moments(float* moments, float* statistics, int channels, double count,
                               double epsilon, double momentum) {
    const auto channel = static_cast<int>(blockIdx.x * threads + threadIdx.x);
    if (channel >= channels) return;
    const double mean = static_cast<double>(moments[channel]) / count;
    const double squares = static_cast<double>(moments[channels + channel]);
    moments[channel] = static_cast<float>(mean);
    moments[channels + channel] = static_cast<float>(1 / sqrt(squares / count + epsilon));
    const auto move = [&](float& running, double batch) {
        const auto old = static_cast<double>(running);
        running = static_cast<float>(old + momentum * (batch - old));
    };
    move(statistics[channel], mean);
    move(statistics[channels + channel], squares / (count - 1));
}

/// (x - mean) / deviation * weight + bias (+ ReLU). `spread` is 1 / deviation or, with `running`,
/// the variance.
template <class T>
struct Normalized {
    const T* input;
    const float* mean;
    const float* spread;
    const float* weights;
    const float* biases;
    float epsilon;
    int channels;
    bool running;
    bool relu;

    template <int n>
    __device__ Pack<n> at(std::int64_t row, int channel) const {
        Pack<n> values = load<n>(input + row * channels + channel);
        TYPENET_UNROLL
        for (int i = 0; i < n; ++i) {
            const int c = channel + i;
            const float scale =
                running ? weights[c] / sqrtf(spread[c] + epsilon) : weights[c] * spread[c];
            values[i] = (values[i] - mean[c]) * scale + biases[c];
            if (relu) values[i] = rectify(values[i]);
        }
        return values;
    }
};

/// What the backward pass reads; `moments` are mean and 1 / deviation.
template <class T>
struct NormalizedGradient {
    const T* input;
    const T* output;  ///< null: no ReLU
    const T* gradient;
    const float* moments;
    int channels;

    /// dy, as the ReLU leaves it.
    template <int n>
    __device__ Pack<n> masked(std::int64_t row, int channel) const {
        Pack<n> values = load<n>(gradient + row * channels + channel);
        if (output != nullptr) {
            const Pack<n> passed = load<n>(output + row * channels + channel);
            TYPENET_UNROLL
            for (int i = 0; i < n; ++i) values[i] = passed[i] <= 0 ? 0.0f : values[i];
        }
        return values;
    }
    /// (x - mean) / deviation
    template <int n>
    __device__ Pack<n> normal(std::int64_t row, int channel) const {
        Pack<n> values = load<n>(input + row * channels + channel);
        TYPENET_UNROLL
        for (int i = 0; i < n; ++i)
            values[i] = (values[i] - moments[channel + i]) * moments[channels + channel + i];
        return values;
    }
};

/// dy, to be summed.
template <class T>
struct BiasTerms : NormalizedGradient<T> {
    template <int n>
    __device__ Pack<n> at(std::int64_t row, int channel) const {
        return this->template masked<n>(row, channel);
    }
};
/// dy * (x - mean) / deviation, to be summed.
template <class T>
struct WeightTerms : NormalizedGradient<T> {
    template <int n>
    __device__ Pack<n> at(std::int64_t row, int channel) const {
        Pack<n> values = this->template masked<n>(row, channel);
        const Pack<n> normals = this->template normal<n>(row, channel);
        TYPENET_UNROLL
        for (int i = 0; i < n; ++i) values[i] *= normals[i];
        return values;
    }
};
/// dx = weight / deviation * (dy - share * (sum + (x - mean) / deviation * product)).
template <class T>
struct InputGradient : NormalizedGradient<T> {
    const float* weights;
    const float* sums;
    const float* products;
    float share;

    template <int n>
    __device__ Pack<n> at(std::int64_t row, int channel) const {
        Pack<n> values = this->template masked<n>(row, channel);
        const Pack<n> normals = this->template normal<n>(row, channel);
        TYPENET_UNROLL
        for (int i = 0; i < n; ++i) {
            const int c = channel + i;
            values[i] = weights[c] * this->moments[this->channels + c] *
                        (values[i] - share * (sums[c] + normals[i] * products[c]));
        }
        return values;
    }
};

/// The same of a frozen layer, whose moments are the running ones: dx = weight / deviation * dy.
template <class T>
struct FrozenGradient : NormalizedGradient<T> {
    const float* weights;
    const float* variances;
    float epsilon;

    template <int n>
    __device__ Pack<n> at(std::int64_t row, int channel) const {
        Pack<n> values = this->template masked<n>(row, channel);
        TYPENET_UNROLL
        for (int i = 0; i < n; ++i)
            values[i] *= weights[channel + i] / sqrtf(variances[channel + i] + epsilon);
        return values;
    }
};

}  // namespace typenet::cuda
