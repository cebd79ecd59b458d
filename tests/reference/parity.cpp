// The reference against PyTorch in double: layers, losses, optimizers, a short training.
#include <cstddef>
#include <cstdint>
#include <ratio>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "goldens.hpp"
#include "networks.hpp"
#include "parity/branching.hpp"
#include "support/catch.hpp"
#include "typenet/backends/reference/optimizers.hpp"
#include "typenet/core/names.hpp"

namespace {

using namespace typenet_test;
using tn::Conv2d;
using tn::Groups;
using tn::Input;
using tn::Kernel;
using tn::LocalResponseNorm;
using tn::MaxPool2d;
using tn::Padding;
using tn::Relu;
using tn::Same;
using tn::Stride;
using tn::reference::Executor;

constexpr double tolerance = 1e-10;

double error_of(std::span<const double> got, const std::vector<double>& wanted) {
    return relative_error(got, std::span(wanted));
}

/// The cases of a file that tests have compared.
class Compared {
public:
    explicit Compared(const Goldens& goldens) : goldens_(goldens) {}

    void done(const std::string& name) { names_.insert(name); }
    void require_all() const {
        for (const auto& [name, attributes] : goldens_.cases()) {
            INFO("no test compares the case " << name << ": " << attributes);
            CHECK(names_.contains(name));
        }
    }

private:
    const Goldens& goldens_;
    std::set<std::string> names_;
};

/// Compares a network whose only parameters, if any, are those of its first layer.
template <class In, class... Layers>
void compare_layer(const Goldens& goldens, Compared& compared, const std::string& name) {
    CAPTURE(name);
    using Net = tn::Network<In, Layers...>;
    Executor<Net> executor;
    if (Net::parameter_count > 0) {
        executor.parameters[0] = {goldens.values(name + ".weight"), goldens.values(name + ".bias")};
        REQUIRE(std::int64_t(executor.parameters[0].weight.size()) == Net::layers[0].weight_count);
        REQUIRE(std::int64_t(executor.parameters[0].bias.size()) == Net::layers[0].bias_count);
    }
    const int batch = static_cast<int>(goldens.shape(name + ".input")[0]);
    executor.forward(goldens.values(name + ".input"), batch);
    CHECK(error_of(executor.outputs(), goldens.values(name + ".output")) <= tolerance);
    compared.done(name);

    if (!goldens.has(name + ".grad_output")) {
        CHECK(name == "max_pool2d_k3s2_nan");
        return;
    }
    executor.backward(goldens.values(name + ".grad_output"));
    CHECK(error_of(executor.input_gradients(), goldens.values(name + ".grad_input")) <= tolerance);
    if (Net::parameter_count > 0) {
        const auto& gradients = executor.gradients()[0];
        CHECK(error_of(gradients.weight, goldens.values(name + ".grad_weight")) <= tolerance);
        CHECK(error_of(gradients.bias, goldens.values(name + ".grad_bias")) <= tolerance);
    }
}

}  // namespace

