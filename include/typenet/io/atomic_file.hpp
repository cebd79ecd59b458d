// Writing a file so that a crash, a full disk or an exception leaves either the old file or the
// whole new one, never a part. POSIX.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "../core/error.hpp"

namespace typenet {

namespace detail {

/// What a person can do about the system error `code`.
inline std::string remedy_for(int code) {
    switch (code) {
        case ENOSPC:
        case EDQUOT:
            return "free some space or choose another disk";
        case EFBIG:
            return "raise the limit on the size of files (ulimit -f) or choose another disk";
        case EACCES:
        case EPERM:
            return "change its permissions or choose another place";
        case EROFS:
            return "the disk is read-only: choose another place";
        case ENOENT:
            return "check the path: a folder or file of it is not there";
        case ENOTDIR:
            return "a part of the path is a file where a folder is wanted: check the path";
        case ENAMETOOLONG:
            return "choose a shorter name";
        case ELOOP:
            return "its symbolic links go round in a circle: mend them";
        case EMFILE:
        case ENFILE:
            return "close some files or raise the limit on open ones (ulimit -n)";
        case EIO:
            return "the disk reports a fault: check it, and the system's log";
        default:
            return "check the path and its disk";
    }
}

/// Throws the FileError `path: doing: the system's reason; what to do`.
[[noreturn]] inline void throw_file_error(const std::filesystem::path& path,
                                          const std::string& doing, int code) {
    throw FileError(path.string(), doing + ": " + std::generic_category().message(code),
                    remedy_for(code));
}

inline constexpr const char* temporary_prefix = ".typenet-";
inline constexpr const char* temporary_suffix = ".tmp";

/// Calls `call` again for as long as a signal interrupts it.
template <class Call>
auto uninterrupted(Call call) {
    auto result = call();
    while (result < 0 && errno == EINTR) result = call();
    return result;
}

/// Owns a file descriptor.
class Descriptor {
public:
    explicit Descriptor(int value = -1) : value_(value) {}
    Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(value_, other.value_);
        return *this;
    }
    ~Descriptor() { close(); }

    int get() const { return value_; }
    /// Whether the system closed it without an error. An interrupted close is not repeated: the
    /// descriptor is gone by then.
    bool close() { return value_ < 0 || ::close(std::exchange(value_, -1)) == 0 || errno == EINTR; }

private:
    int value_;
};

/// Writes all of `bytes`, in as many calls as it takes. `path` is for the error.
inline void write_all(int descriptor, std::span<const std::byte> bytes,
                      const std::filesystem::path& path) {
    while (!bytes.empty()) {
        const auto written =
            uninterrupted([&] { return ::write(descriptor, bytes.data(), bytes.size()); });
        if (written < 0) throw_file_error(path, "cannot write", errno);
        if (written == 0) throw_file_error(path, "cannot write", EIO);
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
}

}  // namespace detail

/// The new contents of one file, which replace the old ones all at once in `commit()`.
///
/// Bytes go to a temporary file in the same folder (`.typenet-*.tmp`). `commit()` brings them to
/// the disk, renames the temporary over `path` and brings the folder to the disk. Before that, an
/// error or the destructor removes the temporary and leaves the old file as it was. The new file
/// takes over the permissions of the old one; a symbolic link stays, where it
/// leads to a file, and that file is replaced.
/// Where the process is killed, the temporary stays behind; remove_abandoned() deletes it.
///
/// Every function throws FileError. After an error this object can only be destroyed.
class AtomicFile {
public:
    /// Opens the temporary. The folder must exist; `path` must name no folder, device or pipe.
    explicit AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
        if (path_.native().find('\0') != std::string::npos)
            throw FileError(path_.string().c_str(), "the name holds a zero byte",
                            "choose another name");
        std::filesystem::path target = path_;
        std::error_code code;
        if (std::filesystem::is_symlink(target, code))
            target = std::filesystem::weakly_canonical(target, code);
        if (code && code != std::errc::no_such_file_or_directory)
            detail::throw_file_error(path_, "cannot be written", code.value());

