// What a program asks the compiler about a network: the answers that are true. Those that are not
// are in compile_fail.
#include <string_view>

#include "support/catch.hpp"
#include "typenet/core.hpp"
#include "typenet/core/require.hpp"

namespace {

namespace tn = typenet;

using Net =
    tn::Network<tn::Input<3, 8, 8>, tn::Named<"features.0", tn::Conv2d<4, tn::Kernel<3>>>, tn::Relu,
                tn::Conv2d<4, tn::Kernel<3>>, tn::Flatten, tn::Named<"decision", tn::Linear<10>>>;

struct Photographs {
    static constexpr tn::Shape image_shape{3, 8, 8};
    static constexpr int classes = 10;
};
struct LargePhotographs : Photographs {
    static constexpr tn::Shape image_shape{3, 32, 40};
};

static_assert(tn::require_name<Net, "features">());
static_assert(tn::require_name<Net, "features.0">());
static_assert(tn::require_parameter<Net, "2.bias">());
static_assert(tn::require_values<Net, "2.bias", 4>());
static_assert(tn::require_samples<Net, 0>());
static_assert(tn::require_samples<Net, 3 * 192>());
static_assert(tn::require_data<Net, Photographs>());
static_assert(tn::require_data<Net, tn::Resized<LargePhotographs, 8>>());
static_assert(tn::Resized<LargePhotographs, 8, 9>::image_shape == tn::Shape{3, 8, 9});

/// A loss that says nothing fits any output.
struct AnyLoss {};
static_assert(tn::require_loss<tn::Network<tn::Input<3, 8, 8>, tn::Relu>, AnyLoss>());

using Mode = tn::Training<tn::Sgd>;
constexpr std::int64_t planned = tn::memory_plan<Net, tn::Cpu<float>, Mode>(4).total;
static_assert(tn::require_budget<Net, tn::Cpu<float>, Mode, 4, planned>());

}  // namespace

TEST_CASE("a name stands for a layer, or for those that continue it after a dot") {
    CHECK(tn::has_name<Net>("features.0"));
    CHECK(tn::has_name<Net>("features"));
    CHECK(tn::has_name<Net>("decision"));
    CHECK(tn::has_name<Net>("2"));
    CHECK_FALSE(tn::has_name<Net>("feature"));
    CHECK_FALSE(tn::has_name<Net>("features."));
    CHECK_FALSE(tn::has_name<Net>("features.0.weight"));
    CHECK_FALSE(tn::has_name<Net>("0"));  // that layer has a name
    CHECK_FALSE(tn::has_name<Net>("1"));  // that layer has no parameters
    CHECK_FALSE(tn::has_name<Net>(""));
}

TEST_CASE("a parameter is found by the name of its layer and its own") {
    const auto size = [](std::string_view name) {
        return tn::detail::place_of_parameter<Net>(name).size;
    };
    CHECK(size("features.0.weight") == 4 * 3 * 3 * 3);
    CHECK(size("features.0.bias") == 4);
    CHECK(size("2.weight") == 4 * 4 * 3 * 3);
    CHECK(size("decision.weight") == 10 * 64);
    CHECK(size("decision.bias") == 10);
    CHECK(tn::detail::place_of_parameter<Net>("decision.bias").layer == 4);
    for (const char* none : {"", "decision", "decision.", ".bias", "decision.Bias", "0.weight",
                             "1.weight", "features.weight", "2.bias.bias"}) {
        INFO(none);
        CHECK(size(none) == 0);
    }
}

TEST_CASE("the nearest name has the most in common at its beginning and end") {
    using tn::detail::likeness;
    CHECK(likeness("decision", "decision") == 8);
    CHECK(likeness("decision", "decisoin") == 6);
    CHECK(likeness("fc1", "fc12") == 3);
    CHECK(likeness("aa", "aaa") == 2);
    CHECK(likeness("abc", "xyz") == 0);
    CHECK(likeness("", "xyz") == 0);
    const auto layer = tn::detail::nearest_layer<Net>("feature.0");
    CHECK(layer.name.view() == "features.0");
    CHECK(layer.layer == 0);
    CHECK(tn::detail::nearest_layer<Net>("3").name.view() == "features.0");  // the first of equals
    CHECK(tn::detail::nearest_parameter<Net>("2.weigth").name.view() == "2.weight");
    CHECK(tn::detail::nearest_parameter<Net>("decision.bais").name.view() == "decision.bias");
    CHECK(tn::detail::nearest_parameter<Net>("decision.bais").layer == 4);
}

TEST_CASE("a name as text has a layer's index where it has no name, and at most 63 characters") {
    tn::LayerInfo layer;
    layer.index = 1209;
    CHECK(tn::detail::name_with(layer, ".bias").view() == "1209.bias");
    layer.index = 0;
    CHECK(tn::detail::name_with(layer, "").view() == "0");
    layer.name = "123456789012345678901234567890123456789012345678901234567890123";
    CHECK(tn::detail::name_with(layer, ".bias").view() == layer.name);
}

TEST_CASE("the layer that takes the most memory depends on the batch") {
    CHECK(tn::detail::heaviest_layer<Net, tn::Cpu<float>, Mode>(1) == 4);
    CHECK(tn::detail::heaviest_layer<Net, tn::Cpu<float>, Mode>(1000) == 0);
    CHECK(tn::detail::begun_MiB(tn::MiB(3)) == 3);
    CHECK(tn::detail::begun_MiB(tn::MiB(3) + 1) == 4);
}
