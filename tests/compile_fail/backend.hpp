// Models and trainers for the cases that need one, on the backend that the compiler at hand takes.
#pragma once

#ifdef __CUDACC__
    #include "typenet/backends/cuda/cuda.hpp"
#endif
#include "typenet/training/model.hpp"
#include "typenet/training/trainer.hpp"

#ifdef __CUDACC__
using Device = typenet::Cuda<float>;
#else
using Device = typenet::Cpu<float>;
#endif
