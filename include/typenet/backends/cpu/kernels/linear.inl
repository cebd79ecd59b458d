// Fully connected layers. Weights are stored as rows [output][input], as in PyTorch, with the
// inputs in the order in which the map before lies in memory; rows and columns are padded to 16
// with zeros. Extents are run-time values here: the micro-kernels are keyed on their tiles alone.

/// Samples that the register tile of a forward pass holds, beside `dot_rows` rows of weights. The
/// latter stay in the first-level cache while all samples pass.
inline constexpr int dot_rows = registers == 32 ? 8 : 4;
inline constexpr int dot_samples = (registers - 1) / (dot_rows + 1);
/// Columns summed before the lanes are added up, so that weights and inputs stay in cache.
inline constexpr std::int64_t dot_columns = 1024;

/// sums[sample][row] += sum over columns of w[row][column] * x[sample][column].
template <int samples>
TYPENET_MICRO_KERNEL void dot_tile(float* sums, std::int64_t sum_stride, const float* weights,
                                   std::int64_t weight_stride, const float* x,
                                   std::int64_t x_stride, std::int64_t columns) {
    Vector sum[samples][dot_rows] = {};
    for (std::int64_t column = 0; column < columns; column += lanes) {
        Vector value[samples];
#pragma GCC unroll 16
        for (int s = 0; s < samples; ++s) value[s] = load(x + s * x_stride + column);
#pragma GCC unroll 16
        for (int r = 0; r < dot_rows; ++r) {
            const Vector weight = load(weights + r * weight_stride + column);
#pragma GCC unroll 16
            for (int s = 0; s < samples; ++s) sum[s][r] = multiply_add(weight, value[s], sum[s][r]);
        }
    }
#pragma GCC unroll 16
    for (int s = 0; s < samples; ++s)
#pragma GCC unroll 16
        for (int r = 0; r < dot_rows; ++r) sums[s * sum_stride + r] += sum_of_lanes(sum[s][r]);
}

#ifdef TYPENET_PAIRS
/// The same of bfloat16, pair by pair. Columns are a multiple of 16.
template <int samples>
TYPENET_MICRO_KERNEL void dot_tile(float* sums, std::int64_t sum_stride, const Bf16* weights,
                                std::int64_t weight_stride, const Bf16* x, std::int64_t x_stride,
                                std::int64_t columns) {
    Vector sum[samples][dot_rows] = {};
    std::int64_t column = 0;
    for (; column + 2 * lanes <= columns; column += 2 * lanes) {
        Pairs value[samples];
    #pragma GCC unroll 16
        for (int s = 0; s < samples; ++s) value[s] = load_pairs(x + s * x_stride + column);
    #pragma GCC unroll 16
        for (int r = 0; r < dot_rows; ++r) {
            const Pairs weight = load_pairs(weights + r * weight_stride + column);
    #pragma GCC unroll 16
            for (int s = 0; s < samples; ++s) sum[s][r] = multiply_add(weight, value[s], sum[s][r]);
        }
    }
    for (; column < columns; column += lanes)
        for (int r = 0; r < dot_rows; ++r) {
            const Vector weight = load(weights + r * weight_stride + column);
    #pragma GCC unroll 16
            for (int s = 0; s < samples; ++s)
                sum[s][r] = multiply_add(weight, load(x + s * x_stride + column), sum[s][r]);
        }
    for (int s = 0; s < samples; ++s)
        for (int r = 0; r < dot_rows; ++r) sums[s * sum_stride + r] += sum_of_lanes(sum[s][r]);
}
#endif

template <int samples>
[[gnu::always_inline]] inline void dot_tile_of(int count, float* sums, std::int64_t sum_stride,
                                               const Value* weights, std::int64_t weight_stride,
                                               const Value* x, std::int64_t x_stride,
                                               std::int64_t columns) {
    if (count == samples)
        return dot_tile<samples>(sums, sum_stride, weights, weight_stride, x, x_stride, columns);
    if constexpr (samples > 1)
        dot_tile_of<samples - 1>(count, sums, sum_stride, weights, weight_stride, x, x_stride,
                                 columns);
}

