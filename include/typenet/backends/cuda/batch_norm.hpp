// Batch normalisation on the GPU: which passes run over the data.
#pragma once

#include <cstdint>

#include "typenet/backends/cuda/kernels/batch_norm.cuh"
#include "typenet/backends/cuda/layout.hpp"
#include "typenet/backends/cuda/stage_io.hpp"
#include "typenet/core/geometry.hpp"

namespace typenet::cuda {

template <class T>
void batch_norm_forward(cudaStream_t stream, const StageIo& io, const Geometry& g,
                        float* partial_sums) {
    const Map map = output_map(g);
    const std::int64_t rows = io.batch * map.pixels();
    const auto* input = static_cast<const T*>(io.input);
    float* const moments = reinterpret_cast<float*>(io.codes);
    if (io.training) {
        sum_map<T>(stream, Values<T>{input, map.pixel}, rows, map.pixel, partial_sums, moments);
        sum_map<T>(stream,
                   SquaredDistances<T>{input, moments, 1 / static_cast<float>(rows), map.pixel},
                   rows, map.pixel, partial_sums, moments + map.pixel);
        launch(finish_moments<threads_per_block>,
               dim3(static_cast<unsigned>(divide_up(map.pixel, threads_per_block))),
               dim3(threads_per_block), 0, stream, moments, io.statistics, map.pixel,
               static_cast<double>(rows), io.layer->epsilon, io.layer->momentum);
    }
    const float* const mean = io.training ? moments : io.statistics;
    compute_map(
        stream,
        Normalized<T>{input, mean, mean + map.pixel, io.weights, io.biases,
                      static_cast<float>(io.layer->epsilon), map.pixel, !io.training, g.relu},
        static_cast<T*>(io.output), rows, map.pixel);
}

template <class T>
void batch_norm_backward(cudaStream_t stream, const StageIo& io, const Geometry& g,
                         float* partial_sums) {
    const Map map = output_map(g);
    const std::int64_t rows = io.batch * map.pixels();
    const NormalizedGradient<T> given{static_cast<const T*>(io.input),
                                      g.relu ? static_cast<const T*>(io.output) : nullptr,
                                      static_cast<const T*>(io.output_gradient),
                                      reinterpret_cast<const float*>(io.codes), map.pixel};
    if (g.frozen) {
        compute_map(stream,
                    FrozenGradient<T>{given, io.weights, io.statistics + map.pixel,
                                      static_cast<float>(io.layer->epsilon)},
                    static_cast<T*>(io.input_gradient), rows, map.pixel);
        return;
    }
    sum_map<T>(stream, BiasTerms<T>{given}, rows, map.pixel, partial_sums, io.bias_gradient);
    sum_map<T>(stream, WeightTerms<T>{given}, rows, map.pixel, partial_sums, io.weight_gradient);
    if (g.input_gradient)
        compute_map(stream,
                    InputGradient<T>{given, io.weights, io.bias_gradient, io.weight_gradient,
                                     1 / static_cast<float>(rows)},
                    static_cast<T*>(io.input_gradient), rows, map.pixel);
}

}  // namespace typenet::cuda
