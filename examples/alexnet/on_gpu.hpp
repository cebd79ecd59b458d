// Training on a GPU: the files that nvcc compiles instantiate it.
#pragma once

#include <string>
#include <typenet/backends/cuda/cuda.hpp>

#include "gpu.hpp"
#include "train.hpp"

namespace alexnet {

template <class Backend>
std::string describe(const typename Backend::Context&, const MachineOptions& machine) {
    return gpu_name() + ", " + machine.precision;
}

template <class System, class Number>
void train_on_gpu(const TrainOptions& options) {
    train<System, typenet::Cuda<Number>>(options);
}

}  // namespace alexnet
