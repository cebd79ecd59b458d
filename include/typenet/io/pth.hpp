// PyTorch's .pth files: the zip files that torch.save writes since version 1.6, read as data,
// without Python. Source: torch/serialization.py and torch/_utils.py of PyTorch 1.13.1.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../core/error.hpp"
#include "foreign.hpp"
#include "json.hpp"
#include "pickle.hpp"
#include "tensor_file.hpp"
#include "zip.hpp"

namespace typenet {

/// The tensors of a state dict: torch.save(model.state_dict(), path). Of a checkpoint, a dictionary
/// of several things, the one state dict is taken. Contiguous tensors are views of the file's
/// bytes; others are copied once into C order. There is no metadata.
class PthFile : public TensorFile {
public:
    /// Reads the whole file, which may change or vanish afterwards. Throws FileError where it is
    /// not what it should be: cut, changed since it was written, another kind of file, with Python
    /// objects other than dictionaries of dense tensors, or with tensors that reach beyond their
    /// storage.
    static PthFile open(const std::filesystem::path& path) {
        FileReader file(path, "name a .pth file");
        const std::shared_ptr<const std::byte[]> data = file.read_rest();
        return PthFile(data, {data.get(), static_cast<std::size_t>(file.size())}, path.string());
    }

    /// The same of bytes in memory; `origin` names them in errors.
    static PthFile parse(std::vector<std::byte> bytes, const std::string& origin) {
        const auto file = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
        return PthFile(file, *file, origin);
    }

private:
    using Kind = detail::PickleKind;
    using Contents = std::map<std::string, std::span<const std::byte>, std::less<>>;

    struct StorageType {
        std::string_view name;
        Dtype dtype;
    };
    static constexpr std::array storage_types{
        StorageType{"Float", Dtype::F32},        StorageType{"Double", Dtype::F64},
        StorageType{"Half", Dtype::F16},         StorageType{"BFloat16", Dtype::BF16},
        StorageType{"Long", Dtype::I64},         StorageType{"Int", Dtype::I32},
        StorageType{"Short", Dtype::I16},        StorageType{"Char", Dtype::I8},
        StorageType{"Byte", Dtype::U8},          StorageType{"Bool", Dtype::BOOL},
        StorageType{"ComplexFloat", Dtype::C64},
    };

    PthFile(std::shared_ptr<const void> owner, std::span<const std::byte> file,
            const std::string& origin)
        : TensorFile("PyTorch .pth", std::move(owner)),
          origin_(origin),
          most_copied_(static_cast<std::int64_t>(file.size())) {
        detail::refuse_foreign(file, origin);
        if (file.size() < 4 || std::memcmp(file.data(), "PK\3\4", 4) != 0)
            throw FileError(origin, "not a file of torch.save, or a damaged one",
                            "get or write the file anew");
        const detail::ZipFile zip(file, origin);
        root_ = root_of(zip);
        contents_ = zip.contents();
        const auto order = contents_.find(root_ + "/byteorder");
        if (order != contents_.end() && text_of(order->second) != "little")
            throw FileError(origin, "was written by a machine of another byte order",
                            "save it on a little-endian one");
        pickle_ = detail::PickleReader::read(contents_.at(root_ + "/data.pkl"), origin);
        const std::vector<std::uint32_t>& items = state_dict().items;
        for (std::size_t i = 0; i < items.size(); i += 2) {
            const detail::PickleValue& name = pickle_[items[i]];
            if (name.kind != Kind::text)
                throw FileError(origin, "a tensor has no text as its name", save_state);
            add_tensor(std::string(name.text), pickle_[items[i + 1]]);
        }
        // Only what views and their owner need stays.
        contents_ = {};
        pickle_ = {};
    }

    static constexpr const char* save_state =
        "in PyTorch, save the weights alone: torch.save(model.state_dict(), path)";

    static std::string_view text_of(std::span<const std::byte> bytes) {
        return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    }

    /// The folder in the zip file that holds everything. Throws FileError for other kinds of zips.
    std::string root_of(const detail::ZipFile& zip) const {
        constexpr std::string_view pickle_name = "/data.pkl";
        std::vector<std::string> roots;
        bool is_script = false, is_keras = false, is_numpy = false;
        for (const detail::ZipFile::Entry& entry : zip.entries()) {
            const std::string_view name = entry.name;
            if (name.ends_with(pickle_name))
                roots.emplace_back(name.substr(0, name.size() - pickle_name.size()));
            is_script |= name.ends_with("/constants.pkl");
            is_keras |= name == "model.weights.h5" || name == "model.weights.npz";
            is_numpy |= name.ends_with(".npy");
        }
        const auto refuse = [&](const char* what, const char* remedy) {
            throw FileError(origin_, std::string("is ") + what + ", which is not read here",
                            remedy);
        };
        if (is_script)
            refuse("a TorchScript archive",
                   "in PyTorch: torch.save(torch.jit.load(path).state_dict(), other)");
        if (is_keras) refuse("a Keras model", detail::convert_keras);
        if (roots.size() == 1) return roots[0];
        if (is_numpy) refuse("an archive of numpy", detail::save_safetensors);
        refuse("a zip file, but none of torch.save", "name a .pth file");
        return {};
    }

