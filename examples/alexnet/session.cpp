#include "session.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <cstdio>
#include <system_error>
#include <typenet/core/error.hpp>
#include <typenet/io/atomic_file.hpp>
#include <typenet/io/json.hpp>
#include <utility>

#include "data.hpp"
#include "interrupt.hpp"
#include "run_files.hpp"
#include "system.hpp"

namespace alexnet {

namespace fs = std::filesystem;
namespace tn = typenet;

namespace {

constexpr const char* recipe_key = "recipe";
constexpr const char* epochs_key = "epochs";
constexpr const char* checkpoint_name = "checkpoint.safetensors";

/// Fills in the checkpoint and the epochs done.
void resume(Session& session, const TrainOptions& options) {
    session.checkpoint_path = options.resume / checkpoint_name;
    const std::string path = session.checkpoint_path.string();
    session.checkpoint = tn::SafetensorsFile::open(path);
    const auto& metadata = session.checkpoint->metadata();
    const std::map<std::string, std::string> given = deciding_options(options);
    for (const auto& [option, value] : given) {
        const auto found = metadata.find(option);
        if (found == metadata.end())
            throw tn::FileError(path, "is not a checkpoint of this program: it lacks " + option,
                                "name the --out folder of an earlier run");
        if (found->second != value)
            throw tn::FileError(
                path,
                fmt::format("was written with {0} {1}, not {0} {2}", option, found->second, value),
                "give the options of that run, or start anew without --resume");
    }
    for (const auto& [option, value] : metadata)
        if (option.starts_with("--") && !given.contains(option))
            throw tn::FileError(
                path, fmt::format("was written with {} {}, which is not given", option, value),
                "give the options of that run, or start anew without --resume");
    const auto epochs = metadata.find(epochs_key);
    try {
        session.epochs = epochs_from_json(epochs == metadata.end() ? "" : epochs->second);
    } catch (const tn::JsonError& error) {
        throw tn::FileError(path, fmt::format("its list of epochs is damaged: {}", error.what()),
                            "start anew without --resume");
    }
    const int wanted = options.recipe.epochs;
    if (std::cmp_greater_equal(session.epochs.size(), wanted))
        throw tn::FileError(path,
                            fmt::format("{} of {} epochs are done", session.epochs.size(), wanted),
                            "give more --epochs to go on");
}

RunFiles files_of(const TrainOptions& options) {
    RunFiles files;
    files.json = options.json;
    files.folder = options.out.empty() ? options.resume : options.out;
    if (files.folder.empty()) return files;
    files.weights = files.folder / "weights.safetensors";
    files.checkpoint = files.folder / checkpoint_name;
    return files;
}

}  // namespace

std::map<std::string, std::string> deciding_options(const TrainOptions& options) {
    const auto limit = [](std::int64_t value) {
        return value < 0 ? std::string{"none"} : std::to_string(value);
    };
    const Recipe& recipe = options.recipe;
    std::map<std::string, std::string> entries{
        {"--recipe", recipe.name},
        {"--data", options.data.is_synthetic() ? "synthetic" : "CIFAR-10"},
        {"--optimizer", recipe.optimizer},
        {"--lr", fmt::format("{}", recipe.learning_rate)},
        {"--batch", std::to_string(recipe.batch)},
        {"--init", recipe.initialization},
        {"--precision", options.machine.precision},
        {"--seed", std::to_string(recipe.seed)},
        {"--limit-train", limit(options.data.limit_train)},
        {"--limit-test", limit(options.data.limit_test)},
    };
    if (recipe.optimizer == "sgd") entries["--momentum"] = fmt::format("{}", recipe.momentum);
    if (recipe.weight_decay > 0) entries["--weight-decay"] = fmt::format("{}", recipe.weight_decay);
    if (const tn::Augmentation& changes = recipe.augmentation) {
        if (changes.crop_padding > 0) entries["--crop"] = std::to_string(changes.crop_padding);
        if (changes.flip) entries["--flip"] = "on";
        if (changes.jitter > 0) entries["--jitter"] = fmt::format("{}", changes.jitter);
    }
    if (recipe.schedule != "constant") {
        entries["--schedule"] = recipe.schedule;
        entries["--decay-every"] = std::to_string(recipe.decay_every);
        entries["--decay"] = fmt::format("{}", recipe.decay);
        entries["--patience"] = std::to_string(recipe.patience);
        entries["--warm-up"] = fmt::format("{}", recipe.warm_up);
        if (recipe.schedule == "cosine") entries["--epochs"] = std::to_string(recipe.epochs);
    }
    return entries;
}

void require_writable(const fs::path& path) {
    if (!path.empty()) tn::AtomicFile{path};  // opened and given up
}

Session open_session(const TrainOptions& options) {
    Session session;
    session.files = files_of(options);
    if (!options.resume.empty()) resume(session, options);
    session.train = load_data(options.data, tn::Split::train);
    session.test = load_data(options.data, tn::Split::test);
    session.names = class_names(session.train);

    require_writable(session.files.json);
    if (!session.files.folder.empty()) {
        std::error_code failure;
        fs::create_directories(session.files.folder, failure);
        if (failure)
            throw tn::FileError(session.files.folder.string(),
                                "cannot make this folder: " + failure.message(),
                                "choose another --out");
    }
    require_writable(session.files.weights);
    require_writable(session.files.checkpoint);
    require_run_files_writable(session.files.folder);
    return session;
}

std::map<std::string, std::string> weights_metadata(const TrainOptions& options,
                                                    const Session& session) {
    std::map<std::string, std::string> metadata{
        {"network", "AlexNet"},
        {recipe_key, options.recipe.name},
        {classes_key, fmt::format("{}", fmt::join(session.names, ","))},
        {"epoch", std::to_string(session.epochs.size())}};
    with_system(options.recipe.name, [&](auto system) { metadata["input"] = system.input; });
    return metadata;
}

std::map<std::string, std::string> checkpoint_metadata(const TrainOptions& options,
                                                       const Session& session) {
    std::map<std::string, std::string> metadata = deciding_options(options);
    metadata.merge(weights_metadata(options, session));
    metadata[epochs_key] = to_json(session.epochs);
    return metadata;
}

std::string numbered(const char* task, std::size_t epoch, const TrainOptions& options) {
    return fmt::format("{} {}/{}", task, epoch, options.recipe.epochs);
}

void stop_run(const TrainOptions& options, const Session& session) {
    const std::size_t done = session.epochs.size();
    std::string kept = "no epoch was finished, nothing was written";
    if (done > 0 && session.files.folder.empty())
        kept = "nothing was kept, since there was no --out";
    else if (done > 0)
        kept = fmt::format("epoch {0} is in {1}; go on with --resume {1}", done,
                           session.files.folder.string());
    throw Interrupted(
        fmt::format("interrupted in epoch {} of {}: {}", done + 1, options.recipe.epochs, kept));
}

void require_finite(double loss, const char* which, std::size_t epoch,
                    const TrainOptions& options) {
    if (!std::isfinite(loss))
        throw tn::Error(
            fmt::format("the {} loss is not finite in epoch {}: the training diverges; use a lower "
                        "--lr than {} or another --init",
                        which, epoch, options.recipe.learning_rate));
}

void refuse_to_go_on(const TrainOptions& options, const EpochResult& last) {
    throw tn::Error(fmt::format(
        "{}: the run stopped early after epoch {}; give a greater --early-stop than {}, or none, "
        "to go on",
        options.resume.string(), last.epoch, options.recipe.early_stop));
}

void warn_of_chance(const TrainOptions& options, std::int64_t images) {
    const Recipe& recipe = options.recipe;
    fmt::print(stderr,
               "alexnet: warning: after {} images the loss is still that of guessing: the network "
               "does not learn; try a lower --lr than {}{}\n",
               images, recipe.learning_rate,
               recipe.initialization == "kaiming" ? "" : ", or --init kaiming");
}

void require_classes(const std::map<std::string, std::string>& metadata,
                     const std::vector<std::string>& names, const fs::path& weights) {
    const auto found = metadata.find(classes_key);
    const std::string wanted = fmt::format("{}", fmt::join(names, ","));
    if (found != metadata.end() && found->second != wanted)
        throw tn::FileError(
            weights.string(),
            fmt::format("was trained for other classes ({}) than the data have ({})", found->second,
                        wanted),
            "give the --data that it was trained on");
}

void print_run(const TrainOptions& options, const Session& session, std::int64_t parameters) {
    const Recipe& recipe = options.recipe;
    fmt::print("AlexNet: {} parameters, {} images to train on, {} to test\n", parameters,
               session.train.size(), session.test.size());
    fmt::print("Recipe {}: {}, learning rate {}, {}batch {}, {} initialisation, seed {}\n",
               recipe.name, recipe.optimizer, recipe.learning_rate,
               recipe.optimizer == "sgd" ? fmt::format("momentum {}, ", recipe.momentum) : "",
               recipe.batch, recipe.initialization, recipe.seed);
    if (session.files.folder.empty()) fmt::print("The weights are not kept: there is no --out\n");
    std::fflush(stdout);
}

}  // namespace alexnet
