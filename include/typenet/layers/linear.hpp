// Fully connected layer with bias.
#pragma once

#include "typenet/core/layer.hpp"

namespace typenet {

/// `Linear<4096>`: (in) -> (out_features). `Linear<4096, 9216>` also states, and checks, its input.
/// Parameters: weight [out_features, in], bias [out_features]. PyTorch: nn.Linear.
template <int out_features, int in_features = 0>
struct Linear {
    static constexpr Inference infer(const Shape& input) {
        if (out_features < 1 || in_features < 0)
            return Inference::refuse(Reason::sizes_must_be_positive);
        if (!input.is_flat())
            return Inference::refuse(Reason::linear_needs_a_flat_input,
                                     Shape{static_cast<int>(input.size())});
        if (in_features != 0 && input.channels != in_features)
            return Inference::refuse(Reason::input_is_not_what_expect_states, Shape{in_features});
        LayerInfo info;
        info.kind = LayerKind::linear;
        info.type = "Linear";
        info.input = input;
        info.output = Shape{out_features};
        info.fan_in = input.channels;
        info.fan_out = out_features;
        info.weight_count = std::int64_t{out_features} * input.channels;
        info.bias_count = out_features;
        info.macs = info.weight_count;
        return {info};
    }
    static constexpr LayerSpec spec{&infer};
};

}  // namespace typenet
