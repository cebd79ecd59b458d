// The report's networks in training on an NVIDIA GPU, and the known ones in inference. What
// computes there is compiled by nvcc: here and in cuda_torchvision.cu.
#include <typenet/backends/cuda/cuda.hpp>

#include "make_classifier.hpp"
#include "on_gpu.hpp"
#include "precisions.hpp"

namespace alexnet {
namespace {

/// Is asked for in place of all others: does the program hold code for this GPU?
__global__ void any_kernel() {}

void require_success(cudaError_t status) {
    if (status == cudaSuccess) return;
    throw typenet::Error(std::string{"--device cuda: "} + cudaGetErrorString(status) + ": " +
                         typenet::cuda::remedy(status));
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

template void train_on_gpu<PytorchSystem, float>(const TrainOptions& options);
template void train_on_gpu<PytorchSystem, typenet::tf32>(const TrainOptions& options);
template void train_on_gpu<PytorchSystem, typenet::bf16>(const TrainOptions& options);
template void train_on_gpu<KerasSystem, float>(const TrainOptions& options);
template void train_on_gpu<KerasSystem, typenet::tf32>(const TrainOptions& options);
template void train_on_gpu<KerasSystem, typenet::bf16>(const TrainOptions& options);

std::unique_ptr<Classifier> make_gpu_classifier(const typenet::models::KnownNetwork& known,
                                                const typenet::TensorFile& file,
                                                const std::filesystem::path& path,
                                                std::int64_t batch, const MachineOptions& machine) {
    return in_precision(machine, [&](auto number) {
        using Backend = typenet::Cuda<typename decltype(number)::type>;
        return make_classifier<Backend>(known, file, path, batch, machine);
    });
}

}  // namespace alexnet
