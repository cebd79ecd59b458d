// A folder that lives as long as a test.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>

namespace typenet_test {

/// An empty folder under the system's temporary one, removed with all it holds at the end.
class TemporaryFolder {
public:
    TemporaryFolder() {
        std::string name =
            (std::filesystem::temp_directory_path() / "typenet-test-XXXXXX").string();
        if (!mkdtemp(name.data()))
            throw std::runtime_error(name + ": cannot make a temporary folder for the test");
        path_ = name;
    }
    ~TemporaryFolder() {
        std::error_code ignored;  // a test that made the folder unwritable still ends
        std::filesystem::remove_all(path_, ignored);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    const std::filesystem::path& path() const { return path_; }

    /// The path of `name` inside the folder.
    std::filesystem::path operator/(const std::filesystem::path& name) const {
        return path_ / name;
    }

private:
    std::filesystem::path path_;
};

}  // namespace typenet_test