TEST_CASE("layers agree with PyTorch") {
    const Goldens goldens("layers");
    Compared compared(goldens);
#define COMPARE(name, ...) compare_layer<__VA_ARGS__>(goldens, compared, name)
    COMPARE("conv2d_k3p1", Input<3, 7, 9>, Conv2d<5, Kernel<3>, Padding<1>>);
    COMPARE("conv2d_k5p2", Input<4, 7, 9>, Conv2d<6, Kernel<5>, Padding<2>>);
    COMPARE("conv2d_k11s4", Input<3, 23, 23>, Conv2d<8, Kernel<11>, Stride<4>>);
    COMPARE("conv2d_k3s2p1", Input<2, 17, 15>, Conv2d<4, Kernel<3>, Stride<2>, Padding<1>>);
    COMPARE("conv2d_k3s2_floor", Input<3, 8, 10>, Conv2d<4, Kernel<3>, Stride<2>>);
    COMPARE("conv2d_k1", Input<5, 6, 5>, Conv2d<7, Kernel<1>>);
    COMPARE("conv2d_k3p1_groups2", Input<6, 7, 6>, Conv2d<8, Kernel<3>, Padding<1>, Groups<2>>);
    COMPARE("conv2d_k4_same", Input<3, 7, 8>, Conv2d<5, Kernel<4>, Same>);
    COMPARE("conv2d_k3s2_same", Input<3, 10, 9>, Conv2d<5, Kernel<3>, Stride<2>, Same>);
    COMPARE("conv2d_k3x5", Input<3, 8, 7>, Conv2d<4, Kernel<3, 5>>);
    COMPARE("conv2d_k3x5_p1x2", Input<3, 8, 7>, Conv2d<4, Kernel<3, 5>, Padding<1, 2>>);
    COMPARE("conv2d_k3p1_19_to_21", Input<19, 5, 7>, Conv2d<21, Kernel<3>, Padding<1>>);
    COMPARE("conv2d_k3p1_32_to_48", Input<32, 5, 4>, Conv2d<48, Kernel<3>, Padding<1>>);
    COMPARE("linear_19_to_7", Input<19>, tn::Linear<7>);
    COMPARE("linear_33_to_17", Input<33>, tn::Linear<17>);
    COMPARE("relu", Input<3, 5, 7>, Relu);
    COMPARE("max_pool2d_k3s2_ties", Input<3, 9, 11>, MaxPool2d<Kernel<3>, Stride<2>>);
    COMPARE("max_pool2d_k3s2_nan", Input<2, 9, 9>, MaxPool2d<Kernel<3>, Stride<2>>);
    COMPARE("max_pool2d_k2s2", Input<3, 8, 6>, MaxPool2d<Kernel<2>, Stride<2>>);
    COMPARE("max_pool2d_k3s1p1", Input<3, 7, 5>, MaxPool2d<Kernel<3>, Stride<1>, Padding<1>>);
    COMPARE("max_pool2d_k3s2_floor", Input<3, 8, 10>, MaxPool2d<Kernel<3>, Stride<2>>);
    COMPARE("relu_max_pool2d_k3s2", Input<3, 9, 11>, Relu, MaxPool2d<Kernel<3>, Stride<2>>);
    COMPARE("adaptive_avg_pool2d_7x9_to_6x6", Input<2, 7, 9>, tn::AdaptiveAvgPool2d<6>);
    COMPARE("adaptive_avg_pool2d_13x13_to_6x6", Input<2, 13, 13>, tn::AdaptiveAvgPool2d<6>);
    COMPARE("adaptive_avg_pool2d_6x6_to_6x6", Input<2, 6, 6>, tn::AdaptiveAvgPool2d<6>);
    COMPARE("avg_pool2d_k3s2p1", Input<3, 5, 6>, tn::AvgPool2d<Kernel<3>, Stride<2>, Padding<1>>);
    COMPARE("avg_pool2d_k2", Input<3, 5, 6>, tn::AvgPool2d<Kernel<2>>);
    COMPARE("avg_pool2d_k3x2_floor", Input<3, 5, 6>, tn::AvgPool2d<Kernel<3, 2>, Stride<2>>);
    COMPARE("softmax", Input<10>, tn::Softmax);
    COMPARE("resize_bilinear_5x7_to_17x13", Input<2, 5, 7>, tn::Resize<17, 13>);
    COMPARE("resize_bilinear_9x9_to_4x4", Input<3, 9, 9>, tn::Resize<4>);
    COMPARE("resize_bilinear_2x32_to_3x227", Input<1, 2, 32>, tn::Resize<3, 227>);
    COMPARE("local_response_norm", Input<7, 3, 4>, LocalResponseNorm<>);
    COMPARE("local_response_norm_strong", Input<7, 3, 4>, LocalResponseNorm<5, std::ratio<1, 2>>);
#undef COMPARE
    compared.require_all();
}

TEST_CASE("cross entropy agrees with PyTorch") {
    const Goldens goldens("losses");
    for (const auto& [name, attributes] : goldens.cases()) {
        CAPTURE(name, attributes);
        const std::vector<double> logits = goldens.values(name + ".logits");
        const auto loss = tn::reference::cross_entropy(std::span<const double>(logits),
                                                       goldens.labels(name + ".labels"));
        CHECK(error_of({&loss.value, 1}, goldens.values(name + ".loss")) <= tolerance);
        CHECK(error_of(loss.gradient, goldens.values(name + ".grad_logits")) <= tolerance);
    }
}

namespace {

template <class Optimizer>
void compare_optimizer(const Goldens& goldens, Compared& compared, const std::string& name,
                       Optimizer optimizer, const std::vector<double>& learning_rates) {
    CAPTURE(name);
    const std::vector<double> initial = goldens.values("initial");
    const std::vector<double> gradients = goldens.values("gradients");
    const std::vector<double> parameters = goldens.values(name + ".parameters");
    const std::vector<double> changes = goldens.values(name + ".change");
    const std::size_t count = initial.size();
    REQUIRE(gradients.size() == count * learning_rates.size());
    std::vector<double> own = initial;
    for (std::size_t step = 0; step < learning_rates.size(); ++step) {
        optimizer.learning_rate = learning_rates[step];
        optimizer.step(own, std::span(gradients).subspan(step * count, count));
        std::vector<double> change(count);
        for (std::size_t i = 0; i < count; ++i) change[i] = own[i] - initial[i];
        const auto row = [&](const std::vector<double>& rows) {
            return std::span(rows).subspan(step * count, count);
        };
        CHECK(relative_error(std::span<const double>(own), row(parameters)) <= tolerance);
        CHECK(relative_error(std::span<const double>(change), row(changes)) <= tolerance);
    }
    compared.done(name);
}

}  // namespace

