#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <typenet/io/atomic_file.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

namespace fs = std::filesystem;
using typenet::AtomicFile;
using typenet::FileError;
using typenet::write_file;
using typenet_test::TemporaryFolder;

namespace {

/// The system calls that commit() makes, in order, and which of them should fail.
struct Calls {
    std::string made;  // F: fsync of a file, D: fsync of a folder, R: renameat
    char failing = 0;
    int code = 0;

    bool fails(char call) {
        made += call;
        if (call != failing) return false;
        errno = code;
        return true;
    }
};
Calls calls;

}  // namespace

// The program's own definitions come before the C library's: this is how the tests see and break
// what AtomicFile asks of the system.
extern "C" int fsync(int descriptor) {
    struct ::stat status {};
    const bool is_folder = ::fstat(descriptor, &status) == 0 && S_ISDIR(status.st_mode);
    if (calls.fails(is_folder ? 'D' : 'F')) return -1;
    return static_cast<int>(::syscall(SYS_fsync, descriptor));
}

extern "C" int renameat(int from_folder, const char* from, int to_folder, const char* to) noexcept {
    if (calls.fails('R')) return -1;
    return static_cast<int>(::syscall(SYS_renameat2, from_folder, from, to_folder, to, 0));
}

namespace {

std::string contents(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    REQUIRE(file);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// The names in `folder`, sorted, each followed by a space.
std::string names_in(const fs::path& folder) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder))
        names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    std::string text;
    for (const auto& name : names) text += name + " ";
    return text;
}

std::span<const std::byte> bytes_of(const std::string& text) {
    return std::as_bytes(std::span(text));
}

/// What the FileError of `action` says.
template <class Action>
std::string error_of(Action action) {
    try {
        action();
    } catch (const FileError& error) {
        return error.what();
    }
    return "no error";
}

}  // namespace

TEST_CASE("a file is made, and made anew") {
    const TemporaryFolder folder;
    write_file(folder / "a", "first");
    CHECK(contents(folder / "a") == "first");
    write_file(folder / "a", "");
    CHECK(contents(folder / "a").empty());
    AtomicFile file(folder / "a");
    file.write(bytes_of("one "));
    file.write({});
    file.write(bytes_of("two"));
    CHECK(contents(folder / "a").empty());
    file.commit();
    CHECK(contents(folder / "a") == "one two");
    CHECK(names_in(folder.path()) == "a ");
}

TEST_CASE("the file reaches the disk before its name does, and then the folder") {
    const TemporaryFolder folder;
    calls = {};
    write_file(folder / "a", "text");
    CHECK(calls.made == "FRD");
}

TEST_CASE("what is not committed leaves no trace") {
    const TemporaryFolder folder;
    write_file(folder / "a", "old");
    {
        AtomicFile file(folder / "a");
        file.write(bytes_of("new"));
        CHECK(names_in(folder.path()) != "a ");
    }
    CHECK(names_in(folder.path()) == "a ");
    try {
        AtomicFile file(folder / "a");
        file.write(bytes_of("new"));
        throw 1;
    } catch (int) {
    }
    CHECK(names_in(folder.path()) == "a ");
    CHECK(contents(folder / "a") == "old");
}

TEST_CASE("two writers of one file do not meet; the last to commit wins") {
    const TemporaryFolder folder;
    AtomicFile first(folder / "a");
    AtomicFile second(folder / "a");
    first.write(bytes_of("first"));
    second.write(bytes_of("second"));
    second.commit();
    CHECK(contents(folder / "a") == "second");
    first.commit();
    CHECK(contents(folder / "a") == "first");
    CHECK(names_in(folder.path()) == "a ");
}

TEST_CASE("a left-over temporary of another process is not touched") {
    const TemporaryFolder folder;
    std::string taken;
    {
        AtomicFile file(folder / "a");
        taken = names_in(folder.path());  // ".typenet-<process>-<number>.tmp "
    }
    const std::size_t dash = taken.rfind('-');
    const int number = std::stoi(taken.substr(dash + 1));
    for (int i = 1; i <= 3; ++i)
        std::ofstream(folder / (taken.substr(0, dash + 1) + std::to_string(number + i) + ".tmp"))
            << "theirs";
    const auto before = names_in(folder.path());
    write_file(folder / "a", "ours");
    CHECK(contents(folder / "a") == "ours");
    CHECK(names_in(folder.path()) == before + "a ");
}

