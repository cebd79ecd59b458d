// The micro-kernels of products of bfloat16: those of floats in other files, but two steps of the
// sum at a time, as TYPENET_DOT(c, a, b) takes them: c + a * b of the upper values of each pair,
// then of the lower ones. Without it both are widened, which is exact, and multiplied as floats.

#ifdef TYPENET_DOT
static_assert(vectors == 1);
/// A pair of values for each lane.
using Pairs [[gnu::vector_size(lanes * 4)]] = std::uint16_t;

/// Neighbouring values.
[[gnu::always_inline]] inline Pairs load_pairs(const Bf16* source) {
    Pairs pairs;
    __builtin_memcpy(&pairs, source, sizeof pairs);
    return pairs;
}
/// Each lane's values of two rows of 16.
[[gnu::always_inline]] inline Pairs join(Halves lower, Halves upper) {
    return __builtin_shufflevector(lower, upper, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7,
                                   23, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15,
                                   31);
}
/// The same of rows the second of which follows the first.
[[gnu::always_inline]] inline Pairs load_rows(const Bf16* rows) {
    const Pairs pairs = load_pairs(rows);
    return __builtin_shufflevector(pairs, pairs, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7,
                                   23, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15,
                                   31);
}
/// A row of 16 and zeros.
[[gnu::always_inline]] inline Pairs load_row(const Bf16* row) {
    Halves halves;
    __builtin_memcpy(&halves, row, sizeof halves);
    return join(halves, Halves{});
}
[[gnu::always_inline]] inline Pairs broadcast_pair(const void* pair) {
    std::uint32_t bits;
    __builtin_memcpy(&bits, pair, sizeof bits);
    return reinterpret_cast<Pairs>(bits - Words{});
}
/// A value for each lane, to be multiplied by pairs with zeros.
[[gnu::always_inline]] inline Pairs broadcast_value(const Bf16* value) {
    std::uint16_t bits;
    __builtin_memcpy(&bits, value, sizeof bits);
    return bits - Pairs{};
}
[[gnu::always_inline]] inline Vector multiply_add(Pairs a, Pairs b, Vector c) {
    return TYPENET_DOT(c, a, b);
}
#else
struct Pairs {
    Vector lower;
    Vector upper;
};

[[gnu::always_inline]] inline Pairs widen_pairs(Words pairs) {
    return {reinterpret_cast<Vector>(pairs << 16), reinterpret_cast<Vector>(pairs & 0xffff0000u)};
}
[[gnu::always_inline]] inline Pairs load_pairs(const Bf16* source) {
    Words pairs;
    __builtin_memcpy(&pairs, source, sizeof pairs);
    return widen_pairs(pairs);
}
[[gnu::always_inline]] inline Pairs load_rows(const Bf16* rows) {
    return {load(rows), load(rows + block)};
}
[[gnu::always_inline]] inline Pairs load_row(const Bf16* row) {
    return {load(row), Vector{}};
}
[[gnu::always_inline]] inline Pairs broadcast_pair(const void* pair) {
    std::uint32_t bits;
    __builtin_memcpy(&bits, pair, sizeof bits);
    return widen_pairs(bits - Words{});
}
[[gnu::always_inline]] inline Pairs broadcast_value(const Bf16* value) {
    return {broadcast(*value), Vector{}};
}
[[gnu::always_inline]] inline Vector multiply_add(const Pairs& a, const Pairs& b, Vector c) {
    return multiply_add(a.lower, b.lower, multiply_add(a.upper, b.upper, c));
}
#endif

