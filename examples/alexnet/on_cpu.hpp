// What the files share that compute on the processor in f32.
#pragma once

#include <string>
#include <typenet/backends/cpu/cpu.hpp>

#include "run.hpp"

namespace alexnet {

template <>
std::string describe<typenet::Cpu<float>>(const typenet::Cpu<float>::Context& context,
                                          const MachineOptions& machine);  // in cpu.cpp

}  // namespace alexnet
