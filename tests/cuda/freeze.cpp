// Frozen layers on the GPU.
#include "typenet/cuda.hpp"

namespace {
using Backend = typenet::Cuda<float>;
}  // namespace

#include "support/freeze_cases.hpp"
