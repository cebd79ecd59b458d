// Photos are resized and cut as Pillow and torchvision do it, to the byte.
#include "typenet/data/photo.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"
#include "typenet/io/safetensors.hpp"

namespace {

using namespace typenet;

const SafetensorsFile& goldens() {
    static const SafetensorsFile file = SafetensorsFile::open(
        std::filesystem::path(TYPENET_TESTS_FOLDER) / "data/goldens/photos.safetensors");
    return file;
}

std::vector<std::uint8_t> bytes_of(const TensorView& tensor) {
    std::vector<std::uint8_t> bytes(tensor.bytes.size());
    std::memcpy(bytes.data(), tensor.bytes.data(), bytes.size());
    return bytes;
}

/// The photo that a tensor "wide.16.16" was made of.
Photo photo_of(const std::string& name) {
    const TensorView* tensor = goldens().find(name.substr(0, name.find('.')) + ".photo");
    REQUIRE(tensor);
    return {static_cast<int>(tensor->shape[0]), static_cast<int>(tensor->shape[1]),
            bytes_of(*tensor)};
}

Photo grey(int height, int width) {
    return {height, width,
            std::vector<std::uint8_t>(static_cast<std::size_t>(3 * height * width), 77)};
}

}  // namespace

TEST_CASE("a resized photo has the bytes of Pillow's") {
    int resized = 0;
    for (const TensorView& tensor : goldens().tensors()) {
        if (tensor.dtype != Dtype::U8 || tensor.name.ends_with(".photo")) continue;
        INFO(tensor.name);
        const int height = static_cast<int>(tensor.shape[0]);
        const int width = static_cast<int>(tensor.shape[1]);
        const Photo result = resize_photo(photo_of(tensor.name), height, width);
        CHECK(result.height == height);
        CHECK(result.width == width);
        CHECK(result.pixels == bytes_of(tensor));
        ++resized;
    }
    CHECK(resized == 30);
}

TEST_CASE("a prepared photo is torchvision's") {
    int prepared = 0;
    for (const TensorView& tensor : goldens().tensors()) {
        if (tensor.dtype != Dtype::F32) continue;
        INFO(tensor.name);
        const std::string_view name = tensor.name;
        const std::string_view sizes = name.substr(name.find(".prepared.") + 10);
        Preprocessing how{0, Normalization::imagenet()};
        std::from_chars(sizes.data(), sizes.data() + sizes.size(), how.shorter_side);
        const int crop = static_cast<int>(tensor.shape[1]);
        std::vector<float> result(static_cast<std::size_t>(3 * crop * crop));
        preprocess(photo_of(tensor.name), how, {3, crop, crop}, result);
        const std::span<const float> wanted = tensor.floats();
        float difference = 0;
        for (std::size_t i = 0; i < result.size(); ++i)
            difference = std::max(difference, std::abs(result[i] - wanted[i]));
        CHECK(difference < 1e-6f);  // a step of a byte is 1.7e-2
        ++prepared;
    }
    CHECK(prepared == 20);
}

TEST_CASE("without a shorter side the whole photo is stretched") {
    const Photo photo = photo_of("wide.photo");
    std::vector<float> result(3 * 5 * 7);
    preprocess(photo, {0, Normalization::unit()}, {3, 5, 7}, result);
    const Photo resized = resize_photo(photo, 5, 7);
    for (std::size_t c = 0; c < 3; ++c)
        for (std::size_t i = 0; i < 35; ++i)
            CHECK(result[c * 35 + i] == static_cast<float>(resized.pixels[3 * i + c]) / 255);
}

TEST_CASE("of a photo as thin as a line what the network sees is computed, and no more") {
    const Preprocessing how{256, Normalization::unit()};
    std::vector<float> result(3 * 224 * 224);
    Photo tall = grey(16'800'000, 1);  // resized as a whole: 4,300,800,000 rows of 256
    for (std::size_t i = 0; i < tall.pixels.size(); i += 3)
        tall.pixels[i] = i < 25'200'000 ? 0 : 255;
    preprocess(tall, how, {3, 224, 224}, result);
    // The middle lies between the last black pixel and the first red one.
    CHECK(result[0] == 16.f / 255);
    CHECK(result[std::size_t{223} * 224] == 239.f / 255);
    CHECK(result[std::size_t{224} * 224] == 77.f / 255);
    preprocess({1, 16'800'000, tall.pixels}, how, {3, 224, 224}, result);
    CHECK(result[0] == 16.f / 255);
    CHECK(result[223] == 239.f / 255);
}

TEST_CASE("photos and inputs that do not fit are refused") {
    std::vector<float> out(3 * 4 * 4);
    const Preprocessing how{8, Normalization::imagenet()};
    CHECK_THROWS_AS(resize_photo({2, 2, std::vector<std::uint8_t>(11)}, 4, 4), ShapeError);
    CHECK_THROWS_AS(resize_photo({0, 2, {}}, 4, 4), ShapeError);
    CHECK_THROWS_AS(resize_photo(grey(2, 2), 0, 4), ShapeError);
    CHECK_THROWS_AS(preprocess(grey(2, 2), how, {3, 4, 5}, out), ShapeError);
    CHECK_THROWS_AS(preprocess(grey(2, 2), how, {48}, out), ShapeError);
    CHECK_THROWS_AS(preprocess(grey(2, 2), {3, Normalization::unit()}, {3, 4, 4}, out), ShapeError);
    preprocess(grey(2, 2), how, {3, 4, 4}, out);
    CHECK(out[47] == how.normalization(77, 2));
}
