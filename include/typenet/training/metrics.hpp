// What a classifier got right: overall, by class, and what it took for what.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "typenet/core/error.hpp"

namespace typenet {

/// Counts of predictions; rows are the true classes, columns the predicted ones.
class ConfusionMatrix {
public:
    explicit ConfusionMatrix(int classes)
        : classes_(classes),
          counts_(static_cast<std::size_t>(classes) * static_cast<std::size_t>(classes)) {}

    /// Throws ShapeError for a class out of range.
    void add(int truth, int predicted) {
        if (truth < 0 || truth >= classes_ || predicted < 0 || predicted >= classes_)
            throw ShapeError("class " + std::to_string(truth) + " predicted as " +
                             std::to_string(predicted) + ": classes are 0 to " +
                             std::to_string(classes_ - 1));
        ++counts_[index(truth, predicted)];
    }

    int classes() const { return classes_; }
    std::int64_t count(int truth, int predicted) const { return counts_[index(truth, predicted)]; }
    /// All of them, row by row.
    std::span<const std::int64_t> counts() const { return counts_; }
    /// Samples of a class.
    std::int64_t samples(int truth) const {
        std::int64_t sum = 0;
        for (int c = 0; c < classes_; ++c) sum += count(truth, c);
        return sum;
    }
    std::int64_t samples() const {
        std::int64_t sum = 0;
        for (int c = 0; c < classes_; ++c) sum += samples(c);
        return sum;
    }
    /// Share of all samples that were predicted right, in per cent; 0 without samples.
    double accuracy() const {
        std::int64_t right = 0;
        for (int c = 0; c < classes_; ++c) right += count(c, c);
        return percent(right, samples());
    }
    /// Share of a class's samples that were predicted right (its recall), in per cent.
    double accuracy(int truth) const { return percent(count(truth, truth), samples(truth)); }

private:
    static double percent(std::int64_t part, std::int64_t whole) {
        return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
    }
    std::size_t index(int truth, int predicted) const {
        return static_cast<std::size_t>(truth) * static_cast<std::size_t>(classes_) +
               static_cast<std::size_t>(predicted);
    }

    int classes_;
    std::vector<std::int64_t> counts_;
};

}  // namespace typenet
