// Progress of a long task, on stderr: a bar on a terminal, a line now and then elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace alexnet {

/// 4000 s as "1:06:40".
std::string clock_text(double seconds);

class Progress {
public:
    /// Nothing is shown where not `wanted`. Colour only where NO_COLOR is unset.
    explicit Progress(bool wanted);
    ~Progress() { clear(); }
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    /// Starts a task of `total` images, of which `done` are done: "epoch 1/10".
    void begin(const std::string& task, std::int64_t total, std::int64_t done = 0);
    /// Shows that `done` images are done, where it is time to (20 times a second at most), with
    /// a note such as "loss 2.303".
    template <class Note>
    void update(std::int64_t done, const Note& note) {
        if (is_due(done)) show(done, note());
    }
    /// Takes the bar away, so that other text can be printed.
    void clear();

private:
    using Clock = std::chrono::steady_clock;

    bool is_due(std::int64_t done) const;
    void show(std::int64_t done, const std::string& note);

    bool shown_ = false;  // a bar is on the screen
    bool wanted_;
    bool terminal_;
    bool colour_;
    std::string task_;
    std::int64_t total_ = 0;
    std::int64_t first_ = 0;  // images that were done at the start
    Clock::time_point start_;
    Clock::time_point last_;
};

}  // namespace alexnet
