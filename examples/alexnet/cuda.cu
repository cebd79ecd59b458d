// All that computes on an NVIDIA GPU is compiled here, by nvcc.
#include <typenet/backends/cuda/cuda.hpp>

#include "evaluate.hpp"
#include "gpu.hpp"
#include "train.hpp"

namespace alexnet {
namespace {

/// Is asked for in place of all others: does the program hold code for this GPU?
__global__ void any_kernel() {}

void require_success(cudaError_t status) {
    if (status == cudaSuccess) return;
    throw typenet::Error(std::string{"--device cuda: "} + cudaGetErrorString(status) + ": " +
                         typenet::cuda::remedy(status));
}

template <class Options>
void run_in_precision(const Options& options) {
    if (options.machine.precision == "bf16")
        run<typenet::Cuda<typenet::bf16>>(options);
    else if (options.machine.precision == "tf32")
        run<typenet::Cuda<typenet::tf32>>(options);
    else
        run<typenet::Cuda<float>>(options);
}

}  // namespace

std::string gpu_name() {
    int devices = 0;
    require_success(cudaGetDeviceCount(&devices));
    int device = 0;
    require_success(cudaGetDevice(&device));
    cudaDeviceProp properties{};
    require_success(cudaGetDeviceProperties(&properties, device));
    cudaFuncAttributes attributes{};
    require_success(cudaFuncGetAttributes(&attributes, any_kernel));
    return properties.name;
}

template <class Backend>
std::string describe(const typename Backend::Context&, const MachineOptions& machine) {
    return gpu_name() + ", " + machine.precision;
}

void run_on_gpu(const TrainOptions& options) {
    run_in_precision(options);
}
void run_on_gpu(const EvalOptions& options) {
    run_in_precision(options);
}

}  // namespace alexnet