TEST_CASE("permissions: those of the old file, or those of the umask") {
    const TemporaryFolder folder;
    const mode_t old_mask = ::umask(027);
    write_file(folder / "a", "x");
    ::umask(old_mask);
    CHECK(fs::status(folder / "a").permissions() == fs::perms{0640});
    fs::permissions(folder / "a", fs::perms{0604});
    write_file(folder / "a", "y");
    CHECK(fs::status(folder / "a").permissions() == fs::perms{0604});
}

TEST_CASE("a symbolic link stays and its file is replaced, in its own folder") {
    const TemporaryFolder folder;
    fs::create_directory(folder / "real");
    write_file(folder / "real" / "a", "old");
    fs::create_symlink("real/a", folder / "link");
    write_file(folder / "link", "new");
    CHECK(fs::is_symlink(folder / "link"));
    CHECK(contents(folder / "real" / "a") == "new");
    CHECK(names_in(folder.path()) == "link real ");
    CHECK(names_in(folder / "real") == "a ");
}

TEST_CASE("a relative path without a folder means the working folder") {
    const TemporaryFolder folder;
    const fs::path before = fs::current_path();
    fs::current_path(folder.path());
    AtomicFile file("a");
    fs::current_path(before);  // moving on does not move the file
    file.write(bytes_of("x"));
    file.commit();
    CHECK(names_in(folder.path()) == "a ");
}

TEST_CASE("a path that cannot be written is refused with reason and remedy") {
    const TemporaryFolder folder;
    write_file(folder / "file", "x");
    fs::create_directory(folder / "sub");
    fs::create_symlink("round", folder / "round");
    const auto refusal = [](const fs::path& path) {
        return error_of([&] { AtomicFile file(path); });
    };

    CHECK(
        refusal(folder / "none" / "a") ==
        (folder / "none" / "a").string() +
            ": cannot open the folder to write it in: No such file or directory; check the path: a "
            "folder or file of it is not there");
    CHECK_THAT(refusal(folder / "file" / "a"), ContainsText("Not a directory"));
    CHECK_THAT(refusal(folder / "sub"), ContainsText("is a folder"));
    CHECK_THAT(refusal(folder / "sub" / ""), ContainsText("names a folder"));
    CHECK_THAT(refusal(folder / "sub" / ".."), ContainsText("names a folder"));
    CHECK_THAT(refusal(""), ContainsText("names a folder"));
    CHECK_THAT(refusal(folder / std::string(300, 'n')), ContainsText("File name too long"));
    CHECK_THAT(refusal(folder / "round"), ContainsText("symbolic links"));
    CHECK_THAT(refusal(folder / std::string("a\0b", 3)), ContainsText("zero byte"));
    CHECK_THAT(refusal("/dev/full"), ContainsText("is not a regular file"));
    CHECK_THAT(refusal("/dev/null"), ContainsText("is not a regular file"));
    CHECK(fs::is_character_file("/dev/null"));
    // /proc has room for no file, not even root's.
    CHECK_THAT(refusal("/proc/typenet"), ContainsText("cannot make a temporary file beside it"));
    CHECK(names_in(folder.path()) == "file round sub ");
    CHECK(names_in(folder / "sub").empty());
}

TEST_CASE("a name of the greatest length is fine") {
    const TemporaryFolder folder;
    const std::string name(255, 'n');
    write_file(folder / name, "x");
    CHECK(names_in(folder.path()) == name + " ");
}

