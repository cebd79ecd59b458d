#include "interrupt.hpp"

namespace alexnet {

namespace {
volatile std::sig_atomic_t interrupted = 0;
}

InterruptGuard::InterruptGuard() {
    interrupted = 0;
    struct sigaction action {};
    action.sa_handler = [](int) { interrupted = 1; };
    sigemptyset(&action.sa_mask);
    // Restart: output in progress is not cut. Reset: the second Ctrl-C ends the program.
    action.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
    sigaction(SIGINT, &action, &previous_);
}

InterruptGuard::~InterruptGuard() {
    sigaction(SIGINT, &previous_, nullptr);
}

bool InterruptGuard::requested() {
    return interrupted != 0;
}

}  // namespace alexnet
