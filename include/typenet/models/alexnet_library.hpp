// AlexNet's kernels on the CPU from the library typenet::alexnet: a file that includes this header
// does not compile them, and its program must link that library.
//
// They are declared stage by stage, so a variant of AlexNet takes from the library what it shares
// and compiles the rest.
#pragma once

#include "typenet/backends/cpu/cpu.hpp"
#include "typenet/core/stages.hpp"
#include "typenet/models/alexnet.hpp"
#include "typenet/training/optimizers.hpp"

#define TYPENET_ALEXNET_FORWARD(linkage, stage)                               \
    linkage template void stage_forward<forward_geometry(                     \
        stages_of<models::AlexNet, Phase::training>.stages[stage].geometry)>( \
        Isa, const StageIo<float>&);
#define TYPENET_ALEXNET_BACKWARD(linkage, stage, Rule)                                        \
    linkage template void                                                                     \
    stage_backward<stages_of<models::AlexNet, Phase::training>.stages[stage].geometry, Rule>( \
        Isa, const StageIo<float>&, const Rule&);
/// A convolution leaves its gradient in memory, a linear layer applies the optimizer's rule itself.
#define TYPENET_ALEXNET_CONVOLUTION(linkage, stage) \
    TYPENET_ALEXNET_FORWARD(linkage, stage)         \
    TYPENET_ALEXNET_BACKWARD(linkage, stage, KeepGradient)
#define TYPENET_ALEXNET_LINEAR(linkage, stage)        \
    TYPENET_ALEXNET_FORWARD(linkage, stage)           \
    TYPENET_ALEXNET_BACKWARD(linkage, stage, SgdRule) \
    TYPENET_ALEXNET_BACKWARD(linkage, stage, AdamRule)
#define TYPENET_ALEXNET_UPDATE(linkage, Rule)                                               \
    linkage template void update<Rule>(Isa, ThreadPool&, const Rule&, std::int64_t, float*, \
                                       const float*, float*, float*, float);
#define TYPENET_ALEXNET_KERNELS(linkage)     \
    TYPENET_ALEXNET_CONVOLUTION(linkage, 0)  \
    TYPENET_ALEXNET_CONVOLUTION(linkage, 1)  \
    TYPENET_ALEXNET_CONVOLUTION(linkage, 2)  \
    TYPENET_ALEXNET_CONVOLUTION(linkage, 3)  \
    TYPENET_ALEXNET_CONVOLUTION(linkage, 4)  \
    TYPENET_ALEXNET_LINEAR(linkage, 5)       \
    TYPENET_ALEXNET_LINEAR(linkage, 6)       \
    TYPENET_ALEXNET_LINEAR(linkage, 7)       \
    TYPENET_ALEXNET_UPDATE(linkage, SgdRule) \
    TYPENET_ALEXNET_UPDATE(linkage, AdamRule)

namespace typenet::cpu {

static_assert(stages_of<models::AlexNet, Phase::training>.count == 8);

TYPENET_ALEXNET_KERNELS(extern)

}  // namespace typenet::cpu