TEST_CASE("optimizers agree with PyTorch and Keras") {
    const Goldens goldens("optimizers");
    Compared compared(goldens);
    compared.done("initial");  // the start of every case
    const auto sgd = [&](const std::string& name, double momentum, double dampening, double decay,
                         bool nesterov, const std::vector<double>& rates = {0.1, 0.1, 0.1}) {
        tn::reference::Sgd<double> optimizer;
        optimizer.momentum = momentum;
        optimizer.dampening = dampening;
        optimizer.weight_decay = decay;
        optimizer.nesterov = nesterov;
        compare_optimizer(goldens, compared, name, optimizer, rates);
    };
    sgd("sgd", 0, 0, 0, false);
    sgd("sgd_momentum", 0.9, 0, 0, false);
    sgd("sgd_momentum_rate_drop", 0.9, 0, 0, false, {0.1, 0.1, 0.01});
    sgd("sgd_momentum_decay", 0.9, 0, 5e-4, false);
    sgd("sgd_nesterov", 0.9, 0, 0, true);
    sgd("sgd_nesterov_decay", 0.9, 0, 5e-4, true);
    sgd("sgd_momentum_dampening", 0.9, 0.1, 0, false);

    const auto adam = [&](const std::string& name, double epsilon, bool epsilon_hat, double decay) {
        tn::reference::Adam<double> optimizer;
        optimizer.epsilon = epsilon;
        optimizer.epsilon_hat = epsilon_hat;
        optimizer.weight_decay = decay;
        compare_optimizer(goldens, compared, name, optimizer, {1e-3, 1e-3, 1e-3});
    };
    adam("adam", 1e-8, false, 0);
    adam("adam_decay", 1e-8, false, 1e-2);
    adam("adam_keras", 1e-7, true, 0);
    compared.require_all();
}

TEST_CASE("five steps of training agree with PyTorch") {
    using Net =
        tn::Network<Input<3, 9, 9>, tn::Named<"conv", Conv2d<8, Kernel<3>, Padding<1>>>, Relu,
                    MaxPool2d<Kernel<3>, Stride<2>>, tn::Flatten, tn::Named<"fc1", tn::Linear<12>>,
                    Relu, tn::Named<"fc2", tn::Linear<5>>>;
    const Goldens goldens("mlp_training");
    Executor<Net> executor;
    struct Tensor {
        std::string name;
        std::vector<double>& values;
        const std::vector<double>& gradients;
        tn::reference::Sgd<double> optimizer{};
    };
    std::vector<Tensor> tensors;
    for (const tn::LayerInfo& layer : Net::layers) {
        if (layer.parameter_count() == 0) continue;
        const auto i = static_cast<std::size_t>(layer.index);
        const auto& gradients = executor.gradients()[i];
        auto& parameters = executor.parameters[i];
        tensors.push_back({tn::name_of(layer) + ".weight", parameters.weight, gradients.weight});
        tensors.push_back({tn::name_of(layer) + ".bias", parameters.bias, gradients.bias});
    }
    REQUIRE(tensors.size() == 6);
    for (Tensor& tensor : tensors) {
        tensor.values = goldens.values("initial." + tensor.name);
        tensor.optimizer.learning_rate = 0.05;
        tensor.optimizer.momentum = 0.9;
    }

    const std::vector<double> inputs = goldens.values("inputs");
    const std::vector<std::int32_t> labels = goldens.labels("labels");
    std::vector<double> losses;
    constexpr std::size_t steps = 5, batch = 4;
    const std::size_t size = inputs.size() / steps;
    for (std::size_t step = 0; step < steps; ++step) {
        executor.forward(std::span(inputs).subspan(step * size, size), batch);
        losses.push_back(
            executor.backward_cross_entropy(std::span(labels).subspan(step * batch, batch)));
        for (Tensor& tensor : tensors) tensor.optimizer.step(tensor.values, tensor.gradients);
    }
    CHECK(error_of(losses, goldens.values("losses")) <= tolerance);
    for (const Tensor& tensor : tensors) {
        CAPTURE(tensor.name);
        CHECK(error_of(tensor.values, goldens.values("final." + tensor.name)) <= tolerance);
    }
}

