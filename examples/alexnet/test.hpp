// A pass over the test images.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <typenet/data/loader.hpp>
#include <typenet/training/device_images.hpp>
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

/// Makes logits of a network's outputs where these are probabilities: their logarithms, whose
/// softmax they are. Below 1e-7 they count as that, as in Keras's loss.
template <class Net>
void make_logits(std::span<float> outputs) {
    if constexpr (Net::layers[Net::layer_count - 1].kind == typenet::LayerKind::softmax)
        for (float& value : outputs) value = std::log(std::max(value, 1e-7f));
}

/// Predicts every image of a data set. `predictor` takes test_batch() images.
template <class Predictor, class Backend>
TestResult run_test(Predictor& predictor, const typenet::Normalization& normalization,
                    const typenet::DeviceImages<Backend>& images, Progress& progress,
                    const std::string& task) {
    using Net = typename Predictor::Net;
    constexpr auto classes = static_cast<std::size_t>(Net::output_shape.size());
    TestResult result{typenet::ConfusionMatrix{static_cast<int>(classes)}};
    const typenet::Dataset& test = images.dataset();
    const typenet::Loader loader{
        test, {.batch = test_batch(test).size, .shuffle = false, .gather = false}};
    progress.begin(task, test.size());
    for (const typenet::ImageBatch& batch : loader.epoch(0)) {
        std::vector<float> logits = predictor(images, batch, normalization);
        make_logits<Net>(logits);
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
