// The loss while a network trains.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>

namespace alexnet {

/// Mean losses of one epoch: of all its images, and the running ones that are shown.
class EpochLoss {
public:
    /// `loss` is the mean of a batch, `correct` how many of it were predicted right.
    void add(double loss, std::int64_t correct, std::int64_t batch) {
        sum_ += loss * static_cast<double>(batch);
        images_ += batch;
        correct_ += correct;
        since_line_ += loss;
        ++batches_;
        constexpr double memory = 0.98;
        weight_ = memory * weight_ + 1;
        recent_ += (loss - recent_) / weight_;
    }
    double mean() const { return sum_ / static_cast<double>(images_); }
    double accuracy() const {  ///< per cent
        return 100 * static_cast<double>(correct_) / static_cast<double>(images_);
    }
    double recent() const { return recent_; }  ///< of about the last 50 batches
    std::int64_t images() const { return images_; }
    std::int64_t batches() const { return batches_; }

    /// The mean of the last 2000 batches, each time so many are done: the line that PyTorch's
    /// tutorial prints.
    std::optional<double> line() {
        constexpr int interval = 2000;
        if (batches_ % interval != 0) return std::nullopt;
        const double mean = since_line_ / interval;
        since_line_ = 0;
        return mean;
    }

    /// Calls f(name, member) for all that a checkpoint keeps of it.
    template <class Self, class F>
    static void for_each_member(Self& self, const F& f) {
        f("sum", self.sum_);
        f("since_line", self.since_line_);
        f("recent", self.recent_);
        f("weight", self.weight_);
        f("images", self.images_);
        f("correct", self.correct_);
        f("batches", self.batches_);
    }

private:
    double sum_ = 0;
    double since_line_ = 0;
    double recent_ = 0;
    double weight_ = 0;
    std::int64_t images_ = 0;
    std::int64_t correct_ = 0;
    std::int64_t batches_ = 0;
};

/// Notices a network that does not learn: after 10,000 images the loss of the last 2,500 is still
/// that of guessing.
class ChanceWatch {
public:
    explicit ChanceWatch(std::int64_t classes) : chance_(std::log(static_cast<double>(classes))) {}

    /// Takes the mean loss of a batch; true when it is time to warn, once a run.
    bool notices(double loss, std::int64_t batch) {
        images_ += batch;
        window_images_ += batch;
        window_sum_ += loss * static_cast<double>(batch);
        if (window_images_ < 2'500) return false;
        const double mean = window_sum_ / static_cast<double>(window_images_);
        window_images_ = 0;
        window_sum_ = 0;
        if (warnings_ > 0 || images_ < 10'000 || std::abs(mean - chance_) > 0.01) return false;
        ++warnings_;
        return true;
    }
    std::int64_t images() const { return images_; }

    /// Calls f(name, member) for all that a checkpoint keeps of it.
    template <class Self, class F>
    static void for_each_member(Self& self, const F& f) {
        f("images", self.images_);
        f("window_images", self.window_images_);
        f("window_sum", self.window_sum_);
        f("warnings", self.warnings_);
    }

private:
    double chance_;
    std::int64_t images_ = 0;
    std::int64_t window_images_ = 0;
    double window_sum_ = 0;
    std::int64_t warnings_ = 0;
};

}  // namespace alexnet
