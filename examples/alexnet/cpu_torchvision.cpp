// torchvision's network in training on the processor.
#include "on_cpu.hpp"
#include "train.hpp"

namespace alexnet {

template void train<TorchvisionSystem, typenet::Cpu<float>>(const TrainOptions& options);

}  // namespace alexnet