/// As multiply_tile of floats. The last weights of a run of odd length are paired with zeros.
template <int pixels, int blocks, int pixel_stride>
TYPENET_MICRO_KERNEL void multiply_tile(float* sums, std::int64_t sum_pixel_stride,
                                        std::int64_t sum_block_stride, const Bf16* x,
                                        const Bf16* weights, std::int64_t weight_block_stride,
                                        Runs runs, bool accumulate) {
    Vector sum[pixels][blocks * vectors] = {};
    for (int r = 0; r < runs.count; ++r) {
        const Bf16* source = x + runs.offsets[r];
        for (int k = 0; k < runs.length / 2; ++k) {
            separate_loads();
            Pairs weight[blocks * vectors];
#pragma GCC unroll 16
            for (int v = 0; v < blocks * vectors; ++v)
                weight[v] =
                    load_rows(weights + v / vectors * weight_block_stride + v % vectors * lanes);
#pragma GCC unroll 16
            for (int p = 0; p < pixels; ++p) {
                const Pairs value = broadcast_pair(source + p * pixel_stride);
#pragma GCC unroll 16
                for (int v = 0; v < blocks * vectors; ++v)
                    sum[p][v] = multiply_add(value, weight[v], sum[p][v]);
            }
            source += 2;
            weights += 2 * block;
        }
        if (runs.length % 2 != 0) {
            Pairs weight[blocks * vectors];
#pragma GCC unroll 16
            for (int v = 0; v < blocks * vectors; ++v)
                weight[v] =
                    load_row(weights + v / vectors * weight_block_stride + v % vectors * lanes);
#pragma GCC unroll 16
            for (int p = 0; p < pixels; ++p) {
                const Pairs value = broadcast_value(source + p * pixel_stride);
#pragma GCC unroll 16
                for (int v = 0; v < blocks * vectors; ++v)
                    sum[p][v] = multiply_add(value, weight[v], sum[p][v]);
            }
            weights += block;
        }
    }
    store_tile<pixels, blocks>(sums, sum_pixel_stride, sum_block_stride, sum, accumulate);
}

/// Makes pairs of the values of `rows` rows for correlate_tile: each of the first `count` values
/// with the one `distance` further. What lies beyond the row is multiplied by zeros.
inline void pair_values(std::uint32_t* pairs, std::int64_t pair_row, const Bf16* x,
                        std::int64_t x_row, std::int64_t rows, std::int64_t count,
                        std::int64_t distance) {
    for (std::int64_t row = 0; row < rows; ++row)
        for (std::int64_t i = 0; i < count; i += lanes) {
            const Bf16* source = x + row * x_row + i;
            Words pair = load_bits(source);
            if (i + distance < count) pair |= load_bits(source + distance) << 16;
            __builtin_memcpy(pairs + row * pair_row + i, &pair, sizeof pair);
        }
}

/// As correlate_tile of floats, with the pairs that pair_values made of pixels beside each other;
/// x_row and pixel_stride count pairs. The last gradient of a row of odd length is paired with
/// zeros.
template <int values, int blocks, int pixel_stride>
TYPENET_MICRO_KERNEL void correlate_tile(float* sums, std::int64_t sum_block_stride,
                                         const std::uint32_t* x, std::int64_t x_row, const Bf16* y,
                                         std::int64_t y_row, std::int64_t y_block_stride, int rows,
                                         int columns) {
    Vector sum[values][blocks * vectors] = {};
    // One loop over all pairs: between two, g++ moves the sums from register to register.
    const int pairs = (columns + 1) / 2;
    for (int left = rows * pairs, column = 0; left > 0; --left) {
        const bool alone = column + 1 == columns;
        Pairs g[blocks * vectors];
#pragma GCC unroll 16
        for (int v = 0; v < blocks * vectors; ++v) {
            const Bf16* place = y + v / vectors * y_block_stride + v % vectors * lanes;
            g[v] = alone ? load_row(place) : load_rows(place);
        }
#pragma GCC unroll 16
        for (int k = 0; k < values; ++k) {
            const Pairs value = broadcast_pair(x + k);
#pragma GCC unroll 16
            for (int v = 0; v < blocks * vectors; ++v)
                sum[k][v] = multiply_add(value, g[v], sum[k][v]);
        }
        x += 2 * pixel_stride;
        y += 2 * block;
        column += 2;
        if (column >= columns) {
            column = 0;
            x += x_row - 2 * pairs * pixel_stride;
            y += y_row - 2 * pairs * block;
        }
    }
    store_tile<values, blocks>(sums, block, sum_block_stride, sum, true);
}
