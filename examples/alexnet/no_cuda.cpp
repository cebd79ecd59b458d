// Takes the place of gpu.cpp and cuda.cu where the program is built without CUDA.
#include <typenet/core/error.hpp>

#include "classifier.hpp"
#include "gpu.hpp"

namespace alexnet {

std::string gpu_name() {
    throw typenet::Error(
        "--device cuda: this program was built without CUDA; build it with -DTYPENET_CUDA=ON, or "
        "use --device cpu");
}
void run_on_gpu(const TrainOptions&) {
    gpu_name();
}
std::unique_ptr<Classifier> make_gpu_classifier(const typenet::models::KnownNetwork&,
                                                const typenet::TensorFile&,
                                                const std::filesystem::path&, std::int64_t,
                                                const MachineOptions&) {
    gpu_name();
    return {};
}

}  // namespace alexnet
