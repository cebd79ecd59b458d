// Max pooling with a byte code for each output: the place in its window of the value that won.

/// Code of an output that passes no gradient on: the ReLU before the pool cut it off.
inline constexpr std::uint8_t dead_code = 255;

[[gnu::always_inline]] inline Mask load_codes(const std::uint8_t* source) {
    Bytes bytes;
    __builtin_memcpy(&bytes, source, sizeof bytes);
    return __builtin_convertvector(bytes, Mask);
}
[[gnu::always_inline]] inline void store_codes(std::uint8_t* target, Mask codes) {
    const Bytes bytes = __builtin_convertvector(codes, Bytes);
    __builtin_memcpy(target, &bytes, sizeof bytes);
}

/// The part of a window along one axis that lies inside the input.
struct Span {
    int first;  ///< kernel positions [first, end)
    int end;
    int start;  ///< input position of kernel position 0
};
[[gnu::always_inline]] inline Span window_span(int output, int kernel, int stride, int pad,
                                               int input) {
    const int start = output * stride - pad;
    return {start < 0 ? -start : 0, input - start < kernel ? input - start : kernel, start};
}

/// One plane [height][width][16] -> [out_height][out_width][16]. `shift` is added to each value
/// first. With `relu`, values below 0 count as 0 and codes of outputs that are 0 are `dead_code`.
/// Of equal values the first wins, NaN wins over all. `codes` may be null.
template <Window pool, int height, int width, int out_height, int out_width, bool relu,
          class Source>
void max_pool_plane(const Source* source, std::int64_t source_row, const Vector* shift,
                    Value* target, std::int64_t target_row, std::uint8_t* codes) {
    for (int y = 0; y < out_height; ++y) {
        const Span rows =
            window_span(y, pool.kernel_height, pool.stride_height, pool.pad_top, height);
        for (int x = 0; x < out_width; ++x) {
            const Span columns =
                window_span(x, pool.kernel_width, pool.stride_width, pool.pad_left, width);
            for (int v = 0; v < vectors; ++v) {
                Vector best = broadcast(-__builtin_inff());
                Mask code = Mask{} + (rows.first * pool.kernel_width + columns.first);
                for (int row = rows.first; row < rows.end; ++row) {
                    const Source* line = source + (rows.start + row) * source_row + v * lanes;
                    for (int column = columns.first; column < columns.end; ++column) {
                        const Vector value =
                            load(line + (columns.start + column) * block) + shift[v];
                        const Mask wins = (value > best) | (value != value);
                        best = wins ? value : best;
                        code = wins ? Mask{} + (row * pool.kernel_width + column) : code;
                    }
                }
                if constexpr (relu) {
                    code = best <= Vector{} ? Mask{} + dead_code : code;
                    best = rectify(best);
                }
                store(target + y * target_row + x * block + v * lanes, best);
                if (codes != nullptr)
                    store_codes(codes + (std::int64_t{y} * out_width + x) * block + v * lanes,
                                code);
            }
        }
    }
}

/// Adds each output's gradient to the value that won. `target` [height][width][16] starts at zero.
template <Window pool, int height, int width, int out_height, int out_width>
void max_pool_plane_backward(const float* source, std::int64_t source_row,
                             const std::uint8_t* codes, float* target, std::int64_t target_row) {
    for (int y = 0; y < out_height; ++y) {
        const Span rows =
            window_span(y, pool.kernel_height, pool.stride_height, pool.pad_top, height);
        for (int x = 0; x < out_width; ++x) {
            const Span columns =
                window_span(x, pool.kernel_width, pool.stride_width, pool.pad_left, width);
            for (int v = 0; v < vectors; ++v) {
                const Vector gradient = load(source + y * source_row + x * block + v * lanes);
                const Mask code =
                    load_codes(codes + (std::int64_t{y} * out_width + x) * block + v * lanes);
                for (int row = rows.first; row < rows.end; ++row)
                    for (int column = columns.first; column < columns.end; ++column) {
                        float* place = target + (rows.start + row) * target_row +
                                       (columns.start + column) * block + v * lanes;
                        const Mask won = code == row * pool.kernel_width + column;
                        store(place, load(place) + keep_where(won, gradient));
                    }
            }
        }
    }
}

/// A max pool that stands alone.
template <Geometry g>
struct MaxPoolForward {
    static constexpr MapLayout in = input_layout(g);
    static constexpr MapLayout out = output_layout(g);
    const StageIo& io;

    void operator()(std::int64_t task, int) const {
        const std::int64_t sample = task / in.planes;
        const std::int64_t plane = task % in.planes;
        const Vector shift[vectors] = {};
        Value* target = io.output + sample * out.sample + plane * out.plane;
        clear_halo(target, g.output, g.output_halo);
        max_pool_plane<g.window, g.input.height, g.input.width, g.output.height, g.output.width,
                       false>(io.input + sample * in.sample + plane * in.plane + in.origin, in.row,
                              shift, target + out.origin, out.row,
                              io.codes == nullptr ? nullptr
                                                  : io.codes + sample * code_bytes(g) +
                                                        plane * gradient_layout(g).plane);
    }
};
template <Geometry g>
void max_pool_forward(const StageIo& io) {
    parallel(io, io.batch * input_layout(g).planes, MaxPoolForward<g>{io});
}

