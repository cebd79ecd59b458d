// Results: what is printed on stdout and what goes into the JSON file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <typenet/core/memory_plan.hpp>
#include <typenet/data/dataset.hpp>
#include <typenet/training/metrics.hpp>
#include <vector>

namespace alexnet {

/// One finished epoch.
struct EpochResult {
    std::int64_t epoch = 0;     ///< from 1
    std::int64_t steps = 0;     ///< done by its end, over all epochs
    float learning_rate = 0;    ///< of its last step
    double train_loss = 0;      ///< mean over the epoch's images, as they were met
    double train_accuracy = 0;  ///< of the same, per cent
    double test_loss = 0;
    double test_accuracy = 0;  ///< per cent
    double images_per_second = 0;
    double seconds = 0;               ///< of training, without the test
    double finished = 0;              ///< when its test was done, in seconds since 1970
    std::vector<double> per_class{};  ///< test accuracy, per cent; NaN without test images
};

/// Whether the last epoch has a higher test accuracy than all before it.
bool is_best(std::span<const EpochResult> epochs);

/// What a test found.
struct TestResult {
    typenet::ConfusionMatrix confusion;
    double loss = 0;  ///< mean over the images
};

/// Epochs as a JSON array, and back; throws typenet::Error for text that is not such an array.
std::string to_json(std::span<const EpochResult> epochs);
std::vector<EpochResult> epochs_from_json(const std::string& text);

/// A line for each epoch: as JSON, with the accuracy of each class, and as comma-separated values
/// under a line of names.
std::string to_json_lines(std::span<const EpochResult> epochs, std::span<const std::string> names);
std::string to_csv(std::span<const EpochResult> epochs);
/// The same of a test without training, which has an epoch's members for the test and for time.
std::string test_to_json_line(const EpochResult& test, std::span<const std::string> names);
std::string test_to_csv(const EpochResult& test);

/// The test accuracy of each class, per cent; NaN where there was no image of it.
std::vector<double> accuracies(const typenet::ConfusionMatrix& confusion);

/// Makes `path` the report of a run: epochs, overall and per class accuracy. Crash-safe. Throws
/// typenet::FileError.
void write_report(const std::filesystem::path& path, std::span<const EpochResult> epochs,
                  const TestResult& test, std::span<const std::string> names);
/// The same of a test without training.
void write_report(const std::filesystem::path& path, const TestResult& test,
                  std::span<const std::string> names);

/// One line on stderr.
void print_error(const std::string& message);
void print_warning(const std::string& message);

/// What computes, as describe() says it.
void print_device(const std::string& description);
/// Says that the images of one kind are not in the GPU's memory.
void print_copies(const char* kind, const typenet::Dataset& images);
/// Says where a network's weights come from; `classes` are those that the file tells apart, and
/// `replaced` is the layer that is not taken from it.
void print_taken_over(const std::filesystem::path& weights, const char* network,
                      std::int64_t classes, const char* replaced);
/// How many of all parameters do not learn.
void print_frozen(std::int64_t frozen, std::int64_t parameters);
/// Says whether the features of the images of one kind, `bytes` in all, are kept, and if not, why.
void print_features(const char* kind, std::int64_t bytes, bool are_kept, bool are_changed);
/// The mean loss of the batches since the last such line, as PyTorch's tutorial prints it.
void print_loss(std::size_t epoch, std::int64_t batches, double mean);
/// "loss 2.303", for the progress bar.
std::string loss_note(double loss);
void print_epoch(const EpochResult& result, int epochs);
/// The same as Keras prints it.
void print_keras_epoch(const EpochResult& result, int epochs, std::int64_t batches);
/// That no epoch of the last `patience` had a lower test loss.
void print_early_stop(int patience, const EpochResult& last);
/// The accuracy of each class, the overall accuracy and the confusion matrix.
void print_test(const TestResult& test, std::span<const std::string> names);

void print(const std::string& text);

struct PlannedMemory {
    std::string purpose;
    typenet::MemoryPlan plan;
};
void print_memory(std::span<const PlannedMemory> plans, std::int64_t batch, int threads);

}  // namespace alexnet
