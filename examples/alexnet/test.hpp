// A pass over the test images.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <typenet/data/loader.hpp>
#include <typenet/training/losses.hpp>
#include <typenet/training/metrics.hpp>
#include <vector>

#include "data.hpp"
#include "progress.hpp"
#include "report.hpp"

namespace alexnet {

/// Larger than the batch of training: nothing is kept for a backward pass.
inline std::int64_t test_batch(const typenet::Dataset& test) {
    return std::min<std::int64_t>(64, test.size());
}

/// Makes logits of outputs where the network ends in probabilities: their logarithms, whose softmax
/// they are. Below 1e-7 they count as that, as in Keras's loss.
inline void make_logits(const typenet::LayerInfo& last, std::span<float> outputs) {
    if (last.kind == typenet::LayerKind::softmax)
        for (float& value : outputs) value = std::log(std::max(value, 1e-7f));
}

/// The batches of run_test; `gather` where the images themselves are asked for.
inline typenet::Loader test_loader(const typenet::Dataset& test, bool gather) {
    return typenet::Loader{test, {.batch = test_batch(test), .shuffle = false, .gather = gather}};
}

/// Predicts every image of `test`. `logits_of(batch)` takes those of `loader`, a test_loader().
template <class LogitsOf>
TestResult run_test(LogitsOf logits_of, const typenet::Loader& loader, const typenet::Dataset& test,
                    Progress& progress, const std::string& task) {
    const std::size_t classes = test.class_names.size();
    TestResult result{typenet::ConfusionMatrix{static_cast<int>(classes)}};
    progress.begin(task, test.size());
    for (const typenet::ImageBatch& batch : loader.epoch(0)) {
        const std::vector<float> logits = logits_of(batch);
        result.loss += typenet::CrossEntropy{}(logits, batch.labels, {}).sum;
        for (std::size_t i = 0; i < batch.labels.size(); ++i)
            result.confusion.add(batch.labels[i],
                                 typenet::argmax(std::span{logits}.subspan(i * classes, classes)));
        const std::int64_t done = result.confusion.samples();
        progress.update(done, [&] { return loss_note(result.loss / static_cast<double>(done)); });
    }
    progress.clear();
    result.loss /= static_cast<double>(test.size());
    return result;
}

}  // namespace alexnet
