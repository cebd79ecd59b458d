// Stages that stand alone: ReLU, dropout, softmax, resizing, local response normalisation.

template <Geometry g>
struct ReluForward {
    static constexpr MapLayout in = input_layout(g);
    static constexpr MapLayout out = output_layout(g);
    const StageIo& io;

    void operator()(std::int64_t task, int) const {
        const std::int64_t sample = task / in.planes;
        const std::int64_t plane = task % in.planes;
        const Value* source = io.input + sample * in.sample + plane * in.plane + in.origin;
        Value* target = io.output + sample * out.sample + plane * out.plane;
        clear_halo(target, g.output, g.output_halo);
        constexpr MapLayout values = gradient_layout(g);  // without a halo
        for (std::int64_t y = 0; y < values.plane / values.row; ++y)
            for (std::int64_t i = 0; i < values.row; i += lanes)
                store(target + out.origin + y * out.row + i,
                      rectify(load(source + y * in.row + i)));
    }
};
template <Geometry g>
void relu_forward(const StageIo& io) {
    parallel(io, io.batch * input_layout(g).planes, ReluForward<g>{io});
}

template <Geometry g>
struct ReluBackward {
    static constexpr MapLayout out = output_layout(g);
    static constexpr MapLayout gradient = gradient_layout(g);
    const StageIo& io;

    void operator()(std::int64_t task, int) const {
        const std::int64_t sample = task / gradient.planes;
        const std::int64_t plane = task % gradient.planes;
        const Value* values = io.output + sample * out.sample + plane * out.plane + out.origin;
        const std::int64_t start = sample * gradient.sample + plane * gradient.plane;
        for (std::int64_t y = 0; y < gradient.plane / gradient.row; ++y)
            for (std::int64_t i = 0; i < gradient.row; i += lanes) {
                const std::int64_t place = start + y * gradient.row + i;
                store(io.input_gradient + place,
                      keep_where(load(values + y * out.row + i) > Vector{},
                                 load(io.output_gradient + place)));
            }
    }
};
template <Geometry g>
void relu_backward(const StageIo& io) {
    parallel(io, io.batch * gradient_layout(g).planes, ReluBackward<g>{io});
}

/// Dropout of one channel block of one sample, from `in` to `out`: of values forward and of their
/// gradients backward.
template <Geometry g, class T>
struct DropoutPass {
    const StageIo& io;
    const T* source;
    T* target;
    MapLayout in;
    MapLayout out;

    void operator()(std::int64_t task, int) const {
        const std::int64_t sample = task / in.planes;
        const std::int64_t plane = task % in.planes;
        const T* from = source + sample * in.sample + plane * in.plane + in.origin;
        T* to = target + sample * out.sample + plane * out.plane;
        clear_pixels(to, out.plane / block);
        constexpr std::int64_t height = g.output.is_flat() ? 1 : g.output.height;
        constexpr std::int64_t width = g.output.is_flat() ? 1 : g.output.width;
        Philox::Words words{};
        std::uint32_t quad = ~std::uint32_t{0};
        for (int lane = 0; lane < block && plane * block + lane < g.output.channels; ++lane) {
            auto element = static_cast<std::uint32_t>((plane * block + lane) * height * width);
            for (std::int64_t y = 0; y < height; ++y)
                for (std::int64_t x = 0; x < width; ++x, ++element) {
                    if (element / 4 != quad) {
                        quad = element / 4;
                        words = io.dropout->words(static_cast<std::uint32_t>(sample), quad);
                    }
                    if (words[element % 4] >= io.dropout->threshold)
                        to[out.origin + y * out.row + x * block + lane] =
                            from[y * in.row + x * block + lane] * io.keep_scale;
                }
        }
    }
};
template <Geometry g>
void dropout_forward(const StageIo& io) {
    parallel(io, io.batch * input_layout(g).planes,
             DropoutPass<g, Value>{io, io.input, io.output, input_layout(g), output_layout(g)});
}
template <Geometry g>
void dropout_backward(const StageIo& io) {
    constexpr MapLayout layout = gradient_layout(g);
    parallel(io, io.batch * layout.planes,
             DropoutPass<g, float>{io, io.output_gradient, io.input_gradient, layout, layout});
}

/// Calls f(offset) for each value of a sample that is not padding.
template <class F>
void for_each_value(const Shape& shape, const MapLayout& layout, F f) {
    for (int channel = 0; channel < shape.channels; ++channel)
        for (int y = 0; y < (shape.is_flat() ? 1 : shape.height); ++y)
            for (int x = 0; x < (shape.is_flat() ? 1 : shape.width); ++x)
                f(index_in(layout, channel, y, x));
}

