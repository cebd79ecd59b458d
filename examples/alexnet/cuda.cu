// All that computes on an NVIDIA GPU is compiled here, by nvcc.
#include <typenet/backends/cuda/cuda.hpp>

#include "gpu.hpp"
#include "make_classifier.hpp"
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

template <class T>
struct OnGpu {
    using type = typenet::Cuda<T>;
};

/// Calls f(OnGpu<T>) for the precision asked for.
template <class F>
auto in_precision(const MachineOptions& machine, const F& f) {
    if (machine.precision == "bf16") return f(OnGpu<typenet::bf16>{});
    if (machine.precision == "tf32") return f(OnGpu<typenet::tf32>{});
    return f(OnGpu<float>{});
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
    in_precision(options.machine,
                 [&](auto backend) { run<typename decltype(backend)::type>(options); });
}
std::unique_ptr<Classifier> make_gpu_classifier(const typenet::models::KnownNetwork& known,
                                                const typenet::TensorFile& file,
                                                const std::filesystem::path& path,
                                                std::int64_t batch, const MachineOptions& machine) {
    return in_precision(machine, [&](auto backend) {
        return make_classifier<typename decltype(backend)::type>(known, file, path, batch, machine);
    });
}

}  // namespace alexnet
