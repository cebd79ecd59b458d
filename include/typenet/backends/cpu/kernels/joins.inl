// Stages where branches meet or part. They move data and compute next to nothing, so their layouts
// are values of run time: a geometry more costs no compile time.

/// The layout of an operand in memory.
inline MapLayout operand_layout(const Operand& operand) {
    return layout_of(operand.shape, operand.halo, false);
}
/// Place of canonical value `element` of a sample.
inline std::int64_t canonical_index(const MapLayout& layout, const Shape& shape,
                                    std::int64_t element) {
    const std::int64_t pixel = element % shape.pixels();
    const int width = shape.is_flat() ? 1 : shape.width;
    return index_in(layout, static_cast<int>(element / shape.pixels()),
                    static_cast<int>(pixel / width), static_cast<int>(pixel % width));
}
/// Height and width, also of a flat shape.
inline int rows_of(const Shape& shape) {
    return shape.is_flat() ? 1 : shape.height;
}
inline int columns_of(const Shape& shape) {
    return shape.is_flat() ? 1 : shape.width;
}

/// Sum of the operands (+ ReLU): a task does one plane of a sample. An operand that lies in another
/// shape than the output, which then is flat, is gathered.
struct AddForward {
    const StageIo& io;
    const Geometry& g;
    MapLayout out;

    void operator()(std::int64_t task, int) const {
        const std::int64_t sample = task / out.planes;
        const std::int64_t plane = task % out.planes;
        Value* target = io.output + sample * out.sample + plane * out.plane;
        clear_halo(target, g.output, g.output_halo);
        target += out.origin;
        const std::int64_t values = std::int64_t{columns_of(g.output)} * block;
        for (int operand = 0; operand < io.operand_count; ++operand) {
            Value gathered[block];
            std::int64_t row = block;
            const Value* source = plane_of(io.operands[operand], sample, plane, row, gathered);
            for (int y = 0; y < rows_of(g.output); ++y)
                for (std::int64_t i = 0; i < values; i += lanes) {
                    Value* place = target + y * out.row + i;
                    Vector sum = load(source + y * row + i);
                    if (operand > 0) sum = load(place) + sum;
                    if (g.relu && operand + 1 == io.operand_count) sum = rectify(sum);
                    store(place, sum);
                }
        }
    }
    const Value* plane_of(const Operand& operand, std::int64_t sample, std::int64_t plane,
                          std::int64_t& row, Value* gathered) const {
        const MapLayout layout = operand_layout(operand);
        const Value* values = operand.values + sample * layout.sample;
        if (operand.shape == g.output) {
            row = layout.row;
            return values + plane * layout.plane + layout.origin;
        }
        for (int lane = 0; lane < block; ++lane) {
            const std::int64_t element = plane * block + lane;
            gathered[lane] = element < g.output.channels
                                 ? values[canonical_index(layout, operand.shape, element)]
                                 : 0.0f;
        }
        return gathered;
    }
};
inline void add_forward(const StageIo& io, const Geometry& g) {
    const MapLayout out = output_layout(g);
    parallel(io, io.batch * out.planes, AddForward{io, g, out});
}

/// Hands the gradient, as the ReLU leaves it, to the operands that lie in the output's shape. One
/// of them may share the buffer that it comes in.
struct AddBackward {
    const StageIo& io;
    const Geometry& g;
    MapLayout out;
    MapLayout gradient;

    void operator()(std::int64_t task, int) const {
        const std::int64_t sample = task / gradient.planes;
        const std::int64_t plane = task % gradient.planes;
        const Value* values = io.output + sample * out.sample + plane * out.plane + out.origin;
        const std::int64_t start = sample * gradient.sample + plane * gradient.plane;
        for (int y = 0; y < rows_of(g.output); ++y)
            for (std::int64_t i = 0; i < gradient.row; i += lanes) {
                const std::int64_t place = start + y * gradient.row + i;
                Vector dy = load(io.output_gradient + place);
                if (g.relu) dy = keep_where(load(values + y * out.row + i) > Vector{}, dy);
                for (int operand = 0; operand < io.operand_count; ++operand) {
                    const Operand& o = io.operands[operand];
                    if (o.gradient != nullptr && o.shape == g.output) store(o.gradient + place, dy);
                }
            }
    }
};
/// The same for an operand of another shape: a task does one sample of a flat output.
struct AddBackwardToOtherShape {
    const StageIo& io;
    const Geometry& g;
    const Operand& operand;

    void operator()(std::int64_t sample, int) const {
        const std::int64_t out = output_layout(g).sample;
        const MapLayout layout = layout_of(operand.shape, {}, false);
        float* target = operand.gradient + sample * layout.sample;
        clear_pixels(target, layout.sample / block);
        for (std::int64_t i = 0; i < g.output.channels; ++i)
            if (!g.relu || io.output[sample * out + i] > 0)
                target[canonical_index(layout, operand.shape, i)] =
                    io.output_gradient[sample * out + i];
    }
};
inline void add_backward(const StageIo& io, const Geometry& g) {
    const MapLayout gradient = gradient_layout(g);
    bool copies = g.relu;  // without anything to do all operands share the one buffer
    for (int i = 0; i < io.operand_count; ++i) {
        const Operand& operand = io.operands[i];
        if (operand.gradient == nullptr) continue;
        if (operand.shape == g.output)
            copies = copies || operand.gradient != io.output_gradient;
        else
            parallel(io, io.batch, AddBackwardToOtherShape{io, g, operand});
    }
    if (copies)
        parallel(io, io.batch * gradient.planes, AddBackward{io, g, output_layout(g), gradient});
}