template <Geometry g>
struct SoftmaxForward {
    static constexpr MapLayout layout = input_layout(g);
    const StageIo& io;

    void operator()(std::int64_t sample, int) const {
        const Value* x = io.input + sample * layout.sample;
        Value* y = io.output + sample * layout.sample;
        float most = -__builtin_inff();
        for_each_value(g.input, layout, [&](std::int64_t i) { most = x[i] > most ? x[i] : most; });
        float sum = 0;
        clear_pixels(y, layout.sample / block);
        for_each_value(g.input, layout,
                       [&](std::int64_t i) { sum += y[i] = std::exp(x[i] - most); });
        for_each_value(g.input, layout, [&](std::int64_t i) { y[i] = y[i] / sum; });
    }
};
template <Geometry g>
void softmax_forward(const StageIo& io) {
    parallel(io, io.batch, SoftmaxForward<g>{io});
}

template <Geometry g>
struct SoftmaxBackward {
    static constexpr MapLayout layout = input_layout(g);
    const StageIo& io;

    void operator()(std::int64_t sample, int) const {
        const Value* y = io.output + sample * layout.sample;
        const float* dy = io.output_gradient + sample * layout.sample;
        float* dx = io.input_gradient + sample * layout.sample;
        float product = 0;
        for_each_value(g.input, layout, [&](std::int64_t i) { product += y[i] * dy[i]; });
        for (std::int64_t i = 0; i < layout.sample; ++i) dx[i] = y[i] * (dy[i] - product);
    }
};
template <Geometry g>
void softmax_backward(const StageIo& io) {
    parallel(io, io.batch, SoftmaxBackward<g>{io});
}

/// Bilinear resizing of one plane, planar or in blocks.
template <Geometry g>
struct ResizeForward {
    static constexpr MapLayout in = input_layout(g);
    static constexpr MapLayout out = output_layout(g);
    static constexpr auto rows = bilinear_taps<g.input.height, g.output.height>();
    static constexpr auto columns = bilinear_taps<g.input.width, g.output.width>();
    const StageIo& io;

    void operator()(std::int64_t task, int) const {
        const Value* source =
            io.input + task / in.planes * in.sample + task % in.planes * in.plane + in.origin;
        Value* plane = io.output + task / in.planes * out.sample + task % in.planes * out.plane;
        for (std::int64_t i = 0; i < out.plane; ++i) plane[i] = 0;
        for (std::size_t y = 0; y < rows.size(); ++y) {
            const Value* above = source + rows[y].low * in.row;
            const Value* below = source + rows[y].high * in.row;
            Value* target = plane + out.origin + static_cast<std::int64_t>(y) * out.row;
            for (std::size_t x = 0; x < columns.size(); ++x) {
                const std::int64_t low = columns[x].low * in.pixel;
                const std::int64_t high = columns[x].high * in.pixel;
                for (std::int64_t c = 0; c < in.pixel; ++c) {
                    const float upper =
                        above[low + c] + columns[x].weight * (above[high + c] - above[low + c]);
                    const float lower =
                        below[low + c] + columns[x].weight * (below[high + c] - below[low + c]);
                    *target++ = upper + rows[y].weight * (lower - upper);
                }
            }
        }
    }
};
template <Geometry g>
void resize_forward(const StageIo& io) {
    parallel(io, io.batch * input_layout(g).planes, ResizeForward<g>{io});
}

template <Geometry g>
struct ResizeBackward {
    static constexpr MapLayout target = layout_of(g.input, {}, false);
    static constexpr MapLayout source = gradient_layout(g);
    static constexpr auto rows = bilinear_taps<g.input.height, g.output.height>();
    static constexpr auto columns = bilinear_taps<g.input.width, g.output.width>();
    const StageIo& io;

    void operator()(std::int64_t task, int) const {
        const float* dy = io.output_gradient + task / source.planes * source.sample +
                          task % source.planes * source.plane;
        float* dx = io.input_gradient + task / target.planes * target.sample +
                    task % target.planes * target.plane;
        clear_pixels(dx, target.plane / block);
        for (std::size_t y = 0; y < rows.size(); ++y)
            for (std::size_t x = 0; x < columns.size(); ++x) {
                const float down = rows[y].weight, right = columns[x].weight;
                const float* gradient = dy + static_cast<std::int64_t>(y) * source.row +
                                        static_cast<std::int64_t>(x) * block;
                spread(dx, rows[y].low, columns[x].low, gradient, (1 - down) * (1 - right));
                spread(dx, rows[y].low, columns[x].high, gradient, (1 - down) * right);
                spread(dx, rows[y].high, columns[x].low, gradient, down * (1 - right));
                spread(dx, rows[y].high, columns[x].high, gradient, down * right);
            }
    }
    static void spread(float* dx, int row, int column, const float* gradient, float share) {
        float* place = dx + row * target.row + column * block;
        for (int v = 0; v < vectors; ++v)
            store(place + v * lanes, multiply_add(load(gradient + v * lanes), broadcast(share),
                                                  load(place + v * lanes)));
    }
};
template <Geometry g>
void resize_backward(const StageIo& io) {
    parallel(io, io.batch * gradient_layout(g).planes, ResizeBackward<g>{io});
}

