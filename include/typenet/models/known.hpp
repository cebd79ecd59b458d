// The networks that a file of weights may belong to, recognised by the names and shapes in it.
#pragma once

#include <algorithm>
#include <array>
#include <boost/hana/for_each.hpp>
#include <boost/hana/length.hpp>
#include <boost/hana/tuple.hpp>
#include <boost/hana/type.hpp>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "typenet/core/error.hpp"
#include "typenet/core/layer.hpp"
#include "typenet/core/parameter_shapes.hpp"
#include "typenet/data/photo.hpp"
#include "typenet/io/json.hpp"
#include "typenet/io/tensor_file.hpp"
#include "typenet/models/alexnet.hpp"
#include "typenet/models/original_alexnet.hpp"
#include "typenet/models/torchvision_alexnet.hpp"

namespace typenet::models {

/// A network as data: what it is called, its layers, and what it expects photos to be.
struct KnownNetwork {
    std::string_view name;
    std::span<const LayerInfo> layers;
    Preprocessing preprocessing;

    const Shape& input() const { return layers.front().input; }
    int classes() const { return static_cast<int>(layers.back().output.size()); }
    /// "torchvision's AlexNet of 1000 classes"
    std::string title() const {
        return std::string{name} + " of " + std::to_string(classes()) + " classes";
    }
};

/// Their types, and the same as data.
inline constexpr auto known_network_types =
    boost::hana::tuple_t<AlexNet, KerasAlexNet, TorchvisionAlexNet<>, TorchvisionAlexNet<10>,
                         OriginalAlexNet<>>;
inline constexpr std::array known_networks{
    KnownNetwork{"AlexNet", AlexNet::layers, {0, Normalization::symmetric()}},
    KnownNetwork{"Keras's AlexNet", KerasAlexNet::layers, {0, Normalization::unit()}},
    KnownNetwork{
        "torchvision's AlexNet", TorchvisionAlexNet<>::layers, {256, Normalization::imagenet()}},
    KnownNetwork{
        "torchvision's AlexNet", TorchvisionAlexNet<10>::layers, {256, Normalization::imagenet()}},
    KnownNetwork{
        "the AlexNet of 2012", OriginalAlexNet<>::layers, {256, Normalization::imagenet()}},
};
static_assert(decltype(boost::hana::length(known_network_types))::value == known_networks.size());

/// Calls f(boost::hana::type<Net>) with the type of a known network.
template <class F>
void with_type_of(const KnownNetwork& known, const F& f) {
    boost::hana::for_each(known_network_types, [&](auto tag) {
        using Net = typename decltype(tag)::type;
        if (known.layers.data() == Net::layers.data()) f(tag);
    });
}

/// The known network that has the names and shapes of a file read from `path`. Throws FileError
/// where there is none, with what parts the file from the network that it resembles most.
inline const KnownNetwork& recognize(const TensorFile& file, const std::filesystem::path& path) {
    const KnownNetwork* nearest = nullptr;
    std::size_t most = 0;
    std::string difference;
    for (const KnownNetwork& known : known_networks) {
        const std::vector<TensorShape> wanted = parameter_shapes(known.layers);
        std::size_t found = 0;
        std::string first;
        for (const TensorShape& expected : wanted) {
            const TensorView* tensor = file.find(expected.name);
            if (tensor != nullptr && tensor->shape == expected.shape)
                ++found;
            else if (first.empty())
                first = "tensor " + typenet::detail::excerpt(expected.name) +
                        (tensor == nullptr
                             ? std::string(" is missing")
                             : " has the shape " + typenet::detail::shape_text(tensor->shape) +
                                   " where " + known.title() + " has " +
                                   typenet::detail::shape_text(expected.shape));
        }
        if (found == wanted.size() && file.tensors().size() == found) return known;
        if (found <= most) continue;
        most = found;
        nearest = &known;
        difference = first;
    }
    std::string names;
    for (const KnownNetwork& known : known_networks)
        names += (names.empty() ? "" : ", ") + known.title();
    if (nearest == nullptr)
        throw FileError(path.string(), "holds the weights of no network that is known here",
                        "name a file of one of these: " + names);
    if (difference.empty())
        difference = "it has more tensors than " + nearest->title() + ", as a checkpoint has";
    throw FileError(path.string(), difference,
                    "name a file that holds the weights of one of these: " + names);
}

}  // namespace typenet::models
