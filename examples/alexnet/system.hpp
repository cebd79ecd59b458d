// The report's systems: the network that a recipe trains, and how images become its input.
#pragma once

#include <string>
#include <typenet/data/transforms.hpp>
#include <typenet/models/alexnet.hpp>

namespace alexnet {

struct PytorchSystem {
    using Network = typenet::models::AlexNet;
    static constexpr typenet::Normalization normalization = typenet::Normalization::symmetric();
    static constexpr const char* input = "3x227x227 in [-1, 1]";
};

struct KerasSystem {
    using Network = typenet::models::KerasAlexNet;
    static constexpr typenet::Normalization normalization = typenet::Normalization::unit();
    static constexpr const char* input = "3x32x32 in [0, 1]";
};

/// Calls f with the system of that recipe.
template <class F>
void with_system(const std::string& recipe, const F& f) {
    if (recipe == "keras")
        f(KerasSystem{});
    else
        f(PytorchSystem{});
}

}  // namespace alexnet
