// Takes the place of cuda.cu where the program is built without CUDA.
#include <typenet/core/error.hpp>

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
void run_on_gpu(const EvalOptions&) {
    gpu_name();
}

}  // namespace alexnet
