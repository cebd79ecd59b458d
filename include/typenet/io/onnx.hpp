// Writing ONNX: the layers of a network with its weights, for other programs to run. The file is a
// protocol buffer. Sources: onnx/onnx.proto and docs/Operators.md of ONNX 1.12.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../core/error.hpp"
#include "../core/layer.hpp"
#include "../core/parameter_shapes.hpp"
#include "atomic_file.hpp"
#include "protobuf.hpp"

namespace typenet {

namespace detail {

/// The numbers of ONNX's fields and types that are used here.
namespace onnx {
inline constexpr int type_float = 1, type_int64 = 7;
inline constexpr int attribute_float = 1, attribute_int = 2, attribute_ints = 7;
inline constexpr int ir_version = 8, opset = 13;
}  // namespace onnx

/// A tensor without its data, which are the last field.
inline ProtoMessage onnx_tensor(std::string_view name, std::span<const std::int64_t> shape,
                                int type) {
    ProtoMessage tensor;
    for (const std::int64_t extent : shape) tensor.number(1, extent);
    return tensor.number(2, type).text(8, name);
}

/// Input or output of the graph, with a free batch in front of `shape`.
inline ProtoMessage onnx_value(std::string_view name, const Shape& shape) {
    ProtoMessage dimensions;
    dimensions.message(1, ProtoMessage{}.text(2, "batch"));
    dimensions.message(1, ProtoMessage{}.number(1, shape.channels));
    if (!shape.is_flat())
        for (const int extent : {shape.height, shape.width})
            dimensions.message(1, ProtoMessage{}.number(1, extent));
    const ProtoMessage tensor = ProtoMessage{}.number(1, onnx::type_float).message(2, dimensions);
    return ProtoMessage{}.text(1, name).message(2, ProtoMessage{}.message(1, tensor));
}

class OnnxNode {
public:
    OnnxNode(std::string_view type, std::span<const std::string> inputs, std::string_view output) {
        for (const std::string& input : inputs) node_.text(1, input);
        node_.text(2, output).text(3, output).text(4, type);
    }
    OnnxNode& real(std::string_view name, float value) {
        return add(ProtoMessage{}.text(1, name).real(2, value), onnx::attribute_float);
    }
    OnnxNode& number(std::string_view name, std::int64_t value) {
        return add(ProtoMessage{}.text(1, name).number(3, value), onnx::attribute_int);
    }
    OnnxNode& numbers(std::string_view name, std::initializer_list<std::int64_t> values) {
        ProtoMessage attribute = ProtoMessage{}.text(1, name);
        for (const std::int64_t value : values) attribute.number(8, value);
        return add(std::move(attribute), onnx::attribute_ints);
    }
    OnnxNode& text(std::string_view name, std::string_view value) {
        constexpr int attribute_string = 3;
        return add(ProtoMessage{}.text(1, name).text(4, value), attribute_string);
    }
    const ProtoMessage& message() const { return node_; }

private:
    OnnxNode& add(ProtoMessage attribute, int type) {
        node_.message(5, attribute.number(20, type));
        return *this;
    }
    ProtoMessage node_;
};

/// The nodes of a network, layer by layer. What a layer reads and writes are names.
class OnnxGraph {
public:
    OnnxGraph(std::span<const LayerInfo> layers, const std::filesystem::path& path) : path_(path) {
        values_.push_back("input");
        for (const LayerInfo& layer : layers) values_.push_back(add(layer));
        // The last value is called "output", whatever computes it.
        nodes_.message(1, OnnxNode("Identity", std::vector{values_.back()}, "output").message());
    }
    const std::string& bytes() const { return nodes_.bytes(); }

private:
    /// Adds what computes `layer`; returns the name of its output.
    std::string add(const LayerInfo& layer) {
        const std::string input = values_[static_cast<std::size_t>(layer.sources[0] + 1)];
        const std::string output = std::string(layer.type) + "." + name_of(layer);
        const auto put = [&](const OnnxNode& node) {
            nodes_.message(1, node.message());
            return output;
        };
        const auto plain = [&](std::string_view type) {
            return OnnxNode(type, std::vector{input}, output);
        };
        const auto joined = [&](std::string_view type) {
            std::vector<std::string> inputs;
            for (const int source : layer.sources)
                inputs.push_back(values_[static_cast<std::size_t>(source + 1)]);
            return OnnxNode(type, inputs, output);
        };
        const auto weighted = [&](std::string_view type) {
            return OnnxNode(
                type, std::vector{input, name_of(layer) + ".weight", name_of(layer) + ".bias"},
                output);
        };
        const auto windowed = [&](OnnxNode node) {
            const Window& w = layer.window;
            node.numbers("kernel_shape", {w.kernel_height, w.kernel_width})
                .numbers("strides", {w.stride_height, w.stride_width})
                .numbers("pads", {w.pad_top, w.pad_left, w.pad_bottom, w.pad_right});
            return node;
        };
        switch (layer.kind) {
            case LayerKind::conv2d:
                return put(windowed(weighted("Conv")).number("group", layer.groups));
            case LayerKind::linear:
                return put(weighted("Gemm").number("transB", 1));
            case LayerKind::relu:
                return put(plain("Relu"));
            case LayerKind::max_pool2d:
                return put(windowed(plain("MaxPool")));
            case LayerKind::adaptive_avg_pool2d:
                return put(average(layer, plain("AveragePool")));
            case LayerKind::avg_pool2d:
                return put(windowed(plain("AveragePool")).number("count_include_pad", 1));
            case LayerKind::batch_norm2d:
                return put(
                    OnnxNode("BatchNormalization",
                             std::vector{input, name_of(layer) + ".weight",
                                         name_of(layer) + ".bias", name_of(layer) + ".running_mean",
                                         name_of(layer) + ".running_var"},
                             output)
                        .real("epsilon", static_cast<float>(layer.epsilon)));
            case LayerKind::add:
                return put(joined("Sum"));
            case LayerKind::concat:
                return put(joined("Concat").number("axis", 1));
            case LayerKind::flatten:
                return put(plain("Flatten").number("axis", 1));
            case LayerKind::softmax:
                return put(plain("Softmax").number("axis", 1));
            case LayerKind::local_response_norm:
                return put(plain("LRN")
                               .number("size", layer.norm_size)
                               .real("alpha", layer.norm_alpha)
                               .real("beta", layer.norm_beta)
                               .real("bias", layer.norm_k));
            case LayerKind::resize:
                return put(resize(layer, input, output));
            case LayerKind::custom:
                fail(layer, "comes from outside the library, and ONNX does not know it");
            case LayerKind::dropout:  // nothing where nothing is learnt
            case LayerKind::expect:
                return input;
        }
        fail(layer, "is not of a kind that is written here");
    }

