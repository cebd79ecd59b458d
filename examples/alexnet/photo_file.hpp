// Photos as files hold them.
#pragma once

#include <filesystem>
#include <typenet/data/photo.hpp>

namespace alexnet {

/// Reads a JPEG, a PNG or a binary PPM or PGM of 8 bits, told by its first bytes. Transparency is
/// dropped, grey becomes colour, and the turn that a camera noted is not applied: as Pillow's
/// Image.open(path).convert("RGB"). Throws typenet::Error for any other file, a damaged one, and
/// one of more than 100 million pixels.
typenet::Photo read_photo(const std::filesystem::path& path);

}  // namespace alexnet
