// The report's networks in training on the processor, in f32.
#include "on_cpu.hpp"
#include "train.hpp"

namespace alexnet {

std::string describe_cpu(std::string_view kernels, int threads, const MachineOptions& machine) {
    return "CPU, " + std::string{kernels} + " kernels, " + std::to_string(threads) +
           (threads == 1 ? " thread" : " threads") +
           (machine.precision == "f32" ? "" : ", " + machine.precision);
}

template <>
std::string describe<typenet::Cpu<float>>(const typenet::Cpu<float>::Context& context,
                                          const MachineOptions& machine) {
    return describe_cpu(to_string(context.isa), context.threads(), machine);
}

template void train<PytorchSystem, typenet::Cpu<float>>(const TrainOptions& options);
template void train<KerasSystem, typenet::Cpu<float>>(const TrainOptions& options);

}  // namespace alexnet
