// The systems that are trained: the network of a recipe, and how images become its input.
#pragma once

#include <string>
#include <typenet/core/stages.hpp>
#include <typenet/data/photo.hpp>
#include <typenet/models/alexnet.hpp>
#include <typenet/models/torchvision_alexnet.hpp>

namespace alexnet {

struct PytorchSystem {
    using Network = typenet::models::AlexNet;
    static constexpr const char* name = "AlexNet";
    static constexpr typenet::Preprocessing preprocessing{0, typenet::Normalization::symmetric()};
    static constexpr const char* input = "3x227x227 in [-1, 1]";
};

struct KerasSystem {
    using Network = typenet::models::KerasAlexNet;
    static constexpr const char* name = "AlexNet";
    static constexpr typenet::Preprocessing preprocessing{0, typenet::Normalization::unit()};
    static constexpr const char* input = "3x32x32 in [0, 1]";
};

/// torchvision's AlexNet and its way of preparing images.
struct TorchvisionSystem {
    using Network = typenet::models::TorchvisionAlexNet<10>;
    static constexpr const char* name = "torchvision's AlexNet";
    static constexpr typenet::Preprocessing preprocessing{256, typenet::Normalization::imagenet()};
    static constexpr const char* input =
        "3x224x224, the middle of the image resized to a shorter side of 256, by ImageNet's mean "
        "and deviation";
};

/// The same, taken over from a file: its convolutions stay as they are, its last layer is new.
struct FinetuneSystem : TorchvisionSystem {
    using Frozen = typenet::Freeze<"features">;
    static constexpr const char* replaced = "classifier.6";
};

/// Calls f with the system of that recipe.
template <class F>
void with_system(const std::string& recipe, const F& f) {
    if (recipe == "keras")
        f(KerasSystem{});
    else if (recipe == "torchvision")
        f(TorchvisionSystem{});
    else if (recipe == "finetune")
        f(FinetuneSystem{});
    else
        f(PytorchSystem{});
}

}  // namespace alexnet
