// The test of given weights, whatever known network they belong to.
#include <fmt/format.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <typenet/core/error.hpp>
#include <typenet/core/parameter_shapes.hpp>
#include <typenet/io/atomic_file.hpp>
#include <typenet/io/tensor_formats.hpp>
#include <typenet/models/known.hpp>
#include <utility>
#include <vector>

#include "checkpoints.hpp"
#include "classifier.hpp"
#include "prepared.hpp"
#include "run_files.hpp"
#include "session.hpp"
#include "test.hpp"
#include "weights_file.hpp"

namespace alexnet {

namespace tn = typenet;

namespace {

/// The filters of the first convolution.
Filters first_filters(const tn::models::KnownNetwork& known, const tn::TensorFile& file) {
    for (const tn::TensorShape& tensor : tn::parameter_shapes(known.layers)) {
        if (known.layers[static_cast<std::size_t>(tensor.layer)].kind != tn::LayerKind::conv2d)
            continue;
        const tn::FloatValues values{*file.find(tensor.name)};
        return {tensor.shape, {values.get().begin(), values.get().end()}};
    }
    return {};
}

std::int64_t parameters_of(const tn::models::KnownNetwork& known) {
    std::int64_t count = 0;
    for (const tn::LayerInfo& layer : known.layers) count += layer.parameter_count();
    return count;
}

/// Takes the folder of the results. Throws FileError where they cannot be written there, or are
/// those of a training run.
tn::FolderLock open_folder(const std::filesystem::path& folder) {
    if (folder.empty()) return {};
    tn::FolderLock lock = make_folder(folder);
    if (!checkpoints_in(folder).empty())
        throw tn::FileError(folder.string(), "holds a training run with its own results",
                            "choose another --out");
    tn::remove_abandoned(folder);
    require_test_files_writable(folder);
    return lock;
}

}  // namespace

void evaluate(const EvalOptions& options, MakeClassifier& make) {
    const tn::Dataset data = load_data(options.data, tn::Split::test);
    const std::vector<std::string> names = class_names(data);
    require_writable(options.json);

    const tn::TensorFile file = tn::open_tensors(options.weights);
    const tn::models::KnownNetwork& known = tn::models::recognize(file, options.weights);
    if (!std::cmp_equal(known.classes(), names.size()))
        throw tn::FileError(
            options.weights.string(),
            fmt::format("holds {}, but the data have {}", known.title(), names.size()),
            "give data of as many classes");
    require_classes(file.metadata(), names, options.weights);
    const tn::FolderLock lock = open_folder(options.out);
    const auto classifier = make(known, file, options.weights, test_batch(data), options.machine);
    print_device(classifier->device());
    print_recognized(options.weights, known);
    Progress progress{options.progress};
    const auto logits_of = [&](const tn::ImageBatch& images) {
        std::vector<float> logits =
            known.preprocessing.shorter_side > 0
                ? (*classifier)(prepared(images, known.preprocessing, known.input()))
                : (*classifier)(images, known.preprocessing.normalization);
        require_finite(logits, options.weights);
        return logits;
    };
    using Clock = std::chrono::steady_clock;
    const Clock::time_point start = Clock::now();
    const TestResult result = run_test(logits_of, test_loader(data, true), data, progress, "test");
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    if (!options.out.empty())
        write_test_files(
            options,
            {.network = known.title(),
             .names = names,
             .result = {.test_loss = result.loss,
                        .test_accuracy = result.confusion.accuracy(),
                        .images_per_second = static_cast<double>(data.size()) / seconds,
                        .seconds = seconds,
                        .finished = unix_time(),
                        .per_class = accuracies(result.confusion)}},
            result,
            {.device = classifier->device(),
             .parameters = parameters_of(known),
             .filters = first_filters(known, file)});
    if (!options.json.empty()) write_report(options.json, result, names);
    print_test(result, names);
}

}  // namespace alexnet