namespace {

/// max |got - wanted| / max |scale|.
double error_of(std::span<const double> got, const std::vector<double>& wanted,
                const std::vector<double>& scale) {
    REQUIRE(got.size() == wanted.size());
    double difference = 0, largest = 0;
    for (std::size_t i = 0; i < got.size(); ++i)
        difference = std::fmax(difference, std::abs(got[i] - wanted[i]));
    for (const double value : scale) largest = std::fmax(largest, std::abs(value));
    return difference / largest;
}

/// First gradients, three steps of SGD and inference of a network with branches.
template <class Net>
void compare_branching(const std::string& file) {
    CAPTURE(file);
    const Goldens goldens(file);
    Executor<Net> executor;
    struct Tensor {
        std::string name;
        std::string weight;  ///< of the same layer
        std::vector<double>& values;
        const std::vector<double>& gradients;
        tn::reference::Sgd<double> optimizer{};
    };
    std::vector<Tensor> tensors;
    std::vector<std::pair<std::string, std::vector<double>&>> statistics;
    for (const tn::LayerInfo& layer : Net::layers) {
        const auto i = static_cast<std::size_t>(layer.index);
        const std::string name = tn::name_of(layer);
        if (layer.parameter_count() > 0) {
            const auto& gradients = executor.gradients()[i];
            auto& own = executor.parameters[i];
            tensors.push_back({name + ".weight", name + ".weight", own.weight, gradients.weight});
            tensors.push_back({name + ".bias", name + ".weight", own.bias, gradients.bias});
        }
        if (layer.statistic_count > 0) {
            statistics.emplace_back(name + ".running_mean", executor.statistics[i].mean);
            statistics.emplace_back(name + ".running_var", executor.statistics[i].variance);
        }
    }
    for (Tensor& tensor : tensors) {
        REQUIRE(tensor.values.size() == goldens.values("initial." + tensor.name).size());
        tensor.values = goldens.values("initial." + tensor.name);
        tensor.optimizer.learning_rate = 0.05;
        tensor.optimizer.momentum = 0.9;
        tensor.optimizer.weight_decay = 1e-3;
    }
    const std::vector<double> inputs = goldens.values("inputs");
    const std::vector<std::int32_t> labels = goldens.labels("labels");
    constexpr std::size_t batch = 3;
    constexpr auto size = static_cast<std::size_t>(batch * Net::input_shape.size());
    std::vector<double> losses;
    for (std::size_t step = 0; step < 3; ++step) {
        executor.forward(std::span(inputs).subspan(step * size, size), batch,
                         tn::reference::TrainingStep{});
        if (step == 0) CHECK(error_of(executor.outputs(), goldens.values("logits")) <= tolerance);
        losses.push_back(
            executor.backward_cross_entropy(std::span(labels).subspan(step * batch, batch)));
        if (step == 0)
            CHECK(error_of(executor.input_gradients(), goldens.values("grad.input")) <= tolerance);
        for (Tensor& tensor : tensors) {
            CAPTURE(tensor.name);
            // Behind a batch normalisation a bias has no gradient: measure it by the weight's.
            if (step == 0)
                CHECK(error_of(tensor.gradients, goldens.values("grad." + tensor.name),
                               goldens.values("grad." + tensor.weight)) <= tolerance);
            tensor.optimizer.step(tensor.values, tensor.gradients);
        }
        if (step == 1)
            for (const auto& [name, values] : statistics) {
                CAPTURE(name);
                CHECK(error_of(values, goldens.values("two_steps." + name)) <= tolerance);
            }
    }
    CHECK(error_of(losses, goldens.values("losses")) <= tolerance);
    for (const Tensor& tensor : tensors) {
        CAPTURE(tensor.name);
        CHECK(error_of(tensor.values, goldens.values("final." + tensor.name)) <= tolerance);
    }
    for (const auto& [name, values] : statistics) {
        CAPTURE(name);
        CHECK(error_of(values, goldens.values("final." + name)) <= tolerance);
    }
    executor.forward(std::span(inputs).first(size), batch);
    CHECK(error_of(executor.outputs(), goldens.values("final.logits")) <= tolerance);
}

}  // namespace

TEST_CASE("a ResNet's blocks agree with PyTorch in training and in inference") {
    compare_branching<typenet::testing::ResidualNet>("residual");
}

TEST_CASE("an Inception block agrees with PyTorch in training and in inference") {
    compare_branching<typenet::testing::InceptionNet>("inception");
}