    bool holds_only_tensors(const detail::PickleValue& value) const {
        if (value.kind != Kind::dictionary || value.items.empty()) return false;
        for (std::size_t i = 1; i < value.items.size(); i += 2)
            if (pickle_[value.items[i]].kind != Kind::tensor) return false;
        return true;
    }

    /// The root itself, or the only state dict within it.
    const detail::PickleValue& state_dict() const {
        const detail::PickleValue& root = pickle_[pickle_.root];
        if (root.kind != Kind::dictionary)
            throw FileError(origin_,
                            "holds " + std::string(to_string(root.kind)) +
                                " where a dictionary of tensors is wanted",
                            save_state);
        if (holds_only_tensors(root)) return root;
        const detail::PickleValue* found = nullptr;
        for (std::size_t i = 0; i < root.items.size(); i += 2) {
            const detail::PickleValue& value = pickle_[root.items[i + 1]];
            if (value.kind == Kind::tensor)
                throw FileError(origin_, "mixes tensors with other things in its dictionary",
                                save_state);
            if (!holds_only_tensors(value)) continue;
            if (found != nullptr)
                throw FileError(origin_, "holds several dictionaries of tensors",
                                "in PyTorch, save the one that is meant");
            found = &value;
        }
        if (found == nullptr)
            throw FileError(origin_, "holds no dictionary of tensors", save_state);
        return *found;
    }

    [[noreturn]] void fail(const std::string& name, const std::string& problem,
                           const std::string& remedy = "get or write the file anew") const {
        throw FileError(origin_, "tensor " + detail::excerpt(name) + ": " + problem, remedy);
    }

    /// The items of a value of that kind, of which there are `least` or more.
    const std::vector<std::uint32_t>& items(const std::string& name, std::uint32_t index, Kind kind,
                                            std::size_t least = 0) const {
        const detail::PickleValue& value = pickle_[index];
        if (value.kind != kind || value.items.size() < least)
            fail(name, "its description is not as PyTorch writes it");
        return value.items;
    }

    std::int64_t natural(const std::string& name, std::uint32_t index) const {
        const detail::PickleValue& value = pickle_[index];
        if (value.kind != Kind::integer || value.number < 0)
            fail(name, "its description has something else than a whole number from 0 on");
        return value.number;
    }

    std::vector<std::int64_t> naturals(const std::string& name, std::uint32_t index) const {
        std::vector<std::int64_t> numbers;
        for (const std::uint32_t item : items(name, index, Kind::tuple))
            numbers.push_back(natural(name, item));
        return numbers;
    }

    struct Storage {
        Dtype dtype;
        std::span<const std::byte> bytes;
        std::int64_t count;  ///< of elements
    };

    /// ("storage", type, key, device, count): the bytes are the entry data/key.
    Storage storage_of(const std::string& name, std::uint32_t index) const {
        const std::uint32_t described = items(name, index, Kind::storage, 1)[0];
        const std::vector<std::uint32_t>& fields = items(name, described, Kind::tuple, 5);
        const detail::PickleValue& type = pickle_[fields[1]];
        const detail::PickleValue& key = pickle_[fields[2]];
        if (pickle_[fields[0]].text != "storage" || type.kind != Kind::global ||
            key.kind != Kind::text)
            fail(name, "its storage is not described as PyTorch does it");
        std::string_view type_name = type.text;
        if (!type_name.starts_with(detail::storage_module) ||
            !type_name.ends_with(detail::storage_suffix))
            fail(name, "its storage is not of a type of PyTorch");
        type_name.remove_prefix(detail::storage_module.size());
        type_name.remove_suffix(detail::storage_suffix.size());
        const auto known = std::ranges::find(storage_types, type_name, &StorageType::name);
        if (known == storage_types.end())
            fail(name, "elements of the type " + detail::excerpt(type_name) + " are not read",
                 "convert it to float32 in PyTorch");
        const auto found = contents_.find(root_ + "/data/" + std::string(key.text));
        if (found == contents_.end())
            fail(name, "its storage " + detail::excerpt(key.text) + " is missing");
        const std::int64_t count = natural(name, fields[4]);
        const std::optional<std::int64_t> bytes =
            detail::checked_product(count, bits_of(known->dtype) / 8);
        if (!bytes || !std::cmp_equal(*bytes, found->second.size()))
            fail(name, "its storage has " + std::to_string(found->second.size()) + " bytes where " +
                           std::to_string(count) + " elements of " +
                           std::string(to_string(known->dtype)) + " are said to be");
        return {known->dtype, found->second, count};
    }

