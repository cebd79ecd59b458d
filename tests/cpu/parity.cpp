// The CPU backend against PyTorch 1.13.1: goldens of tests/parity, within 1e-4 of the largest
// value.
#include "cpu/compare.hpp"
#include "parity/goldens.hpp"

using namespace typenet;
using namespace typenet::testing;

namespace {

/// The stage of one layer alone, with the gradient of its input.
template <class L, class In>
constexpr Geometry stage_of_layer() {
    Geometry g =
        detail::lower<1>(Network<In, L>::layers, Phase::training, false).stages[0].geometry;
    g.input_gradient = true;
    g.planar_input = false;
    return g;
}

std::vector<float> read(const std::vector<float>& packed, const Shape& shape,
                        const cpu::MapLayout& layout, std::int64_t batch) {
    std::vector<float> values;
    for (std::int64_t n = 0; n < batch; ++n)
        for (const std::int64_t offset : Cpu<float>::canonical_offsets(shape, layout))
            values.push_back(packed[static_cast<std::size_t>(n * layout.sample + offset)]);
    return values;
}

/// Forward and backward of one layer on every instruction set against a golden case.
template <class L, class In>
void check_layer(const SafetensorsFile& file, const std::string& name) {
    using Backend = Cpu<float>;
    static constexpr Geometry g = stage_of_layer<L, In>();
    static constexpr LayerInfo layer = L::spec.infer(In::shape).info;
    const std::vector<float> input = floats_of(file, name + ".input");
    const auto batch = static_cast<std::int64_t>(input.size()) / In::shape.size();
    const auto floats = [](std::int64_t bytes) {
        return std::vector<float>(static_cast<std::size_t>((bytes + 3) / 4));
    };
    for (const cpu::Isa isa : available_isas()) {
        INFO(name << " on " << to_string(isa));
        Backend::Context context{Threads{2}};
        context.isa = isa;
        std::vector<float> x = floats(batch * Backend::input_bytes(g));
        std::vector<float> y = floats(batch * Backend::output_bytes(g));
        std::vector<float> dy = floats(batch * Backend::gradient_bytes(g));
        std::vector<float> codes = floats(batch * Backend::code_bytes(g));
        const cpu::MapLayout gradient = cpu::layout_of(g.input, {}, false);
        std::vector<float> dx = floats(batch * gradient.sample * 4);
        std::vector<float> w = floats(Backend::weight_count(g) * 4), dw = w;
        std::vector<float> b = floats(Backend::bias_count(g) * 4), db = b;
        Backend::Arena workspace{
            Backend::workspace_bytes(g, Phase::training, batch, context.threads())};
        Backend::load_values(context, g, input.data(), batch, x.data());
        if constexpr (has_parameters(g)) {
            const std::vector<float> weight = floats_of(file, name + ".weight");
            Backend::visit_weights(g, [&](std::int64_t canonical, std::int64_t packed) {
                w[static_cast<std::size_t>(packed)] = weight[static_cast<std::size_t>(canonical)];
            });
            std::ranges::copy(floats_of(file, name + ".bias"), b.begin());
        }
        Backend::StageIo io;
        io.layer = &layer;
        io.batch = batch;
        io.input = x.data();
        io.output = y.data();
        io.codes = reinterpret_cast<std::uint8_t*>(codes.data());
        io.weights = w.data();
        io.biases = b.data();
        Backend::use_workspace(g, io, workspace.bytes(), Phase::training, batch);
        Backend::forward<g>(context, io);
        CHECK(relative_error(read(y, g.output, cpu::output_layout(g), batch),
                             values_of(file, name + ".output")) <= 1e-4);
        if (file.find(name + ".grad_output") == nullptr) continue;

        const std::vector<float> given = floats_of(file, name + ".grad_output");
        const std::vector<std::int64_t> offsets =
            Backend::canonical_offsets(g.output, cpu::gradient_layout(g));
        for (std::size_t i = 0; i < given.size(); ++i)
            dy[i / offsets.size() * static_cast<std::size_t>(cpu::gradient_layout(g).sample) +
               static_cast<std::size_t>(offsets[i % offsets.size()])] = given[i];
        io.output_gradient = dy.data();
        io.input_gradient = dx.data();
        io.weight_gradient = dw.data();
        io.bias_gradient = db.data();
        const Backend::KeepGradient keep;
        Backend::backward<g>(context, io, &keep);
        CHECK(relative_error(read(dx, g.input, gradient, batch),
                             values_of(file, name + ".grad_input")) <= 1e-4);
        if constexpr (has_parameters(g)) {
            std::vector<float> weight(values_of(file, name + ".weight").size());
            Backend::visit_weights(g, [&](std::int64_t canonical, std::int64_t packed) {
                weight[static_cast<std::size_t>(canonical)] = dw[static_cast<std::size_t>(packed)];
            });
            CHECK(relative_error(weight, values_of(file, name + ".grad_weight")) <= 1e-4);
            db.resize(static_cast<std::size_t>(g.middle.channels));
            CHECK(relative_error(db, values_of(file, name + ".grad_bias")) <= 1e-4);
        }
    }
}

}  // namespace

