#include "run_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <typenet/io/atomic_file.hpp>
#include <typenet/io/charts.hpp>
#include <typenet/io/event_file.hpp>
#include <typenet/io/text_format.hpp>

#include "session.hpp"

namespace alexnet {

namespace fs = std::filesystem;
namespace tn = typenet;

namespace {

constexpr const char* json_lines_name = "metrics.jsonl";
constexpr const char* csv_name = "metrics.csv";
constexpr const char* curves_name = "curves.svg";
constexpr const char* confusion_name = "confusion.svg";
constexpr const char* filters_name = "filters.svg";
constexpr const char* page_name = "report.html";
constexpr const char* events_name = "events.out.tfevents.alexnet";

/// The epochs as TensorBoard's curves. The same epochs give the same bytes, more of them only more.
std::string events_of(std::span<const EpochResult> epochs) {
    tn::EventFile events{epochs.empty() ? 0 : epochs.front().finished};
    for (const EpochResult& result : epochs) {
        const auto add = [&](const char* tag, double value) {
            events.scalar(tag, result.epoch, result.finished, value);
        };
        add("loss/train", result.train_loss);
        add("loss/test", result.test_loss);
        add("accuracy/train", result.train_accuracy);
        add("accuracy/test", result.test_accuracy);
        add("learning_rate", result.learning_rate);
    }
    return events.bytes();
}

std::vector<double> values_of(std::span<const EpochResult> epochs, double EpochResult::*member) {
    std::vector<double> values;
    for (const EpochResult& result : epochs) values.push_back(result.*member);
    return values;
}

}  // namespace

double unix_time() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

void require_run_files_writable(const fs::path& folder) {
    if (folder.empty()) return;
    for (const char* name : {json_lines_name, csv_name, curves_name, confusion_name, filters_name,
                             page_name, events_name})
        require_writable(folder / name);
}

void write_run_files(const TrainOptions& options, const Session& session, const TestResult& test,
                     const RunFacts& facts) {
    const fs::path& folder = session.files.folder;
    tn::write_file(folder / json_lines_name, to_json_lines(session.epochs, session.names));
    tn::write_file(folder / csv_name, to_csv(session.epochs));
    tn::write_file(folder / curves_name, draw_curves(session.epochs));
    tn::write_file(folder / confusion_name, draw_confusion(test, session.names));
    tn::write_file(folder / filters_name, draw_filters(facts.filters));
    tn::write_file(folder / page_name, report_page(options, session, test, facts));
    tn::extend_file(folder / events_name, events_of(session.epochs));
}

void require_test_files_writable(const fs::path& folder) {
    for (const char* name : {json_lines_name, csv_name, confusion_name, filters_name, page_name})
        require_writable(folder / name);
}

void write_test_files(const EvalOptions& options, const TestedWeights& tested,
                      const TestResult& test, const RunFacts& facts) {
    const fs::path& folder = options.out;
    tn::write_file(folder / json_lines_name, test_to_json_line(tested.result, tested.names));
    tn::write_file(folder / csv_name, test_to_csv(tested.result));
    tn::write_file(folder / confusion_name, draw_confusion(test, tested.names));
    tn::write_file(folder / filters_name, draw_filters(facts.filters));
    tn::write_file(folder / page_name, test_page(options, tested, test, facts));
}

std::string draw_curves(std::span<const EpochResult> epochs) {
    const tn::LineChart charts[] = {{"Loss",
                                     "epoch",
                                     {{"train", values_of(epochs, &EpochResult::train_loss)},
                                      {"test", values_of(epochs, &EpochResult::test_loss)}}},
                                    {"Accuracy, %",
                                     "epoch",
                                     {{"train", values_of(epochs, &EpochResult::train_accuracy)},
                                      {"test", values_of(epochs, &EpochResult::test_accuracy)}}}};
    return tn::draw_line_charts(charts);
}

std::string draw_confusion(const TestResult& test, std::span<const std::string> names) {
    const tn::ConfusionMatrix& confusion = test.confusion;
    return tn::draw_confusion(
        fmt::format("{} test images, {:.2f} % of them right",
                    tn::detail::grouped(confusion.samples()), confusion.accuracy()),
        names, confusion.counts());
}

std::string draw_filters(const Filters& filters) {
    const auto width = static_cast<std::size_t>(filters.shape.at(3));
    const auto height = static_cast<std::size_t>(filters.shape.at(2));
    const std::size_t pixels = width * height, size = 3 * pixels;
    std::vector<tn::HintedImage> images;
    for (std::size_t first = 0; first < filters.weights.size(); first += size) {
        const std::span<const float> filter = std::span{filters.weights}.subspan(first, size);
        float largest = 0;
        for (const float weight : filter) largest = std::max(largest, std::abs(weight));
        tn::HintedImage image{
            {static_cast<int>(width), static_cast<int>(height), std::vector<std::uint8_t>(size)},
            fmt::format("filter {}, weights up to {:.3g}", images.size(), largest)};
        for (std::size_t k = 0; k < size; ++k) {
            const float weight = filter[k % 3 * pixels + k / 3];
            const float share = largest > 0 ? weight / largest : 0;
            image.bitmap.pixels[k] =
                static_cast<std::uint8_t>(std::lround(127.5f + 127.5f * share));
        }
        images.push_back(std::move(image));
    }
    return tn::draw_images(
        fmt::format(
            "{} filters of the first convolution, {} x {}, each scaled by its largest weight",
            images.size(), height, width),
        images);
}

}  // namespace alexnet
