// Convolutions by Winograd's algorithm (backends/cpu/winograd.hpp): tiles of inputs are
// transformed, multiplied by the transformed weights and transformed to outputs. The products of
// matrices are those of the direct convolution's micro-kernel.

[[gnu::always_inline]] inline Vector constant(double value) {
    return broadcast(static_cast<float>(value));
}

/// One dimension of the inputs' transform: `size` vectors to their values at the points.
template <int size>
[[gnu::always_inline]] inline void transform_inputs(const float* x, std::int64_t x_stride,
                                                    float* target, std::int64_t target_stride) {
    constexpr WinogradPoints points = winograd_points(size);
    constexpr double inner = points.inner, outer = points.outer;
    const Vector product = constant(inner * inner * outer * outer);
    const Vector sum = constant(-(inner * inner + outer * outer));
    const Vector inner2 = constant(-inner * inner), outer2 = constant(-outer * outer);
    Vector given[size];
#pragma GCC unroll 7
    for (int i = 0; i < size; ++i) given[i] = load(x + i * x_stride);
    // A point's row are the coefficients of the polynomial whose roots are all other finite points.
    // The single point is a root of all but its own: its factor is multiplied first.
    Vector d[6];
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i)
        d[i] = size == 6 ? given[i]
                         : multiply_add(constant(-points.single), given[i], given[size - 6 + i]);
    // The rest by its even and its odd coefficients.
    const Vector inner_even = multiply_add(outer2, d[2], d[4]);
    const Vector inner_odd = multiply_add(outer2, d[1], d[3]);
    const Vector outer_even = multiply_add(inner2, d[2], d[4]);
    const Vector outer_odd = multiply_add(inner2, d[1], d[3]);
    store(target, multiply_add(product, d[0], multiply_add(sum, d[2], d[4])));
    store(target + 1 * target_stride, multiply_add(constant(inner), inner_odd, inner_even));
    store(target + 2 * target_stride, multiply_add(constant(-inner), inner_odd, inner_even));
    store(target + 3 * target_stride, multiply_add(constant(outer), outer_odd, outer_even));
    store(target + 4 * target_stride, multiply_add(constant(-outer), outer_odd, outer_even));
    if constexpr (size == 7)
        store(target + 5 * target_stride,
              multiply_add(product, given[1], multiply_add(sum, given[3], given[5])));
    store(target + (size - 1) * target_stride,
          multiply_add(product, d[1], multiply_add(sum, d[3], d[5])));
}

/// One dimension of the outputs' transform: sums of products at the points to `outputs` values.
template <int size, int outputs>
[[gnu::always_inline]] inline void transform_outputs(const float* products, std::int64_t stride,
                                                     float* target, std::int64_t target_stride) {
    constexpr WinogradPoints points = winograd_points(size);
    Vector t[size];
#pragma GCC unroll 7
    for (int i = 0; i < size; ++i) t[i] = load(products + i * stride);
    const Vector inner[2] = {t[1] + t[2], t[1] - t[2]}, outer[2] = {t[3] + t[4], t[3] - t[4]};
#pragma GCC unroll 7
    for (int k = 0; k < outputs; ++k) {
        Vector value = multiply_add(constant(power(points.inner, k)), inner[k % 2],
                                    constant(power(points.outer, k)) * outer[k % 2]);
        if (size == 7) value = multiply_add(constant(power(points.single, k)), t[5], value);
        if (k == 0) value += t[0];
        if (k == outputs - 1) value += t[size - 1];
        store(target + k * target_stride, value);
    }
}

/// Output blocks that a task computes together.
inline constexpr int winograd_blocks = lanes == 16 ? 2 : 1;

/// How `tiles` tiles are cut into panels, each for one call of the micro-kernel. Transformed inputs
/// lie as [position][panel][input block][tile of the panel][16].
template <int tiles>
struct Panels {
    static constexpr Pieces pieces = split(tiles, tile_pixels(winograd_blocks));
    struct Panel {
        int first;  ///< its first tile
        int size;
    };
    static constexpr Panel of_tile(int tile) {
        constexpr int longer = pieces.size + 1, cut = pieces.larger * longer;
        if (tile < cut) return {tile / longer * longer, longer};
        return {cut + (tile - cut) / pieces.size * pieces.size, pieces.size};
    }
};

/// Samples of a chunk in groups that are computed together: as many whole ones as there are, then
/// single samples.
template <Geometry g>
struct WinogradGroups {
    static constexpr int samples = winograd_layout(g).samples;
    std::int64_t whole;
    std::int64_t count;

    explicit WinogradGroups(std::int64_t of_chunk)
        : whole(of_chunk / samples), count(whole + of_chunk % samples) {}
    /// First sample of a group.
    std::int64_t first(std::int64_t group) const {
        return group < whole ? group * samples : whole * samples + group - whole;
    }
};

/// Transforms the inputs of a chunk: a task takes one input block of a group of samples.
template <Geometry g>
struct WinogradInputs {
    static constexpr WinogradLayout w = winograd_layout(g);
    static constexpr MapLayout in = input_layout(g);

