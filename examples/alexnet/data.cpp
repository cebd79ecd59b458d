#include "data.hpp"

#include <typenet/data/cifar10.hpp>
#include <typenet/data/synthetic.hpp>

namespace alexnet {

namespace tn = typenet;

tn::Dataset load_data(const DataOptions& options, tn::Split split) {
    const bool train = split == tn::Split::train;
    const std::int64_t limit = train ? options.limit_train : options.limit_test;
    if (!options.is_synthetic()) return tn::read_cifar10(options.source, split, limit);
    return tn::make_synthetic(split, limit > 0 ? limit : train ? 10'000 : 2'000);
}

std::vector<std::string> class_names(const tn::Dataset& dataset) {
    const bool is_cifar10 = dataset.class_names == tn::cifar10_names();
    return is_cifar10 ? tn::cifar10_short_names() : dataset.class_names;
}

}  // namespace alexnet