template <Geometry g>
struct MaxPoolBackward {
    static constexpr MapLayout target = layout_of(g.input, {}, false);
    static constexpr MapLayout source = gradient_layout(g);
    const StageIo& io;

    void operator()(std::int64_t task, int) const {
        const std::int64_t sample = task / target.planes;
        const std::int64_t plane = task % target.planes;
        float* start = io.input_gradient + sample * target.sample + plane * target.plane;
        clear_pixels(start, target.plane / block);
        max_pool_plane_backward<g.window, g.input.height, g.input.width, g.output.height,
                                g.output.width>(
            io.output_gradient + sample * source.sample + plane * source.plane, source.row,
            io.codes + sample * code_bytes(g) + plane * source.plane, start, target.row);
    }
};
template <Geometry g>
void max_pool_backward(const StageIo& io) {
    parallel(io, io.batch * gradient_layout(g).planes, MaxPoolBackward<g>{io});
}

/// Input rows (or columns) that an output of an average covers: [first, end).
struct AverageSpan {
    int first;
    int end;
};
constexpr AverageSpan adaptive_span(int output, int outputs, int inputs) {
    return {output * inputs / outputs, ((output + 1) * inputs + outputs - 1) / outputs};
}
constexpr AverageSpan clipped_span(int output, int kernel, int stride, int pad, int inputs) {
    const int start = output * stride - pad;
    return {start < 0 ? 0 : start, start + kernel < inputs ? start + kernel : inputs};
}

/// The window of one output of an average pool, adaptive or not.
template <Geometry g>
struct AverageWindow {
    AverageSpan rows;
    AverageSpan columns;
    float share;

    AverageWindow(int y, int x) {
        if constexpr (g.op == Op::avg_pool) {
            constexpr Window w = g.window;
            rows = clipped_span(y, w.kernel_height, w.stride_height, w.pad_top, g.input.height);
            columns = clipped_span(x, w.kernel_width, w.stride_width, w.pad_left, g.input.width);
            share = 1.0f / static_cast<float>(w.kernel_height * w.kernel_width);
        } else {
            rows = adaptive_span(y, g.output.height, g.input.height);
            columns = adaptive_span(x, g.output.width, g.input.width);
            share =
                1.0f / static_cast<float>((rows.end - rows.first) * (columns.end - columns.first));
        }
    }
};

template <Geometry g>
struct AverageForward {
    static constexpr MapLayout in = input_layout(g);
    static constexpr MapLayout out = output_layout(g);
    const StageIo& io;

    void operator()(std::int64_t task, int) const {
        const std::int64_t sample = task / in.planes;
        const std::int64_t plane = task % in.planes;
        const Value* source = io.input + sample * in.sample + plane * in.plane + in.origin;
        Value* target = io.output + sample * out.sample + plane * out.plane;
        clear_halo(target, g.output, g.output_halo);
        for (int y = 0; y < g.output.height; ++y)
            for (int x = 0; x < g.output.width; ++x) {
                const AverageWindow<g> window(y, x);
                for (int v = 0; v < vectors; ++v) {
                    Vector sum{};
                    for (int row = window.rows.first; row < window.rows.end; ++row)
                        for (int column = window.columns.first; column < window.columns.end;
                             ++column)
                            sum += load(source + row * in.row + column * block + v * lanes);
                    store(target + out.origin + y * out.row + x * block + v * lanes,
                          sum * broadcast(window.share));
                }
            }
    }
};
template <Geometry g>
void average_forward(const StageIo& io) {
    parallel(io, io.batch * input_layout(g).planes, AverageForward<g>{io});
}

template <Geometry g>
struct AverageBackward {
    static constexpr MapLayout target = layout_of(g.input, {}, false);
    static constexpr MapLayout source = gradient_layout(g);
    const StageIo& io;

    void operator()(std::int64_t task, int) const {
        const std::int64_t sample = task / target.planes;
        const std::int64_t plane = task % target.planes;
        float* start = io.input_gradient + sample * target.sample + plane * target.plane;
        const float* gradients = io.output_gradient + sample * source.sample + plane * source.plane;
        clear_pixels(start, target.plane / block);
        for (int y = 0; y < g.output.height; ++y)
            for (int x = 0; x < g.output.width; ++x) {
                const AverageWindow<g> window(y, x);
                for (int v = 0; v < vectors; ++v) {
                    const Vector gradient =
                        load(gradients + y * source.row + x * block + v * lanes) *
                        broadcast(window.share);
                    for (int row = window.rows.first; row < window.rows.end; ++row)
                        for (int column = window.columns.first; column < window.columns.end;
                             ++column) {
                            float* place = start + row * target.row + column * block + v * lanes;
                            store(place, load(place) + gradient);
                        }
                }
            }
    }
};
template <Geometry g>
void average_backward(const StageIo& io) {
    parallel(io, io.batch * gradient_layout(g).planes, AverageBackward<g>{io});
}
