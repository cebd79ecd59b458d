// One process at a time works in a folder. POSIX.
#pragma once

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <filesystem>
#include <string>

#include "../core/error.hpp"
#include "atomic_file.hpp"

namespace typenet {

/// While it lives, no other FolderLock on that folder can be made, in this process or another. It
/// leaves no file, and ends with the process however that ends. It binds those who ask for it, and
/// on file systems without locks (some of networks) nobody.
class FolderLock {
public:
    /// Locks nothing.
    FolderLock() = default;

    /// Throws FileError where the folder is locked or cannot be opened. `user` says what may have
    /// locked it: "another training run".
    FolderLock(const std::filesystem::path& folder, const std::string& user)
        : folder_(detail::uninterrupted(
              [&] { return ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); })) {
        if (folder_.get() < 0) detail::throw_file_error(folder, "cannot be opened", errno);
        const int result =
            detail::uninterrupted([&] { return ::flock(folder_.get(), LOCK_EX | LOCK_NB); });
        if (result != 0 && errno == EWOULDBLOCK)
            throw FileError(folder.string(), "is in use by " + user,
                            "wait for its end, or choose another folder");
    }

private:
    detail::Descriptor folder_;
};

}  // namespace typenet
