// torchvision's network in training on the processor.
#include <typenet/backends/cpu/cpu.hpp>

#include "train.hpp"

namespace alexnet {

template <>
std::string describe<typenet::Cpu<float>>(const typenet::Cpu<float>::Context& context,
                                          const MachineOptions& machine);  // in cpu.cpp

template void train<TorchvisionSystem, typenet::Cpu<float>>(const TrainOptions& options);

}  // namespace alexnet
