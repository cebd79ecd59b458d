// Names of layers, and texts as template arguments.
#include <string>
#include <string_view>
#include <type_traits>

#include "support/catch.hpp"
#include "typenet/core/names.hpp"
#include "typenet/core/network.hpp"
#include "typenet/core/text.hpp"
#include "typenet/layers/linear.hpp"
#include "typenet/layers/named.hpp"
#include "typenet/layers/relu.hpp"
#include "typenet/layers/softmax.hpp"

namespace {

namespace tn = typenet;
using tn::Input;
using tn::Linear;
using tn::Named;
using tn::Reason;
using tn::Relu;

/// The fault of a network that need not compile.
template <class In, class... Layers>
constexpr auto& outcome = tn::detail::inferred<In, Layers...>;

}  // namespace

TEST_CASE("a layer goes by its name or by its index") {
    using Net = tn::Network<Input<4>, Named<"features.0", Linear<3>>, Relu, Linear<2>>;
    CHECK(tn::name_of(Net::layers[0]) == "features.0");
    CHECK(tn::name_of(Net::layers[1]) == "1");
    CHECK(tn::name_of(Net::layers[2]) == "2");
    CHECK(Net::layers[0].type == "Linear");
    CHECK(Net::layers[0].index == 0);
    CHECK(Net::layers[2].sources[0] == 1);
}

TEST_CASE("a name does not make a layer of what is none") {
    CHECK(outcome<Input<4>, Named<"a", Linear<3>>, Named<"b", int>>.fault == Reason::not_a_layer);
}

TEST_CASE("a name may be given once") {
    CHECK(outcome<Input<4>, Named<"a", Linear<3>>, Named<"b", Linear<3>>>.fault == Reason::none);
    constexpr auto& twice = outcome<Input<4>, Named<"a", Linear<3>>, Relu, Named<"a", Linear<3>>>;
    CHECK(twice.fault == Reason::duplicate_name);
    CHECK(twice.at == 2);
}

TEST_CASE("a name may not be the index by which another layer's parameters go") {
    constexpr auto& later = outcome<Input<4>, Named<"1", Linear<3>>, Linear<3>>;
    CHECK(later.fault == Reason::index_is_a_name);
    CHECK(later.at == 1);
    constexpr auto& earlier = outcome<Input<4>, Linear<3>, Named<"0", Linear<3>>>;
    CHECK(earlier.fault == Reason::duplicate_name);
    CHECK(earlier.at == 1);
    // A layer's own index, the index of a layer without parameters, and what only begins alike.
    CHECK(outcome<Input<4>, Named<"0", Linear<3>>, Relu>.fault == Reason::none);
    CHECK(outcome<Input<4>, Relu, Named<"0", Linear<3>>>.fault == Reason::none);
    CHECK(outcome<Input<4>, Linear<3>, Named<"00", Linear<3>>>.fault == Reason::none);
    CHECK(outcome<Input<4>, Linear<3>, Named<"0.", Linear<3>>>.fault == Reason::none);
}

TEST_CASE("indices of several digits are compared whole") {
    constexpr auto& ten = outcome<Input<4>, Named<"10", Relu>, Named<"1", Relu>, Relu, Relu, Relu,
                                  Relu, Relu, Relu, Relu, Relu, Linear<3>>;
    CHECK(ten.fault == Reason::index_is_a_name);
    CHECK(ten.at == 10);
    CHECK(outcome<Input<4>, Named<"110", Relu>, Named<"0", Relu>, Relu, Relu, Relu, Relu, Relu,
                  Relu, Relu, Relu, Linear<3>>.fault == Reason::none);
}

TEST_CASE("a text keeps 63 characters") {
    constexpr tn::Text text("123456789012345678901234567890123456789012345678901234567890123");
    CHECK(text.view().size() == 63);
    CHECK(tn::Text("").view().empty());
    CHECK(std::is_same_v<Named<"a", Relu>, Named<"a", Relu>>);
    CHECK(!std::is_same_v<Named<"a", Relu>, Named<"b", Relu>>);
}
