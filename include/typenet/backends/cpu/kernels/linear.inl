// Fully connected layers. Weights are stored as rows [output][input], as in PyTorch, with the
// inputs in the order in which the map before lies in memory; rows and columns are padded to 16
// with zeros. Extents are run-time values here: the micro-kernels are keyed on their tiles alone.

/// Samples that the register tile of a forward pass holds, beside `dot_rows` rows of weights. The
/// latter stay in the first-level cache while all samples pass.
inline constexpr int dot_rows = registers == 32 ? 8 : 4;
inline constexpr int dot_samples = (registers - 1) / (dot_rows + 1);
/// Columns summed before the lanes are added up, so that weights and inputs stay in cache.
inline constexpr std::int64_t dot_columns = 1024;

/// sums[row] += the sum of the lanes of terms[row].
[[gnu::always_inline]] inline void add_sums(float* sums, const Vector (&terms)[dot_rows]) {
    using Sums [[gnu::vector_size(dot_rows * 4)]] = float;
    const Vector added = sums_of_lanes<dot_rows>(terms);
    Sums sum, part;
    __builtin_memcpy(&sum, sums, sizeof sum);
    __builtin_memcpy(&part, &added, sizeof part);
    sum += part;
    __builtin_memcpy(sums, &sum, sizeof sum);
}

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
            if constexpr (samples > 1) separate_loads();
#pragma GCC unroll 16
            for (int s = 0; s < samples; ++s) sum[s][r] = multiply_add(weight, value[s], sum[s][r]);
        }
    }
#pragma GCC unroll 16
    for (int s = 0; s < samples; ++s) add_sums(sums + s * sum_stride, sum[s]);
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
            if constexpr (samples > 1) separate_loads();
    #pragma GCC unroll 16
            for (int s = 0; s < samples; ++s) sum[s][r] = multiply_add(weight, value[s], sum[s][r]);
        }
    }
    for (; column < columns; column += lanes) {
        Pairs value[samples];
    #pragma GCC unroll 16
        for (int s = 0; s < samples; ++s) value[s] = load_row(x + s * x_stride + column);
    #pragma GCC unroll 16
        for (int r = 0; r < dot_rows; ++r) {
            const Pairs weight = load_row(weights + r * weight_stride + column);
    #pragma GCC unroll 16
            for (int s = 0; s < samples; ++s) sum[s][r] = multiply_add(weight, value[s], sum[s][r]);
        }
    }
    #pragma GCC unroll 16
    for (int s = 0; s < samples; ++s) add_sums(sums + s * sum_stride, sum[s]);
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

/// Rows of weights that are in registers together; a divisor of linear_rows_per_pass.
inline constexpr int backward_rows = registers == 32 ? 8 : 4;
/// Rows whose share of the data gradient is summed apart, which rounds less than one long sum; a
/// multiple of linear_rows_per_pass.
inline constexpr std::int64_t rows_per_share = 256;