/// Local response normalisation: a task does one row of one sample.
template <Geometry g>
struct ResponseNorm {
    static constexpr MapLayout in = input_layout(g);
    static constexpr MapLayout out = output_layout(g);
    static constexpr MapLayout gradient = gradient_layout(g);
    static constexpr int channels = g.input.channels;
    const StageIo& io;

    static std::int64_t channel_offset(int channel, const MapLayout& layout) {
        return channel / block * layout.plane + channel % block;
    }
    /// k + alpha / size * sum of squares around `channel`; `x` is the pixel's first channel.
    float scale(const Value* x, int channel) const {
        const int half = io.layer->norm_size / 2;
        float sum = 0;
        for (int c = channel - half; c <= channel + half; ++c)
            if (c >= 0 && c < channels) {
                const float value = x[channel_offset(c, in)];
                sum += value * value;
            }
        return io.layer->norm_k +
               io.layer->norm_alpha / static_cast<float>(io.layer->norm_size) * sum;
    }
};

template <Geometry g>
struct ResponseNormForward : ResponseNorm<g> {
    using Base = ResponseNorm<g>;
    void operator()(std::int64_t sample, int) const {
        const StageIo& io = this->io;
        Value* start = io.output + sample * Base::out.sample;
        for (std::int64_t plane = 0; plane < Base::out.planes; ++plane)
            clear_pixels(start + plane * Base::out.plane, Base::out.plane / block);
        for (int y = 0; y < g.input.height; ++y)
            for (int x = 0; x < g.input.width; ++x) {
                const Value* source =
                    io.input + sample * Base::in.sample + index_in(Base::in, 0, y, x);
                Value* target = start + index_in(Base::out, 0, y, x);
                for (int c = 0; c < Base::channels; ++c)
                    target[Base::channel_offset(c, Base::out)] =
                        source[Base::channel_offset(c, Base::in)] *
                        std::pow(this->scale(source, c), -io.layer->norm_beta);
            }
    }
};
template <Geometry g>
void response_norm_forward(const StageIo& io) {
    parallel(io, io.batch, ResponseNormForward<g>{{io}});
}

/// dx_c = dy_c * s_c^-beta - 2 alpha beta / size * x_c * sum over the window of
/// dy_j * x_j * s_j^(-beta - 1).
template <Geometry g>
struct ResponseNormBackward : ResponseNorm<g> {
    using Base = ResponseNorm<g>;
    void operator()(std::int64_t sample, int) const {
        const StageIo& io = this->io;
        constexpr MapLayout gradient = Base::gradient;
        float* start = io.input_gradient + sample * gradient.sample;
        clear_pixels(start, gradient.sample / block);
        const int half = io.layer->norm_size / 2;
        const float beta = io.layer->norm_beta;
        const float factor =
            2 * io.layer->norm_alpha * beta / static_cast<float>(io.layer->norm_size);
        float scales[Base::channels];
        float shares[Base::channels];
        for (int y = 0; y < g.input.height; ++y)
            for (int x = 0; x < g.input.width; ++x) {
                const Value* value =
                    io.input + sample * Base::in.sample + index_in(Base::in, 0, y, x);
                const std::int64_t place = index_in(gradient, 0, y, x);
                const float* dy = io.output_gradient + sample * gradient.sample + place;
                for (int c = 0; c < Base::channels; ++c) {
                    scales[c] = this->scale(value, c);
                    shares[c] = dy[Base::channel_offset(c, gradient)] *
                                value[Base::channel_offset(c, Base::in)] *
                                std::pow(scales[c], -beta - 1);
                }
                for (int c = 0; c < Base::channels; ++c) {
                    float sum = 0;
                    for (int j = c - half; j <= c + half; ++j)
                        if (j >= 0 && j < Base::channels) sum += shares[j];
                    const std::int64_t offset = Base::channel_offset(c, gradient);
                    start[place + offset] = dy[offset] * std::pow(scales[c], -beta) -
                                            factor * value[Base::channel_offset(c, Base::in)] * sum;
                }
            }
    }
};
template <Geometry g>
void response_norm_backward(const StageIo& io) {
    parallel(io, io.batch, ResponseNormBackward<g>{{io}});
}
