// torchvision's network in training on an NVIDIA GPU, from the start and from given weights.
#include "on_gpu.hpp"

namespace alexnet {

template void train_on_gpu<TorchvisionSystem, float>(const TrainOptions& options);
template void train_on_gpu<TorchvisionSystem, typenet::tf32>(const TrainOptions& options);
template void train_on_gpu<TorchvisionSystem, typenet::bf16>(const TrainOptions& options);
template void train_on_gpu<FinetuneSystem, float>(const TrainOptions& options);
template void train_on_gpu<FinetuneSystem, typenet::tf32>(const TrainOptions& options);
template void train_on_gpu<FinetuneSystem, typenet::bf16>(const TrainOptions& options);

}  // namespace alexnet
