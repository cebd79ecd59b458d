// Cpu<bf16>: training and inference on the processor with activations and the weights of products
// in bfloat16. Include it beside <typenet/typenet.hpp> and name the backend: Model<Net, Cpu<bf16>>.
#pragma once

#include "typenet/backends/cpu/bf16.hpp"
