// Compares the CUDA backend with the reference backend on one network.
#pragma once

#include "cpu/compare.hpp"
#include "typenet/cuda.hpp"

namespace typenet::testing {

/// In float, on batches of 1 and 3; `workspace_limit` decides how many samples pass a convolution
/// together.
template <class Net, std::int64_t workspace_limit = std::int64_t{128} << 20>
void compare_on_gpu(Numbers numbers) {
    for (const std::int64_t batch : {1, 3}) {
        Model<Net, Cuda<float, workspace_limit>> model{Seed{1}};
        compare_with_reference(model, batch, numbers);
    }
}

}  // namespace typenet::testing