/// Forward: a task computes 16 outputs of all samples.
template <bool relu>
struct LinearForward {
    const StageIo& io;
    std::int64_t columns;
    std::int64_t output_stride;

    void operator()(std::int64_t task, int worker) const {
        const std::int64_t first = task * block;
        Value* target = io.output + first;
        float* sums = values_are_floats ? reinterpret_cast<float*>(target)
                                        : io.scratch + worker * io.scratch_stride;
        const std::int64_t stride = values_are_floats ? output_stride : block;
        for (std::int64_t sample = 0; sample < io.batch; ++sample)
            for (int v = 0; v < vectors; ++v) store(sums + sample * stride + v * lanes, Vector{});
        const Pieces tiles = split(static_cast<int>(io.batch), dot_samples);
        for (std::int64_t column = 0; column < columns; column += dot_columns) {
            const std::int64_t width =
                columns - column < dot_columns ? columns - column : dot_columns;
            for (int row = 0; row < block; row += dot_rows) {
                const Value* weights = io.weight_values + (first + row) * columns + column;
                std::int64_t sample = 0;
                for (int tile = 0; tile < tiles.number; ++tile) {
                    const int count = tiles.size + (tile < tiles.larger ? 1 : 0);
                    dot_tile_of<dot_samples>(count, sums + sample * stride + row, stride, weights,
                                             columns, io.input + sample * columns + column, columns,
                                             width);
                    sample += count;
                }
            }
        }
        for (std::int64_t sample = 0; sample < io.batch; ++sample) {
            float* values = sums + sample * stride;
            for (int v = 0; v < vectors; ++v) {
                Vector value = load(values + v * lanes) + load(io.biases + first + v * lanes);
                if constexpr (relu) value = rectify(value);
                store(values + v * lanes, value);
            }
            if (io.dropout != nullptr)
                drop(values, *io.dropout, static_cast<std::uint32_t>(sample),
                     static_cast<std::uint32_t>(first), io.keep_scale);
            if constexpr (!values_are_floats)
                for (int v = 0; v < vectors; ++v)
                    store(target + sample * output_stride + v * lanes, load(values + v * lanes));
        }
    }

    /// Applies the mask to 16 values from canonical element `first` on.
    static void drop(float* values, const DropoutMask& mask, std::uint32_t sample,
                     std::uint32_t first, float scale) {
        for (std::uint32_t quad = 0; quad < block / 4; ++quad) {
            const Philox::Words words = mask.words(sample, first / 4 + quad);
            for (std::uint32_t i = 0; i < 4; ++i) {
                float& value = values[quad * 4 + i];
                value = words[i] >= mask.threshold ? value * scale : 0.0f;
            }
        }
    }
};

template <bool relu>
void linear_forward(const StageIo& io, std::int64_t rows, std::int64_t columns) {
    parallel(io, rows / block, LinearForward<relu>{io, columns, rows});
}

// --- the optimizer's rule on one vector of parameters --------------------------------------------

template <class Rule>
struct RuleVectors;

template <>
struct RuleVectors<SgdRule> {
    Vector learning_rate, momentum, gradient_factor, weight_decay;
    bool nesterov;

    explicit RuleVectors(const SgdRule& rule)
        : learning_rate(broadcast(rule.learning_rate)),
          momentum(broadcast(rule.momentum)),
          gradient_factor(broadcast(rule.gradient_factor)),
          weight_decay(broadcast(rule.weight_decay)),
          nesterov(rule.nesterov) {}

    [[gnu::always_inline]] void apply(float* parameters, float* buffers, float*,
                                      Vector gradient) const {
        const Vector w = load(parameters);
        gradient = multiply_add(weight_decay, w, gradient);
        const Vector b = multiply_add(momentum, load(buffers), gradient_factor * gradient);
        store(buffers, b);
        const Vector direction = nesterov ? multiply_add(momentum, b, gradient) : b;
        store(parameters, w - learning_rate * direction);
    }
};