/// Copies `count` channels of a sample of one map, from channel `from` on, to those from channel
/// `to` on of another.
template <class T>
void copy_channels(const T* source, const MapLayout& in, int from, T* target, const MapLayout& out,
                   int to, int count, int height, int width) {
    while (count > 0) {
        int run =
            block - from % block < block - to % block ? block - from % block : block - to % block;
        if (run > count) run = count;
        for (int y = 0; y < height; ++y) {
            const T* line = source + index_in(in, from, y, 0);
            T* place = target + index_in(out, to, y, 0);
            for (int x = 0; x < width; ++x, line += block, place += block)
                if (run == block)
                    for (int v = 0; v < vectors; ++v)
                        store(place + v * lanes, load(line + v * lanes));
                else
                    for (int lane = 0; lane < run; ++lane) place[lane] = line[lane];
        }
        from += run;
        to += run;
        count -= run;
    }
}

/// Channels that an operand takes in a concatenation's output.
inline int channels_of(const Operand& operand, const Geometry& g) {
    return g.output.is_flat() ? static_cast<int>(operand.shape.size()) : operand.shape.channels;
}

/// A task does one plane of a sample.
struct ConcatForward {
    const StageIo& io;
    const Geometry& g;
    MapLayout out;

    void operator()(std::int64_t task, int) const {
        const std::int64_t sample = task / out.planes;
        const int first = static_cast<int>(task % out.planes) * block;
        Value* target = io.output + sample * out.sample;
        Value* plane = target + task % out.planes * out.plane;
        if (first + block > g.output.channels)
            clear_pixels(plane, out.plane / block);
        else
            clear_halo(plane, g.output, g.output_halo);
        int start = 0;
        for (int i = 0; i < io.operand_count; ++i) {
            const Operand& operand = io.operands[i];
            const MapLayout in = operand_layout(operand);
            const Value* source = operand.values + sample * in.sample;
            const int channels = channels_of(operand, g);
            const int begin = first > start ? first - start : 0;
            const int end = first + block < start + channels ? first + block - start : channels;
            if (begin < end && !g.output.is_flat())
                copy_channels(source, in, begin, target, out, start + begin, end - begin,
                              g.output.height, g.output.width);
            else
                for (int element = begin; element < end; ++element)
                    target[start + element] = source[canonical_index(in, operand.shape, element)];
            start += channels;
        }
    }
};
inline void concat_forward(const StageIo& io, const Geometry& g) {
    const MapLayout out = output_layout(g);
    parallel(io, io.batch * out.planes, ConcatForward{io, g, out});
}

/// A task does one plane of an operand's gradient.
struct ConcatBackward {
    const StageIo& io;
    const Geometry& g;
    const Operand& operand;
    int start;  ///< its first channel in the output
    MapLayout in;
    MapLayout gradient;

    void operator()(std::int64_t task, int) const {
        const std::int64_t sample = task / in.planes;
        const int first = static_cast<int>(task % in.planes) * block;
        const float* source = io.output_gradient + sample * gradient.sample;
        float* target = operand.gradient + sample * in.sample;
        const int end =
            first + block < operand.shape.channels ? first + block : operand.shape.channels;
        if (end < first + block) clear_pixels(target + first / block * in.plane, in.plane / block);
        if (!g.output.is_flat()) {
            copy_channels(source, gradient, start + first, target, in, first, end - first,
                          g.output.height, g.output.width);
        } else {
            const auto pixels = static_cast<int>(operand.shape.pixels());
            for (int element = first * pixels; element < end * pixels; ++element)
                target[canonical_index(in, operand.shape, element)] = source[start + element];
        }
    }
};
inline void concat_backward(const StageIo& io, const Geometry& g) {
    int start = 0;
    for (int i = 0; i < io.operand_count; ++i) {
        const Operand& operand = io.operands[i];
        const MapLayout in = layout_of(operand.shape, {}, false);
        if (operand.gradient != nullptr)
            parallel(io, io.batch * in.planes,
                     ConcatBackward{io, g, operand, start, in, gradient_layout(g)});
        start += channels_of(operand, g);
    }
}

/// The gradient of an output with several readers: the sum of theirs, in their order. A task does
/// one plane of a sample. One of them may lie where the sum goes.
struct ForkBackward {
    const StageIo& io;
    std::int64_t plane;  ///< floats

    void operator()(std::int64_t task, int) const {
        for (std::int64_t i = task * plane; i < (task + 1) * plane; i += lanes) {
            Vector sum = load(io.operands[0].gradient + i);
            for (int operand = 1; operand < io.operand_count; ++operand)
                sum += load(io.operands[operand].gradient + i);
            store(io.input_gradient + i, sum);
        }
    }
};
inline void fork_backward(const StageIo& io, const Geometry& g) {
    const MapLayout gradient = gradient_layout(g);
    parallel(io, io.batch * gradient.planes, ForkBackward{io, gradient.plane});
}
