// The classes of photos.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <typenet/core/error.hpp>
#include <typenet/io/atomic_file.hpp>
#include <typenet/io/json.hpp>
#include <typenet/io/tensor_formats.hpp>
#include <typenet/models/known.hpp>
#include <vector>

#include "classifier.hpp"
#include "photo_file.hpp"
#include "report.hpp"
#include "session.hpp"
#include "weights_file.hpp"

namespace alexnet {

namespace fs = std::filesystem;
namespace tn = typenet;

namespace {

constexpr std::size_t most_at_once = 16;
constexpr std::size_t most_classes = 5;

struct Guess {
    std::size_t label;
    double probability;
};

/// The most probable classes, the best one first.
std::vector<Guess> best(std::span<const float> logits) {
    const double largest = *std::ranges::max_element(logits);
    double sum = 0;
    for (const float logit : logits) sum += std::exp(logit - largest);
    std::vector<std::size_t> order(logits.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const std::size_t count = std::min(most_classes, order.size());
    std::ranges::partial_sort(order, order.begin() + static_cast<std::ptrdiff_t>(count),
                              [&](std::size_t a, std::size_t b) {
                                  return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
                              });
    std::vector<Guess> guesses;
    for (const std::size_t label : std::span{order}.first(count))
        guesses.push_back({label, std::exp(logits[label] - largest) / sum});
    return guesses;
}

void report(const fs::path& image, std::span<const Guess> guesses,
            std::span<const std::string> names, tn::JsonWriter* json) {
    fmt::print("\n{}\n", image.string());
    for (const auto& [label, probability] : guesses)
        fmt::print("  {:6.2f} %  {}\n", 100 * probability, names[label]);
    if (json == nullptr) return;
    json->begin_object().key("image").value(image.string()).key("top").begin_array();
    for (const auto& [label, probability] : guesses) {
        json->begin_object().key("class").value(names[label]);
        json->key("probability").value(probability).end_object();
    }
    json->end_array().end_object();
}

/// What the weights are and say; the file's own memory is free again.
struct Loaded {
    const tn::models::KnownNetwork* known;
    std::vector<std::string> names;
    std::unique_ptr<Classifier> classifier;
};

Loaded load(const PredictOptions& options, MakeClassifier& make) {
    const tn::TensorFile file = tn::open_tensors(options.weights);
    const tn::models::KnownNetwork& known = tn::models::recognize(file, options.weights);
    const auto batch = static_cast<std::int64_t>(std::min(most_at_once, options.images.size()));
    return {&known, class_names(file, options.weights, known, options.classes),
            make(known, file, options.weights, batch, options.machine)};
}

}  // namespace

bool predict(const PredictOptions& options, MakeClassifier& make) {
    require_writable(options.json);
    const Loaded loaded = load(options, make);
    print_device(loaded.classifier->device());
    print_recognized(options.weights, *loaded.known);

    const auto sample = static_cast<std::size_t>(loaded.known->input().size());
    const auto width = static_cast<std::size_t>(loaded.known->classes());
    std::vector<float> samples;
    std::vector<fs::path> read;
    bool all_read = true;
    tn::JsonWriter json;
    json.begin_array();
    const auto flush = [&] {
        if (read.empty()) return;
        const std::vector<float> logits = (*loaded.classifier)(samples);
        require_finite(logits, options.weights);
        for (std::size_t i = 0; i < read.size(); ++i)
            report(read[i], best(std::span{logits}.subspan(i * width, width)), loaded.names,
                   options.json.empty() ? nullptr : &json);
        std::fflush(stdout);
        samples.clear();
        read.clear();
    };
    for (const fs::path& image : options.images) {
        try {
            if (!options.json.empty() && !tn::is_utf8(image.string()))
                throw tn::FileError(image.string(), "its name is not UTF-8, as JSON wants it",
                                    "rename it, or leave --json out");
            const tn::Photo photo = read_photo(image);
            std::vector<float> prepared(sample);
            tn::preprocess(photo, loaded.known->preprocessing, loaded.known->input(), prepared);
            samples.insert(samples.end(), prepared.begin(), prepared.end());
            read.push_back(image);
        } catch (const tn::Error& error) {
            print_error(error.what());
            all_read = false;
        }
        if (read.size() == most_at_once) flush();
    }
    flush();
    if (!options.json.empty()) tn::write_file(options.json, json.end_array().text() + "\n");
    return all_read;
}

}  // namespace alexnet
