// Writing small images as PNG, not compressed, and bytes as text for addresses in documents.
// Sources: the PNG specification (W3C), RFC 1950 and 1951 (zlib, deflate), RFC 4648 (base64).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "../core/error.hpp"
#include "crc.hpp"

namespace typenet {

/// An image for people: [height][width][3] bytes, red, green, blue.
struct Bitmap {
    int width = 0;
    int height = 0;
    std::vector<std::uint8_t> pixels;
};

namespace detail {

/// As PNG stores numbers: the highest byte first.
inline std::string big_endian(std::uint32_t value) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 255);
    return bytes;
}

inline std::string png_chunk(const std::string& kind, std::string_view data) {
    std::string body = kind;
    body += data;
    return big_endian(static_cast<std::uint32_t>(data.size())) + body +
           big_endian(crc32(std::as_bytes(std::span(body))));
}

inline std::uint32_t adler32(std::string_view bytes) {
    std::uint32_t low = 1, high = 0;
    for (const char c : bytes) {
        low = (low + static_cast<unsigned char>(c)) % 65521;
        high = (high + low) % 65521;
    }
    return high << 16 | low;
}

/// A zlib stream of blocks that are stored as they are.
inline std::string zlib_stored(std::string_view bytes) {
    constexpr std::size_t most = 65535;  // of a block
    std::string stream = "\x78\x01";
    std::string_view rest = bytes;
    do {
        const std::string_view block = rest.substr(0, most);
        rest.remove_prefix(block.size());
        stream += rest.empty() ? '\1' : '\0';
        const std::size_t sizes[] = {block.size(), ~block.size()};
        for (const std::size_t size : sizes) {
            stream += static_cast<char>(size & 255);
            stream += static_cast<char>(size >> 8 & 255);
        }
        stream += block;
    } while (!rest.empty());
    return stream + big_endian(adler32(bytes));
}

inline std::string base64(std::string_view bytes) {
    constexpr std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::size_t count = (std::min)(bytes.size() - i, std::size_t{3});
        std::uint32_t word = 0;
        for (std::size_t k = 0; k < 3; ++k)
            word = word << 8 | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0);
        for (std::size_t k = 0; k < 4; ++k)
            text += k <= count ? digits[word >> (18 - 6 * k) & 63] : '=';
    }
    return text;
}

}  // namespace detail

/// The bytes of a PNG file. Throws ShapeError where the pixels are not as many as the sizes say.
inline std::string encode_png(const Bitmap& image) {
    const auto width = static_cast<std::size_t>(image.width);
    const auto height = static_cast<std::size_t>(image.height);
    if (image.width < 1 || image.height < 1 || image.pixels.size() != 3 * width * height)
        throw ShapeError("an image of " + std::to_string(image.width) + " x " +
                         std::to_string(image.height) + " pixels has " +
                         std::to_string(image.pixels.size()) + " bytes; give three a pixel");
    std::string rows;
    for (std::size_t y = 0; y < height; ++y) {
        rows += '\0';  // no filter
        for (std::size_t k = 0; k < 3 * width; ++k)
            rows += static_cast<char>(image.pixels[y * 3 * width + k]);
    }
    // 8 bits a colour, RGB, and the only ways to compress, filter and interlace.
    const std::string head = detail::big_endian(static_cast<std::uint32_t>(image.width)) +
                             detail::big_endian(static_cast<std::uint32_t>(image.height)) +
                             std::string{8, 2, 0, 0, 0};
    return "\x89PNG\r\n\x1a\n" + detail::png_chunk("IHDR", head) +
           detail::png_chunk("IDAT", detail::zlib_stored(rows)) + detail::png_chunk("IEND", "");
}

}  // namespace typenet
