// Direct convolution on channel blocks: forward, data gradient, weight gradient.

/// Runs of consecutive values that a sum goes over: offsets of their starts from a pixel's base.
struct Runs {
    const std::int32_t* offsets;
    int count;
    int length;
};

/// Stores a tile's sums or, with `add`, adds them to what is there: a sum of many parts that are
/// summed apart rounds less than one that runs on.
template <int rows, int blocks>
[[gnu::always_inline]] inline void store_tile(float* sums, std::int64_t row_stride,
                                              std::int64_t block_stride,
                                              const Vector (&sum)[rows][blocks * vectors],
                                              bool add) {
    if (add) {
#pragma GCC unroll 16
        for (int r = 0; r < rows; ++r)
#pragma GCC unroll 16
            for (int v = 0; v < blocks * vectors; ++v) {
                float* place =
                    sums + r * row_stride + v / vectors * block_stride + v % vectors * lanes;
                store(place, load(place) + sum[r][v]);
            }
    } else {
#pragma GCC unroll 16
        for (int r = 0; r < rows; ++r)
#pragma GCC unroll 16
            for (int v = 0; v < blocks * vectors; ++v)
                store(sums + r * row_stride + v / vectors * block_stride + v % vectors * lanes,
                      sum[r][v]);
    }
}

#ifdef TYPENET_PAIRS
    #include "typenet/backends/cpu/kernels/pairs.inl"
#endif

// A register tile is some pixels of a row (of the weight gradient: some values of a run) by some
// output blocks. Each step loads a vector of weights for every block and broadcasts a value for
// every pixel.

/// Pixels of the largest tile of `blocks` blocks: as many as leave registers for the weights of a
/// step and one broadcast value; none where that is not even one.
constexpr int tile_pixels(int blocks) {
    const int most = (registers - 1 - blocks * vectors) / (blocks * vectors);
    return most > 14 ? 14 : most;
}

/// Half cycles of a step over `pixels` pixels cut into tiles: with two multiply-adds and two loads
/// a cycle, a latency of four cycles, and one half for the loop.
constexpr std::int64_t step_cost(int pixels, int blocks) {
    const auto cost = [&](int size) {
        const int sums = size * blocks * vectors;
        const int loads = size + blocks * vectors;
        return (sums > loads ? (sums > 8 ? sums : 8) : (loads > 8 ? loads : 8)) + 1;
    };
    const Pieces tiles = split(pixels, tile_pixels(blocks));
    return tiles.larger * cost(tiles.size + 1) + (tiles.number - tiles.larger) * cost(tiles.size);
}

/// How many output blocks, of `count`, a tile and its task take together: what costs least.
constexpr int blocks_per_tile(int pixels, std::int64_t count) {
    int best = 1;
    for (int blocks = 2; blocks <= most_blocks_per_tile && blocks <= count; ++blocks) {
        const auto cost = [&](int each) {
            return count / each * step_cost(pixels, each) + count % each * step_cost(pixels, 1);
        };
        if (tile_pixels(blocks) > 0 && cost(blocks) < cost(best)) best = blocks;
    }
    return best;
}

/// The micro-kernel of the forward pass and of the data gradient, keyed on its tile alone:
/// sums[pixel][16 * blocks] += sum over runs r and values k of
/// x[pixel * pixel_stride + offsets[r] + k] * weights[r][k][16 * blocks].
/// Without `accumulate` the sums are stored, not added.
template <int pixels, int blocks, int pixel_stride>
TYPENET_MICRO_KERNEL void multiply_tile(float* sums, std::int64_t sum_pixel_stride,
                                        std::int64_t sum_block_stride, const float* x,
                                        const float* weights, std::int64_t weight_block_stride,
                                        Runs runs, bool accumulate) {
    Vector sum[pixels][blocks * vectors] = {};
    for (int r = 0; r < runs.count; ++r) {
        const float* source = x + runs.offsets[r];
        for (int k = 0; k < runs.length; ++k) {
            Vector weight[blocks * vectors];
#pragma GCC unroll 16
            for (int v = 0; v < blocks * vectors; ++v)
                weight[v] = load(weights + v / vectors * weight_block_stride + v % vectors * lanes);
#pragma GCC unroll 16
            for (int p = 0; p < pixels; ++p) {
                const Vector value = broadcast(source[k + p * pixel_stride]);
#pragma GCC unroll 16
                for (int v = 0; v < blocks * vectors; ++v)
                    sum[p][v] = multiply_add(value, weight[v], sum[p][v]);
            }
            weights += block;
        }
    }
    store_tile<pixels, blocks>(sums, sum_pixel_stride, sum_block_stride, sum, accumulate);
}

