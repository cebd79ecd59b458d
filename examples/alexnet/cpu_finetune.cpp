// Fine-tuning on the processor.
#include "on_cpu.hpp"
#include "train.hpp"

namespace alexnet {

template void train<FinetuneSystem, typenet::Cpu<float>>(const TrainOptions& options);

}  // namespace alexnet
