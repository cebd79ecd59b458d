// A pass over the test images.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <typenet/data/loader.hpp>
#include <typenet/training/losses.hpp>
#include <typenet/training/predictor.hpp>
#include <vector>

#include "data.hpp"
#include "progress.hpp"
#include "report.hpp"

namespace alexnet {

/// Larger than the batch of training: nothing is kept for a backward pass.
inline typenet::Batch test_batch(const typenet::Dataset& test) {
    return {std::min<std::int64_t>(64, test.size())};
}

/// Predicts every image of `test`. `predictor` takes test_batch() images.
template <class Predictor>
TestResult run_test(Predictor& predictor, const typenet::Dataset& test, Progress& progress,
                    const std::string& task) {
    constexpr auto classes = static_cast<std::size_t>(Predictor::Net::output_shape.size());
    TestResult result{typenet::ConfusionMatrix{static_cast<int>(classes)}};
    const typenet::Loader loader{test, {.batch = test_batch(test).size, .shuffle = false}};
    progress.begin(task, test.size());
    for (const typenet::ImageBatch& images : loader.epoch(0)) {
        const std::vector<float> logits = predictor(images, normalization);
        result.loss += typenet::CrossEntropy{}(logits, images.labels, {}).sum;
        for (std::size_t i = 0; i < images.labels.size(); ++i)
            result.confusion.add(images.labels[i],
                                 typenet::argmax(std::span{logits}.subspan(i * classes, classes)));
        const std::int64_t done = result.confusion.samples();
        progress.update(done, [&] { return loss_note(result.loss / static_cast<double>(done)); });
    }
    progress.clear();
    result.loss /= static_cast<double>(test.size());
    return result;
}

}  // namespace alexnet