/// A row of `count` pixels, cut into tiles.
template <int count, int blocks, int pixel_stride>
[[gnu::always_inline]] inline void multiply_row(float* sums, std::int64_t sum_pixel_stride,
                                                std::int64_t sum_block_stride, const Value* x,
                                                const Value* weights,
                                                std::int64_t weight_block_stride, Runs runs,
                                                bool accumulate) {
    constexpr Pieces tiles = split(count, tile_pixels(blocks));
    for (int tile = 0; tile < tiles.larger; ++tile) {
        multiply_tile<tiles.size + 1, blocks, pixel_stride>(sums, sum_pixel_stride,
                                                            sum_block_stride, x, weights,
                                                            weight_block_stride, runs, accumulate);
        sums += (tiles.size + 1) * sum_pixel_stride;
        x += (tiles.size + 1) * pixel_stride;
    }
    if constexpr (tiles.size > 0) {
        for (int tile = tiles.larger; tile < tiles.number; ++tile) {
            multiply_tile<tiles.size, blocks, pixel_stride>(sums, sum_pixel_stride,
                                                            sum_block_stride, x, weights,
                                                            weight_block_stride, runs, accumulate);
            sums += tiles.size * sum_pixel_stride;
            x += tiles.size * pixel_stride;
        }
    }
}

/// Runs whose weights stay in the first-level cache while a plane is computed.
constexpr int runs_per_pass(std::int64_t run_length, std::int64_t runs, int blocks) {
    constexpr std::int64_t pass_bytes = (lanes == 16 ? 24 : 12) << 10;  // measured
    const std::int64_t fit =
        pass_bytes / (run_length * block * std::int64_t{sizeof(Value)} * blocks);
    return static_cast<int>(fit < 1 ? 1 : (fit > runs ? runs : fit));
}

/// Offsets of the runs of a forward pass from a pixel's base, for one group.
template <Geometry g>
inline constexpr auto forward_offsets = [] {
    constexpr ConvolutionLayout c = convolution_layout(g);
    constexpr MapLayout in = input_layout(g);
    std::array<std::int32_t, static_cast<std::size_t>(c.runs)> offsets{};
    for (std::int64_t r = 0; r < c.runs; ++r)
        offsets[static_cast<std::size_t>(r)] = static_cast<std::int32_t>(
            r / g.window.kernel_height * in.plane + r % g.window.kernel_height * in.row);
    return offsets;
}();

/// What remains of a convolution stage for one finished plane of sums: bias, ReLU, max pool.
/// `sums` is [middle row][middle column][16] without a halo.
template <Geometry g>
void finish_plane(const float* sums, const float* bias, Value* plane, std::uint8_t* codes) {
    constexpr MapLayout out = output_layout(g);
    Vector shift[vectors];
    for (int v = 0; v < vectors; ++v) shift[v] = load(bias + v * lanes);
    clear_halo(plane, g.output, g.output_halo);
    Value* target = plane + out.origin;
    if constexpr (!g.pool) {
        for (int y = 0; y < g.middle.height; ++y)
            for (int x = 0; x < g.middle.width; ++x)
                for (int v = 0; v < vectors; ++v) {
                    const std::int64_t from = (std::int64_t{y} * g.middle.width + x) * block;
                    Vector value = load(sums + from + v * lanes) + shift[v];
                    if constexpr (g.relu) value = rectify(value);
                    store(target + y * out.row + x * block + v * lanes, value);
                }
    } else {
        max_pool_plane<g.pool, g.middle.height, g.middle.width, g.output.height, g.output.width,
                       g.relu>(sums, std::int64_t{g.middle.width} * block, shift, target, out.row,
                               codes);
    }
}