TEST_CASE("Every layer, forward and backward") {
    const SafetensorsFile file = goldens("layers");
    check_layer<Conv2d<5, Kernel<3>, Padding<1>>, Input<3, 7, 9>>(file, "conv2d_k3p1");
    check_layer<Conv2d<6, Kernel<5>, Padding<2>>, Input<4, 7, 9>>(file, "conv2d_k5p2");
    check_layer<Conv2d<8, Kernel<11>, Stride<4>>, Input<3, 23, 23>>(file, "conv2d_k11s4");
    check_layer<Conv2d<4, Kernel<3>, Stride<2>, Padding<1>>, Input<2, 17, 15>>(file,
                                                                               "conv2d_k3s2p1");
    check_layer<Conv2d<4, Kernel<3>, Stride<2>>, Input<3, 8, 10>>(file, "conv2d_k3s2_floor");
    check_layer<Conv2d<7, Kernel<1>>, Input<5, 6, 5>>(file, "conv2d_k1");
    check_layer<Conv2d<8, Kernel<3>, Padding<1>, Groups<2>>, Input<6, 7, 6>>(file,
                                                                             "conv2d_k3p1_groups2");
    check_layer<Conv2d<5, Kernel<4>, Same>, Input<3, 7, 8>>(file, "conv2d_k4_same");
    check_layer<Conv2d<5, Kernel<3>, Stride<2>, Same>, Input<3, 10, 9>>(file, "conv2d_k3s2_same");
    check_layer<Conv2d<4, Kernel<3, 5>>, Input<3, 8, 7>>(file, "conv2d_k3x5");
    check_layer<Conv2d<4, Kernel<3, 5>, Padding<1, 2>>, Input<3, 8, 7>>(file, "conv2d_k3x5_p1x2");
    check_layer<Conv2d<21, Kernel<3>, Padding<1>>, Input<19, 5, 7>>(file, "conv2d_k3p1_19_to_21");
    check_layer<Conv2d<48, Kernel<3>, Padding<1>>, Input<32, 5, 4>>(file, "conv2d_k3p1_32_to_48");
    check_layer<Linear<7>, Input<19>>(file, "linear_19_to_7");
    check_layer<Linear<17>, Input<33>>(file, "linear_33_to_17");
    check_layer<Relu, Input<3, 5, 7>>(file, "relu");
    check_layer<MaxPool2d<Kernel<3>, Stride<2>>, Input<3, 9, 11>>(file, "max_pool2d_k3s2_ties");
    check_layer<MaxPool2d<Kernel<3>, Stride<2>>, Input<2, 9, 9>>(file, "max_pool2d_k3s2_nan");
    check_layer<MaxPool2d<Kernel<2>, Stride<2>>, Input<3, 8, 6>>(file, "max_pool2d_k2s2");
    check_layer<MaxPool2d<Kernel<3>, Stride<1>, Padding<1>>, Input<3, 7, 5>>(file,
                                                                             "max_pool2d_k3s1p1");
    check_layer<MaxPool2d<Kernel<3>, Stride<2>>, Input<3, 8, 10>>(file, "max_pool2d_k3s2_floor");
    check_layer<AdaptiveAvgPool2d<6>, Input<2, 7, 9>>(file, "adaptive_avg_pool2d_7x9_to_6x6");
    check_layer<AdaptiveAvgPool2d<6>, Input<2, 13, 13>>(file, "adaptive_avg_pool2d_13x13_to_6x6");
    check_layer<AdaptiveAvgPool2d<6>, Input<2, 6, 6>>(file, "adaptive_avg_pool2d_6x6_to_6x6");
    check_layer<AvgPool2d<Kernel<3>, Stride<2>, Padding<1>>, Input<3, 5, 6>>(file,
                                                                             "avg_pool2d_k3s2p1");
    check_layer<AvgPool2d<Kernel<2>>, Input<3, 5, 6>>(file, "avg_pool2d_k2");
    check_layer<AvgPool2d<Kernel<3, 2>, Stride<2>>, Input<3, 5, 6>>(file, "avg_pool2d_k3x2_floor");
    check_layer<Softmax, Input<10>>(file, "softmax");
    check_layer<Resize<17, 13>, Input<2, 5, 7>>(file, "resize_bilinear_5x7_to_17x13");
    check_layer<Resize<4>, Input<3, 9, 9>>(file, "resize_bilinear_9x9_to_4x4");
    check_layer<Resize<3, 227>, Input<1, 2, 32>>(file, "resize_bilinear_2x32_to_3x227");
    check_layer<LocalResponseNorm<5>, Input<7, 3, 4>>(file, "local_response_norm");
    check_layer<LocalResponseNorm<5, std::ratio<1, 2>>, Input<7, 3, 4>>(
        file, "local_response_norm_strong");
}

