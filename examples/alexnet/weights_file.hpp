// Files of weights: what they say of themselves, and other formats of the same.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <typenet/io/tensor_file.hpp>
#include <typenet/models/known.hpp>
#include <vector>

#include "options.hpp"

namespace alexnet {

/// The names of the classes that weights tell apart: those in `list` (a line each) where that is
/// not empty, else those in the file's metadata, else "class 0" and so on. Throws
/// typenet::FileError where there are more or fewer than the network has.
std::vector<std::string> class_names(const typenet::TensorFile& file,
                                     const std::filesystem::path& path,
                                     const typenet::models::KnownNetwork& known,
                                     const std::filesystem::path& list);

/// Throws typenet::FileError, which blames the weights, where outputs are infinite or no numbers.
void require_finite(std::span<const float> outputs, const std::filesystem::path& weights);

/// Says on stdout which network the weights were recognised as.
void print_recognized(const std::filesystem::path& path,
                      const typenet::models::KnownNetwork& known);

/// Writes weights in the format that the name of the new file asks for.
void convert(const ConvertOptions& options);

/// Prints a file's format, network, metadata and tensors.
void print_weights(const std::filesystem::path& path);

}  // namespace alexnet
