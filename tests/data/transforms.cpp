#include "typenet/data/transforms.hpp"

#include <cstdint>
#include <utility>
#include <vector>

#include "support/catch.hpp"

using namespace typenet;

// Worked out by hand from the formula for 32 -> 227.
static_assert(bilinear_tap(0, 32, 227) == BilinearTap{0, 1, 0});
static_assert(bilinear_tap(3, 32, 227) == BilinearTap{0, 1, 0});
static_assert(bilinear_tap(4, 32, 227).low == 0);
static_assert(bilinear_tap(225, 32, 227).low == 31);
static_assert(bilinear_tap(225, 32, 227).high == 31);
static_assert(bilinear_tap(9, 20, 10) == BilinearTap{18, 19, 0.5f});
static_assert(bilinear_tap(5, 32, 32) == BilinearTap{5, 6, 0});
static_assert(bilinear_taps<32, 227>()[225] == bilinear_tap(225, 32, 227));
static_assert(Normalization::symmetric()(255, 0) == 1 && Normalization::symmetric()(0, 2) == -1);
static_assert(Normalization::unit()(255, 1) == 1 && Normalization::unit()(0, 3) == 0);

TEST_CASE("Taps lie where half-pixel centres put them") {
    CHECK_THAT(bilinear_tap(4, 32, 227).weight, WithinAbs(0.134361, 5e-7));
    CHECK_THAT(bilinear_tap(7, 32, 227).weight, WithinAbs(0.557269, 5e-7));
    CHECK_THAT(bilinear_tap(225, 32, 227).weight, WithinAbs(0.288546, 5e-7));
    for (const auto& [in, out] : {std::pair{32, 227}, {227, 32}, {1, 9}, {9, 1}, {13, 13}}) {
        CAPTURE(in, out);
        for (int i = 0; i < out; ++i) {
            const BilinearTap tap = bilinear_tap(i, in, out);
            const BilinearTap mirrored = bilinear_tap(out - 1 - i, in, out);
            REQUIRE((tap.low >= 0 && tap.low <= tap.high && tap.high < in));
            REQUIRE((tap.weight >= 0 && tap.weight < 1));
            // Resizing a mirrored row mirrors the result: the positions add up to in - 1.
            const auto position = [](const BilinearTap& t) {
                return static_cast<double>(t.low) + double{t.weight} * (t.high - t.low);
            };
            REQUIRE_THAT(position(tap) + position(mirrored), WithinAbs(in - 1, 1e-5));
        }
    }
}

TEST_CASE("Bilinear resize of small images") {
    // Two pixels to four: 0, a quarter, three quarters, 1 of the way.
    const std::vector<float> row{0, 8};
    std::vector<float> wide(4);
    resize_bilinear(row, 1, 1, 2, wide, 1, 4);
    CHECK(wide == std::vector<float>{0, 2, 6, 8});

    const std::vector<float> square{0, 8, 16, 24};
    std::vector<float> large(16);
    resize_bilinear(square, 1, 2, 2, large, 4, 4);
    CHECK(large == std::vector<float>{0, 2, 6, 8, 4, 6, 10, 12, 12, 14, 18, 20, 16, 18, 22, 24});

    // Each channel by itself, and rows and columns by their own ratios.
    const std::vector<float> two_channels{0, 8, 100, 108};
    std::vector<float> two_out(16);
    resize_bilinear(two_channels, 2, 1, 2, two_out, 2, 4);
    CHECK(two_out == std::vector<float>{0, 2, 6, 8, 0, 2, 6, 8,  //
                                        100, 102, 106, 108, 100, 102, 106, 108});

    // Smaller, without antialiasing: the mean of the two middle ones of four.
    const std::vector<float> four{1, 2, 4, 100};
    std::vector<float> one(1);
    resize_bilinear(four, 1, 1, 4, one, 1, 1);
    CHECK(one[0] == 3);
}

TEST_CASE("A flat image stays exactly flat, and an image of the same size stays the same") {
    const std::vector<float> flat(32 * 32, 77.7f);
    std::vector<float> out(227 * 227);
    resize_bilinear(flat, 1, 32, 32, out, 227, 227);
    CHECK((out == std::vector<float>(227 * 227, 77.7f)));

    std::vector<float> ramp(3 * 5 * 7);
    for (std::size_t i = 0; i < ramp.size(); ++i) ramp[i] = static_cast<float>(i * i % 101);
    std::vector<float> same(ramp.size());
    resize_bilinear(ramp, 3, 5, 7, same, 5, 7);
    CHECK(same == ramp);
}

TEST_CASE("An image is resized, then normalised channel by channel") {
    const std::vector<std::uint8_t> pixels{0, 255, 255, 0, 51, 51};
    std::vector<float> out(12);
    resize_and_normalize(pixels, Shape{3, 1, 2}, Normalization::imagenet(), out, 1, 4);
    CHECK_THAT(out[0], WithinRel(-0.485 / 0.229, 1e-6));
    CHECK_THAT(out[1], WithinRel((0.25 - 0.485) / 0.229, 1e-6));
    CHECK_THAT(out[4], WithinRel((1 - 0.456) / 0.224, 1e-6));
    CHECK_THAT(out[10], WithinRel((0.2 - 0.406) / 0.225, 1e-6));
}

TEST_CASE("Sizes that do not fit are refused") {
    const std::vector<float> in(12);
    std::vector<float> out(12);
    CHECK_THROWS_WITH(resize_bilinear(in, 3, 2, 3, out, 2, 2),
                      ContainsText("source holds 12 values") && ContainsText("3x2x3 takes 18"));
    CHECK_THROWS_WITH(resize_bilinear(in, 3, 2, 2, out, 3, 3), ContainsText("destination"));
    CHECK_THROWS_AS(resize_bilinear(in, 3, 2, 2, {}, 0, 2), ShapeError);
    const std::vector<std::uint8_t> pixels(5);
    std::vector<float> five(5);
    CHECK_THROWS_WITH(
        resize_and_normalize(pixels, Shape{5, 1, 1}, Normalization::unit(), five, 1, 1),
        ContainsText("5x1x1"));
}
