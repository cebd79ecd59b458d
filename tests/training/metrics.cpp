#include "typenet/training/metrics.hpp"

#include "support/catch.hpp"
#include "typenet/training/initialization.hpp"
#include "typenet/typenet.hpp"

using namespace typenet;

TEST_CASE("The confusion matrix counts, overall and by class") {
    ConfusionMatrix matrix{3};
    CHECK(matrix.accuracy() == 0);
    matrix.add(0, 0);
    matrix.add(0, 1);
    matrix.add(1, 1);
    matrix.add(2, 0);
    CHECK(matrix.samples() == 4);
    CHECK(matrix.samples(0) == 2);
    CHECK(matrix.count(2, 0) == 1);
    CHECK(matrix.accuracy() == 50);
    CHECK(matrix.accuracy(0) == 50);
    CHECK(matrix.accuracy(1) == 100);
    CHECK(matrix.accuracy(2) == 0);
    CHECK_THROWS_AS(matrix.add(3, 0), ShapeError);
    CHECK_THROWS_AS(matrix.add(0, -1), ShapeError);
}

TEST_CASE("The largest logit wins, the first of equal ones, and NaN never") {
    CHECK(argmax(std::vector{1.f, 3.f, 3.f, 2.f}) == 1);
    CHECK(argmax(std::vector{NAN, -1.f, NAN}) == 1);
}

namespace {

void initialize(std::span<float> values, const LayerInfo& layer, bool bias, Initialization how,
                Seed seed) {
    InitialValues initial{layer, bias, how, seed};
    for (float& value : values) value = initial.next();
}

struct Moments {
    double mean = 0, deviation = 0, most = 0;
};
Moments moments(std::span<const float> values) {
    Moments m;
    for (const float value : values) {
        m.mean += double{value} / static_cast<double>(values.size());
        m.most = std::max(m.most, std::fabs(double{value}));
    }
    for (const float value : values)
        m.deviation += (value - m.mean) * (value - m.mean) / static_cast<double>(values.size());
    m.deviation = std::sqrt(m.deviation);
    return m;
}

}  // namespace

TEST_CASE("Initial values have the distributions of PyTorch and Keras") {
    // fan_in 64 * 9 = 576, fan_out 96 * 9 = 864
    const LayerInfo layer = Conv2d<96, Kernel<3>>::spec.infer({64, 8, 8}).info;
    std::vector<float> weights(static_cast<std::size_t>(layer.weight_count)), biases(96);
    const double n = std::sqrt(static_cast<double>(weights.size()));

    initialize(weights, layer, false, Initialization::pytorch, Seed{1});
    initialize(biases, layer, true, Initialization::pytorch, Seed{1});
    double bound = 1 / std::sqrt(576.0);
    CHECK(std::fabs(moments(weights).mean) < 5 * bound / n);
    CHECK(moments(weights).deviation == Approx(bound / std::sqrt(3.0)).epsilon(0.02));
    CHECK(moments(weights).most <= bound);
    CHECK(moments(biases).most <= bound);
    CHECK(moments(biases).most > 0.8 * bound);

    initialize(weights, layer, false, Initialization::kaiming_normal, Seed{1});
    initialize(biases, layer, true, Initialization::kaiming_normal, Seed{1});
    CHECK(moments(weights).deviation == Approx(std::sqrt(2 / 576.0)).epsilon(0.02));
    CHECK(moments(weights).most > 3.5 * std::sqrt(2 / 576.0));
    CHECK(moments(biases).most == 0);

    initialize(weights, layer, false, Initialization::glorot_uniform, Seed{1});
    bound = std::sqrt(6 / (576.0 + 864.0));
    CHECK(moments(weights).deviation == Approx(bound / std::sqrt(3.0)).epsilon(0.02));
    CHECK(moments(weights).most <= bound);

    std::vector<float> again = weights;
    initialize(again, layer, false, Initialization::glorot_uniform, Seed{1});
    CHECK(again == weights);
    initialize(again, layer, false, Initialization::glorot_uniform, Seed{2});
    CHECK(again != weights);
}
