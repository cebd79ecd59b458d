#include <sys/wait.h>
#include <unistd.h>
#include <typenet/io/folder_lock.hpp>

#include <csignal>
#include <string>
#include <utility>

#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using typenet::FileError;
using typenet::FolderLock;
using typenet_test::TemporaryFolder;

TEST_CASE("a folder is locked by one at a time") {
    const TemporaryFolder folder, other;
    const auto lock = [&] { return FolderLock{folder.path(), "a test"}; };
    {
        FolderLock first = lock();
        CHECK_THROWS_WITH(lock(), ContainsText(folder.path().string() + ": is in use by a test; "));
        const FolderLock elsewhere{other.path(), "a test"};
        const FolderLock second = std::move(first);
        CHECK_THROWS_AS(lock(), FileError);
        CHECK(std::filesystem::is_empty(folder.path()));
    }
    lock();
    lock();
    CHECK_THROWS_WITH((FolderLock{folder / "none", "a test"}), ContainsText("cannot be opened"));
}

TEST_CASE("a lock ends with its process") {
    const TemporaryFolder folder;
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const FolderLock lock{folder.path(), "a test"};
        char byte = 0;
        if (::write(ends[1], &byte, 1) == 1) ::pause();
        ::_exit(1);
    }
    char byte = 1;
    REQUIRE(::read(ends[0], &byte, 1) == 1);
    CHECK_THROWS_AS((FolderLock{folder.path(), "a test"}), FileError);
    ::kill(child, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    FolderLock{folder.path(), "a test"};
    ::close(ends[0]);
    ::close(ends[1]);
}
