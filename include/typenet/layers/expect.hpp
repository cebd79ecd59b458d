// An assertion about a shape, for the reader and the compiler.
#pragma once

#include "typenet/core/layer.hpp"

namespace typenet {

/// `Expect<9216>` or `Expect<256, 6, 6>`: passes data through and refuses to compile when the shape
/// at this place is another.
template <int channels, int height = 0, int width = 0>
struct Expect {
    static constexpr Inference infer(const Shape& input) {
        if (input != Shape{channels, height, width})
            return Inference::refuse(Reason::input_is_not_what_expect_states,
                                     Shape{channels, height, width});
        return {detail::elementwise(LayerKind::expect, "Expect", input)};
    }
    static constexpr LayerSpec spec{&infer};
};

}  // namespace typenet
