#include "progress.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace alexnet {

namespace {

using namespace std::chrono_literals;

constexpr auto bar_interval = 50ms;
constexpr auto line_interval = 10s;

bool is_set(const char* variable) {
    const char* value = std::getenv(variable);
    return value != nullptr && *value != '\0';
}

bool is_terminal() {
    const char* kind = std::getenv("TERM");
    return isatty(STDERR_FILENO) != 0 && kind != nullptr && std::string_view{kind} != "dumb";
}

std::size_t columns() {
    winsize size{};
    const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return known ? size.ws_col : 80;
}

/// A stderr that is gone stops no training.
void put(const std::string& text) {
    std::fputs(text.c_str(), stderr);
    std::fflush(stderr);
}

}  // namespace

std::string clock_text(double seconds) {
    const auto whole = static_cast<std::int64_t>(seconds + 0.5);
    return whole < 3600 ? fmt::format("{}:{:02}", whole / 60, whole % 60)
                        : fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

Progress::Progress(bool wanted)
    : wanted_(wanted), terminal_(is_terminal()), colour_(terminal_ && !is_set("NO_COLOR")) {}

void Progress::begin(const std::string& task, std::int64_t total, std::int64_t done) {
    task_ = task;
    total_ = total;
    first_ = done;
    start_ = last_ = Clock::now();
}

bool Progress::is_due(std::int64_t done) const {
    if (!wanted_) return false;
    if (terminal_ && done == total_) return true;
    return Clock::now() - last_ >= (terminal_ ? Clock::duration{bar_interval} : line_interval);
}

void Progress::show(std::int64_t done, const std::string& note) {
    last_ = Clock::now();
    const double seconds = std::chrono::duration<double>(last_ - start_).count();
    const double rate = static_cast<double>(done - first_) / seconds;
    const double share = static_cast<double>(done) / static_cast<double>(total_);
    const std::string left = clock_text(static_cast<double>(total_ - done) / rate);
    if (!terminal_) {
        put(fmt::format("{}: {} of {} images, {}, {:.1f} images/s, {} left\n", task_, done, total_,
                        note, rate, left));
        return;
    }
    constexpr std::size_t width = 24;
    const auto filled = static_cast<std::size_t>(share * width);
    std::string bar = std::string(filled, '#') + std::string(width - filled, '.');
    std::string line = fmt::format("{} [", task_);
    const std::string tail =
        fmt::format("] {:3.0f} %  {}  {:.1f} images/s  {} left", 100 * share, note, rate, left);
    const std::size_t room = columns() - 1;  // a full line would wrap
    if (line.size() + bar.size() + tail.size() > room) {
        line = fmt::format("{} {:3.0f} %  {}  {} left", task_, 100 * share, note, left);
        line.resize(std::min(line.size(), room));
    } else {
        if (colour_) bar = "\x1b[32m" + bar + "\x1b[0m";
        line += bar + tail;
    }
    put("\r" + line + "\x1b[K");
    shown_ = true;
}

void Progress::clear() {
    if (!shown_) return;
    put("\r\x1b[K");
    shown_ = false;
}

}  // namespace alexnet
