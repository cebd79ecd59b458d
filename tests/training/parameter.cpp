// Parameters under names that the compiler checks, and samples whose number it knows.
#include <array>
#include <boost/hana/string.hpp>
#include <span>
#include <type_traits>
#include <vector>

#include "support/catch.hpp"
#include "typenet/typenet.hpp"

using namespace typenet;
using namespace typenet::literals;

namespace {

using Net = Network<Input<2, 1, 2>, Flatten, Named<"decision", Linear<3>>>;

template <class Reference, class Values>
concept CanSet = requires(Reference reference, Values values) {
    reference.set(values);
};

}  // namespace

TEST_CASE("A model's parameter goes out and in under a name in brackets") {
    Model<Net> model;
    const auto weight = model["decision.weight"_name];
    CHECK(weight.get() == model.get("decision.weight"));
    STATIC_REQUIRE(weight.name.view() == "decision.weight");
    STATIC_REQUIRE(weight.size == 12);
    CHECK(model["decision.bias"_name].size == 3);

    const std::vector<float> values{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    weight.set(values);
    CHECK(model.get("decision.weight") == values);
    model["decision.bias"_name].set(std::array{1.0f, 0.5f, 0.25f});
    CHECK(model.get("decision.bias") == std::vector{1.0f, 0.5f, 0.25f});
    CHECK(model[BOOST_HANA_STRING("decision.bias")].get() == model.get("decision.bias"));
    CHECK_THROWS_AS(weight.set(std::vector<float>(11)), ShapeError);

    const Model<Net>& constant = model;
    CHECK(constant["decision.weight"_name].get() == values);
    STATIC_REQUIRE(CanSet<decltype(weight), std::vector<float>>);
    STATIC_REQUIRE_FALSE(CanSet<decltype(constant["decision.weight"_name]), std::vector<float>>);
}

TEST_CASE("Samples are made from whatever holds floats") {
    Model<Net> model;
    Predictor predictor{model, Batch{2}};
    const std::vector<float> vector{1, 2, 3, 4, 5, 6, 7, 8};
    const std::array<float, 8> array{1, 2, 3, 4, 5, 6, 7, 8};
    const float plain[]{1, 2, 3, 4, 5, 6, 7, 8};
    const std::vector<float> outputs = predictor(vector);
    CHECK(outputs.size() == 6);
    CHECK(predictor(array) == outputs);
    CHECK(predictor(plain) == outputs);
    CHECK(predictor(std::span{array}) == outputs);
    CHECK(predictor(std::span<const float>{vector}) == outputs);
    CHECK(Samples<Net>{array}.values.data() == array.data());
    STATIC_REQUIRE_FALSE(std::is_constructible_v<Samples<Net>, std::vector<double>>);

    Trainer trainer{model, CrossEntropy{}, Sgd{}, Batch{2}};
    trainer.step(array, std::array{0, 2});
    CHECK(trainer.steps() == 1);
}
