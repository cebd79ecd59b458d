// Weights for `train_small finetune`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "typenet/core/random.hpp"
#include "typenet/io/safetensors.hpp"

namespace typenet_test {

/// Writes weights of its network that tell `classes` classes apart, drawn from a seed.
inline void write_small_weights(const std::filesystem::path& path, std::int64_t classes,
                                std::uint64_t seed = 1) {
    std::vector<typenet::TensorView> tensors;
    std::map<std::string, std::vector<float>> values;
    typenet::RandomStream random{typenet::Seed{seed}, typenet::Purpose::synthetic};
    const auto add = [&](const std::string& name, const std::vector<std::int64_t>& shape, float low,
                         float high) {
        std::size_t count = 1;
        for (const std::int64_t extent : shape) count *= static_cast<std::size_t>(extent);
        for (std::size_t i = 0; i < count; ++i) values[name].push_back(random.uniform(low, high));
        tensors.push_back(typenet::TensorView::of(name, shape, values[name]));
    };
    add("features.0.weight", {8, 3, 3, 3}, -0.3f, 0.3f);
    add("features.0.bias", {8}, -0.1f, 0.1f);
    add("features.1.weight", {8}, 0.5f, 1.5f);
    add("features.1.bias", {8}, -0.1f, 0.1f);
    add("features.1.running_mean", {8}, -0.1f, 0.1f);
    add("features.1.running_var", {8}, 0.5f, 1.5f);
    add("classifier.1.weight", {32, 72}, -0.1f, 0.1f);
    add("classifier.1.bias", {32}, -0.1f, 0.1f);
    add("classifier.3.weight", {classes, 32}, -0.1f, 0.1f);
    add("classifier.3.bias", {classes}, -0.1f, 0.1f);
    typenet::write_safetensors(path, tensors);
}

}  // namespace typenet_test
