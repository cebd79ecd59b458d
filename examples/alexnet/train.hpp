// The training run.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <typenet/core/error.hpp>
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

[[noreturn]] inline void stop_run(const TrainOptions& options, const Session& session) {
    const std::size_t done = session.epochs.size();
    std::string kept = "no epoch was finished, nothing was written";
    if (done > 0 && session.files.folder.empty())
        kept = "nothing was kept, since there was no --out";
    else if (done > 0)
        kept = fmt::format("epoch {0} is in {1}; go on with --resume {1}", done,
                           session.files.folder.string());
    throw Interrupted(
        fmt::format("interrupted in epoch {} of {}: {}", done + 1, options.epochs, kept));
}

inline void require_finite(double loss, const char* which, std::size_t epoch,
                           const TrainOptions& options) {
    if (!std::isfinite(loss))
        throw typenet::Error(
            fmt::format("the {} loss is not finite in epoch {}: the training diverges; use a lower "
                        "--lr than {} or another --init",
                        which, epoch, options.recipe.learning_rate));
}

/// Trains one epoch. Throws Interrupted between two steps, and Error where the loss is not finite.
template <class Trainer>
EpochLoss train_epoch(Trainer& trainer, const typenet::Loader& loader, const TrainOptions& options,
                      const Session& session, Progress& progress) {
    const std::size_t done = session.epochs.size();
    EpochLoss loss;
    progress.begin(fmt::format("epoch {}/{}", done + 1, options.epochs), session.train.size());
    for (const typenet::ImageBatch& images : loader.epoch(static_cast<std::int64_t>(done))) {
        if (InterruptGuard::requested()) stop_run(options, session);
        trainer.step(images, normalization);
        require_finite(trainer.loss(), "training", done + 1, options);
        loss.add(trainer.loss(), images.size());
        if (const std::optional<double> mean = loss.line()) {
            progress.clear();
            fmt::print("[{}, {:5}] loss: {:.3f}\n", done + 1, loss.batches(), *mean);
            std::fflush(stdout);
        }
        progress.update(loss.images(), [&] { return fmt::format("loss {:.3f}", loss.recent()); });
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
                                                  tn::Threads{options.threads}};
    const tn::Loader loader{session.train, {.batch = recipe.batch, .shuffle = true, .seed = seed}};
    tn::Trainer trainer{model, tn::CrossEntropy{}, optimizer, tn::Batch{recipe.batch}, seed};
    tn::Predictor predictor{model, test_batch(session.test)};
    if (session.checkpoint) {
        tn::load_checkpoint(model, trainer, *session.checkpoint, session.checkpoint_path);
        session.checkpoint.reset();
    }

    fmt::print("AlexNet: {} parameters, {} threads, {} images to train on, {} to test\n",
               tn::models::AlexNet::parameter_count, model.context().threads(),
               session.train.size(), session.test.size());
    fmt::print("Recipe {}: {}, learning rate {}, {}batch {}, {} initialisation, seed {}\n",
               recipe.name, recipe.optimizer, recipe.learning_rate,
               recipe.optimizer == "sgd" ? fmt::format("momentum {}, ", recipe.momentum) : "",
               recipe.batch, recipe.initialization, recipe.seed);
    if (session.files.folder.empty()) fmt::print("The weights are not kept: there is no --out\n");
    std::fflush(stdout);

    Progress progress{options.progress};
    std::optional<TestResult> test;
    while (std::cmp_less(session.epochs.size(), options.epochs)) {
        if (InterruptGuard::requested()) stop_run(options, session);
        const Clock::time_point start = Clock::now();
        const EpochLoss loss = train_epoch(trainer, loader, options, session, progress);
        const double seconds = std::chrono::duration<double>(Clock::now() - start).count();

        const std::size_t epoch = session.epochs.size() + 1;
        test = run_test(predictor, session.test, progress,
                        fmt::format("test {}/{}", epoch, options.epochs));
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
        std::fflush(stdout);
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