        name_ = target.filename().string();
        if (name_.empty() || name_ == "." || name_ == "..")
            throw FileError(path_.string(), "names a folder, not a file", "add a file name");
        const std::filesystem::path folder =
            target.has_parent_path() ? target.parent_path() : std::filesystem::path(".");
        folder_ = detail::Descriptor(detail::uninterrupted(
            [&] { return ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
        if (folder_.get() < 0)
            detail::throw_file_error(path_, "cannot open the folder to write it in", errno);

        struct ::stat old {};
        const bool replaces = ::fstatat(folder_.get(), name_.c_str(), &old, 0) == 0;
        if (!replaces && errno != ENOENT)
            detail::throw_file_error(path_, "cannot be written", errno);
        if (replaces && !S_ISREG(old.st_mode))
            throw FileError(path_.string(),
                            S_ISDIR(old.st_mode) ? "is a folder" : "is not a regular file",
                            "choose another name");
        // Renaming needs no permission on the old file; who protected it meant it nevertheless.
        if (replaces && ::faccessat(folder_.get(), name_.c_str(), W_OK, AT_EACCESS) != 0)
            detail::throw_file_error(path_, "cannot be replaced", errno);

        open_temporary();
        if (replaces && ::fchmod(file_.get(), old.st_mode & 0777) != 0)
            fail("cannot take over the permissions of the old file");
    }

    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;

    ~AtomicFile() { discard(); }

    /// Appends `bytes`.
    void write(std::span<const std::byte> bytes) {
        require_open();
        try {
            detail::write_all(file_.get(), bytes, path_);
        } catch (...) {
            discard();  // so that a part can never be committed
            throw;
        }
    }

    /// Makes the bytes written the contents of `path`. When it returns, they are on the disk.
    void commit() {
        require_open();
        if (detail::uninterrupted([&] { return ::fsync(file_.get()); }) != 0)
            fail("cannot bring the file to the disk");
        if (!file_.close()) fail("cannot close the file");
        if (::renameat(folder_.get(), temporary_.c_str(), folder_.get(), name_.c_str()) != 0)
            fail("cannot put the new file in place");
        temporary_.clear();
        // EINVAL: the file system has no such operation for folders.
        if (detail::uninterrupted([&] { return ::fsync(folder_.get()); }) != 0 && errno != EINVAL)
            fail("the new file is in place, but its folder cannot be brought to the disk");
    }

private:
    void open_temporary() {
        static std::atomic<unsigned> counter{0};
        int descriptor = -1;
        do {
            temporary_ = detail::temporary_prefix + std::to_string(::getpid()) + "-" +
                         std::to_string(counter++) + detail::temporary_suffix;
            descriptor = ::openat(folder_.get(), temporary_.c_str(),
                                  O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        } while (descriptor < 0 && (errno == EEXIST || errno == EINTR));
        if (descriptor < 0) {
            temporary_.clear();
            fail("cannot make a temporary file beside it");
        }
        file_ = detail::Descriptor(descriptor);
    }

    void require_open() const {
        if (file_.get() < 0)
            throw FileError(path_.string(), "was committed or given up after an error already",
                            "write it with another AtomicFile");
    }

    [[noreturn]] void fail(const std::string& doing) {
        const int code = errno;
        discard();
        detail::throw_file_error(path_, doing, code);
    }

    void discard() {
        file_.close();
        if (!temporary_.empty()) ::unlinkat(folder_.get(), temporary_.c_str(), 0);
        temporary_.clear();
    }

    std::filesystem::path path_;  // as the caller named it
    std::string name_;            // within the folder, links resolved
    std::string temporary_;       // within the folder; empty where there is none
    detail::Descriptor folder_;
    detail::Descriptor file_;
};

/// Deletes the temporaries of AtomicFiles in `folder` whose processes were killed: those with the
/// number of a process that does not live, or with this one's own, which numbers may repeat. So it
/// must come before this process writes there, and no process of another machine may do so.
inline void remove_abandoned(const std::filesystem::path& folder) {
    std::error_code ignored;  // what cannot be deleted takes room, and harms nothing
    for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
        const std::string name = entry.path().filename().string();
        if (!name.starts_with(detail::temporary_prefix) ||
            !name.ends_with(detail::temporary_suffix))
            continue;
        const char* digits = name.data() + std::string_view(detail::temporary_prefix).size();
        ::pid_t process = 0;
        const auto [end, error] = std::from_chars(digits, name.data() + name.size(), process);
        if (error != std::errc{} || *end != '-' || process <= 0) continue;
        const bool lives = process != ::getpid() && (::kill(process, 0) == 0 || errno != ESRCH);
        if (!lives) std::filesystem::remove(entry.path(), ignored);
    }
}

/// Makes `text` the contents of `path`, crash-safe. Throws FileError; the old file then stays.
inline void write_file(const std::filesystem::path& path, std::string_view text) {
    AtomicFile file(path);
    file.write(std::as_bytes(std::span(text)));
    file.commit();
}

/// Makes `text` the contents of `path`. Where `text` begins with what the file holds, only the rest
/// is written, behind it: programs that follow the file see it grow, where write_file would put
/// another in its place. A crash then leaves the start of `text`, which the next call completes.
/// Throws FileError; the old contents then stay, or are the start.
inline void extend_file(const std::filesystem::path& path, std::string_view text) {
    const detail::Descriptor file{
        detail::uninterrupted([&] { return ::open(path.c_str(), O_RDWR | O_APPEND | O_CLOEXEC); })};
    if (file.get() < 0) return write_file(path, text);
    std::string old(text.size() + 1, '\0');
    std::size_t size = 0;
    while (size < old.size()) {
        const auto count = detail::uninterrupted(
            [&] { return ::read(file.get(), old.data() + size, old.size() - size); });
        if (count < 0) detail::throw_file_error(path, "cannot read", errno);
        if (count == 0) break;
        size += static_cast<std::size_t>(count);
    }
    old.resize(size);
    if (!text.starts_with(old)) return write_file(path, text);
    detail::write_all(file.get(), std::as_bytes(std::span(text.substr(size))), path);
    if (detail::uninterrupted([&] { return ::fsync(file.get()); }) != 0)
        detail::throw_file_error(path, "cannot write", errno);
}

}  // namespace typenet
