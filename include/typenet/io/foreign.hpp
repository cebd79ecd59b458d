// Files of weights in formats that are not read here: told by their first bytes, and refused with
// the way out.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "../core/error.hpp"

namespace typenet::detail {

/// How many bytes of a file's start tell its format.
inline constexpr std::size_t telling_bytes = 512;

inline constexpr const char* save_again =
    "load it in PyTorch and save it again: torch.save(torch.load(path), other)";
inline constexpr const char* convert_keras = "scripts/convert-keras makes a safetensors file of it";
inline constexpr const char* save_safetensors =
    "write its tensors as safetensors with the program that it belongs to";

struct ForeignFormat {
    std::size_t place;  ///< of the mark in the file
    std::string_view mark;
    std::string_view name;
    std::string_view remedy;
};

// A stream of PyTorch is a pickle too: the more telling marks come first.
inline constexpr std::array foreign_formats{
    ForeignFormat{0,
                  {"\x80\2\x8A\nl\xFC\x9C\x46\xF9 j\xA8P\x19.", 15},
                  "a stream of PyTorch before 1.6",
                  save_again},
    ForeignFormat{257, "ustar", "a tar of PyTorch before 0.1.10", save_again},
    ForeignFormat{0, {"\x89HDF\r\n\x1A\n", 8}, "HDF5, as Keras writes it", convert_keras},
    ForeignFormat{0, "\x93NUMPY", "an array of numpy", save_safetensors},
    ForeignFormat{0, "GGUF", "GGUF", save_safetensors},
    ForeignFormat{4, "TFL3", "TensorFlow Lite", save_safetensors},
    ForeignFormat{0, "\x80", "a bare pickle", save_again},
};

/// ONNX has no mark: field 1 (the version, small), then the name of the writer, its length first.
inline bool looks_like_onnx(std::string_view start) {
    return start.size() > 4 && start[0] == '\x08' && start[1] > 0 && start[1] < 32 &&
           start[2] == '\x12' && start[3] > 0 &&
           std::ranges::all_of(start.substr(4, static_cast<std::size_t>(start[3])),
                               [](char c) { return c >= ' ' && c <= '~'; });
}

/// Throws FileError where a file that starts like this is of a known format that is not read.
/// `start` holds telling_bytes of them, or the whole file.
inline void refuse_foreign(std::span<const std::byte> start, std::string_view origin) {
    const std::string_view text(reinterpret_cast<const char*>(start.data()),
                                (std::min)(start.size(), telling_bytes));
    const auto refuse = [&](std::string_view name, std::string_view remedy) {
        throw FileError(std::string(origin), "is " + std::string(name) + ", which is not read here",
                        std::string(remedy));
    };
    // A safetensors file may begin with any number: its header's length, below 2^32 here.
    if (text.size() > 8 && text[8] == '{' && text.substr(4, 4) == std::string_view("\0\0\0\0", 4))
        return;
    for (const ForeignFormat& format : foreign_formats)
        if (text.size() > format.place && text.substr(format.place).starts_with(format.mark))
            refuse(format.name, format.remedy);
    if (looks_like_onnx(text)) refuse("ONNX", save_safetensors);
}

}  // namespace typenet::detail
