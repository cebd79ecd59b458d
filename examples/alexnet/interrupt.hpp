// Ctrl-C and `kill`: the first one asks for an orderly end, the second one ends at once.
#pragma once

#include <csignal>
#include <string>
#include <typenet/core/error.hpp>

namespace alexnet {

/// The run was stopped by Ctrl-C or `kill`; `what()` says what is left of it. Exit code 130.
class Interrupted : public typenet::Error {
public:
    using Error::Error;
};

/// While it lives, the first SIGINT and the first SIGTERM only make `requested()` true. One at a
/// time.
class InterruptGuard {
public:
    InterruptGuard();
    ~InterruptGuard();
    InterruptGuard(const InterruptGuard&) = delete;
    InterruptGuard& operator=(const InterruptGuard&) = delete;

    static bool requested();

private:
    struct sigaction previous_[2]{};
};

}  // namespace alexnet
