// Any file of named tensors that is read here, be it safetensors or PyTorch's.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

#include "foreign.hpp"
#include "pth.hpp"
#include "safetensors.hpp"
#include "tensor_file.hpp"

namespace typenet {

/// Reads a safetensors or a .pth file, told by its first bytes and not by its name. Throws
/// FileError; where it is of another known format, with the way out.
inline TensorFile open_tensors(const std::filesystem::path& path) {
    FileReader file(path, "name a safetensors or .pth file");
    std::array<std::byte, detail::telling_bytes> bytes{};
    const std::span start(bytes.data(), (std::min<std::size_t>)(bytes.size(), file.size()));
    file.read(start);
    detail::refuse_foreign(start, path.string());
    const std::string_view text(reinterpret_cast<const char*>(start.data()), start.size());
    if (text.starts_with("PK\3\4")) return PthFile::open(path);
    return SafetensorsFile::open(path);
}

}  // namespace typenet
