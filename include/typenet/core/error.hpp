// The exceptions that typenet throws. Each message says what is wrong, where, and what to do.
#pragma once

#include <stdexcept>
#include <string>

namespace typenet {

/// Base of everything that typenet throws on purpose. `what()` is one line, fit to show to a
/// person.
class Error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// A file or folder that is missing, unreadable, unwritable or not what it should be.
class FileError : public Error {
public:
    /// `path: problem; remedy`
    FileError(const std::string& path, const std::string& problem, const std::string& remedy = {})
        : Error(path + ": " + problem + (remedy.empty() ? "" : "; " + remedy)) {}
};

/// Run-time data (a batch, a tensor) whose shape or size does not fit the network.
class ShapeError : public Error {
public:
    using Error::Error;
};

}  // namespace typenet
