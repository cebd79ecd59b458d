// Where 03_weights.hpp comes from: a small network is trained, and its weights become C++.
//     04_embed_weights examples/03_weights.hpp
// writes the file; without an argument the network is trained and nothing is written.
#include <cstdint>
#include <cstdio>
#include <exception>
#include <fstream>
#include <numeric>
#include <span>
#include <typenet/typenet.hpp>
#include <vector>

#include "03_drawings.hpp"

namespace tn = typenet;
using drawings::Net;

/// Drawings side by side, with their labels.
struct Drawings {
    std::vector<float> samples;
    std::vector<std::int32_t> labels;

    void add(const tn::Dataset& images, std::int64_t index) {
        const drawings::Drawing drawing = drawings::drawing_of(images.image(index));
        samples.insert(samples.end(), drawing.begin(), drawing.end());
        labels.push_back(images.labels[static_cast<std::size_t>(index)]);
    }
};

/// The share of unseen images whose shape is found, in per cent.
double accuracy(const tn::Model<Net>& model) {
    const tn::Dataset images = tn::make_synthetic(tn::Split::test, 1000);
    Drawings unseen;
    for (std::int64_t i = 0; i < images.size(); ++i) unseen.add(images, i);
    const std::vector<float> logits = tn::Predictor{model, tn::Batch{100}}(unseen.samples);
    int right = 0;
    for (std::size_t i = 0; i < unseen.labels.size(); ++i)
        right += tn::argmax(std::span{logits}.subspan(10 * i, 10)) == unseen.labels[i];
    return 100.0 * right / static_cast<double>(images.size());
}

/// Each layer's weights and then its biases, as a constexpr array of a header.
void write_header(const tn::Model<Net>& model, const char* path) {
    std::ofstream file{path};
    file << "// Written by 04_embed_weights.cpp: the weights of the network in 03_drawings.hpp.\n"
            "#pragma once\n\n#include <array>\n\n// clang-format off\n"
            "inline constexpr std::array<float, "
         << Net::parameter_count << "> trained_weights{";
    int column = 0;
    for (const tn::ParameterInfo& parameter : model.parameters())
        for (const float value : model.get(parameter.name)) {
            char text[16];
            std::snprintf(text, sizeof text, "%.3ff,", static_cast<double>(value));
            file << (column++ % 12 == 0 ? "\n    " : " ") << text;
        }
    file << "\n};\n// clang-format on\n";
    if (!file.flush())
        throw tn::FileError(path, "cannot be written", "name a file in a folder that there is");
}

int main(int count, char** arguments) try {
    const tn::Dataset images = tn::make_synthetic(tn::Split::train, 4000);
    tn::Model<Net> model{tn::Seed{3}};
    tn::Trainer trainer{model, tn::CrossEntropy{}, tn::Adam{.learning_rate = 3e-3f}, tn::Batch{40}};
    const tn::Loader loader{images, {.batch = 40, .seed = tn::Seed{3}}};
    for (int epoch = 0; epoch < 10; ++epoch) {
        const std::vector<std::uint32_t> order = loader.order(epoch);
        trainer.set_learning_rate(epoch < 7 ? 3e-3f : 5e-4f);
        for (std::size_t first = 0; first < order.size(); first += 40) {
            Drawings batch;
            for (std::size_t i = first; i < first + 40; ++i) batch.add(images, order[i]);
            trainer.step(batch.samples, batch.labels);
        }
    }
    const double right = accuracy(model);
    std::printf("%.1f %% of 1000 unseen images are taken for what they show\n", right);
    if (count > 1) write_header(model, arguments[1]);
    return right > 95 ? 0 : 1;
} catch (const std::exception& error) {
    std::fprintf(stderr, "04_embed_weights: %s\n", error.what());
    return 1;
}
