// Average over a sliding window.
#pragma once

#include "typenet/core/layer.hpp"
#include "typenet/layers/options.hpp"

namespace typenet {

/// `AvgPool2d<Kernel<3>, Stride<2>>`: (c, h, w) -> (c, h', w'), floor semantics. Padding counts as
/// zeros: every sum is divided by the kernel's area.
/// Options: Kernel (required), Stride (the kernel unless given), Padding or Same. PyTorch:
/// nn.AvgPool2d with its count_include_pad=True.
template <class... Options>
struct AvgPool2d {
    static constexpr Inference infer(const Shape& input) {
        return detail::infer_pool<Options...>(LayerKind::avg_pool2d, "AvgPool2d", input);
    }
    static constexpr LayerSpec spec{&infer};
};

}  // namespace typenet
