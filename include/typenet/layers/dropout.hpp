// Dropout with inverted scaling.
#pragma once

#include <ratio>

#include "typenet/core/layer.hpp"

namespace typenet {

/// `Dropout<std::ratio<1, 2>>`: in training each value is set to 0 with this probability and
/// divided by (1 - probability) otherwise; in inference nothing happens. PyTorch: nn.Dropout.
/// Which values are dropped depends only on (seed, step, layer, sample, element): see Philox.
template <class Probability = std::ratio<1, 2>>
struct Dropout {
    static constexpr Inference infer(const Shape& input) {
        if (Probability::num < 0 || Probability::num >= Probability::den)
            return Inference::refuse(Reason::dropout_rate_is_not_a_probability);
        LayerInfo info = detail::elementwise(LayerKind::dropout, "Dropout", input);
        info.rate = static_cast<float>(Probability::num) / static_cast<float>(Probability::den);
        return {info};
    }
    static constexpr LayerSpec spec{&infer};
};

}  // namespace typenet