TEST_CASE("Cross entropy") {
    const SafetensorsFile file = goldens("losses");
    for (const std::string name : {"cross_entropy_batch4", "cross_entropy_batch3",
                                   "cross_entropy_batch1", "cross_entropy_large_logits"}) {
        INFO(name);
        const std::vector<float> logits = floats_of(file, name + ".logits");
        const std::vector<std::int32_t> labels = labels_of(file, name + ".labels");
        std::vector<float> gradient(logits.size());
        const LossValue loss = CrossEntropy{}(logits, labels, gradient);
        CHECK(relative_error(std::vector{loss.sum / static_cast<double>(labels.size())},
                             values_of(file, name + ".loss")) <= 1e-6);
        CHECK(relative_error(gradient, values_of(file, name + ".grad_logits")) <= 1e-6);
    }
}

TEST_CASE("Three steps of each optimizer") {
    const SafetensorsFile file = goldens("optimizers");
    const std::vector<float> initial = floats_of(file, "initial");
    const std::vector<float> gradients = floats_of(file, "gradients");
    const std::size_t count = initial.size();
    const auto check = [&](const std::string& name, auto optimizer, std::vector<float> rates = {}) {
        for (const cpu::Isa isa : available_isas()) {
            INFO(name << " on " << to_string(isa));
            cpu::ThreadPool pool{Threads{2}};
            std::vector<float> parameters(48), gradient(48), first(48), second(48);
            std::ranges::copy(initial, parameters.begin());
            std::vector<float> all, change;
            for (std::size_t step = 0; step < 3; ++step) {
                if (!rates.empty()) optimizer.learning_rate = rates[step];
                std::copy_n(gradients.data() + step * count, count, gradient.begin());
                cpu::update(isa, pool, optimizer.rule(static_cast<std::int64_t>(step) + 1), 48,
                            parameters.data(), gradient.data(), first.data(), second.data(), 1);
                for (std::size_t i = 0; i < count; ++i) {
                    all.push_back(parameters[i]);
                    change.push_back(parameters[i] - initial[i]);
                }
            }
            CHECK(relative_error(all, values_of(file, name + ".parameters")) <= 1e-6);
            CHECK(relative_error(change, values_of(file, name + ".change")) <= 1e-4);
        }
    };
    check("sgd", Sgd{.learning_rate = 0.1f});
    check("sgd_momentum", Sgd{.learning_rate = 0.1f, .momentum = 0.9f});
    check("sgd_momentum_rate_drop", Sgd{.momentum = 0.9f}, {0.1f, 0.1f, 0.01f});
    check("sgd_momentum_decay",
          Sgd{.learning_rate = 0.1f, .momentum = 0.9f, .weight_decay = 5e-4f});
    check("sgd_nesterov", Sgd{.learning_rate = 0.1f, .momentum = 0.9f, .nesterov = true});
    check("sgd_nesterov_decay",
          Sgd{.learning_rate = 0.1f, .momentum = 0.9f, .weight_decay = 5e-4f, .nesterov = true});
    check("sgd_momentum_dampening",
          Sgd{.learning_rate = 0.1f, .momentum = 0.9f, .dampening = 0.1f});
    check("adam", Adam{.learning_rate = 1e-3f});
    check("adam_decay", Adam{.learning_rate = 1e-3f, .weight_decay = 1e-2f});
    check("adam_keras",
          Adam{.learning_rate = 1e-3f, .epsilon = 1e-7f, .epsilon_mode = AdamEpsilon::keras});
}

TEST_CASE("Five training steps of a small network") {
    const SafetensorsFile file = goldens("mlp_training");
    Model<Mlp> model;
    for (const ParameterInfo& parameter : model.parameters())
        model.set(parameter.name, floats_of(file, "initial." + parameter.name));
    Trainer trainer{model, CrossEntropy{}, Sgd{.learning_rate = 0.05f, .momentum = 0.9f}, Batch{4}};
    const std::vector<float> inputs = floats_of(file, "inputs");
    const std::vector<std::int32_t> labels = labels_of(file, "labels");
    const std::vector<double> losses = values_of(file, "losses");
    for (std::size_t step = 0; step < losses.size(); ++step) {
        trainer.step(std::span{inputs}.subspan(step * 972, 972),
                     std::span{labels}.subspan(step * 4, 4));
        CHECK(std::fabs(double{trainer.loss()} - losses[step]) <= 1e-5 * losses[step]);
    }
    for (const ParameterInfo& parameter : model.parameters())
        CHECK(relative_error(model.get(parameter.name),
                             values_of(file, "final." + parameter.name)) <= 1e-4);
}

TEST_CASE("Three training steps with clipped gradients") {
    compare_with_clipping_goldens<Cpu<float>>(1e-4);
}

TEST_CASE("The whole AlexNet on two images of 227x227") {
    Model<AlexNetWithoutDropout> model;
    compare_with_alexnet_goldens(model, 1e-4);
}
