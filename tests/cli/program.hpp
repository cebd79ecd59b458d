// Runs the program alexnet as a shell would, and reads what it leaves.
#pragma once

#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <vector>

namespace typenet_test {

/// What a finished program left.
struct Finished {
    int code = -1;                ///< exit code; 128 + signal where a signal ended it
    std::int64_t peak_bytes = 0;  ///< most memory that it had resident
    std::string out;
    std::string err;
};

/// How to run it.
struct Surroundings {
    std::map<std::string, std::string> environment{};  ///< added to the test's own
    std::string stdout_path{};                         ///< empty: into Finished::out
    bool terminal = false;                             ///< stderr is one
    std::int64_t largest_file = -1;                    ///< bytes; -1: no limit
    std::int64_t most_memory = -1;                     ///< of addresses, likewise
    std::string program{};                             ///< its path; empty: alexnet
    /// `signal` is sent so long after stdout first holds this text.
    std::string interrupt_at{};
    std::chrono::microseconds signal_after{0};
    int signal = SIGINT;
};

Finished run(const std::vector<std::string>& arguments, const Surroundings& surroundings = {});

/// The contents of a file; fails the test where there is none.
std::string contents(const std::filesystem::path& path);
/// The names in a folder, sorted, with spaces between.
std::string names_in(const std::filesystem::path& folder);

/// What --json writes.
struct Report {
    std::vector<std::map<std::string, double>> epochs;
    double test_loss = std::numeric_limits<double>::quiet_NaN();  ///< of eval
    double test_accuracy = std::numeric_limits<double>::quiet_NaN();
    std::map<std::string, double> per_class;  ///< NaN: null
};
Report read_report(const std::filesystem::path& path);

}  // namespace typenet_test
