// Images are read as Pillow reads them; damaged ones are refused.
#include "photo_file.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "cli/program.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"
#include "typenet/io/atomic_file.hpp"
#include "typenet/io/safetensors.hpp"

namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;
using alexnet::read_photo;
using typenet_test::contents;
using typenet_test::TemporaryFolder;

const fs::path photos = fs::path(TYPENET_TESTS_FOLDER) / "cli/photos";

bool can_read(const fs::path& photo) {
    if (photo.extension() == ".jpg") return ALEXNET_HAS_JPEG;
    if (photo.extension() == ".png") return ALEXNET_HAS_PNG;
    return true;
}

std::string refusal(const fs::path& path) {
    try {
        read_photo(path);
    } catch (const typenet::FileError& error) {
        return error.what();
    }
    return "no error";
}

}  // namespace

TEST_CASE("JPEG, PNG and PPM of every kind have Pillow's pixels") {
    const auto golden = typenet::SafetensorsFile::open(photos / "photos.safetensors");
    CHECK(golden.tensors().size() == 11);
    for (const typenet::TensorView& wanted : golden.tensors()) {
        if (!can_read(wanted.name)) continue;
        INFO(wanted.name);
        const typenet::Photo photo = read_photo(photos / wanted.name);
        CHECK(photo.height == wanted.shape[0]);
        CHECK(photo.width == wanted.shape[1]);
        REQUIRE(photo.pixels.size() == wanted.bytes.size());
        CHECK(std::memcmp(photo.pixels.data(), wanted.bytes.data(), photo.pixels.size()) == 0);
    }
}

TEST_CASE("images that are cut, of another kind or too large are refused") {
    const TemporaryFolder folder;
    const auto refused = [&](const std::string& bytes) {
        typenet::write_file(folder / "image", bytes);
        const std::string error = refusal(folder / "image");
        CHECK_THAT(error, ContainsText((folder / "image").string() + ": "));
        return error;
    };
    for (const char* name : {"rgb.png", "colour.jpg", "rgb.ppm"}) {
        if (!can_read(name)) continue;
        const std::string whole = contents(photos / name);
        for (std::size_t size = 0; size + 20 < whole.size(); size += 7) {
            INFO(name << " cut at " << size);
            CHECK(refused(whole.substr(0, size)) != "no error");
        }
    }
    CHECK_THAT(refused("GIF89a"), ContainsText("is no JPEG, PNG or binary PPM; convert it"));
    CHECK_THAT(refused(""), ContainsText("is no JPEG, PNG or binary PPM"));
    CHECK_THAT(refused("P6 100000 100000 255\n"), ContainsText("more than 100000000"));
    CHECK_THAT(refused("P6 18446744073709551615 2 255\n"), ContainsText("more than 100000000"));
    CHECK_THAT(refused("P6 0 2 255\n"), ContainsText("0x2 pixels are none"));
    CHECK_THAT(refused("P6 1 1 65535\n"), ContainsText("brightest value is not 255"));
    CHECK_THAT(refused("P6 1 -1 255\n"), ContainsText("header is damaged"));
    CHECK_THAT(refused("P6 # no end"), ContainsText("header is damaged"));
    CHECK_THAT(refused("P6 1 1 255\nab"),
               ContainsText("2 bytes of pixels behind its header where 3 belong"));
    CHECK_THAT(refused("P6 1 1 255\nabcd"), ContainsText("4 bytes of pixels behind its header"));
    CHECK_THAT(refusal(photos), ContainsText("is a folder"));
    CHECK_THAT(refusal(folder / "none"), ContainsText("cannot be opened"));
    if (ALEXNET_HAS_JPEG)
        CHECK_THAT(refusal(photos / "cmyk.jpg"), ContainsText("a JPEG that cannot be read"));
}

TEST_CASE("the header of a PPM may have comments") {
    const TemporaryFolder folder;
    typenet::write_file(folder / "a", "P6\n# made by hand\n# twice\n2 1\n255\nabcdef");
    const typenet::Photo photo = read_photo(folder / "a");
    CHECK(photo.width == 2);
    CHECK(photo.pixels == std::vector<std::uint8_t>{'a', 'b', 'c', 'd', 'e', 'f'});
    typenet::write_file(folder / "a", "P5 2 1 255\n\x00\xFF"s);
    CHECK(read_photo(folder / "a").pixels == std::vector<std::uint8_t>{0, 0, 0, 255, 255, 255});
}
