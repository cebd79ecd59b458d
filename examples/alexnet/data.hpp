// The images to train and test on.
#pragma once

#include <string>
#include <typenet/data/dataset.hpp>
#include <vector>

#include "options.hpp"

namespace alexnet {

/// Reads or draws one split, at most its limit. Without a limit the synthetic set has 10,000 images
/// to train on and 2,000 to test. Throws typenet::Error.
typenet::Dataset load_data(const DataOptions& options, typenet::Split split);

/// The names by which classes are reported: "plane" where CIFAR-10's files say "airplane".
std::vector<std::string> class_names(const typenet::Dataset& dataset);

}  // namespace alexnet
