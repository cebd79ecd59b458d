// Batch normalisation. Its passes are bound by memory, so layouts are values of run time.
//
// Each plane of each sample is reduced by a task of its own, and the samples' shares are added up
// in their order, in double: the same bits on any number of threads.

/// What the passes share. The workspace holds [sample][2][channel]: a sample's shares of two sums.
struct BatchNorm {
    const StageIo& io;
    const Geometry& g;
    MapLayout in = input_layout(g);
    MapLayout out = output_layout(g);
    MapLayout gradient = gradient_layout(g);
    std::int64_t channels = packed_bias_count(g);
    std::int64_t values = std::int64_t{g.input.width} * block;  ///< of a row
    /// Mean and 1 / deviation of the batch, [2][channel], from forward to backward.
    float* moments = reinterpret_cast<float*>(io.codes);

    double count() const { return static_cast<double>(io.batch * g.input.pixels()); }
    float epsilon() const { return static_cast<float>(io.layer->epsilon); }
    float* shares(std::int64_t sample, std::int64_t plane) const {
        return io.workspace + sample * 2 * channels + plane * block;
    }
    const Value* input(std::int64_t sample, std::int64_t plane) const {
        return io.input + sample * in.sample + plane * in.plane + in.origin;
    }
};

/// Mean of a plane, and the sum of squared distances from it. The second loop finds the plane in
/// cache.
struct PlaneMoments : BatchNorm {
    void operator()(std::int64_t task, int) const {
        const std::int64_t sample = task / in.planes;
        const std::int64_t plane = task % in.planes;
        const Value* x = input(sample, plane);
        float* share = shares(sample, plane);
        const Vector pixels = broadcast(static_cast<float>(g.input.pixels()));
        for (int v = 0; v < block; v += lanes) {
            Vector sum{};
            for (int y = 0; y < g.input.height; ++y) {
                Vector row{};
                for (std::int64_t i = v; i < values; i += block) row += load(x + y * in.row + i);
                sum += row;
            }
            const Vector mean = sum / pixels;
            Vector squares{};
            for (int y = 0; y < g.input.height; ++y) {
                Vector row{};
                for (std::int64_t i = v; i < values; i += block) {
                    const Vector distance = load(x + y * in.row + i) - mean;
                    row = multiply_add(distance, distance, row);
                }
                squares += row;
            }
            store(share + v, mean);
            store(share + channels + v, squares);
        }
    }
};

/// Moments of the batch from those of its samples, and the running statistics.
struct BatchMoments : BatchNorm {
    void operator()(std::int64_t plane, int) const {
        for (int lane = 0; lane < block; ++lane) {
            const std::int64_t channel = plane * block + lane;
            double mean = 0;
            for (std::int64_t n = 0; n < io.batch; ++n)
                mean += static_cast<double>(shares(n, plane)[lane]);
            mean /= static_cast<double>(io.batch);
            double between = 0, within = 0;
            for (std::int64_t n = 0; n < io.batch; ++n) {
                const double distance = static_cast<double>(shares(n, plane)[lane]) - mean;
                between += distance * distance;
                within += static_cast<double>(shares(n, plane)[channels + lane]);
            }
            const double squares = within + between * static_cast<double>(g.input.pixels());
            moments[channel] = static_cast<float>(mean);
            moments[channels + channel] =
                static_cast<float>(1 / std::sqrt(squares / count() + io.layer->epsilon));
            if (channel >= g.input.channels) continue;
            move(io.statistics[channel], mean);
            move(io.statistics[channels + channel], squares / (count() - 1));
        }
    }
    void move(float& running, double batch) const {
        const auto old = static_cast<double>(running);
        running = static_cast<float>(old + io.layer->momentum * (batch - old));
    }
};

/// (x - mean) / deviation * weight + bias (+ ReLU), with the moments of the batch or, in inference,
/// the running ones.
struct Normalize : BatchNorm {
    void operator()(std::int64_t task, int) const {
        const std::int64_t sample = task / in.planes;
        const std::int64_t plane = task % in.planes;
        const Value* x = input(sample, plane);
        Value* target = io.output + sample * out.sample + plane * out.plane;
        clear_halo(target, g.output, g.output_halo);
        target += out.origin;
        for (int v = 0; v < block; v += lanes) {
            const std::int64_t channel = plane * block + v;
            const Vector weight = load(io.weights + channel);
            const Vector bias = load(io.biases + channel);
            const Vector mean = load((io.training ? moments : io.statistics) + channel);
            const Vector scale =
                io.training ? weight * load(moments + channels + channel)
                            : weight / square_root(load(io.statistics + channels + channel) +
                                                   broadcast(epsilon()));
            for (int y = 0; y < g.input.height; ++y)
                for (std::int64_t i = v; i < values; i += block) {
                    Vector value = multiply_add(load(x + y * in.row + i) - mean, scale, bias);
                    if (g.relu) value = rectify(value);
                    store(target + y * out.row + i, value);
                }
        }
    }
};
inline void batch_norm_forward(const StageIo& io, const Geometry& g) {
    const BatchNorm norm{io, g};
    if (io.training) {
        parallel(io, io.batch * norm.in.planes, PlaneMoments{norm});
        parallel(io, norm.in.planes, BatchMoments{norm});
    }
    parallel(io, io.batch * norm.in.planes, Normalize{norm});
}