    /// The arguments of _rebuild_tensor_v2: storage, offset, sizes, strides, whether a gradient is
    /// wanted, hooks, and since PyTorch 1.13 flags that change what the bytes mean.
    void add_tensor(const std::string& name, const detail::PickleValue& tensor) {
        const std::vector<std::uint32_t>& fields = items(name, tensor.items[0], Kind::tuple, 6);
        const Storage storage = storage_of(name, fields[0]);
        const std::int64_t offset = natural(name, fields[1]);
        std::vector<std::int64_t> shape = naturals(name, fields[2]);
        const std::vector<std::int64_t> strides = naturals(name, fields[3]);
        if (fields.size() > 6 && pickle_[fields[6]].kind != Kind::none &&
            !items(name, fields[6], Kind::dictionary).empty())
            fail(name, "is marked as conjugate or negative", "resolve that in PyTorch");
        if (shape.size() != strides.size())
            fail(name, "has " + std::to_string(shape.size()) + " sizes, but " +
                           std::to_string(strides.size()) + " strides");
        const std::optional<std::int64_t> count = detail::element_count(shape);
        if (!count)
            fail(name, "the shape " + detail::shape_text(shape) + " has no size in 63 bits");

        const std::int64_t width = bits_of(storage.dtype) / 8;
        const auto part = [&](std::int64_t first, std::int64_t length) {
            return storage.bytes.subspan(static_cast<std::size_t>(first * width),
                                         static_cast<std::size_t>(length * width));
        };
        TensorView view{name, storage.dtype, std::move(shape), {}};
        if (*count > 0) {
            require_inside(view, offset, strides, storage.count);
            if (is_contiguous(view.shape, strides)) {
                view.bytes = part(offset, *count);
                if (!is_aligned(view.bytes, view.dtype)) reserve_copy(view);
            } else {
                if (*count > storage.count)
                    fail(name,
                         "its elements overlap: " + std::to_string(*count) + " of them in " +
                             std::to_string(storage.count) + " places",
                         "save a .contiguous() copy of it");
                view.bytes = part(offset, storage.count - offset);
                view.bytes = in_order(view, strides);
            }
        }
        if (!add(std::move(view))) fail(name, "it comes twice");
    }

    void require_inside(const TensorView& view, std::int64_t offset,
                        std::span<const std::int64_t> strides, std::int64_t count) const {
        const auto beyond = [&] {
            fail(view.name, detail::shape_text(view.shape) + " in strides of " +
                                detail::shape_text(strides) + " from " + std::to_string(offset) +
                                " on reaches beyond the " + std::to_string(count) +
                                " elements of its storage");
        };
        if (offset >= count) beyond();
        std::int64_t room = count - 1 - offset;
        for (std::size_t i = 0; i < strides.size(); ++i) {
            const std::optional<std::int64_t> reach =
                detail::checked_product(view.shape[i] - 1, strides[i]);
            if (!reach || *reach > room) beyond();
            room -= *reach;
        }
    }

    static bool is_contiguous(std::span<const std::int64_t> shape,
                              std::span<const std::int64_t> strides) {
        std::int64_t wanted = 1;
        for (std::size_t i = shape.size(); i-- > 0; wanted *= shape[i])
            if (shape[i] != 1 && strides[i] != wanted) return false;
        return true;
    }

    /// Many tensors of few bytes must not fill the memory.
    void reserve_copy(const TensorView& view) {
        const std::int64_t bytes = view.size() * (bits_of(view.dtype) / 8);
        if (bytes > most_copied_)
            fail(view.name, "tensors that are not contiguous take more memory than the file itself",
                 "save .contiguous() copies of them");
        most_copied_ -= bytes;
    }

    /// A copy of the elements in C order; `view.bytes` begins with the first one.
    std::span<const std::byte> in_order(const TensorView& view,
                                        std::span<const std::int64_t> strides) {
        reserve_copy(view);
        const auto width = static_cast<std::size_t>(bits_of(view.dtype) / 8);
        const std::span<std::byte> copy = own(static_cast<std::size_t>(view.size()) * width);
        std::vector<std::int64_t> index(view.shape.size());
        std::int64_t place = 0;
        for (std::size_t done = 0; done < copy.size(); done += width) {
            std::memcpy(copy.data() + done,
                        view.bytes.data() + static_cast<std::size_t>(place) * width, width);
            for (std::size_t i = index.size(); i-- > 0;) {
                place += strides[i];
                if (++index[i] < view.shape[i]) break;
                place -= strides[i] * view.shape[i];
                index[i] = 0;
            }
        }
        return copy;
    }

    std::string origin_;
    std::int64_t most_copied_;  // bytes that copies may still take
    std::string root_;
    Contents contents_;
    detail::Pickle pickle_;
};

}  // namespace typenet
