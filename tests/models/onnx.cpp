// ONNX files: what other programs compute from them is what we compute.
#include "typenet/io/onnx.hpp"

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/python.hpp"
#include "support/temporary_folder.hpp"
#include "typenet/core.hpp"
#include "typenet/io/safetensors.hpp"
#include "typenet/training/model.hpp"
#include "typenet/training/predictor.hpp"

namespace {

namespace fs = std::filesystem;
using namespace typenet;
using typenet_test::TemporaryFolder;

/// Every layer that ONNX has, with odd sizes, strides and paddings.
using Net =
    Network<Input<3, 9, 7>, Resize<17, 20>,
            Named<"first", Conv2d<8, Kernel<3, 5>, Stride<2, 1>, Padding<1, 2, 0, 1>>>, Relu,
            LocalResponseNorm<5, std::ratio<1, 10>>, MaxPool2d<Kernel<3>, Stride<2>, Padding<1>>,
            Named<"second", Conv2d<6, Kernel<1>, Groups<2>>>, Named<"norm", BatchNorm2d<>>,
            Residual<Conv2d<6, Kernel<3>, Padding<1>>, BatchNorm2d<>>,
            Concat<Branch<Conv2d<2, Kernel<1>>>, Branch<>,
                   Branch<AvgPool2d<Kernel<3>, Stride<1>, Padding<1>>>>,
            Conv2d<6, Kernel<1>>, AdaptiveAvgPool2d<2, 5>, Flatten, Expect<60>, Dropout<>,
            Linear<7>, Relu, Named<"last", Linear<4>>, Softmax>;

std::string refusal(const fs::path& path, std::span<const LayerInfo> layers,
                    const std::vector<float>& values) {
    try {
        write_onnx(path, layers, {},
                   [&](const std::string&) { return std::span<const float>(values); });
    } catch (const FileError& error) {
        return error.what();
    }
    return "no error";
}

}  // namespace

TEST_CASE("a network of every layer computes the same as ONNX", "[.extended]") {
    const TemporaryFolder folder;
    Model<Net> model{Seed{1}, Initialization::kaiming_normal, Threads{1}};
    const std::vector<float> means{0.5f, -0.5f, 0.25f, 1, -1, 0},
        variances{2, 0.5f, 1, 3, 0.25f, 1};
    model.set("norm.running_mean", means);
    model.set("norm.running_var", variances);
    std::vector<float> values;
    write_onnx(folder / "model.onnx", Net::layers, {{"classes", "a,b,c,d"}},
               [&](const std::string& name) {
                   values = model.get(name);
                   return std::span<const float>(values);
               });
    RandomStream random{Seed{3}, Purpose::synthetic, 0};
    std::vector<float> input(2 * 3 * 9 * 7);
    for (float& value : input) value = random.uniform(-2, 2);
    Predictor predictor{model, Batch{2}};
    const std::vector<float> output = predictor(input);
    write_safetensors(folder / "values", std::vector{TensorView::of("input", {2, 3, 9, 7}, input),
                                                     TensorView::of("output", {2, 4}, output)});
    if (!typenet_test::check_onnx(folder / "model.onnx", folder / "values"))
        TYPENET_SKIP("no Python here has the module onnx or onnxruntime (TYPENET_PYTHON)");
}

TEST_CASE("what ONNX cannot say, or is not there, is refused and nothing is written") {
    const TemporaryFolder folder;
    using Uneven = Network<Input<1, 5, 5>, AdaptiveAvgPool2d<3>>;
    CHECK_THAT(refusal(folder / "a", Uneven::layers, {}),
               ContainsText("a: cannot be written: layer 0 (AdaptiveAvgPool2d) averages windows"));
    using Small = Network<Input<2>, Linear<3>>;
    CHECK_THAT(refusal(folder / "a", Small::layers, std::vector<float>(6)),
               ContainsText("parameter 0.bias has 6 values"));
    CHECK_THAT(refusal(folder / "a", {}, {}), ContainsText("there is no layer"));
    CHECK_FALSE(fs::exists(folder / "a"));
    using Huge = Network<Input<30'000>, Linear<20'000>>;
    CHECK_THAT(refusal(folder / "a", Huge::layers, {}), ContainsText("exceed the 2 GiB of ONNX"));
}
