// Runs the tests of the CUDA backend on a real GPU: all, or those whose names hold one of the
// arguments. Ends with 77, "skipped", where there is no GPU.
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <string_view>

#include "support/catch.hpp"

namespace gpu_test {

std::vector<TestCase>& test_cases() {
    static std::vector<TestCase> cases;
    return cases;
}

namespace {
std::vector<std::string> notes;
int checks = 0;
int failures = 0;
}  // namespace

void record(bool holds, const char* file, int line, const char* expression) {
    ++checks;
    if (holds) return;
    ++failures;
    std::printf("%s:%d: failed: %s\n", file, line, expression);
    for (const std::string& note : notes) std::printf("    with %s\n", note.c_str());
}

Note::Note(std::string text) {
    notes.push_back(std::move(text));
}
Note::~Note() {
    notes.pop_back();
}

namespace {

/// Whether every check of the case holds.
bool succeeds(const TestCase& test) {
    const int checks_before = checks, failures_before = failures;
    try {
        test.run();
    } catch (const Abandoned&) {
    } catch (const std::exception& error) {
        record(false, "an exception", 0, error.what());
    }
    if (checks == checks_before) record(false, "tests/gpu", 0, "the test case checks something");
    return failures == failures_before;
}

int run(const std::vector<std::string_view>& wanted) {
    int devices = 0;
    if (const cudaError_t error = cudaGetDeviceCount(&devices); error != cudaSuccess) {
        std::printf("skipped: no GPU to test: %s\n", cudaGetErrorString(error));
        return 77;
    }
    int run = 0, failed = 0;
    for (const TestCase& test : test_cases()) {
        const auto is_in_name = [&](std::string_view part) {
            return std::string_view{test.name}.find(part) != std::string_view::npos;
        };
        if (!wanted.empty() && std::none_of(wanted.begin(), wanted.end(), is_in_name)) continue;
        ++run;
        const bool good = succeeds(test);
        if (!good) ++failed;
        std::printf("%s: %s\n", good ? "passed" : "FAILED", test.name);
        std::fflush(stdout);
    }
    std::printf("%d of %d test cases passed, %d checks\n", run - failed, run, checks);
    return run > 0 && failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace gpu_test

int main(int argc, char** argv) {
    return gpu_test::run({argv + 1, argv + argc});
}