    const StageIo& io;
    std::int64_t first;  ///< sample of the chunk
    WinogradGroups<g> groups;
    float* values;

    /// One tile of one block, of which the first rows and columns lie inside the padded map; the
    /// others count as zero.
    static void transform(const float* x, int rows, int columns, float* target,
                          std::int64_t position_stride) {
        alignas(64) float inside[w.positions * block];
        std::int64_t row_stride = in.row;
        if (rows < w.size || columns < w.size) {
            for (int y = 0; y < w.size; ++y)
                for (int c = 0; c < w.size; ++c)
                    for (int v = 0; v < vectors; ++v)
                        store(inside + (y * w.size + c) * block + v * lanes,
                              y < rows && c < columns ? load(x + y * in.row + c * block + v * lanes)
                                                      : Vector{});
            x = inside;
            row_stride = w.size * block;
        }
        for (int v = 0; v < vectors; ++v) {
            alignas(64) float half[w.positions * lanes];
            for (int c = 0; c < w.size; ++c)
                transform_inputs<w.size>(x + c * block + v * lanes, row_stride, half + c * lanes,
                                         w.size * lanes);
            for (int y = 0; y < w.size; ++y)
                transform_inputs<w.size>(half + y * w.size * lanes, lanes,
                                         target + y * w.size * position_stride + v * lanes,
                                         position_stride);
        }
    }

    template <int samples>
    void compute(std::int64_t sample, std::int64_t plane) const {
        constexpr int height = g.middle.height + g.window.kernel_height - 1;
        constexpr int width = g.middle.width + g.window.kernel_width - 1;
        constexpr std::int64_t stride = w.position_stride(samples);
        for (int s = 0; s < samples; ++s) {
            const float* source =
                io.input + (first + sample + s) * in.sample + plane * in.plane + window_origin(g);
            for (int row = 0; row < w.rows; ++row) {
                float* band =
                    values + sample * w.sample_values() + row / w.band_rows * w.positions * stride;
                for (int column = 0; column < w.columns; ++column) {
                    const int tile = (s * w.band_rows + row % w.band_rows) * w.columns + column;
                    const auto panel = Panels<w.tiles(samples)>::of_tile(tile);
                    const int y = row * w.tile_height, x = column * w.tile_width;
                    transform(source + y * in.row + x * block, height - y, width - x,
                              band + panel.first * w.inputs +
                                  (plane * panel.size + tile - panel.first) * block,
                              stride);
                }
            }
        }
    }

    void operator()(std::int64_t task, int) const {
        const std::int64_t group = task / in.planes, plane = task % in.planes;
        if (group < groups.whole)
            compute<w.samples>(groups.first(group), plane);
        else
            compute<1>(groups.first(group), plane);
    }
};

/// Offsets of the input blocks of a panel.
template <int size, std::int64_t planes>
inline constexpr auto panel_offsets = [] {
    std::array<std::int32_t, static_cast<std::size_t>(planes)> offsets{};
    for (std::int64_t plane = 0; plane < planes; ++plane)
        offsets[static_cast<std::size_t>(plane)] = static_cast<std::int32_t>(plane * size * block);
    return offsets;
}();

/// Products and outputs of a chunk: a task computes `blocks` output planes of a group of samples.
template <Geometry g>
struct WinogradOutputs {
    static constexpr ConvolutionLayout c = convolution_layout(g);
    static constexpr WinogradLayout w = winograd_layout(g);
    static constexpr MapLayout out = output_layout(g);
    static constexpr std::int64_t middle_plane = g.middle.pixels() * block;
    static constexpr std::int64_t planes = c.input_planes_per_group;
    static constexpr std::int64_t tasks_per_channels =
        (c.output_blocks_per_group + winograd_blocks - 1) / winograd_blocks;
    static constexpr std::int64_t tasks_per_group =
        c.output_blocks / c.output_blocks_per_group * tasks_per_channels;

    const StageIo& io;
    std::int64_t first;
    WinogradGroups<g> groups;
    const float* values;

    /// `count` panels of `size` tiles from `tile` on.
    template <int blocks, int size>
    static void multiply_panels(int count, int tile, float* products, std::int64_t block_stride,
                                const float* x, std::int64_t group, const float* weights, int run,
                                int runs) {
        for (int panel = 0; panel < count; ++panel, tile += size)
            multiply_tile<size, blocks, block>(
                products + tile * block, block, block_stride,
                x + tile * w.inputs + group * planes * size * block,
                weights + run * std::int64_t{block} * block, w.output_stride,
                Runs{panel_offsets<size, planes>.data() + run, runs, block}, run > 0);
    }
    /// Sums over the input channels of a group for one position: [block][tile][16].
    template <int blocks, int tiles>
    static void multiply(float* products, std::int64_t block_stride, const float* x,
                         std::int64_t group, const float* weights) {
        constexpr Pieces panels = Panels<tiles>::pieces;
        constexpr int pass = runs_per_pass(block, planes, blocks);
        constexpr int longer = panels.larger * (panels.size + 1);
        for (int run = 0; run < planes; run += pass) {
            const int left = static_cast<int>(planes) - run;
            const int runs = left < pass ? left : pass;
            if constexpr (panels.larger > 0)
                multiply_panels<blocks, panels.size + 1>(panels.larger, 0, products, block_stride,
                                                         x, group, weights, run, runs);
            multiply_panels<blocks, panels.size>(panels.number - panels.larger, longer, products,
                                                 block_stride, x, group, weights, run, runs);
        }
    }