    /// Windows of one size and stride, which an adaptive pool has where its output divides its
    /// input.
    OnnxNode average(const LayerInfo& layer, OnnxNode node) const {
        const Shape& in = layer.input;
        const Shape& out = layer.output;
        if (in.height % out.height != 0 || in.width % out.width != 0)
            fail(layer, "averages windows of several sizes, which ONNX cannot say");
        const std::initializer_list<std::int64_t> window{in.height / out.height,
                                                         in.width / out.width};
        node.numbers("kernel_shape", window).numbers("strides", window);
        return node;
    }

    /// ONNX wants the whole output's sizes, the batch's as well: that is read off the input.
    OnnxNode resize(const LayerInfo& layer, const std::string& input, const std::string& output) {
        const auto constant = [&](const std::string& name, std::vector<std::int64_t> values) {
            const std::vector<std::int64_t> shape{static_cast<std::int64_t>(values.size())};
            ProtoMessage tensor = onnx_tensor("", shape, onnx::type_int64);
            tensor.text(9, {reinterpret_cast<const char*>(values.data()),
                            values.size() * sizeof(std::int64_t)});
            constexpr int attribute_tensor = 4;
            const ProtoMessage attribute =
                ProtoMessage{}.text(1, "value").message(5, tensor).number(20, attribute_tensor);
            nodes_.message(1, ProtoMessage{}
                                  .text(2, name)
                                  .text(3, name)
                                  .text(4, "Constant")
                                  .message(5, attribute));
            return name;
        };
        const auto put = [&](OnnxNode node) { nodes_.message(1, node.message()); };
        const std::string shape = output + ".shape", batch = output + ".batch";
        const std::string sizes = output + ".sizes";
        put(OnnxNode("Shape", std::vector{input}, shape));
        put(OnnxNode("Gather", std::vector{shape, constant(output + ".first", {0})}, batch));
        put(OnnxNode("Concat",
                     std::vector{batch, constant(output + ".map",
                                                 {layer.output.channels, layer.output.height,
                                                  layer.output.width})},
                     sizes)
                .number("axis", 0));
        OnnxNode node("Resize", std::vector<std::string>{input, "", "", sizes}, output);
        node.text("mode", "linear").text("coordinate_transformation_mode", "half_pixel");
        return node;
    }

