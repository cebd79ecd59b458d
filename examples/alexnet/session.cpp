#include "session.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdio>
#include <iterator>
#include <string_view>
#include <system_error>
#include <typenet/core/error.hpp>
#include <typenet/io/atomic_file.hpp>
#include <typenet/io/json.hpp>
#include <typenet/io/safetensors.hpp>
#include <utility>

#include "checkpoints.hpp"
#include "data.hpp"
#include "interrupt.hpp"
#include "report.hpp"
#include "run_files.hpp"
#include "system.hpp"

namespace alexnet {

namespace fs = std::filesystem;
namespace tn = typenet;

namespace {

constexpr const char* recipe_key = "recipe";
constexpr const char* epochs_key = "epochs";
constexpr const char* progress_key = "progress";

template <class Counters>
void add_members(tn::JsonWriter& json, const Counters& counters) {
    json.begin_object();
    Counters::for_each_member(counters,
                              [&](const char* name, auto value) { json.key(name).value(value); });
    json.end_object();
}
/// Every member must be there.
template <class Counters>
void read_members(tn::JsonReader& reader, Counters& counters) {
    int missing = 0;
    Counters::for_each_member(counters, [&](const char*, auto) { ++missing; });
    reader.object([&](const std::string& key) {
        bool known = false;
        Counters::for_each_member(counters, [&]<class T>(const char* name, T& member) {
            if (key != name) return;
            known = true;
            if constexpr (std::integral<T>)
                member = reader.natural();
            else
                member = reader.number();
        });
        if (!known) reader.fail("there is no counter " + key);
        --missing;
    });
    if (missing > 0) reader.fail("a counter is missing");
}

/// What a run has counted since the last finished epoch, and back.
std::string progress_to_json(const Session& session) {
    tn::JsonWriter json;
    json.begin_object().key("seconds").value(session.seconds);
    add_members(json.key("loss"), session.loss);
    add_members(json.key("watch"), session.watch);
    return json.end_object().text();
}
void read_progress(const std::string& text, Session& session) {
    tn::JsonReader reader(text);
    int read = 0;
    reader.object([&](const std::string& key) {
        ++read;
        if (key == "seconds")
            session.seconds = reader.number();
        else if (key == "loss")
            read_members(reader, session.loss);
        else if (key == "watch")
            read_members(reader, session.watch);
        else
            reader.fail("there is no member " + key);
    });
    if (read != 3) reader.fail("a member is missing");
    reader.finish();
}

/// The checkpoint that --resume names: itself, or the last one of a folder.
fs::path checkpoint_of(const fs::path& named) {
    if (fs::is_regular_file(named)) return named;
    const std::vector<CheckpointFile> files = checkpoints_in(named);
    if (files.empty())
        throw tn::FileError(named.string(), "holds no checkpoint",
                            "name the --out folder of an earlier run, or one of its checkpoints");
    return files.back().path;
}

tn::SafetensorsFile open_checkpoint(const fs::path& path, const TrainOptions& options) {
    try {
        return tn::SafetensorsFile::open(path);
    } catch (const tn::FileError& error) {
        refuse_checkpoint(options, error.what());
    }
}

/// Fills in the checkpoint, the epochs done and what was counted since.
void resume(Session& session, const TrainOptions& options) {
    session.checkpoint_path = checkpoint_of(options.resume);
    const std::string path = session.checkpoint_path.string();
    session.checkpoint = open_checkpoint(session.checkpoint_path, options);
    const auto& metadata = session.checkpoint->metadata();
    const std::map<std::string, std::string> given = deciding_options(options);
    for (const auto& [option, value] : given) {
        const auto found = metadata.find(option);
        if (found == metadata.end() && metadata.contains("--recipe"))
            throw tn::FileError(path, fmt::format("was written without {} {}", option, value),
                                "give the options of that run, or start anew without --resume");
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
    const auto entry = [&](const char* key) {
        const auto found = metadata.find(key);
        return found == metadata.end() ? std::string{} : found->second;
    };
    try {
        session.epochs = epochs_from_json(entry(epochs_key));
        read_progress(entry(progress_key), session);
    } catch (const tn::JsonError& error) {
        refuse_checkpoint(
            options, fmt::format("{}: its account of the run is damaged: {}", path, error.what()));
    }
    const int wanted = options.recipe.epochs;
    if (std::cmp_greater_equal(session.epochs.size(), wanted))
        throw tn::FileError(path,
                            fmt::format("{} of {} epochs are done", session.epochs.size(), wanted),
                            "give more --epochs to go on");
}

fs::path folder_of(const fs::path& file) {
    return file.has_parent_path() ? file.parent_path() : fs::path{"."};
}

RunFiles files_of(const TrainOptions& options) {
    RunFiles files;
    files.json = options.json;
    files.folder = options.out;
    if (files.folder.empty())
        files.folder =
            fs::is_regular_file(options.resume) ? folder_of(options.resume) : options.resume;
    if (files.folder.empty()) return files;
    files.weights = files.folder / "weights.safetensors";
    files.best = files.folder / "best.safetensors";
    return files;
}

/// Makes the folder where it is not there, and makes sure that it is this run's alone.
void take_folder(Session& session) {
    const fs::path& folder = session.files.folder;
    session.lock = make_folder(folder);
    const bool goes_on =
        session.checkpoint && fs::equivalent(folder, folder_of(session.checkpoint_path));
    if (!goes_on && !checkpoints_in(folder).empty())
        throw tn::FileError(
            folder.string(), "holds the checkpoints of an earlier run",
            fmt::format("go on with --resume {}, delete them, or choose another --out",
                        folder.string()));
    tn::remove_abandoned(folder);
}

/// Where the folder has no best weights, fetches those of the folder that the run goes on from, if
/// they are of the best epoch so far. Otherwise the epochs done do not count for them.
void fetch_best(Session& session) {
    if (session.epochs.empty() || fs::exists(session.files.best)) return;
    const fs::path before = folder_of(session.checkpoint_path) / session.files.best.filename();
    const auto best = std::ranges::max_element(session.epochs, {}, &EpochResult::test_accuracy);
    std::string reason = before.string() + " is of another epoch";
    try {
        const tn::SafetensorsFile file = tn::SafetensorsFile::open(before);
        const auto epoch = file.metadata().find("epoch");
        if (epoch != file.metadata().end() && epoch->second == std::to_string(best->epoch))
            return tn::write_safetensors(session.files.best, file.tensors(), file.metadata());
    } catch (const tn::FileError& error) {
        reason = error.what();
    }
    session.unkept_epochs = session.epochs.size();
    print_warning(
        fmt::format("{} will be the best of the epochs from now on; the weights of epoch "
                    "{}, the best so far, are not at hand: {}",
                    session.files.best.string(), best->epoch, reason));
}

}  // namespace

std::string classes_text(const std::vector<std::string>& names) {
    const bool commas = std::ranges::any_of(
        names, [](const std::string& name) { return name.find(',') != name.npos; });
    if (!commas) return fmt::format("{}", fmt::join(names, ","));
    return fmt::format("{}\n", fmt::join(names, "\n"));
}

std::vector<std::string> classes_in(const std::string& text) {
    if (!text.ends_with('\n')) return split(text, ',');
    return split(std::string_view{text}.substr(0, text.size() - 1), '\n');
}

tn::FolderLock make_folder(const fs::path& folder) {
    std::error_code failure;
    fs::create_directories(folder, failure);
    if (failure)
        throw tn::FileError(folder.string(), "cannot make this folder: " + failure.message(),
                            "choose another --out");
    return {folder, "another training run"};
}

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
        {"--rng", recipe.rng},
        {"--limit-train", limit(options.data.limit_train)},
        {"--limit-test", limit(options.data.limit_test)},
    };
    if (!options.data.only.empty()) entries["--only"] = options.data.only;
    if (recipe.optimizer == "sgd") entries["--momentum"] = fmt::format("{}", recipe.momentum);
    if (recipe.weight_decay > 0) entries["--weight-decay"] = fmt::format("{}", recipe.weight_decay);
    if (std::isfinite(recipe.clip_norm))
        entries["--clip-norm"] = fmt::format("{}", recipe.clip_norm);
    if (recipe.label_smoothing > 0)
        entries["--label-smoothing"] = fmt::format("{}", recipe.label_smoothing);
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

Session open_session(const TrainOptions& options, std::int64_t classes) {
    const std::string& only = options.data.only;
    Session session{only.empty() ? classes : std::ssize(split(only, ','))};
    session.files = files_of(options);
    if (!options.resume.empty()) resume(session, options);
    session.train = load_data(options.data, tn::Split::train);
    session.test = load_data(options.data, tn::Split::test);
    session.names = class_names(session.train);

    require_writable(session.files.json);
    if (!session.files.folder.empty()) take_folder(session);
    require_writable(session.files.weights);
    require_writable(session.files.best);
    require_run_files_writable(session.files.folder);
    if (!session.files.folder.empty()) fetch_best(session);
    return session;
}

void require_position(const Session& session, std::int64_t steps, std::int64_t steps_per_epoch) {
    const std::int64_t epoch_steps = session.loss.batches();
    const std::int64_t finished = static_cast<std::int64_t>(session.epochs.size());
    if (epoch_steps > steps_per_epoch || steps != finished * steps_per_epoch + epoch_steps)
        throw tn::FileError(
            session.checkpoint_path.string(),
            fmt::format("was written after {} steps, {} of them in epoch {}, which are not those "
                        "of epochs of {} steps",
                        steps, epoch_steps, finished + 1, steps_per_epoch),
            "give the --data of that run");
}

void refuse_checkpoint(const TrainOptions& options, const std::string& problem) {
    std::string earlier;
    if (fs::is_directory(options.resume)) {
        std::vector<CheckpointFile> files = checkpoints_in(options.resume);
        if (files.size() > 1)
            earlier = fmt::format("; to go on from the checkpoint before it, --resume {}",
                                  files[files.size() - 2].path.string());
    }
    throw tn::Error(problem + earlier);
}

std::map<std::string, std::string> weights_metadata(const TrainOptions& options,
                                                    const Session& session) {
    std::map<std::string, std::string> metadata{{recipe_key, options.recipe.name},
                                                {classes_key, classes_text(session.names)},
                                                {"epoch", std::to_string(session.epochs.size())}};
    with_system(options.recipe.name, [&](auto system) {
        metadata["network"] = system.name;
        metadata["input"] = system.input;
    });
    return metadata;
}

std::map<std::string, std::string> checkpoint_metadata(const TrainOptions& options,
                                                       const Session& session) {
    std::map<std::string, std::string> metadata = deciding_options(options);
    metadata.merge(weights_metadata(options, session));
    metadata[epochs_key] = to_json(session.epochs);
    metadata[progress_key] = progress_to_json(session);
    return metadata;
}

std::string numbered(const char* task, std::size_t epoch, const TrainOptions& options) {
    return fmt::format("{} {}/{}", task, epoch, options.recipe.epochs);
}

void stop_run(const TrainOptions& options, const Session& session) {
    const std::string folder = session.files.folder.string();
    throw Interrupted(fmt::format("interrupted in epoch {} of {}, after {} steps of it: {}",
                                  session.epochs.size() + 1, options.recipe.epochs,
                                  session.loss.batches(),
                                  folder.empty() ? "nothing was kept, since there was no --out"
                                                 : "go on with --resume " + folder));
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
    print_warning(
        fmt::format("after {} images the loss is still that of guessing: the network does not "
                    "learn; try a lower --lr than {}{}",
                    images, recipe.learning_rate,
                    recipe.initialization == "kaiming" ? "" : ", or --init kaiming"));
}

void require_classes(const std::map<std::string, std::string>& metadata,
                     const std::vector<std::string>& names, const fs::path& weights) {
    const auto found = metadata.find(classes_key);
    const std::string wanted = classes_text(names);
    if (found != metadata.end() && found->second != wanted)
        throw tn::FileError(
            weights.string(),
            fmt::format("was trained for other classes ({}) than the data have ({})", found->second,
                        wanted),
            "give the --data that it was trained on");
}

void print_run(const TrainOptions& options, const Session& session, std::int64_t parameters) {
    const Recipe& recipe = options.recipe;
    with_system(recipe.name, [&](auto system) {
        fmt::print("{}: {} parameters, {} images to train on, {} to test\n", system.name,
                   parameters, session.train.size(), session.test.size());
    });
    fmt::print("Recipe {}: {}, learning rate {}, {}batch {}, {} initialisation, seed {}{}\n",
               recipe.name, recipe.optimizer, recipe.learning_rate,
               recipe.optimizer == "sgd" ? fmt::format("momentum {}, ", recipe.momentum) : "",
               recipe.batch, recipe.initialization, recipe.seed,
               recipe.rng == "torch" ? " as in PyTorch" : "");
    if (session.files.folder.empty()) fmt::print("The weights are not kept: there is no --out\n");
    if (!session.checkpoint_path.empty())
        fmt::print("Going on from {}: epoch {}, after {} steps of it\n",
                   session.checkpoint_path.string(), session.epochs.size() + 1,
                   session.loss.batches());
    std::fflush(stdout);
}

}  // namespace alexnet