/// Forward: a task computes `blocks` output planes of one sample.
template <Geometry g>
struct ConvolutionForward {
    static constexpr ConvolutionLayout c = convolution_layout(g);
    static constexpr MapLayout in = input_layout(g);
    static constexpr MapLayout out = output_layout(g);
    static constexpr std::int64_t middle_plane = g.middle.pixels() * block;
    static constexpr int task_blocks = blocks_per_tile(g.middle.width, c.output_blocks_per_group);
    static constexpr std::int64_t tasks_per_group =
        (c.output_blocks_per_group + task_blocks - 1) / task_blocks;
    static constexpr std::int64_t tasks_per_sample =
        c.output_blocks / c.output_blocks_per_group * tasks_per_group;

    const StageIo& io;

    template <int blocks>
    void compute(std::int64_t sample, std::int64_t first_block, float* sums) const {
        constexpr int pixel_stride = g.window.stride_width * static_cast<int>(in.pixel);
        constexpr int pass = runs_per_pass(c.run_length, c.runs, blocks);
        const std::int64_t group = first_block / c.output_blocks_per_group;
        const Value* x = io.input + sample * in.sample +
                         group * c.input_planes_per_group * in.plane + window_origin(g);
        const Value* weights = io.weight_values + first_block * c.weights_per_block;
        for (int run = 0; run < c.runs; run += pass) {
            const int left = static_cast<int>(c.runs) - run;
            const Runs runs{forward_offsets<g>.data() + run, left < pass ? left : pass,
                            static_cast<int>(c.run_length)};
            for (int y = 0; y < g.middle.height; ++y)
                multiply_row<g.middle.width, blocks, pixel_stride>(
                    sums + std::int64_t{y} * g.middle.width * block, block, middle_plane,
                    x + y * g.window.stride_height * in.row, weights + run * c.run_length * block,
                    c.weights_per_block, runs, run > 0);
        }
        for (int b = 0; b < blocks; ++b) {
            const std::int64_t plane = first_block + b;
            finish_plane<g>(sums + b * middle_plane, io.biases + plane * block,
                            io.output + sample * out.sample + plane * out.plane,
                            io.codes == nullptr ? nullptr
                                                : io.codes + sample * code_bytes(g) +
                                                      plane * gradient_layout(g).plane);
        }
    }

    void operator()(std::int64_t task, int worker) const {
        const std::int64_t sample = task / tasks_per_sample;
        const std::int64_t group = task % tasks_per_sample / tasks_per_group;
        const std::int64_t first = task % tasks_per_group * task_blocks;
        float* sums = io.scratch + worker * io.scratch_stride;
        const std::int64_t plane = group * c.output_blocks_per_group + first;
        if constexpr (c.output_blocks_per_group % task_blocks != 0)
            if (first + task_blocks > c.output_blocks_per_group)
                return compute<1>(sample, plane, sums);
        compute<task_blocks>(sample, plane, sums);
    }
};

template <Geometry g>
void convolution_forward(const StageIo& io) {
    using Task = ConvolutionForward<g>;
    parallel(io, io.batch * Task::tasks_per_sample, Task{io});
}

// --- backward ----------------------------------------------------------------------------------

/// Gradient of one plane of the convolution's output: pool and ReLU backward, and the plane's sum,
/// which is the sample's share of the bias gradient.
template <Geometry g>
struct MiddleGradient {
    static constexpr MapLayout middle = middle_gradient_layout(g);
    static constexpr MapLayout out = output_layout(g);
    static constexpr MapLayout gradient = gradient_layout(g);

    const StageIo& io;
    std::int64_t first;  ///< first sample of the chunk
    Value* planes;       ///< [sample of the chunk][block] of `middle`
    float* bias_shares;  ///< [sample of the chunk][channel]

