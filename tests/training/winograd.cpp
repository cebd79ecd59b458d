// What a predictor under the policy `winograd` promises beside outputs: the same bits on any number
// of threads, transformed weights that follow the model's, and bounded rounding errors on AlexNet's
// convolutions.
#include <algorithm>
#include <cmath>
#include <vector>

#include "cpu/compare.hpp"

using namespace typenet;
using namespace typenet::testing;

namespace {

using Small = Network<Input<16, 9, 7>, Named<"cn1", Conv2d<33, Kernel<3>, Padding<1>>>, Relu,
                      MaxPool2d<Kernel<2>>, Named<"cn2", Conv2d<16, Kernel<3>, Padding<1>>>,
                      Flatten, Named<"fc", Linear<5>>>;
static_assert(stages_in<Small, PredictingUnder<Winograd>>[0].geometry.winograd);
static_assert(stages_in<Small, PredictingUnder<Winograd>>[1].geometry.winograd);

/// One of AlexNet's convolutions behind a ReLU: the largest errors of both algorithms, by the
/// largest output in double.
template <class Net>
void check_errors(const char* name, double bound) {
    Model<Net> model{Seed{1}, Initialization::kaiming_normal};
    std::vector<float> inputs = real_numbers(Net::input_shape.size(), 1, 3);
    for (float& value : inputs) value = std::max(value, 0.0f);
    reference::Executor<Net, double> reference;
    for (const ParameterInfo& parameter : model.parameters()) {
        const std::vector<float> values = model.get(parameter.name);
        (parameter.kind == TensorKind::bias ? reference.parameters[0].bias
                                            : reference.parameters[0].weight)
            .assign(values.begin(), values.end());
    }
    const auto expected = reference.forward(std::vector<double>(inputs.begin(), inputs.end()), 1);
    const std::vector<float> directly = Predictor{model}(inputs);
    const std::vector<float> outputs = Predictor{model, Batch{}, winograd}(inputs);
    const double error = relative_error(outputs, expected);
    const double direct_error = relative_error(directly, expected);
    const double difference =
        relative_error(outputs, std::vector<double>(directly.begin(), directly.end()));
    INFO(name);
    CHECK(outputs != directly);
    CHECK(error <= bound);
    CHECK(difference <= bound);
    CHECK(direct_error <= 1e-6);
}

}  // namespace

TEST_CASE("Winograd's algorithm has the same bits on 1, 2 and 3 threads") {
    const std::vector<float> inputs = real_numbers(21 * Small::input_shape.size(), 1, 1);
    std::vector<std::vector<float>> outputs;
    for (const int threads : {1, 2, 3}) {
        const Model<Small> model{Seed{1}, Initialization::pytorch, Threads{threads}};
        outputs.push_back(Predictor{model, Batch{21}, winograd}(inputs));
    }
    CHECK(outputs[0] == outputs[1]);
    CHECK(outputs[0] == outputs[2]);
}

TEST_CASE("Transformed weights follow the model's") {
    Model<Small> model{Seed{1}};
    const std::vector<float> inputs = real_numbers(2 * Small::input_shape.size(), 1, 1);
    Predictor predictor{model, Batch{2}, winograd};
    const std::vector<float> first = predictor(inputs);
    CHECK(predictor(inputs) == first);
    const auto changed_as_a_new_one = [&] {
        const std::vector<float> outputs = predictor(inputs);
        return outputs != first && outputs == Predictor{model, Batch{2}, winograd}(inputs);
    };
    const std::vector<float> weights = model.get("cn2.weight");
    std::vector<float> halved = weights;
    for (float& weight : halved) weight /= 2;
    model.set("cn2.weight", halved);
    CHECK(changed_as_a_new_one());
    model.set("cn2.weight", weights);
    CHECK(predictor(inputs) == first);

    const std::vector<std::int32_t> labels{1, 3};
    Trainer trainer{model, CrossEntropy{}, Sgd{.learning_rate = 0.1f}, Batch{2}};
    trainer.step(inputs, labels);
    CHECK(changed_as_a_new_one());
    model.initialize(Seed{2}, Initialization::pytorch);
    CHECK(changed_as_a_new_one());
}

TEST_CASE("Rounding errors of Winograd's algorithm on AlexNet's convolutions") {
    using Cn2 = Network<Input<96, 27, 27>, Conv2d<256, Kernel<5>, Padding<2>>>;
    using Cn3 = Network<Input<256, 13, 13>, Conv2d<384, Kernel<3>, Padding<1>>>;
    using Cn4 = Network<Input<384, 13, 13>, Conv2d<384, Kernel<3>, Padding<1>>>;
    using Cn5 = Network<Input<384, 13, 13>, Conv2d<256, Kernel<3>, Padding<1>>>;
    check_errors<Cn2>("cn2, 5x5", 1e-5);
    check_errors<Cn3>("cn3, 3x3", 2e-5);
    check_errors<Cn4>("cn4, 3x3", 2e-5);
    check_errors<Cn5>("cn5, 3x3", 2e-5);
}