    /// The outputs of one tile into their place (y, x) of a plane [row][column][16].
    static void transform(const float* products, std::int64_t position_stride, float* plane, int y,
                          int x) {
        for (int v = 0; v < vectors; ++v) {
            alignas(64) float half[w.tile_height * w.size * lanes];
            for (int column = 0; column < w.size; ++column)
                transform_outputs<w.size, w.tile_height>(
                    products + column * position_stride + v * lanes, w.size * position_stride,
                    half + column * lanes, w.size * lanes);
            for (int row = 0; row < w.tile_height && y + row < g.middle.height; ++row) {
                const float* source = half + row * w.size * lanes;
                float* target =
                    plane + (std::int64_t{y + row} * g.middle.width + x) * block + v * lanes;
                if (x + w.tile_width <= g.middle.width) {
                    transform_outputs<w.size, w.tile_width>(source, lanes, target, block);
                } else {
                    alignas(64) float line[w.tile_width * lanes];
                    transform_outputs<w.size, w.tile_width>(source, lanes, line, lanes);
                    for (int column = 0; x + column < g.middle.width; ++column)
                        store(target + column * block, load(line + column * lanes));
                }
            }
        }
    }

    template <int blocks, int samples>
    void compute(std::int64_t sample, std::int64_t first_block, float* products) const {
        constexpr std::int64_t stride = w.position_stride(samples);
        constexpr std::int64_t product_stride = w.product_stride(samples);
        constexpr std::int64_t block_stride = w.positions * product_stride;
        float* sums = products + blocks * block_stride;
        for (int band = 0; band < w.bands; ++band) {
            const float* x = values + sample * w.sample_values() + band * w.positions * stride;
            for (int position = 0; position < w.positions; ++position)
                multiply<blocks, w.tiles(samples)>(
                    products + position * product_stride, block_stride, x + position * stride,
                    first_block / c.output_blocks_per_group,
                    io.transformed_weights + first_block * w.output_stride +
                        position * w.position_weights);
            for (int s = 0; s < samples; ++s)
                for (int b = 0; b < blocks; ++b) {
                    float* plane = sums + b * middle_plane;
                    for (int row = 0; row < w.band_rows && band * w.band_rows + row < w.rows; ++row)
                        for (int column = 0; column < w.columns; ++column)
                            transform(products + b * block_stride +
                                          ((s * w.band_rows + row) * w.columns + column) * block,
                                      product_stride, plane,
                                      (band * w.band_rows + row) * w.tile_height,
                                      column * w.tile_width);
                    if (band + 1 == w.bands)
                        finish_plane<g>(plane, io.biases + (first_block + b) * block,
                                        io.output + (first + sample + s) * out.sample +
                                            (first_block + b) * out.plane,
                                        nullptr);
                }
        }
    }

    template <int blocks>
    void compute_group(std::int64_t group, std::int64_t first_block, float* products) const {
        if (group < groups.whole)
            compute<blocks, w.samples>(groups.first(group), first_block, products);
        else
            compute<blocks, 1>(groups.first(group), first_block, products);
    }

    void operator()(std::int64_t task, int worker) const {
        const std::int64_t group = task / tasks_per_group;
        const std::int64_t channels = task % tasks_per_group / tasks_per_channels;
        const std::int64_t start = task % tasks_per_channels * winograd_blocks;
        const std::int64_t first_block = channels * c.output_blocks_per_group + start;
        float* products = io.scratch + worker * io.scratch_stride;
        if constexpr (c.output_blocks_per_group % winograd_blocks != 0)
            if (start + winograd_blocks > c.output_blocks_per_group)
                return compute_group<1>(group, first_block, products);
        if constexpr (c.output_blocks_per_group >= winograd_blocks)
            compute_group<winograd_blocks>(group, first_block, products);
    }
};

/// Forward of a convolution in inference, a chunk of samples at a time.
template <Geometry g>
void winograd_forward(const StageIo& io) {
    const std::int64_t chunk = winograd_chunk(g, io.batch);
    for (std::int64_t first = 0; first < io.batch; first += chunk) {
        const WinogradGroups<g> groups(io.batch - first < chunk ? io.batch - first : chunk);
        parallel(io, groups.count * WinogradInputs<g>::in.planes,
                 WinogradInputs<g>{io, first, groups, io.workspace});
        parallel(io, groups.count * WinogradOutputs<g>::tasks_per_group,
                 WinogradOutputs<g>{io, first, groups, io.workspace});
    }
}
