// What a training run starts from and what it leaves: data, files, and the epochs done so far.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <typenet/data/dataset.hpp>
#include <typenet/io/folder_lock.hpp>
#include <typenet/io/safetensors.hpp>
#include <vector>

#include "options.hpp"
#include "report.hpp"
#include "running_loss.hpp"

namespace alexnet {

/// The metadata key of the names of the classes.
inline constexpr const char* classes_key = "classes";

/// The names as its value has them, with commas between; a line each where a name has a comma.
std::string classes_text(const std::vector<std::string>& names);
std::vector<std::string> classes_in(const std::string& text);

/// Paths of what a run writes; empty where it is not wanted.
struct RunFiles {
    std::filesystem::path folder;  ///< with the checkpoints
    std::filesystem::path weights;
    std::filesystem::path best;
    std::filesystem::path json;
};

/// A training run: its data and files, and how far it has come. After the model, the optimizer and
/// the steps, the latter is all that a run has to know to go on: order, augmentation and dropout
/// are drawn by counter.
struct Session {
    /// For a network of so many classes.
    explicit Session(std::int64_t classes) : watch(classes) {}

    typenet::Dataset train;
    typenet::Dataset test;
    std::vector<std::string> names;  ///< of the classes
    RunFiles files;
    typenet::FolderLock lock;  ///< of files.folder

    std::vector<EpochResult> epochs;  ///< the finished ones
    std::size_t unkept_epochs = 0;    ///< the first ones, where files.best is lost
    EpochLoss loss;                   ///< of the epoch under way: its batches() are done
    double seconds = 0;               ///< that these have taken
    ChanceWatch watch;

    /// What a resumed run goes on from, until it was loaded.
    std::optional<typenet::SafetensorsFile> checkpoint;
    std::filesystem::path checkpoint_path;
};

/// Reads data and checkpoint and makes sure that every file can be written. Throws typenet::Error,
/// also where the checkpoint comes of another recipe, and where the folder holds the checkpoints of
/// another run or another process trains there; no file has changed then.
Session open_session(const TrainOptions& options, std::int64_t classes);

/// Throws typenet::FileError unless so many steps lead to where the session stands.
void require_position(const Session& session, std::int64_t steps, std::int64_t steps_per_epoch);

/// Throws what `problem` says of the session's checkpoint, with the earlier ones of its folder.
[[noreturn]] void refuse_checkpoint(const TrainOptions& options, const std::string& problem);

/// Makes a folder for results where it is not there, and takes it for this process alone. Throws
/// typenet::FileError.
typenet::FolderLock make_folder(const std::filesystem::path& folder);

/// Throws typenet::FileError unless `path` can be written.
void require_writable(const std::filesystem::path& path);

/// The options that decide over a run's numbers, as the command line has them.
std::map<std::string, std::string> deciding_options(const TrainOptions& options);

/// What weights files and checkpoints say about themselves.
std::map<std::string, std::string> weights_metadata(const TrainOptions& options,
                                                    const Session& session);
std::map<std::string, std::string> checkpoint_metadata(const TrainOptions& options,
                                                       const Session& session);

/// "epoch 3/10"
std::string numbered(const char* task, std::size_t epoch, const TrainOptions& options);

/// Throws Interrupted, which says where the run stands and how to go on.
[[noreturn]] void stop_run(const TrainOptions& options, const Session& session);

/// Throws typenet::Error where the training diverges.
void require_finite(double loss, const char* which, std::size_t epoch, const TrainOptions& options);

/// Throws typenet::Error: a resumed run has stopped early after this epoch.
[[noreturn]] void refuse_to_go_on(const TrainOptions& options, const EpochResult& last);

/// Says on stderr that a network does not learn, and what to try. `images` are those it has seen.
void warn_of_chance(const TrainOptions& options, std::int64_t images);

/// Throws typenet::FileError where weights say that they tell other classes apart.
void require_classes(const std::map<std::string, std::string>& metadata,
                     const std::vector<std::string>& names, const std::filesystem::path& weights);

/// What a training run is about to do, and from where.
void print_run(const TrainOptions& options, const Session& session, std::int64_t parameters);

}  // namespace alexnet
