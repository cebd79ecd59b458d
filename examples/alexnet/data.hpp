// The images to train and test on.
#pragma once

#include <string>
#include <string_view>
#include <typenet/data/dataset.hpp>
#include <vector>

#include "options.hpp"

namespace alexnet {

/// Reads or draws one split, at most its limit. Without a limit the synthetic set has 10,000 images
/// to train on and 2,000 to test. Of these it keeps those of the classes that are asked for. Throws
/// typenet::Error, also where there is no class of a name or no image of the classes.
typenet::Dataset load_data(const DataOptions& options, typenet::Split split);

/// The names by which classes are reported: "plane" where CIFAR-10's files say "airplane".
std::vector<std::string> class_names(const typenet::Dataset& dataset);

/// "a,b" at a comma: {"a", "b"}.
std::vector<std::string> split(std::string_view text, char separator);

}  // namespace alexnet
