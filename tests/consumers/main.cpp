// What a user's first program might be; main returns 0 when typenet does what it promises.
#include <cstdio>
#include <typenet/typenet.hpp>
#include <vector>

namespace tn = typenet;

using Tiny = tn::Network<tn::Input<3, 8, 8>,  //
                         tn::Conv2d<16, tn::Kernel<3>, tn::Padding<1>>, tn::Relu,
                         tn::MaxPool2d<tn::Kernel<2>, tn::Stride<2>>,  //
                         tn::Flatten, tn::Linear<2>>;

static_assert(Tiny::output_shape == tn::Shape{2});
static_assert(Tiny::parameter_count == (3 * 3 * 3 + 1) * 16 + (16 * 4 * 4 + 1) * 2);

// This program is compiled without any flag for the processor, and uses what the processor has.
bool kernels_are_the_best_of_this_processor() {
    using tn::cpu::Isa;
    Isa best = Isa::baseline;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) best = Isa::avx2;
    if (__builtin_cpu_supports("avx512f")) best = Isa::avx512;
#endif
    return tn::cpu::best_isa() == best || !tn::cpu::is_compiled(best);
}

int main() {
    // Two samples: one bright on the left, one on the right.
    const std::vector<int> labels{0, 1};
    std::vector<float> samples;
    for (const int label : labels)
        for (int i = 0; i < 3 * 8 * 8; ++i)
            samples.push_back((i % 8 >= 4) == (label == 1) ? 1.f : 0.f);

    tn::Model<Tiny> model{tn::Seed{0}};
    tn::Trainer trainer{model, tn::CrossEntropy{}, tn::Sgd{.learning_rate = 0.1f}, tn::Batch{2}};
    trainer.step(samples, labels);
    const float first_loss = trainer.loss();
    for (int i = 0; i < 20; ++i) trainer.step(samples, labels);
    std::printf("loss %.3f, then %.3f\n", first_loss, trainer.loss());

    const std::vector<float> logits = tn::Predictor{model, tn::Batch{1}}(samples);
    const bool has_learnt =
        trainer.loss() < first_loss && logits[0] > logits[1] && logits[3] > logits[2];
    return has_learnt && kernels_are_the_best_of_this_processor() ? 0 : 1;
}
