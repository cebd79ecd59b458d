// The terms in which kernels are written, for AVX-512's 16 lanes and 32 registers but in no
// instruction set's own words: its kernels are tested on processors that cannot run it. To be
// included once, before kernels/all.inl.
#define TYPENET_LANES 16
#define TYPENET_REGISTERS 32
#define TYPENET_FMA(a, b, c) ((a) * (b) + (c))
#define TYPENET_SQRT(v)                                               \
    ([&] {                                                            \
        Vector root = v;                                              \
        for (int i = 0; i < lanes; ++i) root[i] = std::sqrt(root[i]); \
        return root;                                                  \
    }())
