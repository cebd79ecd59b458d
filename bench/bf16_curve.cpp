// The loss of AlexNet's training on CIFAR-10 in bfloat16 beside that in float, step by step, with
// the same seed: bench_bf16_curve DATA STEPS CHART. Prints means of stretches of steps as a table,
// and draws them as the SVG file CHART.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "typenet/bf16.hpp"
#include "typenet/io/charts.hpp"
#include "typenet/typenet.hpp"

namespace {

using namespace typenet;
using models::AlexNet;

constexpr Seed seed{1};
constexpr std::int64_t batch = 4;

/// The PyTorch recipe of the program alexnet, but for its initial weights: those by Kaiming's rule
/// leave the loss of chance within a few hundred steps.
template <class Backend>
struct Run {
    Model<AlexNet, Backend> model{seed, Initialization::kaiming_normal};
    Trainer<Model<AlexNet, Backend>, CrossEntropy, Sgd> trainer{
        model, CrossEntropy{}, Sgd{.learning_rate = 1e-3f, .momentum = 0.9f}, Batch{batch}, seed};
    std::vector<double> losses{};

    void step(const ImageBatch& images) {
        trainer.step(images, Normalization::symmetric());
        losses.push_back(double{trainer.loss()});
    }
};

/// Means of stretches of `length` values.
std::vector<double> means(const std::vector<double>& values, std::size_t length) {
    std::vector<double> result;
    for (std::size_t first = 0; first + length <= values.size(); first += length) {
        double sum = 0;
        for (std::size_t i = 0; i < length; ++i) sum += values[first + i];
        result.push_back(sum / static_cast<double>(length));
    }
    return result;
}

void compare(const std::string& data, std::size_t steps, const std::string& chart) {
    const Dataset images = read_cifar10(data, Split::train);
    const Loader loader{images, {.batch = batch, .shuffle = true, .seed = seed}};
    Run<Cpu<float>> in_float;
    Run<Cpu<bf16>> in_bf16;
    for (const ImageBatch& step : loader.epoch(0)) {
        if (in_float.losses.size() == steps) break;
        in_float.step(step);
        in_bf16.step(step);
    }
    constexpr std::size_t table_length = 50, chart_length = 10;
    std::printf("float: %s kernels, bf16: %s kernels\nsteps      float   bf16\n",
                std::string{to_string(in_float.model.context().isa)}.c_str(),
                std::string{to_string(in_bf16.model.context().isa)}.c_str());
    const std::vector<double> a = means(in_float.losses, table_length);
    const std::vector<double> b = means(in_bf16.losses, table_length);
    for (std::size_t i = 0; i < a.size(); ++i)
        std::printf("%3zu to %3zu %.4f  %.4f\n", i * table_length + 1, (i + 1) * table_length, a[i],
                    b[i]);
    double largest = 0;
    for (std::size_t i = 0; i < in_float.losses.size(); ++i)
        largest = (std::max)(largest, std::abs(in_float.losses[i] - in_bf16.losses[i]));
    std::printf("largest difference of a step's losses: %.4f\n", largest);

    const LineChart curves{"Mean training loss of ten steps",
                           "tens of steps",
                           {{"float", means(in_float.losses, chart_length)},
                            {"bfloat16", means(in_bf16.losses, chart_length)}}};
    std::ofstream{chart} << draw_line_charts({&curves, 1});
}

}  // namespace

int main(int argc, char** argv) {
    try {
        std::size_t steps = 0;
        if (argc == 4) {
            const std::string_view text{argv[2]};
            std::from_chars(text.data(), text.data() + text.size(), steps);
        }
        if (steps == 0) throw Error("give DATA STEPS CHART");
        compare(argv[1], steps, argv[3]);
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench_bf16_curve: %s\n", error.what());
        return 1;
    }
}