    void operator()(std::int64_t task, int worker) const {
        const std::int64_t sample = task / gradient.planes;
        const std::int64_t plane = task % gradient.planes;
        Value* start = planes + sample * middle.sample + plane * middle.plane;
        Value* target = start + middle.origin;
        const float* source =
            io.output_gradient + (first + sample) * gradient.sample + plane * gradient.plane;
        Vector total[vectors] = {};
        if constexpr (g.pool) {
            clear_pixels(start, middle.plane / block);
            const std::uint8_t* codes =
                io.codes + (first + sample) * code_bytes(g) + plane * gradient.plane;
            // Windows overlap: what they pass on is summed in float.
            constexpr std::int64_t row = std::int64_t{g.middle.width} * block;
            float* sums = values_are_floats ? reinterpret_cast<float*>(target)
                                            : io.scratch + worker * io.scratch_stride;
            if constexpr (!values_are_floats) clear_pixels(sums, g.middle.pixels());
            max_pool_plane_backward<g.pool, g.middle.height, g.middle.width, g.output.height,
                                    g.output.width>(source, gradient.row, codes, sums,
                                                    values_are_floats ? middle.row : row);
            if constexpr (!values_are_floats)
                for (int y = 0; y < g.middle.height; ++y)
                    for (std::int64_t i = 0; i < row; i += lanes)
                        store(target + y * middle.row + i, load(sums + y * row + i));
            for (std::int64_t y = 0; y < g.output.height; ++y) {
                Vector part[vectors] = {};
                for (std::int64_t i = y * g.output.width; i < (y + 1) * g.output.width; ++i)
                    for (int v = 0; v < vectors; ++v) {
                        const Vector value = load(source + i * block + v * lanes);
                        const Mask code = load_codes(codes + i * block + v * lanes);
                        part[v] += keep_where(code != dead_code, value);
                    }
                for (int v = 0; v < vectors; ++v) total[v] += part[v];
            }
        } else {
            clear_halo(start, g.middle, gradient_halo(g));
            const Value* values =
                io.output + (first + sample) * out.sample + plane * out.plane + out.origin;
            for (int y = 0; y < g.middle.height; ++y) {
                Vector part[vectors] = {};
                for (int x = 0; x < g.middle.width; ++x)
                    for (int v = 0; v < vectors; ++v) {
                        Vector value = load(source + y * gradient.row + x * block + v * lanes);
                        if constexpr (g.relu)
                            value = keep_where(
                                load(values + y * out.row + x * block + v * lanes) > Vector{},
                                value);
                        part[v] += value;
                        store(target + y * middle.row + x * block + v * lanes, value);
                    }
                for (int v = 0; v < vectors; ++v) total[v] += part[v];
            }
        }
        float* share = bias_shares + sample * packed_bias_count(g) + plane * block;
        for (int v = 0; v < vectors; ++v) store(share + v * lanes, total[v]);
    }
};

/// The weights of the data gradient for one phase: [input block][output block of the group]
/// [kernel row of the phase][kernel column of the phase, last first][output channel][16 inputs].
template <Geometry g>
struct TransposeWeights {
    static constexpr ConvolutionLayout c = convolution_layout(g);
    static constexpr std::int64_t weights_per_input_block =
        c.output_blocks_per_group * g.window.kernel_height * g.window.kernel_width * block * block;

    const StageIo& io;
    Value* transposed;

    /// Start of a phase within the weights of an input block.
    static constexpr std::int64_t phase_offset(int phase_row, int phase_column) {
        std::int64_t offset = 0;
        for (int row = 0; row < g.window.stride_height; ++row)
            for (int column = 0; column < g.window.stride_width; ++column) {
                if (row == phase_row && column == phase_column) return offset;
                offset += c.output_blocks_per_group * block * block * taps(row, column);
            }
        return offset;
    }
    static constexpr std::int64_t taps(int phase_row, int phase_column) {
        return std::int64_t{rows(phase_row)} * columns(phase_column);
    }
    static constexpr int rows(int phase) {
        return gradient_phase(phase, 1, g.window.kernel_height, g.window.stride_height, 0).taps;
    }
    static constexpr int columns(int phase) {
        return gradient_phase(phase, 1, g.window.kernel_width, g.window.stride_width, 0).taps;
    }

