// What PyTorch computed (tests/parity), and how far a result is from it.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "typenet/core/error.hpp"
#include "typenet/io/safetensors.hpp"

namespace typenet_test {

/// One file of tests/parity/goldens.
class Goldens {
public:
    /// `name` without folder and extension: "layers".
    explicit Goldens(const std::string& name)
        : file_(typenet::SafetensorsFile::open(TYPENET_TESTS_FOLDER "/parity/goldens/" + name +
                                               ".safetensors")) {}

    bool has(const std::string& tensor) const { return file_.find(tensor) != nullptr; }
    std::vector<double> values(const std::string& tensor) const {
        return elements<double>(tensor, typenet::Dtype::F64);
    }
    std::vector<std::int32_t> labels(const std::string& tensor) const {
        const auto wide = elements<std::int64_t>(tensor, typenet::Dtype::I64);
        std::vector<std::int32_t> labels;
        for (const std::int64_t label : wide) labels.push_back(static_cast<std::int32_t>(label));
        return labels;
    }
    const std::vector<std::int64_t>& shape(const std::string& tensor) const {
        return find(tensor).shape;
    }
    /// The names of the cases, each with its attributes.
    const std::map<std::string, std::string>& cases() const { return file_.metadata(); }

private:
    const typenet::TensorView& find(const std::string& tensor) const {
        const typenet::TensorView* found = file_.find(tensor);
        if (found == nullptr) throw typenet::Error("the goldens have no tensor " + tensor);
        return *found;
    }
    template <class T>
    std::vector<T> elements(const std::string& tensor, typenet::Dtype dtype) const {
        const typenet::TensorView& view = find(tensor);
        if (view.dtype != dtype) throw typenet::Error("golden " + tensor + " has another dtype");
        std::vector<T> values(view.bytes.size() / sizeof(T));
        std::memcpy(values.data(), view.bytes.data(), view.bytes.size());
        return values;
    }

    typenet::SafetensorsFile file_;
};

/// max |got - wanted| / max |wanted|; infinite where the sizes or the places of NaN differ.
template <class T>
double relative_error(std::span<const T> got, std::span<const double> wanted) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    if (got.size() != wanted.size()) return infinity;
    double difference = 0, scale = 0;
    for (std::size_t i = 0; i < got.size(); ++i) {
        if (std::isnan(got[i]) != std::isnan(wanted[i])) return infinity;
        if (std::isnan(wanted[i])) continue;
        difference = std::fmax(difference, std::abs(static_cast<double>(got[i]) - wanted[i]));
        scale = std::fmax(scale, std::abs(wanted[i]));
    }
    return difference == 0 ? 0 : difference / scale;
}

}  // namespace typenet_test