/// One plane's share of the sums of dy and of dy * (x - mean) / deviation.
struct PlaneGradients : BatchNorm {
    /// The gradient behind the normalisation, as the ReLU leaves it.
    [[gnu::always_inline]] Vector masked(const float* dy, const Value* y) const {
        const Vector value = load(dy);
        return g.relu ? keep_where(load(y) > Vector{}, value) : value;
    }
    const float* gradients(std::int64_t sample, std::int64_t plane) const {
        return io.output_gradient + sample * gradient.sample + plane * gradient.plane;
    }
    const Value* outputs(std::int64_t sample, std::int64_t plane) const {
        return io.output + sample * out.sample + plane * out.plane + out.origin;
    }

    void operator()(std::int64_t task, int) const {
        const std::int64_t sample = task / in.planes;
        const std::int64_t plane = task % in.planes;
        const Value* x = input(sample, plane);
        const float* dy = gradients(sample, plane);
        const Value* y = outputs(sample, plane);
        float* share = shares(sample, plane);
        for (int v = 0; v < block; v += lanes) {
            const Vector mean = load(moments + plane * block + v);
            const Vector scale = load(moments + channels + plane * block + v);
            Vector sum{}, product{};
            for (int row = 0; row < g.input.height; ++row) {
                Vector row_sum{}, row_product{};
                for (std::int64_t i = v; i < values; i += block) {
                    const Vector value = masked(dy + row * gradient.row + i, y + row * out.row + i);
                    row_sum += value;
                    row_product = multiply_add(value, (load(x + row * in.row + i) - mean) * scale,
                                               row_product);
                }
                sum += row_sum;
                product += row_product;
            }
            store(share + v, sum);
            store(share + channels + v, product);
        }
    }
};

/// Gradients of bias and weight: the sums over all samples.
struct BatchGradients : BatchNorm {
    void operator()(std::int64_t plane, int) const {
        for (int lane = 0; lane < block; ++lane) {
            double sum = 0, product = 0;
            for (std::int64_t n = 0; n < io.batch; ++n) {
                sum += static_cast<double>(shares(n, plane)[lane]);
                product += static_cast<double>(shares(n, plane)[channels + lane]);
            }
            io.bias_gradient[plane * block + lane] = static_cast<float>(sum);
            io.weight_gradient[plane * block + lane] = static_cast<float>(product);
        }
    }
};

/// dx = weight / deviation * (dy - sum / count - (x - mean) / deviation * product / count).
struct NormalizeBackward : PlaneGradients {
    void operator()(std::int64_t task, int) const {
        const std::int64_t sample = task / in.planes;
        const std::int64_t plane = task % in.planes;
        const Value* x = input(sample, plane);
        const float* dy = gradients(sample, plane);
        const Value* y = outputs(sample, plane);
        float* dx = io.input_gradient + sample * gradient.sample + plane * gradient.plane;
        const Vector share = broadcast(static_cast<float>(1 / count()));
        for (int v = 0; v < block; v += lanes) {
            const std::int64_t channel = plane * block + v;
            const Vector mean = load(moments + channel);
            const Vector scale = load(moments + channels + channel);
            const Vector weight = load(io.weights + channel) * scale;
            const Vector shift = load(io.bias_gradient + channel) * share;
            const Vector slope = load(io.weight_gradient + channel) * share * scale;
            for (int row = 0; row < g.input.height; ++row)
                for (std::int64_t i = v; i < values; i += block) {
                    const Vector value = masked(dy + row * gradient.row + i, y + row * out.row + i);
                    const Vector distance = load(x + row * in.row + i) - mean;
                    store(dx + row * gradient.row + i, weight * (value - shift - distance * slope));
                }
        }
    }
};
/// The same of a frozen layer, whose moments are the running ones: dx = weight / deviation * dy.
struct FrozenBackward : PlaneGradients {
    void operator()(std::int64_t task, int) const {
        const std::int64_t sample = task / in.planes;
        const std::int64_t plane = task % in.planes;
        const float* dy = gradients(sample, plane);
        const Value* y = outputs(sample, plane);
        float* dx = io.input_gradient + sample * gradient.sample + plane * gradient.plane;
        for (int v = 0; v < block; v += lanes) {
            const std::int64_t channel = plane * block + v;
            const Vector scale =
                load(io.weights + channel) /
                square_root(load(io.statistics + channels + channel) + broadcast(epsilon()));
            for (int row = 0; row < g.input.height; ++row)
                for (std::int64_t i = v; i < values; i += block)
                    store(dx + row * gradient.row + i,
                          scale * masked(dy + row * gradient.row + i, y + row * out.row + i));
        }
    }
};
inline void batch_norm_backward(const StageIo& io, const Geometry& g) {
    const BatchNorm norm{io, g};
    if (g.frozen) {
        parallel(io, io.batch * norm.in.planes, FrozenBackward{{norm}});
        return;
    }
    parallel(io, io.batch * norm.in.planes, PlaneGradients{norm});
    parallel(io, norm.in.planes, BatchGradients{norm});
    if (g.input_gradient) parallel(io, io.batch * norm.in.planes, NormalizeBackward{{norm}});
}