    /// A task transposes all weights between one input block and one output block of its group.
    void operator()(std::int64_t task, int) const {
        const std::int64_t input_block = task / c.output_blocks_per_group;
        const std::int64_t output = task % c.output_blocks_per_group;
        const std::int64_t group = input_block / c.input_planes_per_group;
        const std::int64_t plane = input_block % c.input_planes_per_group;
        const Value* source = io.weight_values +
                              (group * c.output_blocks_per_group + output) * c.weights_per_block +
                              plane * g.window.kernel_height * c.run_length * block;
        for (int row = 0; row < g.window.kernel_height; ++row)
            for (int column = 0; column < g.window.kernel_width; ++column) {
                const int phase_row = row % g.window.stride_height;
                const int phase_column = column % g.window.stride_width;
                const std::int64_t width = columns(phase_column);
                Value* target =
                    transposed + input_block * weights_per_input_block +
                    phase_offset(phase_row, phase_column) +
                    (output * rows(phase_row) * width + row / g.window.stride_height * width +
                     (width - 1 - column / g.window.stride_width)) *
                        block * block;
                const Value* tile = source + (row * c.run_length + column * block) * block;
                for (int i = 0; i < block; ++i)
                    for (int o = 0; o < block; ++o) target[o * block + i] = tile[i * block + o];
            }
    }
};

/// Offsets of the data gradient's runs in one phase, from the pixel under its first kernel tap.
template <Geometry g, int phase_row, int phase_column>
inline constexpr auto gradient_offsets = [] {
    constexpr ConvolutionLayout c = convolution_layout(g);
    constexpr MapLayout middle = middle_gradient_layout(g);
    constexpr int rows = TransposeWeights<g>::rows(phase_row);
    constexpr int columns = TransposeWeights<g>::columns(phase_column);
    constexpr std::int64_t count = c.output_blocks_per_group * rows;
    std::array<std::int32_t, static_cast<std::size_t>(count > 0 ? count : 1)> offsets{};
    for (std::int64_t r = 0; r < count; ++r)
        offsets[static_cast<std::size_t>(r)] = static_cast<std::int32_t>(
            r / rows * middle.plane - r % rows * middle.row - (columns - 1) * middle.pixel);
    return offsets;
}();

/// Data gradient: a task computes the gradient of `blocks` input planes of one sample.
template <Geometry g>
struct DataGradient {
    static constexpr ConvolutionLayout c = convolution_layout(g);
    static constexpr MapLayout middle = middle_gradient_layout(g);
    static constexpr MapLayout target = layout_of(g.input, {}, false);
    static constexpr std::int64_t input_blocks = target.planes;
    static constexpr int task_blocks =
        blocks_per_tile((g.input.width + g.window.stride_width - 1) / g.window.stride_width,
                        c.input_planes_per_group);
    static constexpr std::int64_t tasks_per_group =
        (c.input_planes_per_group + task_blocks - 1) / task_blocks;
    static constexpr std::int64_t tasks_per_sample =
        input_blocks / c.input_planes_per_group * tasks_per_group;

    const StageIo& io;
    std::int64_t first;
    const Value* planes;
    const Value* transposed;