/// One pass over `backward_rows` rows of weights. Of each column the data gradient,
/// dx[sample] += sum over rows of dy[sample][row] * weight[row], and the weight gradient, sum over
/// samples of dy[sample][row] * x[sample], which goes from registers straight into the rule (null:
/// the layer is frozen). `values` are the weights as products read them.
template <class Rule, bool input_gradient>
TYPENET_MICRO_KERNEL void backward_tile(const RuleVectors<Rule>* rule, float* target, float* state0,
                                        float* state1, Value* values, std::int64_t stride,
                                        const float* dy, const float* x, float* dx,
                                        std::int64_t x_stride, std::int64_t samples,
                                        std::int64_t columns) {
    for (std::int64_t column = 0; column < columns; column += lanes) {
        Vector weight[backward_rows];
        Vector sum[backward_rows] = {};
        if constexpr (input_gradient)
#pragma GCC unroll 16
            for (int r = 0; r < backward_rows; ++r) weight[r] = load(values + r * stride + column);
        for (std::int64_t s = 0; s < samples; ++s) {
            const Vector value = load(x + s * x_stride + column);
            Vector gradient{};
#pragma GCC unroll 16
            for (int r = 0; r < backward_rows; ++r) {
                const Vector factor = broadcast(dy[s * linear_rows_per_pass + r]);
                if constexpr (input_gradient) gradient = multiply_add(factor, weight[r], gradient);
                sum[r] = multiply_add(factor, value, sum[r]);
            }
            if constexpr (input_gradient)
                store(dx + s * x_stride + column, load(dx + s * x_stride + column) + gradient);
        }
        if (rule == nullptr) continue;
#pragma GCC unroll 16
        for (int r = 0; r < backward_rows; ++r) {
            const std::int64_t place = r * stride + column;
            rule->apply(target + place, state0 == nullptr ? nullptr : state0 + place,
                        state1 == nullptr ? nullptr : state1 + place, sum[r]);
            if constexpr (!values_are_floats && !std::is_same_v<Rule, KeepGradient>)
                store(values + place, load(target + place));
        }
    }
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

/// One pass over the weights of some columns: data gradient with the old weights, weight gradient
/// and update.
template <class Rule, bool input_gradient>
struct LinearBackward {
    const StageIo& io;
    const Rule& rule;
    std::int64_t rows;
    std::int64_t columns;
    std::int64_t width;  ///< columns of a task

    /// Stores the data gradient `dx` of some rows or, but for the first ones, adds it to what is
    /// there; clears dx.
    void pass_on(float* dx, std::int64_t stride, std::int64_t first, std::int64_t count,
                 bool is_first) const {
        for (std::int64_t s = 0; s < io.batch; ++s)
            for (std::int64_t i = 0; i < count; i += lanes) {
                float* target = io.input_gradient + s * columns + first + i;
                const Vector share = load(dx + s * stride + i);
                store(target, is_first ? share : load(target) + share);
                store(dx + s * stride + i, Vector{});
            }
    }

    void operator()(std::int64_t task, int worker) const {
        const RuleVectors<Rule> vectors_of_rule{rule};
        const std::int64_t first = task * width;
        const std::int64_t count = columns - first < width ? columns - first : width;
        // Copies of this task's columns and, for a pass, of the output's gradient: in place,
        // samples a power of two apart would share cache sets.
        const std::int64_t stride = width + block;
        float* x = io.scratch + worker * io.scratch_stride;
        float* dx = x + io.batch * stride;
        float* dy = dx + io.batch * stride;
        for (std::int64_t s = 0; s < io.batch; ++s)
            for (std::int64_t i = 0; i < count; i += lanes) {
                store(x + s * stride + i, load(io.input + s * columns + first + i));
                if constexpr (input_gradient) store(dx + s * stride + i, Vector{});
            }
        const bool learns = io.bias_gradient != nullptr;
        float* target = io.weight_gradient != nullptr ? io.weight_gradient : io.weights;
        for (std::int64_t row = 0; row < rows; row += linear_rows_per_pass) {
            const std::int64_t height =
                rows - row < linear_rows_per_pass ? rows - row : linear_rows_per_pass;
            for (std::int64_t s = 0; s < io.batch; ++s)
                for (std::int64_t r = 0; r < height; r += lanes)
                    store(dy + s * linear_rows_per_pass + r,
                          load(io.output_gradient + s * rows + row + r));
            for (std::int64_t r = 0; r < height; r += backward_rows) {
                const std::int64_t place = (row + r) * columns + first;
                backward_tile<Rule, input_gradient>(
                    learns ? &vectors_of_rule : nullptr, target + place,
                    io.weight_state[0] == nullptr ? nullptr : io.weight_state[0] + place,
                    io.weight_state[1] == nullptr ? nullptr : io.weight_state[1] + place,
                    io.weight_values + place, columns, dy + r, x, dx, stride, io.batch, count);
            }
            if constexpr (input_gradient) {
                const std::int64_t end = row + height;
                if (end % rows_per_share == 0 || end == rows)
                    pass_on(dx, stride, first, count, end <= rows_per_share);
            }
        }
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
