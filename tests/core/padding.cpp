// 'same' padding and window sizes along one axis.
#include "support/catch.hpp"
#include "typenet/core/layer.hpp"
#include "typenet/layers/conv2d.hpp"

namespace {

struct Vector {
    int input, kernel, stride;
    int output, before, after;
};

// As TensorFlow computes them.
constexpr Vector vectors[] = {{227, 11, 4, 57, 4, 4}, {224, 11, 4, 56, 3, 4}, {57, 3, 2, 29, 1, 1},
                              {56, 3, 2, 28, 0, 1},   {28, 3, 2, 14, 0, 1},   {29, 3, 2, 15, 1, 1},
                              {14, 3, 2, 7, 0, 1},    {13, 5, 1, 13, 2, 2},   {27, 5, 1, 27, 2, 2},
                              {8, 2, 1, 8, 0, 1},     {7, 1, 2, 4, 0, 0},     {9, 2, 4, 3, 0, 1},
                              {5, 1, 1, 5, 0, 0},     {3, 7, 1, 3, 3, 3},     {10, 3, 7, 2, 0, 0}};

}  // namespace

TEST_CASE("'same' padding makes the output input / stride, rounded up") {
    for (const Vector& v : vectors) {
        CAPTURE(v.input, v.kernel, v.stride);
        const int total = typenet::detail::same_padding(v.input, v.kernel, v.stride);
        CHECK(total == v.before + v.after);
        CHECK(total / 2 == v.before);
        CHECK(typenet::detail::window_output(v.input, v.kernel, v.stride, v.before, v.after) ==
              v.output);
    }
}

TEMPLATE_TEST_CASE_SIG("Same pads a convolution of a square input", "",
                       ((int input, int kernel, int stride, int output, int before, int after),
                        input, kernel, stride, output, before, after),
                       (227, 11, 4, 57, 4, 4), (224, 11, 4, 56, 3, 4), (56, 3, 2, 28, 0, 1),
                       (29, 3, 2, 15, 1, 1), (13, 5, 1, 13, 2, 2)) {
    using namespace typenet;
    const LayerInfo info =
        Conv2d<1, Same, Kernel<kernel>, Stride<stride>>::infer(Shape{1, input, input}).info;
    CHECK(info.output == Shape{1, output, output});
    CHECK(info.window.pad_top == before);
    CHECK(info.window.pad_left == before);
    CHECK(info.window.pad_bottom == after);
    CHECK(info.window.pad_right == after);
}

TEST_CASE("Same pads each axis by its own sizes") {
    using namespace typenet;
    const Window window =
        Conv2d<1, Kernel<2, 5>, Stride<1, 2>, Same>::infer(Shape{1, 6, 8}).info.window;
    CHECK(window == Window{2, 5, 1, 2, 0, 1, 1, 2});
}

TEST_CASE("a window that does not fit has no output") {
    using typenet::detail::window_output;
    CHECK(window_output(2, 3, 1, 0, 0) == 0);
    CHECK(window_output(2, 3, 1, 0, 1) == 1);
    CHECK(window_output(3, 3, 5, 0, 0) == 1);
    CHECK(window_output(8, 3, 2, 0, 0) == 3);  // drops a pixel
}
