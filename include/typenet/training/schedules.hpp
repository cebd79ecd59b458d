// Learning rates that change while a network trains: the factor by which a schedule multiplies the
// rate that the optimizer was given. Trainer::set_learning_rate takes the product.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>

namespace typenet {

/// Where a training run is.
struct TrainingTime {
    std::int64_t step = 0;  ///< steps done before this one, of the whole run
    std::int64_t steps_per_epoch = 1;
    std::int64_t epochs = 1;  ///< of the whole run

    std::int64_t epoch() const { return step / steps_per_epoch; }
};

/// Multiplies by `gamma` after every `every` epochs. PyTorch: optim.lr_scheduler.StepLR.
struct StepDecay {
    std::int64_t every = 1;
    double gamma = 0.1;

    double factor(const TrainingTime& time) const {
        return std::pow(gamma, static_cast<double>(time.epoch() / every));
    }
};

/// Rises linearly over the first `warm_up` epochs, then falls along half a cosine that reaches
/// `floor` at the run's end, step by step. Source: Loshchilov and Hutter, SGDR, 2017; without
/// warm-up it is PyTorch's optim.lr_scheduler.CosineAnnealingLR with a step in place of an epoch.
struct CosineDecay {
    double warm_up = 0;
    double floor = 0;

    double factor(const TrainingTime& time) const {
        const auto per_epoch = static_cast<double>(time.steps_per_epoch);
        const auto step = static_cast<double>(time.step);
        const double rise = warm_up * per_epoch;
        if (step < rise) return (step + 1) / (rise + 1);
        const double whole = static_cast<double>(time.epochs) * per_epoch - rise;
        const double done = whole > 0 ? (step - rise) / whole : 1;
        return floor + (1 - floor) * (1 + std::cos(std::numbers::pi * std::fmin(done, 1))) / 2;
    }
};

/// Multiplies by `gamma` when a loss has not fallen for more than `patience` epochs in a row. It
/// has fallen where it is below (1 - threshold) times the lowest so far. PyTorch:
/// optim.lr_scheduler.ReduceLROnPlateau(mode="min").
class PlateauDecay {
public:
    explicit PlateauDecay(int patience = 10, double gamma = 0.1, double threshold = 1e-4)
        : patience_(patience), gamma_(gamma), threshold_(threshold) {}

    /// Takes the loss of a finished epoch.
    void observe(double loss) {
        if (loss < lowest_ * (1 - threshold_)) {
            lowest_ = loss;
            waited_ = 0;
        } else if (++waited_ > patience_) {
            factor_ *= gamma_;
            waited_ = 0;
        }
    }
    double factor() const { return factor_; }

private:
    int patience_;
    double gamma_;
    double threshold_;
    double lowest_ = std::numeric_limits<double>::infinity();
    int waited_ = 0;
    double factor_ = 1;
};

/// Tells when a loss has stopped falling: the last `patience` epochs have not gone below the
/// lowest before them.
class EarlyStop {
public:
    explicit EarlyStop(int patience) : patience_(patience) {}

    /// Takes the loss of a finished epoch; true when it is time to stop.
    bool observe(double loss) {
        if (loss < lowest_) {
            lowest_ = loss;
            waited_ = 0;
            return false;
        }
        return ++waited_ >= patience_;
    }

private:
    int patience_;
    double lowest_ = std::numeric_limits<double>::infinity();
    int waited_ = 0;
};

}  // namespace typenet
