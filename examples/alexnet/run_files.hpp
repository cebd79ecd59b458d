// What a training run or a test leaves for people to look at: tables, pictures, a page,
// TensorBoard's events.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <typenet/training/metrics.hpp>
#include <vector>

#include "options.hpp"
#include "report.hpp"

namespace alexnet {

struct Session;

/// Filters of a convolution: [filters][channels][height][width].
struct Filters {
    std::vector<std::int64_t> shape;
    std::vector<float> weights;
};

/// What the files tell of a run, or a test, besides its options and its epochs.
struct RunFacts {
    std::string device;  ///< what computes
    std::int64_t parameters = 0;
    Filters filters;  ///< of the first convolution, with three channels
};

/// Weights that were tested without training.
struct TestedWeights {
    std::string network;             ///< "torchvision's AlexNet of 10 classes"
    std::vector<std::string> names;  ///< of the classes
    EpochResult result;              ///< its members for the test and for time
};

/// Now, in seconds since 1970.
double unix_time();

/// Throws typenet::FileError unless all that write_run_files writes can be; with an empty folder it
/// does nothing.
void require_run_files_writable(const std::filesystem::path& folder);

/// Writes metrics.jsonl, metrics.csv, curves.svg, confusion.svg, filters.svg, report.html and
/// events.out.tfevents.alexnet into the session's folder, all of them from the session's epochs and
/// its last test. Crash-safe. Throws typenet::FileError.
void write_run_files(const TrainOptions& options, const Session& session, const TestResult& test,
                     const RunFacts& facts);

/// The same for a test of given weights: metrics.jsonl, metrics.csv, confusion.svg, filters.svg and
/// report.html in --out.
void require_test_files_writable(const std::filesystem::path& folder);
void write_test_files(const EvalOptions& options, const TestedWeights& tested,
                      const TestResult& test, const RunFacts& facts);

std::string draw_curves(std::span<const EpochResult> epochs);
std::string draw_confusion(const TestResult& test, std::span<const std::string> names);
/// Each filter in colours from its most negative to its most positive weight, with grey for 0.
std::string draw_filters(const Filters& filters);

/// One page with all of it, which loads nothing: HTML that is well-formed XML too.
std::string report_page(const TrainOptions& options, const Session& session, const TestResult& test,
                        const RunFacts& facts);
std::string test_page(const EvalOptions& options, const TestedWeights& tested,
                      const TestResult& test, const RunFacts& facts);

}  // namespace alexnet
