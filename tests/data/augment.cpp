#include "typenet/data/augment.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

#include "support/catch.hpp"

using namespace typenet;

namespace {

constexpr Shape shape{3, 8, 8};

/// An image without equal pixels in a channel.
std::vector<std::uint8_t> image() {
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(shape.size()));
    for (std::size_t i = 0; i < pixels.size(); ++i)
        pixels[i] = static_cast<std::uint8_t>(1 + i % 64 + 60 * (i / 64));
    return pixels;
}

std::vector<std::uint8_t> changed(const Augmentation& how, std::uint32_t index,
                                  std::uint64_t epoch = 0, Seed seed = {}) {
    const std::vector<std::uint8_t> source = image();
    std::vector<std::uint8_t> target(source.size());
    augment(how, seed, epoch, index, source, shape, target);
    return target;
}

std::uint8_t at(const std::vector<std::uint8_t>& pixels, int c, int y, int x) {
    return pixels[static_cast<std::size_t>((c * 8 + y) * 8 + x)];
}

}  // namespace

TEST_CASE("without an option an image stays as it is") {
    for (std::uint32_t index = 0; index < 50; ++index) CHECK(changed({}, index) == image());
    CHECK_FALSE(Augmentation{});
}

TEST_CASE("a crop shifts all channels alike, by each offset about equally often") {
    const Augmentation how{.crop_padding = 2};
    std::vector<int> counts(25);
    for (std::uint32_t index = 0; index < 2500; ++index) {
        const std::vector<std::uint8_t> target = changed(how, index);
        int found = -1;
        for (int down = -2; down <= 2; ++down)
            for (int right = -2; right <= 2; ++right) {
                bool equal = true;
                for (int c = 0; c < 3 && equal; ++c)
                    for (int y = 0; y < 8 && equal; ++y)
                        for (int x = 0; x < 8 && equal; ++x) {
                            const int u = y + down, v = x + right;
                            const bool inside = u >= 0 && u < 8 && v >= 0 && v < 8;
                            equal = at(target, c, y, x) == (inside ? at(image(), c, u, v) : 0);
                        }
                if (equal) found = (down + 2) * 5 + right + 2;
            }
        REQUIRE(found >= 0);
        ++counts[static_cast<std::size_t>(found)];
    }
    CHECK(*std::min_element(counts.begin(), counts.end()) > 60);
    CHECK(*std::max_element(counts.begin(), counts.end()) < 145);
}

TEST_CASE("a flip mirrors about every other image") {
    std::vector<std::uint8_t> mirrored = image();
    for (std::size_t row = 0; row < mirrored.size(); row += 8)
        std::reverse(mirrored.begin() + static_cast<std::ptrdiff_t>(row),
                     mirrored.begin() + static_cast<std::ptrdiff_t>(row + 8));
    int count = 0;
    for (std::uint32_t index = 0; index < 1000; ++index) {
        const std::vector<std::uint8_t> target = changed({.flip = true}, index);
        count += target == mirrored;
        CHECK((target == mirrored || target == image()));
    }
    CHECK(count > 430);
    CHECK(count < 570);
}

TEST_CASE("changes of light keep to their formulas") {
    std::vector<std::uint8_t> pixels{100, 200, 50, 250, 0, 20};  // two pixels: red, green, blue
    detail::change_light(pixels, 1.5f, 1, 1);
    CHECK(pixels == std::vector<std::uint8_t>{150, 255, 75, 255, 0, 30});
    pixels = {100, 200, 50, 250, 0, 20};
    detail::change_light(pixels, 1, 0, 1);  // no contrast: the mean of 59.25 and 208.83
    CHECK(pixels == std::vector<std::uint8_t>(6, 134));
    pixels = {100, 200, 50, 250, 0, 20};
    detail::change_light(pixels, 1, 1, 0);  // no saturation: each pixel's grey
    CHECK(pixels == std::vector<std::uint8_t>{59, 209, 59, 209, 59, 209});
}

TEST_CASE("what is drawn depends on seed, epoch and image, and one option not on another") {
    const Augmentation how{.crop_padding = 3, .flip = true, .jitter = 0.3f};
    CHECK(changed(how, 7, 2, Seed{5}) == changed(how, 7, 2, Seed{5}));
    std::set<std::vector<std::uint8_t>> seen;
    for (std::uint32_t index = 0; index < 20; ++index)
        for (std::uint64_t epoch = 0; epoch < 5; ++epoch) seen.insert(changed(how, index, epoch));
    CHECK(seen.size() == 100);
    CHECK(changed(how, 7, 2, Seed{6}) != changed(how, 7, 2, Seed{5}));
    for (std::uint32_t index = 0; index < 50; ++index) {
        const bool mirrored = changed({.flip = true}, index) != image();
        const bool with_crop = changed({.crop_padding = 2, .flip = true}, index) !=
                               changed({.crop_padding = 2}, index);
        CHECK(mirrored == with_crop);
    }
}

TEST_CASE("options out of range are refused") {
    CHECK_THROWS_AS(Augmentation{.crop_padding = -1}.require_fit(shape), Error);
    CHECK_THROWS_AS(Augmentation{.crop_padding = 8}.require_fit(shape), Error);
    CHECK_NOTHROW(Augmentation{.crop_padding = 7}.require_fit(shape));
    CHECK_THROWS_AS(Augmentation{.jitter = 1.5f}.require_fit(shape), Error);
    CHECK_THROWS_AS(Augmentation{.jitter = 0.5f}.require_fit({1, 8, 8}), Error);
}