template <>
struct RuleVectors<AdamRule> {
    Vector step_size, root_scale, epsilon, one_minus_beta1, one_minus_beta2, weight_decay;

    explicit RuleVectors(const AdamRule& rule)
        : step_size(broadcast(rule.step_size)),
          root_scale(broadcast(rule.root_scale)),
          epsilon(broadcast(rule.epsilon)),
          one_minus_beta1(broadcast(rule.one_minus_beta1)),
          one_minus_beta2(broadcast(rule.one_minus_beta2)),
          weight_decay(broadcast(rule.weight_decay)) {}

    [[gnu::always_inline]] void apply(float* parameters, float* first, float* second,
                                      Vector gradient) const {
        const Vector w = load(parameters);
        gradient = multiply_add(weight_decay, w, gradient);
        Vector m = load(first);
        Vector v = load(second);
        m = multiply_add(gradient - m, one_minus_beta1, m);
        v = multiply_add(multiply_add(gradient, gradient, -v), one_minus_beta2, v);
        store(first, m);
        store(second, v);
        const Vector denominator = multiply_add(square_root(v), root_scale, epsilon);
        store(parameters, w - step_size * m / denominator);
    }
};

/// Stores the gradient itself, for passes that read it later.
template <>
struct RuleVectors<KeepGradient> {
    explicit RuleVectors(const KeepGradient&) {}
    [[gnu::always_inline]] void apply(float* gradients, float*, float*, Vector gradient) const {
        store(gradients, gradient);
    }
};

/// Applies a rule to `count` parameters (a multiple of 16) whose gradients, to be multiplied by
/// `scale`, lie in memory.
template <class Rule>
struct Update {
    const Rule& rule;
    std::int64_t count;
    float* parameters;
    const float* gradients;
    float* state[2];
    float scale;
    static constexpr std::int64_t piece = 1 << 14;  ///< parameters of one task

    void operator()(std::int64_t task, int) const {
        const RuleVectors<Rule> vectors_of_rule{rule};
        const Vector factor = broadcast(scale);
        const std::int64_t end = (task + 1) * piece < count ? (task + 1) * piece : count;
        for (std::int64_t i = task * piece; i < end; i += lanes)
            vectors_of_rule.apply(parameters + i, state[0] + i,
                                  state[1] == nullptr ? nullptr : state[1] + i,
                                  load(gradients + i) * factor);
    }
};
template <class Rule>
void update(ThreadPool& pool, const Rule& rule, std::int64_t count, float* parameters,
            const float* gradients, float* state0, float* state1, float scale) {
    const Update<Rule> task{rule, count, parameters, gradients, {state0, state1}, scale};
    pool.parallel_for((count + Update<Rule>::piece - 1) / Update<Rule>::piece,
                      &run_task<Update<Rule>>, &task);
}

// --- backward ----------------------------------------------------------------------------------

inline constexpr int gradient_samples = tile_pixels(1);
inline constexpr int update_rows = registers == 32 ? 16 : 8 / vectors;  ///< divides a block
/// dx[sample][16 columns] += sum over rows of dy[row][sample] * w[row][16 columns].
template <int samples>
TYPENET_MICRO_KERNEL void gradient_tile(float* dx, std::int64_t dx_stride, const float* dy,
                                        std::int64_t dy_stride, const Value* weights,
                                        std::int64_t weight_stride, std::int64_t rows) {
    Vector sum[samples][vectors];
#pragma GCC unroll 16
    for (int s = 0; s < samples; ++s)
#pragma GCC unroll 16
        for (int v = 0; v < vectors; ++v) sum[s][v] = load(dx + s * dx_stride + v * lanes);
    for (std::int64_t row = 0; row < rows; ++row) {
        Vector weight[vectors];
#pragma GCC unroll 16
        for (int v = 0; v < vectors; ++v)
            weight[v] = load(weights + row * weight_stride + v * lanes);
#pragma GCC unroll 16
        for (int s = 0; s < samples; ++s) {
            const Vector value = broadcast(dy[row * dy_stride + s]);
#pragma GCC unroll 16
            for (int v = 0; v < vectors; ++v) sum[s][v] = multiply_add(value, weight[v], sum[s][v]);
        }
    }
#pragma GCC unroll 16
    for (int s = 0; s < samples; ++s)
#pragma GCC unroll 16
        for (int v = 0; v < vectors; ++v) store(dx + s * dx_stride + v * lanes, sum[s][v]);
}

