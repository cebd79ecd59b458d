// The training run.
#pragma once

#include <chrono>
#include <cmath>
#include <cstdint>
#include <optional>
#include <span>
#include <typenet/data/loader.hpp>
#include <typenet/io/weights.hpp>
#include <typenet/training/optimizers.hpp>
#include <utility>
#include <vector>

#include "checkpoints.hpp"
#include "interrupt.hpp"
#include "learner.hpp"
#include "run.hpp"
#include "run_files.hpp"
#include "schedule.hpp"
#include "session.hpp"
#include "system.hpp"
#include "test.hpp"

namespace alexnet {

/// The filters of the first convolution, which sees colours.
template <class Model>
Filters first_filters(const Model& model) {
    using Net = typename Model::network;
    static_assert(Net::input_shape.channels == 3);
    for (typenet::TensorShape& tensor : typenet::parameter_shapes(Net::layers))
        if (Net::layers[static_cast<std::size_t>(tensor.layer)].kind == typenet::LayerKind::conv2d)
            return {tensor.shape, model.get(tensor.name)};
    return {};
}

/// Trains one epoch, from where the session stands in it to its end or to an interrupt. `keep()`
/// writes a checkpoint. Throws Error where the loss is not finite.
template <class Learner, class Keep>
void train_epoch(Learner& learner, const typenet::Loader& loader, const TrainOptions& options,
                 Session& session, const Schedule& schedule, Progress& progress, const Keep& keep) {
    using Clock = std::chrono::steady_clock;
    auto& trainer = learner.trainer();
    const std::size_t done = session.epochs.size();
    const bool is_keras = options.recipe.name == "keras";
    EpochLoss& loss = session.loss;
    const auto is_due = [&](std::int64_t steps) {
        return options.checkpoint_every > 0 && steps % options.checkpoint_every == 0 &&
               loss.batches() < loader.batches_per_epoch();
    };
    Clock::time_point start = Clock::now();
    const auto take_time = [&] {
        session.seconds += std::chrono::duration<double>(Clock::now() - start).count();
    };
    progress.begin(numbered("epoch", done + 1, options), session.train.size(), loss.images());
    for (const typenet::ImageBatch& batch :
         loader.epoch(static_cast<std::int64_t>(done), loss.batches())) {
        if (InterruptGuard::requested()) break;
        trainer.set_learning_rate(schedule.learning_rate(trainer.steps()));
        learner.step(batch);
        const double mean_of_batch = trainer.loss();
        require_finite(mean_of_batch, "training", done + 1, options);
        loss.add(mean_of_batch, trainer.correct(), batch.size());
        if (const std::optional<double> mean = loss.line(); mean && !is_keras) {
            progress.clear();
            print_loss(done + 1, loss.batches(), *mean);
        }
        if (session.watch.notices(mean_of_batch, batch.size())) {
            progress.clear();
            warn_of_chance(options, session.watch.images());
        }
        progress.update(loss.images(), [&] { return loss_note(loss.recent()); });
        if (is_due(trainer.steps())) {
            take_time();
            keep();
            start = Clock::now();
        }
    }
    take_time();
    progress.clear();
}

template <class System, class Backend, class Optimizer, class... Policies>
void train_under(const TrainOptions& options, const Optimizer& optimizer, Policies... policies) {
    namespace tn = typenet;
    using Net = typename System::Network;
    Session session = open_session(options, Net::output_shape.size());
    const Recipe& recipe = options.recipe;

    const InterruptGuard guard;
    std::optional<tn::TorchGenerator> torch = torch_generator(recipe);
    using Learning = Learner<System, Backend, Optimizer, Policies...>;
    Learning learner{options, session, optimizer, torch, policies...};
    auto& model = learner.model();
    auto& trainer = learner.trainer();
    const tn::Loader loader{session.train,
                            {.batch = recipe.batch,
                             .shuffle = true,
                             .seed = tn::Seed{recipe.seed},
                             .gather = Learning::gathers(recipe),
                             .augmentation = recipe.augmentation,
                             .torch = torch}};
    const tn::Loader test_batches = test_loader(session.test, Learning::gathers_test);
    if (session.checkpoint) {
        try {
            tn::load_checkpoint(model, trainer, *session.checkpoint, session.checkpoint_path);
        } catch (const tn::FileError& error) {
            refuse_checkpoint(options, error.what());
        }
        require_position(session, trainer.steps(), loader.batches_per_epoch());
        session.checkpoint.reset();
    }
    const auto keep = [&] {
        const std::filesystem::path& folder = session.files.folder;
        if (folder.empty()) return;
        tn::save_checkpoint(model, trainer, checkpoint_path(folder, trainer.steps()),
                            checkpoint_metadata(options, session));
        remove_old_checkpoints(folder, trainer.steps(), options.keep);
    };

    const std::string device = describe<Backend>(learner.context(), options.machine);
    print_device(device);
    print_run(options, session, Net::parameter_count);
    learner.print_state(session);

    Progress progress{options.progress};
    Schedule schedule{recipe, loader.batches_per_epoch()};
    typenet::EarlyStop early_stop{recipe.early_stop};
    const auto observe = [&](const EpochResult& epoch) {
        schedule.observe(epoch.test_loss);
        return early_stop.observe(epoch.test_loss) && recipe.early_stop > 0;
    };
    for (const EpochResult& epoch : session.epochs)
        if (observe(epoch)) refuse_to_go_on(options, epoch);
    std::optional<TestResult> test;
    while (std::cmp_less(session.epochs.size(), recipe.epochs)) {
        train_epoch(learner, loader, options, session, schedule, progress, keep);
        // Before the test and the files that follow from it: a run that ends amid these goes on
        // here, and does them again with the same bits.
        keep();
        if (InterruptGuard::requested()) stop_run(options, session);

        const std::size_t epoch = session.epochs.size() + 1;
        const auto logits_of = [&](const tn::ImageBatch& batch) {
            if (InterruptGuard::requested()) stop_run(options, session);
            std::vector<float> outputs = learner.outputs(batch);
            make_logits(Net::layers[Net::layer_count - 1], outputs);
            return outputs;
        };
        test = run_test(logits_of, test_batches, session.test, progress,
                        numbered("test", epoch, options));
        require_finite(test->loss, "test", epoch, options);
        const EpochLoss loss = std::exchange(session.loss, {});
        const double seconds = std::exchange(session.seconds, 0);
        session.epochs.push_back({.epoch = static_cast<std::int64_t>(epoch),
                                  .steps = trainer.steps(),
                                  .learning_rate = schedule.learning_rate(trainer.steps() - 1),
                                  .train_loss = loss.mean(),
                                  .train_accuracy = loss.accuracy(),
                                  .test_loss = test->loss,
                                  .test_accuracy = test->confusion.accuracy(),
                                  .images_per_second = static_cast<double>(loss.images()) / seconds,
                                  .seconds = seconds,
                                  .finished = unix_time(),
                                  .per_class = accuracies(test->confusion)});

        if (!session.files.folder.empty()) {
            const auto metadata = weights_metadata(options, session);
            tn::save(model, session.files.weights, metadata);
            if (is_best(std::span{session.epochs}.subspan(session.unkept_epochs)))
                tn::save(model, session.files.best, metadata);
            write_run_files(options, session, *test,
                            {.device = device,
                             .parameters = Net::parameter_count,
                             .filters = first_filters(model)});
        }
        if (!session.files.json.empty())
            write_report(session.files.json, session.epochs, *test, session.names);
        if (recipe.name == "keras")
            print_keras_epoch(session.epochs.back(), recipe.epochs, loss.batches());
        else
            print_epoch(session.epochs.back(), recipe.epochs);
        if (observe(session.epochs.back())) {
            print_early_stop(recipe.early_stop, session.epochs.back());
            break;
        }
    }
    print_test(*test, session.names);
}

/// Without clipping the CPU updates linear layers as it computes their gradients; where they are
/// kept in any case, an infinite norm costs nothing, and one trainer serves both.
template <class System, class Backend, class Optimizer>
void train_with(const TrainOptions& options, const Optimizer& optimizer) {
    const float norm = options.recipe.clip_norm;
    if (Backend::updates_at_once || std::isfinite(norm))
        train_under<System, Backend>(options, optimizer, typenet::ClipNorm{norm});
    else if constexpr (!Backend::updates_at_once)
        train_under<System, Backend>(options, optimizer);
}

template <class System, class Backend>
void train(const TrainOptions& options) {
    const Recipe& recipe = options.recipe;
    if (recipe.optimizer == "adam") {
        typenet::Adam adam{.learning_rate = recipe.learning_rate,
                           .weight_decay = recipe.weight_decay};
        if (recipe.name == "keras") {
            adam.epsilon = 1e-7f;
            adam.epsilon_mode = typenet::AdamEpsilon::keras;
        }
        train_with<System, Backend>(options, adam);
    } else {
        train_with<System, Backend>(options, typenet::Sgd{.learning_rate = recipe.learning_rate,
                                                          .momentum = recipe.momentum,
                                                          .weight_decay = recipe.weight_decay});
    }
}

}  // namespace alexnet
