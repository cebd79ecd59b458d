// Stages where branches meet or part.
#pragma once

#include <cstdint>

#include "typenet/backends/cuda/kernels/joins.cuh"
#include "typenet/backends/cuda/layout.hpp"
#include "typenet/backends/cuda/stage_io.hpp"
#include "typenet/core/geometry.hpp"

namespace typenet::cuda {

template <class T>
JoinOperand<T> operand_of(const Operand& operand, int start = 0) {
    return {static_cast<const T*>(operand.values), map_of(operand.shape), start};
}
/// Channels that an operand takes in a concatenation's output.
inline int channels_of(const Operand& operand, const Geometry& g) {
    return g.output.is_flat() ? static_cast<int>(operand.shape.size()) : operand.shape.channels;
}

template <class T>
void add_forward(cudaStream_t stream, const StageIo& io, const Geometry& g) {
    const Map out = output_map(g);
    Sum<T> sum{out, g.relu, io.operand_count, {}};
    for (int i = 0; i < io.operand_count; ++i) sum.operands[i] = operand_of<T>(io.operands[i]);
    compute_map(stream, sum, static_cast<T*>(io.output), io.batch * out.pixels(), out.pixel);
}
/// One of the operands may share the buffer that the gradient comes in, and is written last.
template <class T>
void add_backward(cudaStream_t stream, const StageIo& io, const Geometry& g) {
    const auto write = [&](const Operand& operand) {
        const Map to = map_of(operand.shape);
        compute_map(stream,
                    SumGradient<T>{to, output_map(g), static_cast<const T*>(io.output_gradient),
                                   g.relu ? static_cast<const T*>(io.output) : nullptr},
                    static_cast<T*>(operand.gradient), io.batch * to.pixels(), to.pixel);
    };
    const Operand* shared = nullptr;
    const void* written = nullptr;
    for (int i = 0; i < io.operand_count; ++i) {
        const Operand& operand = io.operands[i];
        if (operand.gradient == io.output_gradient)
            shared = &operand;
        else if (operand.gradient != written) {  // null, or shared with an operand before it
            write(operand);
            written = operand.gradient;
        }
    }
    if (shared != nullptr && g.relu) write(*shared);
}

template <class T>
void concat_forward(cudaStream_t stream, const StageIo& io, const Geometry& g) {
    const Map out = output_map(g);
    Concatenation<T> all{out, g.output.is_flat(), io.operand_count, {}};
    int start = 0;
    for (int i = 0; i < io.operand_count; ++i) {
        all.operands[i] = operand_of<T>(io.operands[i], start);
        start += channels_of(io.operands[i], g);
    }
    compute_map(stream, all, static_cast<T*>(io.output), io.batch * out.pixels(), out.pixel);
}
template <class T>
void concat_backward(cudaStream_t stream, const StageIo& io, const Geometry& g) {
    int start = 0;
    for (int i = 0; i < io.operand_count; ++i) {
        const Operand& operand = io.operands[i];
        const Map to = map_of(operand.shape);
        if (operand.gradient != nullptr)
            compute_map(stream,
                        ConcatenationGradient<T>{to, output_map(g), g.output.is_flat(), start,
                                                 static_cast<const T*>(io.output_gradient)},
                        static_cast<T*>(operand.gradient), io.batch * to.pixels(), to.pixel);
        start += channels_of(operand, g);
    }
}

/// The sum of the readers' gradients, in their order. One of them may lie where the sum goes; it is
/// then among the first that are added.
template <class T>
void fork_backward(cudaStream_t stream, const StageIo& io, const Geometry& g) {
    const Map map = output_map(g);
    T* const target = static_cast<T*>(io.input_gradient);
    Sum<T> sum{map, false, 0, {}};
    const auto add = [&](const void* gradient) {
        sum.operands[sum.count++] = {static_cast<const T*>(gradient), map, 0};
    };
    const auto flush = [&] {
        compute_map(stream, sum, target, io.batch * map.pixels(), map.pixel);
        sum.count = 0;
    };
    for (int i = 0; i < io.operand_count; ++i)
        if (io.operands[i].gradient == io.input_gradient) add(io.operands[i].gradient);
    bool stored = false;
    for (int i = 0; i < io.operand_count; ++i) {
        if (io.operands[i].gradient == io.input_gradient) continue;
        if (sum.count == most_sources) {
            flush();
            stored = true;
        }
        if (stored && sum.count == 0) add(target);
        add(io.operands[i].gradient);
    }
    flush();
}

}  // namespace typenet::cuda
