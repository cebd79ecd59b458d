#include "data.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <typenet/core/error.hpp>
#include <typenet/data/cifar10.hpp>
#include <typenet/data/synthetic.hpp>

namespace alexnet {

namespace tn = typenet;

namespace {

/// The label of a class by the name it is reported by, or by the data set's own.
std::int32_t label_of(const tn::Dataset& data, const std::string& name) {
    const std::vector<std::string> reported = class_names(data);
    for (std::size_t label = 0; label < reported.size(); ++label)
        if (name == reported[label] || name == data.class_names[label])
            return static_cast<std::int32_t>(label);
    throw tn::Error(fmt::format("--only: the data have no class '{}'; they have {}", name,
                                fmt::join(reported, ", ")));
}

tn::Dataset load_all(const DataOptions& options, tn::Split split) {
    const bool train = split == tn::Split::train;
    const std::int64_t limit = train ? options.limit_train : options.limit_test;
    if (!options.is_synthetic()) return tn::read_cifar10(options.source, split, limit);
    return tn::make_synthetic(split, limit > 0 ? limit : train ? 10'000 : 2'000);
}

}  // namespace

tn::Dataset load_data(const DataOptions& options, tn::Split split) {
    tn::Dataset all = load_all(options, split);
    if (options.only.empty()) return all;
    std::vector<std::int32_t> labels;
    for (const std::string& name : alexnet::split(options.only, ','))
        labels.push_back(label_of(all, name));
    tn::Dataset chosen = all.of_classes(labels);
    if (chosen.size() == 0)
        throw tn::Error(fmt::format("--only: none of the {} {} images is of {}; raise --limit-{}",
                                    all.size(), to_string(split), options.only, to_string(split)));
    return chosen;
}

std::vector<std::string> class_names(const tn::Dataset& dataset) {
    const bool is_cifar10 = dataset.class_names == tn::cifar10_names();
    return is_cifar10 ? tn::cifar10_short_names() : dataset.class_names;
}

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    for (std::size_t start = 0; start <= text.size();) {
        const std::size_t end = std::min(text.find(separator, start), text.size());
        parts.emplace_back(text.substr(start, end - start));
        start = end + 1;
    }
    return parts;
}

}  // namespace alexnet
