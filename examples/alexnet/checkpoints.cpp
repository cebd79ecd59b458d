#include "checkpoints.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>
#include <system_error>
#include <typenet/core/error.hpp>

namespace alexnet {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view prefix = "checkpoint-";
constexpr std::string_view suffix = ".safetensors";

void require(const std::error_code& failure, const fs::path& path, const char* doing) {
    if (failure)
        throw typenet::FileError(path.string(), fmt::format("{}: {}", doing, failure.message()),
                                 "check the path and its permissions");
}

}  // namespace

fs::path checkpoint_path(const fs::path& folder, std::int64_t steps) {
    return folder / fmt::format("{}{:08}{}", prefix, steps, suffix);
}

std::vector<CheckpointFile> checkpoints_in(const fs::path& folder) {
    std::vector<CheckpointFile> found;
    std::error_code failure;
    if (!fs::exists(folder, failure)) return found;
    fs::directory_iterator entries{folder, failure};
    require(failure, folder, "cannot be read");
    for (; entries != fs::directory_iterator{}; entries.increment(failure)) {
        const std::string name = entries->path().filename().string();
        if (!name.starts_with(prefix)) continue;
        std::int64_t steps = 0;
        const char* end = name.data() + name.size();
        const auto [stop, error] = std::from_chars(name.data() + prefix.size(), end, steps);
        if (error == std::errc{} && steps >= 0 && std::string_view{stop, end} == suffix)
            found.push_back({entries->path(), steps});
    }
    require(failure, folder, "cannot be read");
    std::ranges::sort(found, {}, &CheckpointFile::steps);
    return found;
}

void remove_old_checkpoints(const fs::path& folder, std::int64_t steps, int keep) {
    std::vector<CheckpointFile> files = checkpoints_in(folder);
    std::ranges::reverse(files);
    for (const CheckpointFile& file : files) {
        if (file.steps <= steps && keep-- > 0) continue;
        std::error_code failure;
        fs::remove(file.path, failure);
        require(failure, file.path, "cannot be deleted");
    }
}

}  // namespace alexnet
