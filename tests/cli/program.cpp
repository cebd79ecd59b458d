#include "program.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string_view>
#include <thread>

#include "support/catch.hpp"
#include "support/temporary_folder.hpp"
#include "typenet/io/json.hpp"

namespace typenet_test {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

std::string text_of(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

int open_or_fail(const char* path, int flags) {
    const int descriptor = ::open(path, flags, 0600);
    if (descriptor < 0) throw std::runtime_error(std::string{path} + ": cannot be opened");
    return descriptor;
}

/// In the child: becomes the program. Returns only where that fails.
void become_program(const std::vector<std::string>& arguments, const Surroundings& surroundings,
                    int out, int err) {
    ::dup2(open_or_fail("/dev/null", O_RDONLY), STDIN_FILENO);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(err, STDERR_FILENO);
    for (const char* variable : {"NO_COLOR", "TERM"}) ::unsetenv(variable);
    for (const auto& [name, value] : surroundings.environment)
        ::setenv(name.c_str(), value.c_str(), 1);
    const auto limit = [](auto resource, std::int64_t bytes) {
        ::rlimit to{};
        to.rlim_cur = to.rlim_max = static_cast<rlim_t>(bytes);
        ::setrlimit(resource, &to);
    };
    if (surroundings.largest_file >= 0) {
        std::signal(SIGXFSZ, SIG_IGN);
        limit(RLIMIT_FSIZE, surroundings.largest_file);
    }
    if (surroundings.most_memory >= 0) limit(RLIMIT_AS, surroundings.most_memory);
    std::vector<char*> argv{const_cast<char*>("alexnet")};
    for (const std::string& argument : arguments)
        argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    const char* program =
        surroundings.program.empty() ? ALEXNET_PROGRAM : surroundings.program.c_str();
    ::execv(program, argv.data());
}

}  // namespace

Finished run(const std::vector<std::string>& arguments, const Surroundings& surroundings) {
    const TemporaryFolder folder;
    const std::string out_path =
        surroundings.stdout_path.empty() ? (folder / "out").string() : surroundings.stdout_path;
    const int out = open_or_fail(out_path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC);
    int terminal = -1, err = -1;
    if (surroundings.terminal) {
        terminal = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (terminal < 0 || ::grantpt(terminal) != 0 || ::unlockpt(terminal) != 0)
            throw std::runtime_error("no pseudo terminal on this machine");
        err = open_or_fail(::ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
    } else {
        err = open_or_fail((folder / "err").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC);
    }
    const pid_t child = ::fork();
    if (child < 0) throw std::runtime_error("cannot fork");
    if (child == 0) {
        become_program(arguments, surroundings, out, err);
        ::_exit(127);
    }
    ::close(out);
    ::close(err);

    Finished finished;
    if (!surroundings.interrupt_at.empty()) {
        // A program that ended is waited for below.
        const auto has_ended = [&] {
            ::siginfo_t ended{};
            const bool known =
                ::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOHANG | WNOWAIT) == 0;
            return known && ended.si_pid == child;
        };
        using Clock = std::chrono::steady_clock;
        // 10 minutes are far more than any start takes.
        const auto deadline = Clock::now() + 10min;
        while (text_of(out_path).find(surroundings.interrupt_at) == std::string::npos &&
               Clock::now() < deadline && !has_ended())
            std::this_thread::sleep_for(2ms);
        const auto moment = Clock::now() + surroundings.signal_after;
        while (Clock::now() < moment && !has_ended()) std::this_thread::sleep_for(200us);
        ::kill(child, surroundings.signal);
    }
    if (terminal >= 0) {
        // Reading fails when the program has closed its end.
        char buffer[4096];
        for (ssize_t size; (size = ::read(terminal, buffer, sizeof buffer)) > 0;)
            finished.err.append(buffer, static_cast<std::size_t>(size));
        ::close(terminal);
    }
    int status = 0;
    ::rusage usage{};
    ::wait4(child, &status, 0, &usage);
    finished.peak_bytes = std::int64_t{usage.ru_maxrss} << 10;
    finished.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (surroundings.stdout_path.empty()) finished.out = text_of(out_path);
    if (terminal < 0) finished.err = text_of(folder / "err");
    return finished;
}

std::string contents(const fs::path& path) {
    REQUIRE(fs::is_regular_file(path));
    return text_of(path);
}

std::string names_in(const fs::path& folder) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder))
        names.push_back(entry.path().filename().string());
    std::ranges::sort(names);
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : " ") + name;
    return text;
}

Report read_report(const fs::path& path) {
    Report report;
    const std::string text = contents(path);
    typenet::JsonReader reader(text);
    reader.object([&](const std::string& key) {
        if (key == "epochs") {
            reader.array([&] {
                auto& epoch = report.epochs.emplace_back();
                reader.object([&](const std::string& name) { epoch[name] = reader.number(); });
            });
        } else if (key == "per_class") {
            reader.object(
                [&](const std::string& name) { report.per_class[name] = reader.number(); });
        } else if (key == "test_accuracy") {
            report.test_accuracy = reader.number();
        } else if (key == "test_loss") {
            report.test_loss = reader.number();
        } else {
            reader.fail("unknown member " + key);
        }
    });
    reader.finish();
    return report;
}

}  // namespace typenet_test