    template <int blocks, int phase_row, int phase_column>
    void compute_phase(std::int64_t sample, std::int64_t plane) const {
        using Weights = TransposeWeights<g>;
        constexpr GradientPhase rows =
            gradient_phase(phase_row, g.input.height, g.window.kernel_height,
                           g.window.stride_height, g.window.pad_top);
        constexpr GradientPhase columns =
            gradient_phase(phase_column, g.input.width, g.window.kernel_width,
                           g.window.stride_width, g.window.pad_left);
        if constexpr (rows.count > 0 && columns.count > 0) {
            constexpr int run_length = columns.taps * block;
            constexpr int total = rows.taps * columns.taps == 0
                                      ? 0
                                      : static_cast<int>(c.output_blocks_per_group) * rows.taps;
            constexpr int pass = total == 0 ? 1 : runs_per_pass(run_length, total, blocks);
            const std::int64_t group = plane / c.input_planes_per_group;
            const Value* weights = transposed + plane * Weights::weights_per_input_block +
                                   Weights::phase_offset(phase_row, phase_column);
            const Value* source = planes + sample * middle.sample + middle.origin +
                                  group * c.output_blocks_per_group * middle.plane +
                                  rows.output * middle.row + columns.output * middle.pixel;
            float* sums = io.input_gradient + (first + sample) * target.sample +
                          plane * target.plane + rows.first * target.row +
                          columns.first * target.pixel;
            int run = 0;
            do {
                const Runs runs{gradient_offsets<g, phase_row, phase_column>.data() + run,
                                total - run < pass ? total - run : pass, run_length};
                for (int y = 0; y < rows.count; ++y)
                    multiply_row<columns.count, blocks, block>(
                        sums + y * g.window.stride_height * target.row,
                        g.window.stride_width * block, target.plane, source + y * middle.row,
                        weights + std::int64_t{run} * run_length * block,
                        Weights::weights_per_input_block, runs, run > 0);
                run += pass;
            } while (run < total);
        }
    }

    template <int blocks, int... phases>
    void compute(std::int64_t sample, std::int64_t plane,
                 std::integer_sequence<int, phases...>) const {
        (compute_phase<blocks, phases / g.window.stride_width, phases % g.window.stride_width>(
             sample, plane),
         ...);
    }

    void operator()(std::int64_t task, int) const {
        constexpr std::make_integer_sequence<int, g.window.stride_height * g.window.stride_width>
            phases{};
        const std::int64_t sample = task / tasks_per_sample;
        const std::int64_t group = task % tasks_per_sample / tasks_per_group;
        const std::int64_t start = task % tasks_per_group * task_blocks;
        const std::int64_t plane = group * c.input_planes_per_group + start;
        if constexpr (c.input_planes_per_group % task_blocks != 0)
            if (start + task_blocks > c.input_planes_per_group)
                return compute<1>(sample, plane, phases);
        compute<task_blocks>(sample, plane, phases);
    }
};

/// The micro-kernel of the weight gradient:
/// sums[value][16 * blocks] += sum over rows and columns of
/// x[row * x_row + column * pixel_stride + value] * y[row * y_row + column * 16][16 * blocks].
template <int values, int blocks, int pixel_stride>
TYPENET_MICRO_KERNEL void correlate_tile(float* sums, std::int64_t sum_block_stride, const float* x,
                                         std::int64_t x_row, const float* y, std::int64_t y_row,
                                         std::int64_t y_block_stride, int rows, int columns) {
    Vector sum[values][blocks * vectors] = {};
    for (int row = 0; row < rows; ++row) {
        const float* source = x + row * x_row;
        const float* gradient = y + row * y_row;
        for (int column = 0; column < columns; ++column) {
            Vector g[blocks * vectors];
#pragma GCC unroll 16
            for (int v = 0; v < blocks * vectors; ++v)
                g[v] = load(gradient + v / vectors * y_block_stride + v % vectors * lanes);
#pragma GCC unroll 16
            for (int k = 0; k < values; ++k) {
                const Vector value = broadcast(source[k]);
#pragma GCC unroll 16
                for (int v = 0; v < blocks * vectors; ++v)
                    sum[k][v] = multiply_add(value, g[v], sum[k][v]);
            }
            source += pixel_stride;
            gradient += block;
        }
    }
    store_tile<values, blocks>(sums, block, sum_block_stride, sum, true);
}

