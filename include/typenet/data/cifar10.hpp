// CIFAR-10 in its binary format: https://www.cs.toronto.edu/~kriz/cifar.html
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <vector>

#include "typenet/core/error.hpp"
#include "typenet/data/dataset.hpp"

namespace typenet {

/// CIFAR-10 as a type, for `require_data`.
struct Cifar10 {
    static constexpr Shape image_shape{3, 32, 32};
    static constexpr int classes = 10;
};

/// The classes as the data set's own files name them, by label.
inline std::vector<std::string> cifar10_names() {
    return {"airplane", "automobile", "bird",  "cat",  "deer",
            "dog",      "frog",       "horse", "ship", "truck"};
}

/// The shorter names of PyTorch's tutorial, by label.
inline std::vector<std::string> cifar10_short_names() {
    return {"plane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};
}

namespace detail {

// A file holds 10,000 records: one byte for the label, then the planes of red, green and blue.
inline constexpr Shape cifar10_shape = Cifar10::image_shape;
inline constexpr std::int64_t cifar10_records = 10'000;
inline constexpr std::int64_t cifar10_record_bytes = 1 + cifar10_shape.size();
inline constexpr std::int64_t cifar10_file_bytes = cifar10_records * cifar10_record_bytes;
inline constexpr const char* cifar10_remedy = "download the data again with scripts/get-cifar10";

/// Throws FileError unless `file` is a file of 10,000 whole records.
inline void check_cifar10_file(const std::filesystem::path& file) {
    std::error_code failure;
    const auto status = std::filesystem::status(file, failure);
    if (!std::filesystem::exists(status))
        throw FileError(file.string(), "no such file",
                        "name the folder that holds cifar-10-batches-bin, or make it with "
                        "scripts/get-cifar10");
    if (!std::filesystem::is_regular_file(status))
        throw FileError(file.string(), "not a file", cifar10_remedy);
    const auto found = static_cast<std::int64_t>(std::filesystem::file_size(file, failure));
    if (failure) throw FileError(file.string(), failure.message(), "check its permissions");
    if (found != cifar10_file_bytes) {
        const std::string ending =
            found < cifar10_file_bytes
                ? "it ends in record " + std::to_string(found / cifar10_record_bytes) +
                      ", at byte " + std::to_string(found)
                : "it goes on after the last record, at byte " + std::to_string(cifar10_file_bytes);
        throw FileError(file.string(),
                        std::to_string(found) + " bytes instead of " +
                            std::to_string(cifar10_file_bytes) + " (10000 records of " +
                            std::to_string(cifar10_record_bytes) + "): " + ending,
                        cifar10_remedy);
    }
}

/// Appends the first `count` records of `file` to `dataset`.
inline void append_cifar10_records(Dataset& dataset, const std::filesystem::path& file,
                                   std::int64_t count) {
    check_cifar10_file(file);
    std::ifstream stream(file, std::ios::binary);
    if (!stream) throw FileError(file.string(), "cannot be opened", "check its permissions");
    std::array<char, static_cast<std::size_t>(cifar10_record_bytes)> record;
    for (std::int64_t index = 0; index < count; ++index) {
        const std::string place = "record " + std::to_string(index) + " (byte " +
                                  std::to_string(index * cifar10_record_bytes) + ")";
        if (!stream.read(record.data(), static_cast<std::streamsize>(record.size())))
            throw FileError(file.string(), place + " cannot be read", cifar10_remedy);
        const auto label = static_cast<std::uint8_t>(record[0]);
        if (label > 9)
            throw FileError(file.string(),
                            place + " has label " + std::to_string(label) + ", not 0 to 9",
                            cifar10_remedy);
        dataset.labels.push_back(label);
        dataset.pixels.insert(dataset.pixels.end(), record.begin() + 1, record.end());
    }
}

/// The ten names of batches.meta.txt; the standard ones where it is missing or holds anything else.
inline std::vector<std::string> read_cifar10_names(const std::filesystem::path& file) {
    std::ifstream stream(file);
    std::vector<std::string> names;
    for (std::string line; names.size() <= 10 && std::getline(stream, line);) {
        if (line.ends_with('\r')) line.pop_back();
        if (line.empty()) continue;
        const bool printable = std::all_of(
            line.begin(), line.end(), [](char letter) { return letter > ' ' && letter < 127; });
        if (!printable || line.size() > 64) return cifar10_names();
        names.push_back(line);
    }
    return names.size() == 10 ? names : cifar10_names();
}

}  // namespace detail

/// Reads CIFAR-10: images of 3x32x32, 50,000 to train on and 10,000 to test. `folder` is
/// cifar-10-batches-bin or the folder that holds it. With a limit, the first `limit` images in the
/// order of the files, and no file that they do not need; -1, or a limit beyond the split, reads
/// it all. Throws FileError where a file is missing, has another size or holds a label above 9.
inline Dataset read_cifar10(const std::filesystem::path& folder, Split split,
                            std::int64_t limit = -1) {
    if (limit == 0 || limit < -1)
        throw Error("read_cifar10: the limit is " + std::to_string(limit) +
                    " images; give 1 or more, or -1 for all");
    std::error_code ignored;  // a folder that cannot be examined fails at its first file
    if (!std::filesystem::is_directory(folder, ignored))
        throw FileError(folder.string(), "no such folder",
                        "name the folder that holds cifar-10-batches-bin, or make it with "
                        "scripts/get-cifar10");
    const auto inner = folder / "cifar-10-batches-bin";
    const auto files = std::filesystem::is_directory(inner, ignored) ? inner : folder;

    const std::int64_t available = detail::cifar10_records * (split == Split::train ? 5 : 1);
    const std::int64_t wanted = limit == -1 ? available : (std::min)(limit, available);
    Dataset dataset{.image_shape = detail::cifar10_shape,
                    .pixels = {},
                    .labels = {},
                    .class_names = detail::read_cifar10_names(files / "batches.meta.txt")};
    dataset.pixels.reserve(static_cast<std::size_t>(wanted * detail::cifar10_shape.size()));
    dataset.labels.reserve(static_cast<std::size_t>(wanted));
    for (int number = 1; dataset.size() < wanted; ++number) {
        const std::string name = split == Split::test
                                     ? "test_batch.bin"
                                     : "data_batch_" + std::to_string(number) + ".bin";
        detail::append_cifar10_records(
            dataset, files / name, (std::min)(wanted - dataset.size(), detail::cifar10_records));
    }
    return dataset;
}

}  // namespace typenet