    [[noreturn]] void fail(const LayerInfo& layer, const std::string& problem) const {
        throw FileError(path_.string(),
                        "cannot be written: layer " + std::to_string(layer.index) + " (" +
                            std::string(layer.type) + ") " + problem,
                        "use a network without that layer");
    }

    std::filesystem::path path_;
    std::vector<std::string> values_;  ///< the output of each layer, behind the network's input
    ProtoMessage nodes_;               ///< fields of the graph
};

}  // namespace detail

/// Makes `path` an ONNX file (opset 13) of a network's layers in inference, with the input "input"
/// [batch, ...] and the output "output". `values_of(name)` gives the floats of one parameter in
/// C order, as a span that lasts until the next call; it is called once for each, in the order of
/// parameter_shapes. Metadata become the model's. Crash-safe as AtomicFile is. Throws FileError,
/// with nothing changed, for a layer that ONNX cannot express, a parameter of another size, and
/// more than the 2 GiB that a protocol buffer may have.
template <std::invocable<const std::string&> ValuesOf>
void write_onnx(const std::filesystem::path& path, std::span<const LayerInfo> layers,
                const std::map<std::string, std::string>& metadata, const ValuesOf& values_of) {
    using detail::ProtoMessage;
    if (layers.empty()) throw FileError(path.string(), "cannot be written: there is no layer");
    constexpr int raw_data = 9, initializer = 5;
    const auto bytes_in = [](const TensorShape& tensor) {
        std::uint64_t bytes = sizeof(float);
        for (const std::int64_t extent : tensor.shape) bytes *= static_cast<std::uint64_t>(extent);
        return bytes;
    };

    const std::vector<TensorShape> parameters = parameter_shapes(layers);
    std::vector<std::string> heads;  // of each parameter, up to its data
    std::uint64_t size = 0;          // of all parameters, heads included
    for (const TensorShape& parameter : parameters) {
        const std::uint64_t bytes = bytes_in(parameter);
        const std::string inner =
            detail::onnx_tensor(parameter.name, parameter.shape, detail::onnx::type_float)
                .head(raw_data, bytes)
                .bytes();
        heads.push_back(ProtoMessage{}.head(initializer, inner.size() + bytes).bytes() + inner);
        size += heads.back().size() + bytes;
    }
    const std::string nodes = detail::OnnxGraph(layers, path).bytes();
    const std::string ends = ProtoMessage{}
                                 .text(2, "typenet")
                                 .message(11, detail::onnx_value("input", layers.front().input))
                                 .message(12, detail::onnx_value("output", layers.back().output))
                                 .bytes();
    ProtoMessage model;
    model.number(1, detail::onnx::ir_version).text(2, "typenet");
    model.message(8, ProtoMessage{}.text(1, "").number(2, detail::onnx::opset));
    for (const auto& [key, value] : metadata)
        model.message(14, ProtoMessage{}.text(1, key).text(2, value));
    model.head(7, nodes.size() + ends.size() + size);  // the graph, which is the rest
    if (model.bytes().size() + nodes.size() + ends.size() + size >
        std::uint64_t{(std::numeric_limits<std::int32_t>::max)()})
        throw FileError(path.string(), "cannot be written: it would exceed the 2 GiB of ONNX",
                        "write it as safetensors");

    AtomicFile file(path);
    const auto write = [&](std::string_view text) { file.write(std::as_bytes(std::span(text))); };
    write(model.bytes());
    write(nodes);
    write(ends);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        const std::span<const float> values = values_of(parameters[i].name);
        if (values.size_bytes() != bytes_in(parameters[i]))
            throw FileError(path.string(),
                            "cannot be written: parameter " + parameters[i].name + " has " +
                                std::to_string(values.size()) + " values",
                            "give as many as its shape has");
        write(heads[i]);
        file.write(std::as_bytes(values));
    }
    file.commit();
}

}  // namespace typenet