/// Weight gradient: a task adds, sample by sample, the gradients of some runs of some output
/// blocks, so every sum has the same order whatever the threads.
template <Geometry g>
struct WeightGradient {
    static constexpr ConvolutionLayout c = convolution_layout(g);
    static constexpr MapLayout in = input_layout(g);
    static constexpr MapLayout middle = middle_gradient_layout(g);
    static constexpr int task_blocks =
        blocks_per_tile(static_cast<int>(c.run_length), c.output_blocks_per_group);
    static constexpr int runs_per_task = g.planar_input ? 3 : g.window.kernel_height;
    static constexpr std::int64_t parts = (c.runs + runs_per_task - 1) / runs_per_task;
    static constexpr std::int64_t tasks_per_group =
        (c.output_blocks_per_group + task_blocks - 1) / task_blocks * parts;
    static constexpr std::int64_t tasks =
        c.output_blocks / c.output_blocks_per_group * tasks_per_group;
    static constexpr int pixel_stride = g.window.stride_width * static_cast<int>(in.pixel);
    /// What correlate_tile reads of inputs, and how far apart its rows are.
    using Factor = std::conditional_t<values_are_floats, Value, std::uint32_t>;
    static constexpr std::int64_t x_row = values_are_floats ? in.row : pair_row(g);

    const StageIo& io;
    std::int64_t first;
    std::int64_t count;  ///< samples of the chunk
    const Value* planes;

    /// Rows of the output whose gradient and inputs make a pass: as many as stay in cache together,
    /// in passes of about equal height.
    static constexpr int rows_per_pass(int blocks) {
        constexpr std::int64_t pass_bytes = (lanes == 16 ? 80 : 20) << 10;  // measured
        const std::int64_t bytes =
            std::int64_t{sizeof(Value)} *
            (in.row * g.window.stride_height + std::int64_t{g.middle.width} * block * blocks);
        const std::int64_t fit =
            pass_bytes / bytes - g.window.kernel_height / g.window.stride_height;
        const Pieces passes =
            split(g.middle.height,
                  static_cast<int>(fit < 1 ? 1 : (fit > g.middle.height ? g.middle.height : fit)));
        return passes.size + (passes.larger > 0 ? 1 : 0);
    }

    /// `rows` rows of inputs from `x` on as correlate_tile reads them: in place or, of bfloat16, as
    /// pairs in the worker's scratch.
    const Factor* readable(const Value* x, [[maybe_unused]] std::int64_t rows,
                           [[maybe_unused]] int worker) const {
#ifdef TYPENET_PAIRS
        auto* pairs = reinterpret_cast<std::uint32_t*>(io.scratch + worker * io.scratch_stride);
        pair_values(pairs, x_row, x, in.row, rows,
                    (g.middle.width - 1) * pixel_stride + c.run_length, pixel_stride);
        return pairs;
#else
        return x;
#endif
    }

    template <int blocks>
    void compute(std::int64_t first_block, int first_run, int end_run, int worker) const {
        constexpr Pieces tiles = split(static_cast<int>(c.run_length), tile_pixels(blocks));
        constexpr int pass = rows_per_pass(blocks);
        const std::int64_t group = first_block / c.output_blocks_per_group;
        float* sums = io.weight_gradient + first_block * c.weights_per_block;
        if (first == 0)
            for (int b = 0; b < blocks; ++b)
                clear_pixels(sums + b * c.weights_per_block + first_run * c.run_length * block,
                             (end_run - first_run) * c.run_length);
        for (std::int64_t sample = 0; sample < count; ++sample) {
            const Value* x = io.input + (first + sample) * in.sample +
                             group * c.input_planes_per_group * in.plane + window_origin(g);
            const Value* y =
                planes + sample * middle.sample + first_block * middle.plane + middle.origin;
            for (int row = 0; row < g.middle.height; row += pass) {
                const int rows = g.middle.height - row < pass ? g.middle.height - row : pass;
                const Factor* plane = nullptr;
                for (int run = first_run; run < end_run; ++run, plane += x_row) {
                    // The runs of a plane read overlapping rows.
                    const int kernel_row = run % g.window.kernel_height;
                    if (run == first_run || kernel_row == 0) {
                        const int left = g.window.kernel_height - kernel_row;
                        const int runs = end_run - run < left ? end_run - run : left;
                        plane = readable(x + forward_offsets<g>[static_cast<std::size_t>(run)] +
                                             row * g.window.stride_height * in.row,
                                         (rows - 1) * g.window.stride_height + runs, worker);
                    }
                    const Factor* source = plane;
                    float* target = sums + run * c.run_length * block;
                    for (int tile = 0; tile < tiles.number; ++tile) {
                        const bool larger = tile < tiles.larger;
                        if (larger)
                            correlate_tile<tiles.size + 1, blocks, pixel_stride>(
                                target, c.weights_per_block, source, g.window.stride_height * x_row,
                                y + row * middle.row, middle.row, middle.plane, rows,
                                g.middle.width);
                        else
                            correlate_tile<tiles.size, blocks, pixel_stride>(
                                target, c.weights_per_block, source, g.window.stride_height * x_row,
                                y + row * middle.row, middle.row, middle.plane, rows,
                                g.middle.width);
                        source += tiles.size + larger;
                        target += (tiles.size + larger) * block;
                    }
                }
            }
        }
    }

