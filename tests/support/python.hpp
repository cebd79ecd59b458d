// Checks by programs in Python, where what they need is installed.
#pragma once

#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace typenet_test {

/// Whether Debian's Python has these modules: "torch, torchvision".
inline bool has_python(const std::string& modules) {
    return std::system(("/usr/bin/python3 -c 'import " + modules + "' 2>/dev/null").c_str()) == 0;
}

/// What support/<script> found about two files: that all is well (true), or that no Python here has
/// a module that could tell. It is run by Debian's Python, and by the one that the environment
/// variable TYPENET_PYTHON names. Throws where it found a fault.
inline bool check_by_python(const std::string& script, const std::filesystem::path& first,
                            const std::filesystem::path& second) {
    const char* other = std::getenv("TYPENET_PYTHON");
    bool checked = false;
    for (const char* python : {"/usr/bin/python3", other}) {
        if (python == nullptr) continue;
        const int status = std::system((std::string{python} + " " TYPENET_TESTS_FOLDER "/support/" +
                                        script + " " + first.string() + " " + second.string())
                                           .c_str());
        if (!WIFEXITED(status) || (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != 77))
            throw std::runtime_error(first.string() + ": " + python + " finds a fault in it");
        checked |= WEXITSTATUS(status) == 0;
    }
    return checked;
}

inline bool check_onnx(const std::filesystem::path& model, const std::filesystem::path& values) {
    return check_by_python("check_onnx.py", model, values);
}
inline bool check_tensorboard(const std::filesystem::path& folder,
                              const std::filesystem::path& scalars) {
    return check_by_python("check_tensorboard.py", folder, scalars);
}

}  // namespace typenet_test
