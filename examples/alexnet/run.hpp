// What the program does, on any backend. Each backend instantiates these in one file of its own, so
// that the kernels are compiled there and nowhere else.
#pragma once

#include <string>
#include <string_view>

#include "options.hpp"

namespace alexnet {

/// What computes, for a person to read: "CPU, avx2 kernels, 2 threads".
template <class Backend>
std::string describe(const typename Backend::Context& context, const MachineOptions& machine);

/// The same for all that computes on the CPU.
std::string describe_cpu(std::string_view kernels, int threads, const MachineOptions& machine);

/// Trains a system (system.hpp) and reports; throws typenet::Error, and Interrupted after Ctrl-C.
template <class System, class Backend>
void train(const TrainOptions& options);
/// The same on the processor in bf16; throws typenet::Error for other than the report's networks.
void train_in_bf16(const TrainOptions& options);

/// Prints the network and its memory on the CPU; throws typenet::FileError.
void run(const InfoOptions& options);

}  // namespace alexnet