TEST_CASE("neither a write-protected file is replaced nor a file made in a protected folder") {
    const TemporaryFolder folder;
    fs::create_directory(folder / "sub");
    write_file(folder / "sub" / "a", "old");
    write_file(folder / "protected", "old");
    fs::permissions(folder.path(), fs::perms{0777});
    fs::permissions(folder / "sub", fs::perms{0555});
    fs::permissions(folder / "sub" / "a", fs::perms{0666});
    fs::permissions(folder / "protected", fs::perms{0444});
    const uid_t before = ::geteuid();
    constexpr uid_t nobody = 65534;  // root may write everything
    if (before == 0 && ::seteuid(nobody) != 0) TYPENET_SKIP("root cannot become another user here");
    const std::string file_error = error_of([&] { write_file(folder / "protected", "new"); });
    const std::string folder_error = error_of([&] { write_file(folder / "sub" / "a", "new"); });
    if (before == 0) REQUIRE(::seteuid(before) == 0);
    fs::permissions(folder / "sub", fs::perms{0755});

    CHECK_THAT(file_error, ContainsText("cannot be replaced: Permission denied; change its"));
    CHECK_THAT(folder_error,
               ContainsText("cannot make a temporary file beside it: Permission denied"));
    CHECK(contents(folder / "protected") == "old");
    CHECK(contents(folder / "sub" / "a") == "old");
    CHECK(names_in(folder.path()) == "protected sub ");
}

TEST_CASE("a full disk is an error") {
    const int full = ::open("/dev/full", O_WRONLY);
    if (full < 0) TYPENET_SKIP("no /dev/full");
    typenet::detail::Descriptor owner(full);
    CHECK(error_of([&] { typenet::detail::write_all(full, bytes_of("x"), "weights"); }) ==
          "weights: cannot write: No space left on device; free some space or choose another disk");
}

TEST_CASE("at the limit on file sizes the old file stays, also when the error is ignored") {
    const TemporaryFolder folder;
    write_file(folder / "a", "old");
    ::rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
    ::rlimit limited = before;
    limited.rlim_cur = 1000;
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &limited) == 0);

    std::string error;
    std::string second_error;
    std::string names;
    {
        AtomicFile file(folder / "a");
        file.write(bytes_of(std::string(600, 'x')));
        // The first 400 bytes fit: a short write, then the error.
        error = error_of([&] { file.write(bytes_of(std::string(600, 'y'))); });
        names = names_in(folder.path());
        second_error = error_of([&] { file.commit(); });
    }
    ::setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, old_handler);

    CHECK_THAT(error, ContainsText("File too large"));
    CHECK_THAT(error, ContainsText("ulimit -f"));
    CHECK(names == "a ");
    CHECK_THAT(second_error, ContainsText("given up after an error"));
    CHECK(contents(folder / "a") == "old");
}

TEST_CASE("a failing commit leaves the old file and no temporary") {
    const TemporaryFolder folder;
    write_file(folder / "a", "old");
    const char failing = GENERATE('F', 'R');
    CAPTURE(failing);
    calls = {"", failing, EIO};
    AtomicFile file(folder / "a");
    file.write(bytes_of("new"));
    const std::string error = error_of([&] { file.commit(); });
    calls = {};
    CHECK_THAT(error, ContainsText("Input/output error; the disk reports a fault"));
    CHECK(contents(folder / "a") == "old");
    CHECK(names_in(folder.path()) == "a ");
    CHECK_THAT(error_of([&] { file.commit(); }), ContainsText("given up after an error"));
    CHECK_THAT(error_of([&] { file.write({}); }), ContainsText("given up after an error"));
}

TEST_CASE("where only the folder does not reach the disk, the error says that the file is there") {
    const TemporaryFolder folder;
    calls = {"", 'D', EIO};
    const std::string error = error_of([&] { write_file(folder / "a", "new"); });
    calls = {"", 'D', EINVAL};  // a file system without this operation
    CHECK_NOTHROW(write_file(folder / "b", "new"));
    calls = {};
    CHECK_THAT(error, ContainsText("the new file is in place"));
    CHECK(contents(folder / "a") == "new");
    CHECK(names_in(folder.path()) == "a b ");
}

TEST_CASE("a second commit is an error and does no harm") {
    const TemporaryFolder folder;
    AtomicFile file(folder / "a");
    file.write(bytes_of("x"));
    file.commit();
    CHECK_THAT(error_of([&] { file.commit(); }), ContainsText("was committed"));
    CHECK(contents(folder / "a") == "x");
}

