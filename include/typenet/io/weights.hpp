// Weights and checkpoints of a model as safetensors files, under PyTorch's key names ("cn1.weight")
// and in its layouts ([out, in, height, width], [out, in], F32).
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "typenet/core/error.hpp"
#include "typenet/io/crc.hpp"
#include "typenet/io/safetensors.hpp"
#include "typenet/io/tensor_formats.hpp"
#include "typenet/training/model.hpp"

namespace typenet {

/// Text that a file holds beside its tensors, by key.
using Metadata = std::map<std::string, std::string>;

/// What files hold the tensors of: a Model, or a CutModel (training/frozen_features.hpp).
template <class T>
concept AnyModel = requires(const T& model, std::string_view name) {
    typename T::network;
    { model.tensors() } -> std::convertible_to<std::span<const ParameterInfo>>;
    { model.get(name) } -> std::same_as<std::vector<float>>;
};

namespace detail {

/// A tensor that a model or a checkpoint consists of, and where its values are.
struct NamedState {
    std::string name;  ///< in the file: "cn1.weight", "optimizer.0.cn1.weight"
    const ParameterInfo* parameter = nullptr;
    int slot = -1;  ///< the optimizer's buffer, or -1: the tensor itself
};

/// The tensors of a model.
template <class Model>
std::vector<NamedState> named_states(const Model& model) {
    std::vector<NamedState> states;
    for (const ParameterInfo& tensor : model.tensors()) states.push_back({tensor.name, &tensor});
    return states;
}
/// The tensors of a model, then each of the optimizer's buffers for the parameters that it changes.
template <class Model, class Trainer>
std::vector<NamedState> named_states(const Model& model, const Trainer& trainer) {
    std::vector<NamedState> states = named_states(model);
    constexpr int slots = std::remove_cvref_t<decltype(trainer.optimizer())>::state_count;
    for (int slot = 0; slot < slots; ++slot)
        for (const ParameterInfo& parameter : model.parameters())
            if (trainer.changes(parameter))
                states.push_back(
                    {"optimizer." + std::to_string(slot) + "." + parameter.name, &parameter, slot});
    return states;
}

/// Writes one tensor after the other; `values_of(state)` gives a canonical copy.
template <class ValuesOf>
void write_states(const std::filesystem::path& path, std::span<const NamedState> states,
                  const Metadata& metadata, const ValuesOf& values_of) {
    std::vector<TensorView> tensors;
    std::map<std::string_view, const NamedState*> by_name;
    for (const NamedState& state : states) {
        tensors.push_back({state.name, Dtype::F32, state.parameter->shape, {}});
        by_name[state.name] = &state;
    }
    std::vector<float> values;
    write_safetensors(path, tensors, metadata, [&](const TensorView& tensor) {
        values = {};  // before the next copy is made
        values = values_of(*by_name.at(tensor.name));
        return std::as_bytes(std::span<const float>(values));
    });
}

/// Throws FileError unless `file` holds exactly these tensors, as finite floats of their shapes,
/// and beside them at most PyTorch's counters of batches. `whole` says what the file should be:
/// "the weights of this network".
inline void require_states(const TensorFile& file, const std::filesystem::path& path,
                           std::span<const NamedState> states, const std::string& whole) {
    const auto fail = [&](const std::string& tensor, const std::string& problem,
                          const std::string& remedy) {
        throw FileError(path.string(), "tensor " + excerpt(tensor) + " " + problem, remedy);
    };
    const std::string other_file = "name a file that holds " + whole;
    for (const NamedState& state : states) {
        const TensorView* tensor = file.find(state.name);
        if (tensor == nullptr) fail(state.name, "is missing", other_file);
        if (tensor->shape != state.parameter->shape)
            fail(state.name,
                 "has the shape " + shape_text(tensor->shape) + " where the network has " +
                     shape_text(state.parameter->shape),
                 other_file);
        if (!FloatValues::can_hold(tensor->dtype))
            fail(state.name,
                 "holds " + std::string(to_string(tensor->dtype)) + " where F32 is wanted",
                 "convert it to F32");
        const FloatValues floats(*tensor);
        const std::span<const float> values = floats.get();
        const auto bad =
            std::ranges::find_if(values, [](float value) { return !std::isfinite(value); });
        if (bad != values.end())
            fail(state.name,
                 "has the value " + std::to_string(*bad) + " at index " +
                     std::to_string(bad - values.begin()),
                 "the training that wrote it diverged: take an earlier file, or train again with "
                 "a lower learning rate");
    }
    const auto is_known = [&](const std::string& name) {
        return std::ranges::find(states, name, &NamedState::name) != states.end();
    };
    // PyTorch counts a batch normalisation's batches, which changes nothing that is computed here.
    constexpr std::string_view counter = ".num_batches_tracked";
    for (const TensorView& tensor : file.tensors()) {
        const bool is_counter =
            tensor.name.ends_with(counter) &&
            is_known(tensor.name.substr(0, tensor.name.size() - counter.size()) + ".running_mean");
        if (!is_known(tensor.name) && !is_counter) fail(tensor.name, "is unexpected", other_file);
    }
}

}  // namespace detail

/// Writes a model's parameters and running statistics, F32 in PyTorch's names and layouts, one
/// tensor at a time. Crash-safe: the old file or the whole new one. Throws FileError.
template <AnyModel Model>
void save(const Model& model, const std::filesystem::path& path, const Metadata& metadata = {}) {
    detail::write_states(
        path, detail::named_states(model), metadata,
        [&](const detail::NamedState& state) { return model.get(state.parameter->name); });
}

/// Replaces a model's parameters and running statistics by those of `file`, read from `path`. F64,
/// F16 and BF16 become floats. All or nothing: throws FileError, with the model as it was, where a
/// tensor is missing, unexpected, of another shape, not of floating-point numbers, or not finite as
/// floats.
template <AnyModel Model>
void load(Model& model, const TensorFile& file, const std::filesystem::path& path) {
    const auto states = detail::named_states(model);
    detail::require_states(file, path, states, "the weights of this network");
    for (const detail::NamedState& state : states)
        model.set(state.name, FloatValues(*file.find(state.name)).get());
}

/// The same of a safetensors or .pth file; returns its metadata. Throws FileError also where the
/// file cannot be read.
template <AnyModel Model>
Metadata load(Model& model, const std::filesystem::path& path) {
    const TensorFile file = open_tensors(path);
    load(model, file, path);
    return file.metadata();
}

/// Replaces a model's tensors but for those of one layer, which stays as it is: how a network that
/// was trained for other classes is taken over. `file`, read from `path`, must hold the tensors of
/// the whole network; of that layer it may have any number of outputs, which is returned. All or
/// nothing, and the same refusals, as `load`.
template <AnyModel Model>
std::int64_t load_except(Model& model, std::string_view layer, const TensorFile& file,
                         const std::filesystem::path& path) {
    const std::string prefix = std::string{layer} + ".";
    const auto is_kept = [&](const std::string& name) { return name.starts_with(prefix); };
    std::vector<ParameterInfo> wanted(model.tensors().begin(), model.tensors().end());
    std::int64_t outputs = -1;
    for (ParameterInfo& tensor : wanted) {
        const TensorView* found = is_kept(tensor.name) ? file.find(tensor.name) : nullptr;
        if (found == nullptr || found->shape.empty()) continue;
        if (outputs < 0) outputs = found->shape[0];
        tensor.shape[0] = outputs;
    }
    std::vector<detail::NamedState> states;
    for (const ParameterInfo& tensor : wanted) states.push_back({tensor.name, &tensor});
    detail::require_states(file, path, states, "the weights of this network");
    if (outputs < 0)
        throw Error("load_except: the network has no layer '" + std::string{layer} + "'");
    for (const ParameterInfo& tensor : wanted)
        if (!is_kept(tensor.name))
            model.set(tensor.name, FloatValues(*file.find(tensor.name)).get());
    return outputs;
}

/// The metadata key under which a checkpoint holds the trainer's steps.
inline constexpr const char* checkpoint_steps_key = "steps";
/// The one of a checksum over all the rest.
inline constexpr const char* checkpoint_checksum_key = "checksum";

namespace detail {

/// A CRC-32 of the CRC-32 of each tensor, `bytes_of(state)`, and of the other metadata.
template <class BytesOf>
std::string checksum(std::span<const NamedState> states, const Metadata& metadata,
                     const BytesOf& bytes_of) {
    std::string text;
    for (const NamedState& state : states)
        text += state.name + ' ' + std::to_string(crc32(bytes_of(state))) + '\n';
    for (const auto& [key, value] : metadata)
        if (key != checkpoint_checksum_key) text += key + ' ' + value + '\n';
    return std::to_string(crc32(std::as_bytes(std::span(text))));
}

}  // namespace detail

/// Writes what a training run needs to go on with the same bits: the parameters, the running
/// statistics, the optimizer's buffers ("optimizer.0.cn1.weight", ...), the number of steps, the
/// caller's metadata (such as the epoch), and a checksum of all of these. Crash-safe: the old file
/// or the whole new one. Throws FileError.
template <AnyModel Model, class Trainer>
void save_checkpoint(const Model& model, const Trainer& trainer, const std::filesystem::path& path,
                     Metadata metadata = {}) {
    metadata[checkpoint_steps_key] = std::to_string(trainer.steps());
    const auto states = detail::named_states(model, trainer);
    const auto values_of = [&](const detail::NamedState& state) {
        const std::string& name = state.parameter->name;
        return state.slot < 0 ? model.get(name) : trainer.get_state(name, state.slot);
    };
    // The checksum stands before what it is of: each tensor is copied twice, rather than all kept.
    std::vector<float> values;
    metadata[checkpoint_checksum_key] =
        detail::checksum(states, metadata, [&](const detail::NamedState& state) {
            values = {};  // before the next copy is made
            values = values_of(state);
            return std::as_bytes(std::span<const float>(values));
        });
    values = {};
    detail::write_states(path, states, metadata, values_of);
}

/// Brings a model and its trainer to where `file`, a checkpoint read from `path`, was written. All
/// or nothing, and the same refusals, as `load`; one whose checksum does not agree is refused too.
template <AnyModel Model, class Trainer>
void load_checkpoint(Model& model, Trainer& trainer, const TensorFile& file,
                     const std::filesystem::path& path) {
    const auto states = detail::named_states(model, trainer);
    detail::require_states(file, path, states, "a checkpoint of this network with this optimizer");
    const auto found = file.metadata().find(checkpoint_steps_key);
    std::int64_t steps = -1;
    if (found != file.metadata().end()) {
        const std::string& text = found->second;
        const auto result = std::from_chars(text.data(), text.data() + text.size(), steps);
        if (result.ec != std::errc{} || result.ptr != text.data() + text.size()) steps = -1;
    }
    if (steps < 0)
        throw FileError(path.string(),
                        "its metadata do not say after how many steps it was written",
                        "name a checkpoint");
    const auto checksum = file.metadata().find(checkpoint_checksum_key);
    if (checksum == file.metadata().end() ||
        checksum->second !=
            detail::checksum(states, file.metadata(), [&](const detail::NamedState& state) {
                return file.find(state.name)->bytes;
            }))
        throw FileError(path.string(), "is damaged: its checksum does not agree with what it holds",
                        "take an earlier checkpoint");
    for (const detail::NamedState& state : states) {
        const FloatValues values(*file.find(state.name));
        if (state.slot < 0)
            model.set(state.parameter->name, values.get());
        else
            trainer.set_state(state.parameter->name, state.slot, values.get());
    }
    trainer.set_steps(steps);
}

/// The same from a path; returns the file's metadata. Throws FileError.
template <AnyModel Model, class Trainer>
Metadata load_checkpoint(Model& model, Trainer& trainer, const std::filesystem::path& path) {
    const SafetensorsFile file = SafetensorsFile::open(path);
    load_checkpoint(model, trainer, file, path);
    return file.metadata();
}

}  // namespace typenet
