// Vectors of the instruction set at hand. Included once for each, and once for each type of values
// in memory: TYPENET_LANES floats a vector, TYPENET_REGISTERS of them, values of TYPENET_VALUE.

using Value = TYPENET_VALUE;  ///< of activations, and of weights where products read them
using StageIo = cpu::StageIo<Value>;
using Operand = cpu::Operand<Value>;
/// Whether products read floats in place, and sums may lie where the values go.
inline constexpr bool values_are_floats = std::is_same_v<Value, float>;

// Micro-kernels are compiled once each: g++ would clone them for arguments that it knows, and
// clones that it rearranges spill.
#ifndef TYPENET_MICRO_KERNEL
    #if defined(__clang__)
        #define TYPENET_MICRO_KERNEL [[gnu::noinline]]
    #else
        #define TYPENET_MICRO_KERNEL [[gnu::noinline, gnu::noclone]]
    #endif
#endif

inline constexpr int lanes = TYPENET_LANES;
inline constexpr int registers = TYPENET_REGISTERS;
inline constexpr int vectors = block / lanes;  ///< vectors that hold one channel block

using Vector [[gnu::vector_size(lanes * 4)]] = float;
using Mask [[gnu::vector_size(lanes * 4)]] = std::int32_t;
using Words [[gnu::vector_size(lanes * 4)]] = std::uint32_t;
using Halves [[gnu::vector_size(lanes * 2)]] = std::uint16_t;
using Bytes [[gnu::vector_size(lanes)]] = std::uint8_t;

[[gnu::always_inline]] inline Vector load(const float* source) {
    Vector v;
    __builtin_memcpy(&v, source, sizeof v);
    return v;
}
[[gnu::always_inline]] inline void store(float* target, Vector v) {
    __builtin_memcpy(target, &v, sizeof v);
}
[[gnu::always_inline]] inline Words load_bits(const Bf16* source) {
    Halves halves;
    __builtin_memcpy(&halves, source, sizeof halves);
    return __builtin_convertvector(halves, Words);
}
/// A bfloat16 is the upper half of a float: widened it is exact, narrowed it is rounded as in Bf16.
[[gnu::always_inline]] inline Vector load(const Bf16* source) {
    return reinterpret_cast<Vector>(load_bits(source) << 16);
}
[[gnu::always_inline]] inline void store(Bf16* target, Vector v) {
    const Words bits = reinterpret_cast<Words>(v);
    const Words nearest = bits + 0x7fffu + (bits >> 16 & 1u);
    const Words chosen = v == v ? nearest : bits | 0x400000u;
    const Halves halves = __builtin_convertvector(chosen >> 16, Halves);
    __builtin_memcpy(target, &halves, sizeof halves);
}
[[gnu::always_inline]] inline Vector broadcast(float value) {
    return value - Vector{};
}

/// Compilers move no load across this: what was loaded before is not loaded anew as an operand of
/// each instruction that uses it, and what is loaded after is not kept for it on the stack.
[[gnu::always_inline]] inline void separate_loads() {
    __asm__ volatile("" ::: "memory");
}

/// a * b + c, with one rounding where the instruction set has it.
[[gnu::always_inline]] inline Vector multiply_add(Vector a, Vector b, Vector c) {
    return TYPENET_FMA(a, b, c);
}

[[gnu::always_inline]] inline Vector square_root(Vector v) {
    return TYPENET_SQRT(v);
}

/// Sums of lanes `distance` (a power of two) apart: those of `b` in the lanes whose number has that
/// bit, those of `a` in the others.
template <int distance, int... lane>
[[gnu::always_inline]] inline Vector add_apart(Vector a, Vector b,
                                               std::integer_sequence<int, lane...>) {
    return __builtin_shufflevector(a, b, (lane & distance ? lanes + lane : lane)...) +
           __builtin_shufflevector(
               a, b, (lane & distance ? lanes + lane - distance : lane + distance)...);
}

/// Sums of the lanes of `count` vectors (a power of two), in a fixed tree: lane i of the result has
/// the sum of v[i].
template <int count, int distance = 1>
[[gnu::always_inline]] inline Vector sums_of_lanes(const Vector* v) {
    constexpr std::make_integer_sequence<int, lanes> sequence{};
    if constexpr (distance == lanes) {
        return v[0];
    } else {
        constexpr int left = count > 1 ? count / 2 : 1;
        Vector sums[left];
#pragma GCC unroll 16
        for (int i = 0; i < left; ++i)
            sums[i] = add_apart<distance>(v[2 * i % count], v[(2 * i + 1) % count], sequence);
        return sums_of_lanes<left, 2 * distance>(sums);
    }
}

/// max(v, 0) that keeps NaN.
[[gnu::always_inline]] inline Vector rectify(Vector v) {
    return v < Vector{} ? Vector{} : v;
}

[[gnu::always_inline]] inline Vector keep_where(Mask mask, Vector v) {
    return reinterpret_cast<Vector>(mask & reinterpret_cast<Mask>(v));
}

/// Writes `count` pixels of zeros.
template <class T>
[[gnu::always_inline]] inline void clear_pixels(T* target, std::int64_t count) {
    for (std::int64_t i = 0; i < count * block; i += lanes) store(target + i, Vector{});
}

/// Zeros around plane `plane` of a sample.
inline void clear_halo(Value* plane, const Shape& shape, const Halo& halo) {
    const std::int64_t height = shape.is_flat() ? 1 : shape.height;
    const std::int64_t width = shape.is_flat() ? 1 : shape.width;
    const std::int64_t row = halo.left + width + halo.right;
    clear_pixels(plane, halo.top * row);
    for (std::int64_t y = 0; y < height; ++y) {
        Value* line = plane + (halo.top + y) * row * block;
        clear_pixels(line, halo.left);
        clear_pixels(line + (halo.left + width) * block, halo.right);
    }
    clear_pixels(plane + (halo.top + height) * row * block, halo.bottom * row);
}

/// Splits `count` into as few pieces as possible of at most `most`, of sizes that differ by one:
/// the first `larger` pieces have size `size + 1`, the others `size`.
struct Pieces {
    int number;
    int size;
    int larger;
};
constexpr Pieces split(int count, int most) {
    const int number = (count + most - 1) / most;
    return {number, number == 0 ? 0 : count / number, number == 0 ? 0 : count % number};
}

/// Runs `task(index, worker)` on the pool. A functor, not a lambda: g++ does not give lambdas the
/// target of the region they stand in.
template <class Task>
void run_task(const void* context, std::int64_t index, int worker) {
    (*static_cast<const Task*>(context))(index, worker);
}
template <class Task>
void parallel(const StageIo& io, std::int64_t tasks, const Task& task) {
    io.pool->parallel_for(tasks, &run_task<Task>, &task);
}
