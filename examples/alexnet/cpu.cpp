// All that computes on the processor is compiled here.
#include <typenet/backends/cpu/cpu.hpp>

#include "train.hpp"

namespace alexnet {

template <>
std::string describe<typenet::Cpu<float>>(const typenet::Cpu<float>::Context& context,
                                          const MachineOptions&) {
    const int threads = context.threads();
    return "CPU, " + std::string{to_string(context.isa)} + " kernels, " + std::to_string(threads) +
           (threads == 1 ? " thread" : " threads");
}

template void run<typenet::Cpu<float>>(const TrainOptions& options);

}  // namespace alexnet
