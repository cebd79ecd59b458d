// Where branches meet or part. Maps are values of run time: these kernels only move data.
#pragma once

#include "typenet/backends/cuda/kernels/elementwise.cuh"
#include "typenet/backends/cuda/kernels/rows.cuh"
#include "typenet/core/layer.hpp"

namespace typenet::cuda {

/// What a join reads, or writes the gradient of.
template <class T>
struct JoinOperand {
    const T* values;
    Map map;
    int start;  ///< first channel in a concatenation's output
};

/// Place of value (channel, y, x) of map `to` in another map with as many values, in both counted
/// by channel, row and column, after `start` values of that map.
__device__ inline std::int64_t reordered(const Map& to, const MapPlace& place, int channel,
                                         const Map& from, int start) {
    const int element = (channel * to.height + place.y) * to.width + place.x + start;
    const int pixel = element % from.pixels();
    return place.sample * from.sample() +
           from.at(element / from.pixels(), pixel / from.width, pixel % from.width);
}

/// Sum of the operands (+ ReLU).
template <class T>
struct Sum {
    Map to;
    bool relu;
    int count;
    JoinOperand<T> operands[most_sources];

    template <int n>
    __device__ Pack<n> at(std::int64_t row, int channel) const {
        Pack<n> sum{};
        for (int o = 0; o < count; ++o) {
            const JoinOperand<T>& operand = operands[o];
            Pack<n> values{};
            if (operand.map == to) {
                values = load<n>(operand.values + row * to.pixel + channel);
            } else {
                const MapPlace place(to, row);
                for (int i = 0; i < n && channel + i < to.channels; ++i)
                    values[i] =
                        to_float(operand.values[reordered(to, place, channel + i, operand.map, 0)]);
            }
            TYPENET_UNROLL
            for (int i = 0; i < n; ++i) sum[i] += values[i];
        }
        if (relu)
            for (int i = 0; i < n; ++i) sum[i] = rectify(sum[i]);
        return sum;
    }
};

/// The gradient of a sum's operand: that of the sum, as the ReLU leaves it.
template <class T>
struct SumGradient {
    Map to;
    Map from;  ///< the sum's
    const T* gradient;
    const T* output;  ///< null: no ReLU

    template <int n>
    __device__ Pack<n> at(std::int64_t row, int channel) const {
        Pack<n> values{};
        if (from == to) {
            const std::int64_t place = row * to.pixel + channel;
            values = load<n>(gradient + place);
            if (output == nullptr) return values;
            const Pack<n> passed = load<n>(output + place);
            TYPENET_UNROLL
            for (int i = 0; i < n; ++i) values[i] = passed[i] <= 0 ? 0.0f : values[i];
            return values;
        }
        const MapPlace place(to, row);
        for (int i = 0; i < n && channel + i < to.channels; ++i) {
            const std::int64_t source = reordered(to, place, channel + i, from, 0);
            if (output == nullptr || !(to_float(output[source]) <= 0))
                values[i] = to_float(gradient[source]);
        }
        return values;
    }
};

/// The operands one behind the other by channels; of a flat output by all their values.
template <class T>
struct Concatenation {
    Map to;
    bool flat;
    int count;
    JoinOperand<T> operands[most_sources];

    template <int n>
    __device__ Pack<n> at(std::int64_t row, int channel) const {
        Pack<n> values{};
        int o = 0;
        for (int i = 0; i < n && channel + i < to.channels; ++i) {
            while (o + 1 < count && channel + i >= operands[o + 1].start) ++o;
            const JoinOperand<T>& operand = operands[o];
            const int own = channel + i - operand.start;
            const int pixels = operand.map.pixels();
            const std::int64_t place =
                flat ? row * operand.map.sample() + operand.map.at(own / pixels,
                                                                   own % pixels / operand.map.width,
                                                                   own % pixels % operand.map.width)
                     : row * operand.map.pixel + own;
            values[i] = to_float(operand.values[place]);
        }
        return values;
    }
};

/// The gradient of one of them.
template <class T>
struct ConcatenationGradient {
    Map to;
    Map from;  ///< the concatenation's
    bool flat;
    int start;
    const T* gradient;

    template <int n>
    __device__ Pack<n> at(std::int64_t row, int channel) const {
        Pack<n> values{};
        const MapPlace place(to, row);
        for (int i = 0; i < n && channel + i < to.channels; ++i)
            values[i] = to_float(gradient[flat ? reordered(to, place, channel + i, from, start)
                                               : row * from.pixel + start + channel + i]);
        return values;
    }
};

}  // namespace typenet::cuda