TEST_CASE("a process killed in the middle leaves the old file") {
    const TemporaryFolder folder;
    write_file(folder / "a", "old");
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        AtomicFile file(folder / "a");
        file.write(bytes_of("ne"));
        ::kill(::getpid(), SIGKILL);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status));
    CHECK(contents(folder / "a") == "old");
    CHECK_THAT(names_in(folder.path()), ContainsText(".typenet-"));
    write_file(folder / "a", "new");
    CHECK(contents(folder / "a") == "new");
}

TEST_CASE("temporaries of killed processes can be told from those in use, and deleted") {
    const TemporaryFolder folder;
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        AtomicFile file(folder / "a");
        char byte = 0;
        if (::write(ends[1], &byte, 1) == 1) ::pause();
        ::_exit(1);
    }
    char byte = 1;
    REQUIRE(::read(ends[0], &byte, 1) == 1);
    const std::string theirs = names_in(folder.path());
    CHECK_THAT(theirs, ContainsText(".typenet-" + std::to_string(child) + "-"));
    const std::string ours = ".typenet-" + std::to_string(::getpid()) + "-12.tmp";
    const std::string others[] = {".typenet-x-1.tmp", ".typenet-0-1.tmp", ".typenet--1-1.tmp",
                                  ".typenet-1234", "typenet-2147483647-1.tmp"};
    write_file(folder / ours, "of a killed process with our number");
    write_file(folder / ".typenet-2147483647-3.tmp", "of a number that is not in use");
    typenet::remove_abandoned(folder.path());
    CHECK(names_in(folder.path()) == theirs);
    for (const std::string& other : others) write_file(folder / other, "");
    const std::string all = names_in(folder.path());
    typenet::remove_abandoned(folder.path());
    CHECK(names_in(folder.path()) == all);

    ::kill(child, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    for (const std::string& other : others) fs::remove(folder / other);
    typenet::remove_abandoned(folder.path());
    CHECK(names_in(folder.path()) == "");
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST_CASE("signals and short writes lose nothing") {
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    typenet::detail::Descriptor out(ends[0]);
    typenet::detail::Descriptor in(ends[1]);
    struct sigaction interrupting {};  // without SA_RESTART
    interrupting.sa_handler = [](int) {};
    struct sigaction before {};
    REQUIRE(::sigaction(SIGUSR1, &interrupting, &before) == 0);

    std::string text(1 << 20, ' ');
    for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 31 >> 3);
    std::string received;
    const pthread_t writer = ::pthread_self();
    std::thread reader([&] {
        std::array<char, 20000> piece{};
        while (received.size() < text.size()) {
            ::pthread_kill(writer, SIGUSR1);
            std::this_thread::sleep_for(std::chrono::microseconds(200));
            ::pthread_kill(writer, SIGUSR1);
            const auto count = ::read(out.get(), piece.data(), piece.size());
            if (count <= 0) break;
            received.append(piece.data(), static_cast<std::size_t>(count));
        }
    });
    const std::string error =
        error_of([&] { typenet::detail::write_all(in.get(), bytes_of(text), "pipe"); });
    in.close();
    reader.join();
    ::sigaction(SIGUSR1, &before, nullptr);
    CHECK(error == "no error");
    CHECK(received == text);
}

TEST_CASE("a file is extended by what it lacks, and replaced where it holds something else") {
    const TemporaryFolder folder;
    const fs::path path = folder / "a";
    struct ::stat before {
    }, after{};
    const auto extend = [&](const std::string& text) {
        ::stat(path.c_str(), &before);
        typenet::extend_file(path, text);
        ::stat(path.c_str(), &after);
        CHECK(contents(path) == text);
    };
    extend("one");  // not there before
    extend("one, two");
    CHECK(before.st_ino == after.st_ino);
    extend("one, two");
    CHECK(before.st_ino == after.st_ino);
    extend("one");  // shorter
    CHECK(before.st_ino != after.st_ino);
    extend("two, three");
    CHECK(before.st_ino != after.st_ino);
    CHECK_THROWS_AS(typenet::extend_file(folder / "none/a", "one"), typenet::FileError);
    CHECK_THROWS_AS(typenet::extend_file(folder.path(), "one"), typenet::FileError);
}
