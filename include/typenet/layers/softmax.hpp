// Softmax over the features of a flat input.
#pragma once

#include "typenet/core/layer.hpp"

namespace typenet {

/// y_i = exp(x_i - max x) / sum_j exp(x_j - max x). As a network's last layer under CrossEntropy it
/// is fused with the loss, which then works on its input. PyTorch: nn.Softmax(dim=1).
struct Softmax {
    static constexpr Inference infer(const Shape& input) {
        if (!input.is_flat())
            return Inference::refuse(Reason::softmax_needs_a_flat_input,
                                     Shape{static_cast<int>(input.size())});
        return {detail::elementwise(LayerKind::softmax, "Softmax", input)};
    }
    static constexpr LayerSpec spec{&infer};
};

}  // namespace typenet
