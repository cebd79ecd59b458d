// What the programs behind bench/compare have in common: the name of a work, and the conversation
// with the driver.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace compare {

/// What is measured: one batch through the network, or one training step with it.
struct Work {
    enum class Kind { infer, train_sgd, train_adam };
    Kind kind = Kind::infer;
    std::int64_t batch = 1;
    int threads = 1;
    std::string variant;  ///< of typenet: empty, bf16, or winograd in inference
};

inline constexpr std::int64_t parameter_count = 58'322'314;
inline constexpr std::int64_t sample_size = 3 * 227 * 227;
inline constexpr float learning_rate = 1e-3f;

/// From the arguments `infer_b1 2`, `infer_b64_winograd 2` or `train_sgd_b4_bf16 2`: a work's name
/// and the number of threads. Throws std::invalid_argument.
inline Work parse_work(int argc, char** argv) {
    const auto refuse = [](const std::string& what) -> std::invalid_argument {
        return std::invalid_argument(what +
                                     ": use infer_bN, train_sgd_bN or train_adam_bN, with _bf16 "
                                     "behind it or not, or infer_bN_winograd; then the number of "
                                     "threads");
    };
    const auto number = [&](std::string_view text) {
        char* end = nullptr;
        const std::string digits{text};
        const long value = std::strtol(digits.c_str(), &end, 10);
        if (digits.empty() || *end != '\0' || value < 1 || value > 1'000'000) throw refuse(digits);
        return value;
    };
    if (argc != 3) throw refuse("two arguments are needed");
    const std::string_view name{argv[1]};
    const std::size_t cut = name.find("_b");
    if (cut == std::string_view::npos) throw refuse(argv[1]);
    const std::string_view kind = name.substr(0, cut);
    Work work;
    if (kind == "train_sgd")
        work.kind = Work::Kind::train_sgd;
    else if (kind == "train_adam")
        work.kind = Work::Kind::train_adam;
    else if (kind != "infer")
        throw refuse(argv[1]);
    const std::string_view rest = name.substr(cut + 2);
    const std::size_t end = rest.find('_');
    work.batch = number(rest.substr(0, end));
    if (end != std::string_view::npos) work.variant = rest.substr(end + 1);
    const bool known = end == std::string_view::npos || work.variant == "bf16" ||
                       (work.variant == "winograd" && work.kind == Work::Kind::infer);
    if (!known) throw refuse(argv[1]);
    work.threads = static_cast<int>(number(argv[2]));
    return work;
}

/// Values in [-1, 1), as normalised images have.
inline std::vector<float> random_values(std::int64_t count) {
    std::mt19937 generator{1};
    std::uniform_real_distribution<float> uniform{-1, 1};
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& value : values) value = uniform(generator);
    return values;
}

/// Highest resident memory of this process so far. Linux only; throws std::runtime_error.
inline std::int64_t peak_bytes() {
    std::ifstream status{"/proc/self/status"};
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("VmHWM:")) return std::atoll(line.c_str() + 6) * 1024;
    throw std::runtime_error("/proc/self/status has no VmHWM; the comparison needs Linux");
}

/// Says who answers, then for each line with a number runs as many steps and answers with the
/// seconds that each took, until the input ends.
template <class Step>
void serve(std::string_view name, std::string_view version, std::string_view detail,
           const Step& step) {
    std::cout << R"({"name": ")" << name << R"(", "version": ")" << version << R"(", "detail": ")"
              << detail << "\"}" << std::endl;
    for (int steps = 0; std::cin >> steps;) {
        std::string seconds;
        for (int i = 0; i < steps; ++i) {
            const auto start = std::chrono::steady_clock::now();
            step();
            const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
            char text[32];
            std::snprintf(text, sizeof text, "%s%.9f", i == 0 ? "" : ", ", spent.count());
            seconds += text;
        }
        std::cout << R"({"seconds": [)" << seconds << R"(], "peak_bytes": )" << peak_bytes() << "}"
                  << std::endl;
    }
}

}  // namespace compare
