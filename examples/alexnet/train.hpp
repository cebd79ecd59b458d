// The training run.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <typenet/data/loader.hpp>
#include <typenet/io/weights.hpp>
#include <typenet/models/alexnet.hpp>
#include <typenet/training/losses.hpp>
#include <typenet/training/model.hpp>
#include <typenet/training/optimizers.hpp>
#include <typenet/training/predictor.hpp>
#include <typenet/training/trainer.hpp>
#include <utility>

#include "interrupt.hpp"
#include "run.hpp"
#include "session.hpp"
#include "test.hpp"

namespace alexnet {

inline typenet::Initialization initialization_of(const Recipe& recipe) {
    if (recipe.initialization == "kaiming") return typenet::Initialization::kaiming_normal;
    if (recipe.initialization == "glorot") return typenet::Initialization::glorot_uniform;
    return typenet::Initialization::pytorch;
}

/// Mean losses of one epoch: of all its images, and the running ones that are shown.
class EpochLoss {
public:
    /// `loss` is the mean of a batch.
    void add(double loss, std::int64_t batch) {
        sum_ += loss * static_cast<double>(batch);
        images_ += batch;
        since_line_ += loss;
        ++batches_;
        constexpr double memory = 0.98;
        weight_ = memory * weight_ + 1;
        recent_ += (loss - recent_) / weight_;
    }
    double mean() const { return sum_ / static_cast<double>(images_); }
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

private:
    double sum_ = 0;
    double since_line_ = 0;
    double recent_ = 0;
    double weight_ = 0;
    std::int64_t images_ = 0;
    std::int64_t batches_ = 0;
};

/// Trains one epoch. Throws Interrupted between two steps, and Error where the loss is not finite.
template <class Trainer>
EpochLoss train_epoch(Trainer& trainer, const typenet::Loader& loader, const TrainOptions& options,
                      const Session& session, Progress& progress) {
    const std::size_t done = session.epochs.size();
    EpochLoss loss;
    progress.begin(numbered("epoch", done + 1, options), session.train.size());
    for (const typenet::ImageBatch& images : loader.epoch(static_cast<std::int64_t>(done))) {
        if (InterruptGuard::requested()) stop_run(options, session);
        trainer.step(images, normalization);
        const double mean_of_batch = trainer.loss();
        require_finite(mean_of_batch, "training", done + 1, options);
        loss.add(mean_of_batch, images.size());
        if (const std::optional<double> mean = loss.line()) {
            progress.clear();
            print_loss(done + 1, loss.batches(), *mean);
        }
        progress.update(loss.images(), [&] { return loss_note(loss.recent()); });
    }
    progress.clear();
    return loss;
}

template <class Backend, class Optimizer>
void train_with(const TrainOptions& options, const Optimizer& optimizer) {
    namespace tn = typenet;
    using Clock = std::chrono::steady_clock;
    Session session = open_session(options);
    const Recipe& recipe = options.recipe;
    const tn::Seed seed{recipe.seed};

    const InterruptGuard guard;
    tn::Model<tn::models::AlexNet, Backend> model{seed, initialization_of(recipe),
                                                  tn::Threads{options.machine.threads}};
    const tn::Loader loader{session.train, {.batch = recipe.batch, .shuffle = true, .seed = seed}};
    tn::Trainer trainer{model, tn::CrossEntropy{}, optimizer, tn::Batch{recipe.batch}, seed};
    tn::Predictor predictor{model, test_batch(session.test)};
    if (session.checkpoint) {
        tn::load_checkpoint(model, trainer, *session.checkpoint, session.checkpoint_path);
        session.checkpoint.reset();
    }

    print_device(describe<Backend>(model.context(), options.machine));
    print_run(options, session, tn::models::AlexNet::parameter_count);

    Progress progress{options.progress};
    std::optional<TestResult> test;
    while (std::cmp_less(session.epochs.size(), options.epochs)) {
        if (InterruptGuard::requested()) stop_run(options, session);
        const Clock::time_point start = Clock::now();
        const EpochLoss loss = train_epoch(trainer, loader, options, session, progress);
        const double seconds = std::chrono::duration<double>(Clock::now() - start).count();

        const std::size_t epoch = session.epochs.size() + 1;
        test = run_test(predictor, session.test, progress, numbered("test", epoch, options));
        require_finite(test->loss, "test", epoch, options);
        session.epochs.push_back({static_cast<std::int64_t>(epoch), loss.mean(), test->loss,
                                  test->confusion.accuracy(),
                                  static_cast<double>(loss.images()) / seconds, seconds});

        // The checkpoint first: should the next write fail, the epoch is not lost.
        if (!session.files.folder.empty()) {
            tn::save_checkpoint(model, trainer, session.files.checkpoint,
                                checkpoint_metadata(options, session));
            tn::save(model, session.files.weights, weights_metadata(session.names, epoch));
        }
        if (!session.files.json.empty())
            write_report(session.files.json, session.epochs, *test, session.names);
        print_epoch(session.epochs.back(), options.epochs);
    }
    print_test(*test, session.names);
}

template <class Backend>
void run(const TrainOptions& options) {
    const Recipe& recipe = options.recipe;
    if (recipe.optimizer == "adam")
        train_with<Backend>(options, typenet::Adam{.learning_rate = recipe.learning_rate});
    else
        train_with<Backend>(options, typenet::Sgd{.learning_rate = recipe.learning_rate,
                                                  .momentum = recipe.momentum});
}

}  // namespace alexnet