template <int samples>
[[gnu::always_inline]] inline void gradient_tile_of(int count, float* dx, std::int64_t dx_stride,
                                                    const float* dy, std::int64_t dy_stride,
                                                    const Value* weights,
                                                    std::int64_t weight_stride, std::int64_t rows) {
    if (count == samples)
        return gradient_tile<samples>(dx, dx_stride, dy, dy_stride, weights, weight_stride, rows);
    if constexpr (samples > 1)
        gradient_tile_of<samples - 1>(count, dx, dx_stride, dy, dy_stride, weights, weight_stride,
                                      rows);
}

/// For `update_rows` rows of 16 weights: the gradient, sum over samples of dy[row][sample] *
/// x[sample][16 columns], goes from registers straight into the rule. `values` are the
/// weights as products read them.
template <class Rule>
TYPENET_MICRO_KERNEL void update_tile(const RuleVectors<Rule>& rule, float* target, float* state0,
                                      float* state1, Value* values, std::int64_t stride,
                                      const float* dy, std::int64_t dy_stride, const float* x,
                                      std::int64_t x_stride, std::int64_t samples) {
    Vector sum[update_rows][vectors] = {};
    for (std::int64_t s = 0; s < samples; ++s) {
        Vector value[vectors];
#pragma GCC unroll 16
        for (int v = 0; v < vectors; ++v) value[v] = load(x + s * x_stride + v * lanes);
#pragma GCC unroll 16
        for (int r = 0; r < update_rows; ++r) {
            const Vector gradient = broadcast(dy[r * dy_stride + s]);
#pragma GCC unroll 16
            for (int v = 0; v < vectors; ++v)
                sum[r][v] = multiply_add(gradient, value[v], sum[r][v]);
        }
    }
#pragma GCC unroll 16
    for (int r = 0; r < update_rows; ++r)
#pragma GCC unroll 16
        for (int v = 0; v < vectors; ++v)
            rule.apply(target + r * stride + v * lanes,
                       state0 == nullptr ? nullptr : state0 + r * stride + v * lanes,
                       state1 == nullptr ? nullptr : state1 + r * stride + v * lanes, sum[r][v]);
    if constexpr (!values_are_floats && !std::is_same_v<Rule, KeepGradient>)
        for (int r = 0; r < update_rows; ++r)
            for (int v = 0; v < vectors; ++v)
                store(values + r * stride + v * lanes, load(target + r * stride + v * lanes));
}

/// Gradient of a linear stage's own output: dropout and ReLU backward, in place; a task does 16
/// outputs of all samples and their bias gradient.
template <bool relu>
struct LinearMask {
    const StageIo& io;
    std::int64_t rows;

    void operator()(std::int64_t task, int) const {
        const std::int64_t first = task * block;
        const Vector scale = broadcast(io.keep_scale);
        Vector total[vectors] = {};
        for (std::int64_t sample = 0; sample < io.batch; ++sample) {
            float* gradient = io.output_gradient + sample * rows + first;
            if constexpr (relu) {
                // What dropout or ReLU cut off is 0, what passed both is positive.
                const Value* values = io.output + sample * rows + first;
                for (int v = 0; v < vectors; ++v)
                    store(gradient + v * lanes, keep_where(load(values + v * lanes) > Vector{},
                                                           load(gradient + v * lanes) * scale));
            } else if (io.dropout != nullptr) {
                LinearForward<relu>::drop(gradient, *io.dropout, static_cast<std::uint32_t>(sample),
                                          static_cast<std::uint32_t>(first), io.keep_scale);
            }
            for (int v = 0; v < vectors; ++v) total[v] += load(gradient + v * lanes);
        }
        if (io.bias_gradient == nullptr) return;  // the layer is frozen
        for (int v = 0; v < vectors; ++v) store(io.bias_gradient + first + v * lanes, total[v]);
    }
};

