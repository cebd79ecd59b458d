// Local response normalisation across channels, as in the AlexNet of 2012.
#pragma once

#include <ratio>

#include "typenet/core/layer.hpp"

namespace typenet {

/// y_c = x_c / (k + alpha / size * sum x_j^2)^beta over the `size` channels around c (those outside
/// count as 0); `size` is odd. PyTorch: nn.LocalResponseNorm (alpha is divided by size there too).
template <int size = 5, class Alpha = std::ratio<1, 10000>, class Beta = std::ratio<3, 4>,
          class K = std::ratio<2>>
struct LocalResponseNorm {
    static constexpr Inference infer(const Shape& input) {
        if (size < 1) return Inference::refuse(Reason::sizes_must_be_positive);
        if (size % 2 == 0) return Inference::refuse(Reason::window_size_must_be_odd);
        if (input.is_flat()) return Inference::refuse(Reason::layer_needs_a_map);
        LayerInfo info =
            detail::elementwise(LayerKind::local_response_norm, "LocalResponseNorm", input);
        info.norm_size = size;
        info.norm_alpha = ratio<Alpha>();
        info.norm_beta = ratio<Beta>();
        info.norm_k = ratio<K>();
        return {info};
    }
    static constexpr LayerSpec spec{&infer};

private:
    template <class R>
    static constexpr float ratio() {
        return static_cast<float>(R::num) / static_cast<float>(R::den);
    }
};

}  // namespace typenet
