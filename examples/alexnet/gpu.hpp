// The GPU, as far as this build of the program can use one: gpu.cpp and cuda.cu, or no_cuda.cpp.
#pragma once

#include <string>

#include "options.hpp"

namespace alexnet {

/// The name of the GPU that would compute. Throws typenet::Error where the program was built
/// without CUDA and where this machine has no GPU that it can use.
std::string gpu_name();

/// train<System, typenet::Cuda<Number>>(), compiled by nvcc.
template <class System, class Number>
void train_on_gpu(const TrainOptions& options);

/// The same by recipe and precision. (Its classifiers: classifier.hpp.)
void run_on_gpu(const TrainOptions& options);

}  // namespace alexnet