    void operator()(std::int64_t task, int worker) const {
        const std::int64_t group = task / tasks_per_group;
        const std::int64_t start = task % tasks_per_group / parts * task_blocks;
        const int run = static_cast<int>(task % parts) * runs_per_task;
        const int end =
            run + runs_per_task < c.runs ? run + runs_per_task : static_cast<int>(c.runs);
        const std::int64_t plane = group * c.output_blocks_per_group + start;
        if constexpr (c.output_blocks_per_group % task_blocks != 0)
            if (start + task_blocks > c.output_blocks_per_group)
                return compute<1>(plane, run, end, worker);
        compute<task_blocks>(plane, run, end, worker);
    }
};

/// Clears what a dense convolution computed between groups that do not fill whole blocks.
template <Geometry g>
void clear_between_groups(float* gradient) {
    constexpr ConvolutionLayout c = convolution_layout(g);
    const int group_inputs = g.input.channels / g.groups;
    const int group_outputs = g.middle.channels / g.groups;
    const int width = g.planar_input ? 1 : block;
    for (std::int64_t i = 0; i < c.weight_count; ++i) {
        const std::int64_t output = i / c.weights_per_block * block + i % block;
        const std::int64_t value = i % c.weights_per_block / block;
        const std::int64_t input =
            value / c.run_length / g.window.kernel_height * width + value % c.run_length % width;
        if (output / group_outputs != input / group_inputs) gradient[i] = 0;
    }
}

/// Gradients of a convolution stage, a chunk of samples at a time. The weight gradient is left in
/// memory: it is small beside the linear layers'.
template <Geometry g>
void convolution_backward(const StageIo& io) {
    constexpr MapLayout middle = middle_gradient_layout(g);
    constexpr std::int64_t chunk = backward_chunk(g);
    constexpr std::int64_t channels = packed_bias_count(g);
    float* bias_shares = io.workspace;
    auto* planes = reinterpret_cast<Value*>(bias_shares + chunk * channels);
    Value* transposed = planes + chunk * middle.sample;
    if constexpr (g.input_gradient)
        parallel(io, blocks_of(g.input.channels) * convolution_layout(g).output_blocks_per_group,
                 TransposeWeights<g>{io, transposed});
    if constexpr (learns(g)) clear_pixels(io.bias_gradient, channels / block);
    for (std::int64_t first = 0; first < io.batch; first += chunk) {
        const std::int64_t count = io.batch - first < chunk ? io.batch - first : chunk;
        parallel(io, count * gradient_layout(g).planes,
                 MiddleGradient<g>{io, first, planes, bias_shares});
        if constexpr (learns(g))
            for (std::int64_t sample = 0; sample < count; ++sample)
                for (std::int64_t i = 0; i < channels; i += lanes)
                    store(io.bias_gradient + i,
                          load(io.bias_gradient + i) + load(bias_shares + sample * channels + i));
        if constexpr (g.input_gradient)
            parallel(io, count * DataGradient<g>::tasks_per_sample,
                     DataGradient<g>{io, first, planes, transposed});
        if constexpr (learns(g))
            parallel(io, WeightGradient<g>::tasks, WeightGradient<g>{io, first, count, planes});
    }
    if constexpr (learns(g) && g.groups > 1 && !convolution_layout(g).grouped)
        clear_between_groups<g>(io.weight_gradient);
}
