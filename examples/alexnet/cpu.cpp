// All that computes on the processor is compiled here.
#include <typenet/backends/cpu/cpu.hpp>

#include "evaluate.hpp"
#include "train.hpp"

namespace alexnet {

template void run<typenet::Cpu<float>>(const TrainOptions& options);
template void run<typenet::Cpu<float>>(const EvalOptions& options);
template void run<typenet::Cpu<float>>(const InfoOptions& options);

}  // namespace alexnet
