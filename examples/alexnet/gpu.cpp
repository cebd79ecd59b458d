// Training on the GPU, as far as it is not for nvcc: which of its instances is called.
#include "gpu.hpp"

#include "precisions.hpp"
#include "system.hpp"

namespace alexnet {

void run_on_gpu(const TrainOptions& options) {
    in_precision(options.machine, [&](auto precision) {
        using Number = typename decltype(precision)::type;
        with_system(options.recipe.name,
                    [&](auto system) { train_on_gpu<decltype(system), Number>(options); });
    });
}

}  // namespace alexnet
