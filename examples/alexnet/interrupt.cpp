#include "interrupt.hpp"

#include <cstddef>
#include <iterator>

namespace alexnet {

namespace {
volatile std::sig_atomic_t interrupted = 0;
constexpr int signals[] = {SIGINT, SIGTERM};
}  // namespace

InterruptGuard::InterruptGuard() {
    interrupted = 0;
    struct sigaction action {};
    action.sa_handler = [](int) { interrupted = 1; };
    sigemptyset(&action.sa_mask);
    // Restart: output in progress is not cut. Reset: the second Ctrl-C ends the program.
    action.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
    for (std::size_t i = 0; i < std::size(signals); ++i)
        sigaction(signals[i], &action, &previous_[i]);
}

InterruptGuard::~InterruptGuard() {
    for (std::size_t i = 0; i < std::size(signals); ++i)
        sigaction(signals[i], &previous_[i], nullptr);
}

bool InterruptGuard::requested() {
    return interrupted != 0;
}

}  // namespace alexnet