/// One pass over the weights of some columns: data gradient with the old weights, then weight
/// gradient and update, rows by rows.
template <class Rule, bool input_gradient>
struct LinearBackward {
    const StageIo& io;
    const Rule& rule;
    std::int64_t rows;
    std::int64_t columns;
    std::int64_t width;  ///< columns of a task

    void operator()(std::int64_t task, int worker) const {
        const RuleVectors<Rule> vectors_of_rule{rule};
        const std::int64_t first = task * width;
        const std::int64_t count = columns - first < width ? columns - first : width;
        // Copies of this task's columns and, for a pass, of the output's gradient as [row][sample]:
        // in place, rows a power of two apart would share cache sets.
        float* x = io.scratch + worker * io.scratch_stride;
        float* dx = x + io.batch * width;
        float* dy = dx + io.batch * width;
        for (std::int64_t s = 0; s < io.batch; ++s)
            for (std::int64_t i = 0; i < count; i += lanes) {
                store(x + s * width + i, load(io.input + s * columns + first + i));
                if constexpr (input_gradient) store(dx + s * width + i, Vector{});
            }
        const bool learns = io.bias_gradient != nullptr;
        float* target = io.weight_gradient != nullptr ? io.weight_gradient : io.weights;
        const Pieces tiles = split(static_cast<int>(io.batch), gradient_samples);
        for (std::int64_t row = 0; row < rows; row += linear_rows_per_pass) {
            const std::int64_t height =
                rows - row < linear_rows_per_pass ? rows - row : linear_rows_per_pass;
            for (std::int64_t s = 0; s < io.batch; ++s)
                for (std::int64_t r = 0; r < height; ++r)
                    dy[r * io.batch + s] = io.output_gradient[s * rows + row + r];
            if constexpr (input_gradient)
                for (std::int64_t i = 0; i < count; i += block) {
                    std::int64_t sample = 0;
                    for (int tile = 0; tile < tiles.number; ++tile) {
                        const int samples = tiles.size + (tile < tiles.larger ? 1 : 0);
                        gradient_tile_of<gradient_samples>(
                            samples, dx + sample * width + i, width, dy + sample, io.batch,
                            io.weight_values + row * columns + first + i, columns, height);
                        sample += samples;
                    }
                }
            for (std::int64_t r = 0; learns && r < height; r += update_rows)
                for (std::int64_t i = 0; i < count; i += block) {
                    const std::int64_t place = (row + r) * columns + first + i;
                    update_tile<Rule>(
                        vectors_of_rule, target + place,
                        io.weight_state[0] == nullptr ? nullptr : io.weight_state[0] + place,
                        io.weight_state[1] == nullptr ? nullptr : io.weight_state[1] + place,
                        io.weight_values + place, columns, dy + r * io.batch, io.batch, x + i,
                        width, io.batch);
                }
        }
        if constexpr (input_gradient)
            for (std::int64_t s = 0; s < io.batch; ++s)
                for (std::int64_t i = 0; i < count; i += lanes)
                    store(io.input_gradient + s * columns + first + i, load(dx + s * width + i));
    }
};

template <class Rule, bool relu>
void linear_backward(const StageIo& io, const Rule& rule, std::int64_t rows, std::int64_t columns) {
    parallel(io, rows / block, LinearMask<relu>{io, rows});
    const std::int64_t width = columns_per_task(columns, io.batch);
    const std::int64_t tasks = (columns + width - 1) / width;
    if (io.input_gradient != nullptr)
        parallel(io, tasks, LinearBackward<Rule, true>{io, rule, rows, columns, width});
    else
        parallel(io, tasks, LinearBackward<Rule, false>{io, rule, rows, columns, width});
}
