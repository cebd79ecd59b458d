#include "weights_file.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <typenet/core/error.hpp>
#include <typenet/io/onnx.hpp>
#include <typenet/io/safetensors.hpp>
#include <typenet/io/tensor_formats.hpp>
#include <typenet/io/text_format.hpp>
#include <utility>

#include "data.hpp"
#include "report.hpp"
#include "session.hpp"

namespace alexnet {

namespace fs = std::filesystem;
namespace tn = typenet;
using tn::models::KnownNetwork;

namespace {

/// One name a line, at most as many as there are.
std::vector<std::string> names_in(const fs::path& list) {
    tn::FileReader reader(list, "name a text file with a class a line");
    const std::size_t size = reader.size();
    const std::shared_ptr<const std::byte[]> data = reader.read_rest();
    std::string_view text(reinterpret_cast<const char*>(data.get()), size);
    if (text.ends_with('\n')) text.remove_suffix(1);
    std::vector<std::string> names = split(text, '\n');
    for (std::string& name : names) {
        if (name.ends_with('\r')) name.pop_back();
        if (!tn::detail::is_printable_name(name))
            throw tn::FileError(list.string(), "has a line that is empty or no UTF-8 text",
                                "give a class a line");
    }
    return names;
}

void require_count(const std::vector<std::string>& names, const fs::path& source,
                   const KnownNetwork& known) {
    if (!std::cmp_equal(names.size(), known.classes()))
        throw tn::FileError(source.string(),
                            fmt::format("names {} classes where {} is of {}", names.size(),
                                        known.name, known.classes()),
                            "give --classes a file with as many lines");
}

std::optional<std::string> difference_of(const tn::TensorFile& file, const fs::path& path,
                                         const KnownNetwork*& known) {
    try {
        known = &tn::models::recognize(file, path);
        return std::nullopt;
    } catch (const tn::FileError& error) {
        known = nullptr;
        return error.what();
    }
}

/// What the network expects its input to be, for a person.
std::string input_text(const KnownNetwork& known) {
    const tn::Normalization& n = known.preprocessing.normalization;
    return fmt::format("{} of RGB, {}; (value / 255 - mean) / deviation, mean {}, deviation {}",
                       to_string(known.input()),
                       known.preprocessing.shorter_side > 0
                           ? fmt::format("the middle of the image resized to a shorter side of {}",
                                         known.preprocessing.shorter_side)
                           : std::string{"the whole image stretched"},
                       fmt::join(std::span{n.mean}.first(3), " "),
                       fmt::join(std::span{n.deviation}.first(3), " "));
}

void require_finite(const tn::TensorView& tensor, const fs::path& path) {
    if (!tn::FloatValues::can_hold(tensor.dtype)) return;
    const tn::FloatValues floats(tensor);
    const auto bad = std::ranges::find_if(floats.get(), [](float x) { return !std::isfinite(x); });
    if (bad != floats.get().end())
        throw tn::FileError(
            path.string(),
            fmt::format("tensor {} has the value {} at index {}", tn::detail::excerpt(tensor.name),
                        *bad, bad - floats.get().begin()),
            "take an earlier file: the training that wrote it diverged");
}

}  // namespace

std::vector<std::string> class_names(const tn::TensorFile& file, const fs::path& path,
                                     const KnownNetwork& known, const fs::path& list) {
    if (!list.empty()) {
        const std::vector<std::string> names = names_in(list);
        require_count(names, list, known);
        return names;
    }
    const auto found = file.metadata().find(classes_key);
    if (found != file.metadata().end()) {
        const std::vector<std::string> names = classes_in(found->second);
        require_count(names, path, known);
        return names;
    }
    std::vector<std::string> names;
    for (int i = 0; i < known.classes(); ++i) names.push_back(fmt::format("class {}", i));
    return names;
}

void require_finite(std::span<const float> outputs, const fs::path& weights) {
    if (!std::ranges::all_of(outputs, [](float x) { return std::isfinite(x); }))
        throw tn::FileError(weights.string(),
                            "makes the network's outputs overflow, though each of its values is "
                            "finite",
                            "take an earlier file: the training that wrote it diverged");
}

void print_recognized(const fs::path& path, const KnownNetwork& known) {
    fmt::print("Weights: {}: {}\n", path.string(), known.title());
    std::fflush(stdout);
}

void convert(const ConvertOptions& options) {
    const tn::TensorFile file = tn::open_tensors(options.from);
    for (const tn::TensorView& tensor : file.tensors()) require_finite(tensor, options.from);
    const bool to_onnx = options.to.extension() == ".onnx";
    const KnownNetwork* known = nullptr;
    if (to_onnx || !options.classes.empty())
        known = &tn::models::recognize(file, options.from);  // or else throws
    const std::optional<std::string> difference = difference_of(file, options.from, known);

    std::map<std::string, std::string> metadata = file.metadata();
    if (known != nullptr) {
        // What the file says of itself goes before what its tensors tell.
        metadata.try_emplace("network", known->name);
        metadata.try_emplace("input", input_text(*known));
        if (!options.classes.empty())
            metadata[classes_key] =
                classes_text(class_names(file, options.from, *known, options.classes));
        print_recognized(options.from, *known);
    } else {
        fmt::print("Not recognised, its tensors are taken as they are: {}\n", *difference);
    }
    if (to_onnx) {
        std::optional<tn::FloatValues> values;
        tn::write_onnx(options.to, known->layers, metadata, [&](const std::string& name) {
            return values.emplace(*file.find(name)).get();
        });
    } else {
        tn::write_safetensors(options.to, file.tensors(), metadata);
    }
    fmt::print("Written: {}, {} tensors\n", options.to.string(), file.tensors().size());
}

void print_weights(const fs::path& path) {
    const tn::TensorFile file = tn::open_tensors(path);
    const KnownNetwork* known = nullptr;
    const std::optional<std::string> difference = difference_of(file, path, known);
    std::int64_t values = 0;
    std::uint64_t bytes = 0;
    std::size_t width = 4;
    for (const tn::TensorView& tensor : file.tensors()) {
        values += tensor.size();
        bytes += tensor.bytes.size();
        width = std::max(width, tensor.name.size());
    }
    fmt::print("{}: {}, {} tensors, {} values, {} bytes\n", path.string(), file.format(),
               file.tensors().size(), tn::detail::grouped(values),
               tn::detail::grouped(static_cast<std::int64_t>(bytes)));
    if (known != nullptr)
        fmt::print("Network: {}\nInput: {}\n", known->title(), input_text(*known));
    else
        fmt::print("Network: not recognised: {}\n", *difference);
    for (const auto& [key, value] : file.metadata())
        fmt::print("{}: {}\n", tn::detail::excerpt(key), tn::detail::excerpt(value));
    fmt::print("\n");
    for (const tn::TensorView& tensor : file.tensors())
        fmt::print("{:{}}  {:4}  {}\n", tensor.name, width, to_string(tensor.dtype),
                   tn::detail::shape_text(tensor.shape));
}

}  // namespace alexnet
