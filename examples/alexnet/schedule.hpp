// The learning rate of each step, as --schedule wants it.
#pragma once

#include <cstdint>
#include <typenet/training/schedules.hpp>

#include "options.hpp"

namespace alexnet {

class Schedule {
public:
    Schedule(const Recipe& recipe, std::int64_t steps_per_epoch)
        : recipe_(recipe),
          steps_per_epoch_(steps_per_epoch),
          plateau_(recipe.patience, recipe.decay) {}

    /// Takes the test loss of a finished epoch.
    void observe(double test_loss) { plateau_.observe(test_loss); }

    /// `step` counts from 0 and over all epochs.
    float learning_rate(std::int64_t step) const {
        return static_cast<float>(recipe_.learning_rate * factor(step));
    }

private:
    double factor(std::int64_t step) const {
        const typenet::TrainingTime time{step, steps_per_epoch_, recipe_.epochs};
        if (recipe_.schedule == "step")
            return typenet::StepDecay{recipe_.decay_every, recipe_.decay}.factor(time);
        if (recipe_.schedule == "cosine")
            return typenet::CosineDecay{.warm_up = recipe_.warm_up}.factor(time);
        if (recipe_.schedule == "plateau") return plateau_.factor();
        return 1;
    }

    const Recipe& recipe_;
    std::int64_t steps_per_epoch_;
    typenet::PlateauDecay plateau_;
};

}  // namespace alexnet
