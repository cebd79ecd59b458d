// The optimizers' first steps by hand; whole runs are compared with PyTorch's in parity.cpp.
#include <cmath>
#include <span>
#include <vector>

#include "support/catch.hpp"
#include "typenet/backends/reference/optimizers.hpp"

namespace {

namespace reference = typenet::reference;

/// The parameter after each of the given gradients.
template <class Optimizer>
std::vector<double> run(Optimizer optimizer, double parameter,
                        const std::vector<double>& gradients) {
    std::vector<double> course;
    for (const double gradient : gradients) {
        optimizer.step({&parameter, 1}, {&gradient, 1});
        course.push_back(parameter);
    }
    return course;
}

void check(const std::vector<double>& got, const std::vector<double>& wanted) {
    REQUIRE(got.size() == wanted.size());
    for (std::size_t i = 0; i < got.size(); ++i) CHECK_THAT(got[i], WithinRel(wanted[i], 1e-13));
}

}  // namespace

TEST_CASE("SGD follows the gradient, with momentum, dampening, decay and Nesterov") {
    reference::Sgd<double> sgd;
    sgd.learning_rate = 0.5;
    check(run(sgd, 10, {2, 4}), {9, 7});
    sgd.momentum = 0.5;
    check(run(sgd, 10, {2, 4}), {9, 6.5});  // velocity 2, then 1 + 4
    sgd.dampening = 0.25;
    check(run(sgd, 10, {2, 4}), {9, 7});  // velocity 2 undampened, then 1 + 3
    sgd.dampening = 0;
    sgd.nesterov = true;
    check(run(sgd, 10, {2, 4}), {8.5, 5.25});  // steps 2 + 1, then 4 + 2.5
    sgd.nesterov = false;
    sgd.momentum = 0;
    sgd.weight_decay = 0.1;
    check(run(sgd, 10, {2}), {8.5});  // gradient 2 + 1
}

TEST_CASE("a lower learning rate acts on the whole velocity") {
    reference::Sgd<double> sgd;
    sgd.learning_rate = 1;
    sgd.momentum = 0.5;
    double parameter = 10;
    const double gradient = 2;
    sgd.step({&parameter, 1}, {&gradient, 1});
    sgd.learning_rate = 0.1;
    sgd.step({&parameter, 1}, {&gradient, 1});
    CHECK_THAT(parameter, WithinRel(8 - 0.1 * 3, 1e-15));
}

TEST_CASE("Adam's epsilon matters where the gradient is small, and where it stands matters") {
    reference::Adam<double> pytorch;
    reference::Adam<double> keras;
    keras.epsilon = 1e-7;
    keras.epsilon_hat = true;
    // Changes of the first step; with lr 1e-3 they are 1e-3 but for the epsilon.
    const auto change = [](const auto& adam, double gradient) {
        return -run(adam, 0, {gradient})[0];
    };
    CHECK_THAT(change(pytorch, 1e-4), WithinRel(9.9990e-4, 1e-5));
    CHECK_THAT(change(keras, 1e-4), WithinRel(9.6935e-4, 1e-5));
    CHECK_THAT(change(pytorch, 1e-6), WithinRel(9.90e-4, 1e-3));
    CHECK_THAT(change(keras, 1e-6), WithinRel(2.40e-4, 2e-3));
}

TEST_CASE("Adam corrects the bias of its means at every step") {
    reference::Adam<double> adam;
    adam.epsilon = 0;
    // A constant gradient has the corrected mean g and root |g|: steps of the learning rate.
    check(run(adam, 1, {3, 3, 3}), {0.999, 0.998, 0.997});
    adam.weight_decay = 0.5;
    check(run(adam, 1, {-0.5 + 1e-3}), {0.999});  // only the decayed gradient is positive
}

TEST_CASE("an optimizer refuses other counts than it began with") {
    reference::Sgd<double> sgd;
    reference::Adam<double> adam;
    std::vector<double> three(3), four(4);
    CHECK_THROWS_AS(sgd.step(three, four), typenet::ShapeError);
    CHECK_THROWS_AS(adam.step(three, four), typenet::ShapeError);
    sgd.step(three, three);
    adam.step(three, three);
    CHECK_THROWS_AS(sgd.step(four, four), typenet::ShapeError);
    CHECK_THROWS_WITH(adam.step(four, four), ContainsText("same parameters at every step"));
}
