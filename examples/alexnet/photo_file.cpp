#include "photo_file.hpp"

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <typenet/core/error.hpp>
#include <typenet/io/tensor_file.hpp>
#include <vector>

#if ALEXNET_HAS_JPEG
    #include <jerror.h>
    #include <jpeglib.h>

    #include <csetjmp>
#endif
#if ALEXNET_HAS_PNG
    #include <png.h>
#endif

namespace alexnet {

namespace tn = typenet;

namespace {

constexpr std::uint64_t most_pixels = 100'000'000;

[[noreturn]] void fail(const std::string& origin, const std::string& problem,
                       const std::string& remedy = "give another image") {
    throw tn::FileError(origin, problem, remedy);
}

/// A photo of that size with pixels to be filled in.
tn::Photo blank(const std::string& origin, std::uint64_t height, std::uint64_t width) {
    if (height == 0 || width == 0 || height > most_pixels / width)
        fail(origin, std::to_string(width) + "x" + std::to_string(height) +
                         " pixels are none, or more than " + std::to_string(most_pixels));
    return {static_cast<int>(height), static_cast<int>(width),
            std::vector<std::uint8_t>(3 * height * width)};
}

#if ALEXNET_HAS_JPEG

/// libjpeg's errors lead back to setjmp, with the message here.
struct JpegErrors : jpeg_error_mgr {
    std::jmp_buf back;
    char message[JMSG_LENGTH_MAX] = "";

    JpegErrors() {
        jpeg_std_error(this);
        error_exit = [](j_common_ptr codec) {
            auto& errors = static_cast<JpegErrors&>(*codec->err);
            errors.format_message(codec, errors.message);
            std::longjmp(errors.back, 1);
        };
        // A warning means that pixels are made up, but for bytes that nobody misses.
        emit_message = [](j_common_ptr codec, int level) {
            if (level < 0 && codec->err->msg_code != JWRN_EXTRANEOUS_DATA)
                codec->err->error_exit(codec);
        };
    }
};

/// Whether it could be decoded. No object here may need a destructor: errors jump over it.
bool decode_jpeg(jpeg_decompress_struct& codec, JpegErrors& errors, std::span<const std::byte> file,
                 const std::string& origin, tn::Photo& photo) {
    if (setjmp(errors.back) != 0) return false;
    jpeg_create_decompress(&codec);
    jpeg_mem_src(&codec, reinterpret_cast<const unsigned char*>(file.data()), file.size());
    jpeg_read_header(&codec, TRUE);
    codec.out_color_space = JCS_RGB;
    jpeg_start_decompress(&codec);
    photo = blank(origin, codec.output_height, codec.output_width);
    const std::size_t row = std::size_t{3} * codec.output_width;
    while (codec.output_scanline < codec.output_height) {
        JSAMPROW place = photo.pixels.data() + row * codec.output_scanline;
        jpeg_read_scanlines(&codec, &place, 1);
    }
    jpeg_finish_decompress(&codec);
    return true;
}

tn::Photo read_jpeg(std::span<const std::byte> file, const std::string& origin) {
    JpegErrors errors;
    jpeg_decompress_struct codec{};
    codec.err = &errors;
    const std::unique_ptr<jpeg_decompress_struct, void (*)(jpeg_decompress_struct*)> cleaning{
        &codec, [](jpeg_decompress_struct* used) { jpeg_destroy_decompress(used); }};
    tn::Photo photo;
    if (!decode_jpeg(codec, errors, file, origin, photo))
        fail(origin, std::string("a JPEG that cannot be read: ") + errors.message);
    return photo;
}

#else

tn::Photo read_jpeg(std::span<const std::byte>, const std::string& origin) {
    fail(origin, "a JPEG, and this program was built without libjpeg",
         "build it where libjpeg is installed (scripts/setup)");
}

#endif
#if ALEXNET_HAS_PNG

tn::Photo read_png(std::span<const std::byte> file, const std::string& origin) {
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    const std::unique_ptr<png_image, void (*)(png_image*)> cleaning{&image, png_image_free};
    const auto require = [&](int success) {
        if (success == 0) fail(origin, std::string("a PNG that cannot be read: ") + image.message);
    };
    require(png_image_begin_read_from_memory(&image, file.data(), file.size()));
    tn::Photo photo = blank(origin, image.height, image.width);
    image.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
    image.format = PNG_FORMAT_RGBA;  // and not RGB, which would lay it over a background
    std::vector<std::uint8_t> pixels(PNG_IMAGE_SIZE(image));
    require(png_image_finish_read(&image, nullptr, pixels.data(), 0, nullptr));
    for (std::size_t i = 0; i < photo.pixels.size(); ++i)
        photo.pixels[i] = pixels[i / 3 * 4 + i % 3];
    return photo;
}

#else

tn::Photo read_png(std::span<const std::byte>, const std::string& origin) {
    fail(origin, "a PNG, and this program was built without libpng",
         "build it where libpng is installed (scripts/setup)");
}

#endif

/// "P6 WIDTH HEIGHT 255", comments from # to the end of a line, one white space, then the bytes;
/// P5 has one a pixel instead of three. Source: netpbm's page on the format.
tn::Photo read_ppm(std::string_view text, const std::string& origin) {
    const std::size_t channels = text[1] == '6' ? 3 : 1;
    text.remove_prefix(2);
    const auto number = [&] {
        constexpr std::string_view space = " \t\r\n";
        std::size_t start = text.find_first_not_of(space);
        while (start != text.npos && text[start] == '#') {
            start = text.find('\n', start);
            start = start == text.npos ? start : text.find_first_not_of(space, start);
        }
        text.remove_prefix(start == text.npos ? text.size() : start);
        std::uint64_t value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error != std::errc{}) fail(origin, "a PPM whose header is damaged");
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        return value;
    };
    const std::uint64_t width = number();
    const std::uint64_t height = number();
    if (number() != 255) fail(origin, "a PPM whose brightest value is not 255");
    tn::Photo photo = blank(origin, height, width);
    text.remove_prefix(text.empty() ? 0 : 1);  // the white space
    const std::size_t bytes = photo.pixels.size() / 3 * channels;
    if (text.size() != bytes)
        fail(origin, "a PPM with " + std::to_string(text.size()) +
                         " bytes of pixels behind its header where " + std::to_string(bytes) +
                         " belong");
    for (std::size_t i = 0; i < photo.pixels.size(); ++i)
        photo.pixels[i] = static_cast<std::uint8_t>(text[channels == 3 ? i : i / 3]);
    return photo;
}

}  // namespace

tn::Photo read_photo(const std::filesystem::path& path) {
    tn::FileReader reader(path, "name an image");
    const std::size_t size = reader.size();
    const std::shared_ptr<const std::byte[]> data = reader.read_rest();
    const std::span<const std::byte> file(data.get(), size);
    const std::string_view text(reinterpret_cast<const char*>(data.get()), size);
    const std::string origin = path.string();
    if (text.starts_with("\xFF\xD8")) return read_jpeg(file, origin);
    if (text.starts_with("\x89PNG")) return read_png(file, origin);
    if (text.starts_with("P6") || text.starts_with("P5")) return read_ppm(text, origin);
    fail(origin, "is no JPEG, PNG or binary PPM", "convert it to one of them");
}

}  // namespace alexnet
