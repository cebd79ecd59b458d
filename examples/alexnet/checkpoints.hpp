// The checkpoints of a run: files of its folder, numbered by the steps behind them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace alexnet {

struct CheckpointFile {
    std::filesystem::path path;
    std::int64_t steps = 0;
};

/// Where the checkpoint after so many steps belongs: "checkpoint-00012500.safetensors".
std::filesystem::path checkpoint_path(const std::filesystem::path& folder, std::int64_t steps);

/// The checkpoints in a folder, by steps; none where there is no folder. Throws
/// typenet::FileError where it cannot be read.
std::vector<CheckpointFile> checkpoints_in(const std::filesystem::path& folder);

/// Deletes all but the `keep` last checkpoints up to the one after `steps` steps, which was just
/// written. Those of more steps go as well: the run went back behind them. Throws
/// typenet::FileError.
void remove_old_checkpoints(const std::filesystem::path& folder, std::int64_t steps, int keep);

}  // namespace alexnet
