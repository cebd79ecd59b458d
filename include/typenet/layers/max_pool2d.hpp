// Maximum over a sliding window.
#pragma once

#include "typenet/core/layer.hpp"
#include "typenet/layers/options.hpp"

namespace typenet {

/// `MaxPool2d<Kernel<3>, Stride<2>>`: (c, h, w) -> (c, h', w'), floor semantics. Of equal values
/// the first in row-major order wins and gets the gradient; NaN wins over all; padding never does.
/// Options: Kernel (required), Stride (the kernel unless given), Padding or Same. PyTorch:
/// nn.MaxPool2d.
template <class... Options>
struct MaxPool2d {
    static constexpr Inference infer(const Shape& input) {
        return detail::infer_pool<Options...>(LayerKind::max_pool2d, "MaxPool2d", input);
    }
    static constexpr LayerSpec spec{&infer};
};

}  // namespace typenet
