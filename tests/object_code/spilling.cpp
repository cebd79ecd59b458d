// What the check of the object code must find: a micro-kernel that sums up in more registers than
// there are; and one beside it with which nothing is wrong.
namespace typenet::cpu::avx2 {

using Vector [[gnu::vector_size(32)]] = float;

template <int count>
[[gnu::noinline, gnu::target("avx2,fma")]] void sum_tile(Vector* sums, const Vector* x,
                                                         const Vector* weights, int steps) {
    Vector sum[count] = {};
    for (int k = 0; k < steps; ++k) {
        const Vector weight = weights[k];
#pragma GCC unroll 32
        for (int i = 0; i < count; ++i) sum[i] += x[k * count + i] * weight;
    }
    for (int i = 0; i < count; ++i) sums[i] = sum[i];
}

template void sum_tile<8>(Vector*, const Vector*, const Vector*, int);
template void sum_tile<24>(Vector*, const Vector*, const Vector*, int);

}  // namespace typenet::cpu::avx2
