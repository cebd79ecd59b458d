// Charts and images: places of what is drawn, and that all of it is XML.
#include "typenet/io/charts.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"
#include "support/python.hpp"
#include "support/temporary_folder.hpp"
#include "typenet/io/atomic_file.hpp"

using namespace typenet;
using namespace std::string_view_literals;

namespace {

constexpr double nothing = std::numeric_limits<double>::quiet_NaN();

std::size_t count(const std::string& text, std::string_view part) {
    std::size_t found = 0;
    for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + part.size()))
        ++found;
    return found;
}

std::string chart_of(const std::vector<double>& values) {
    const std::vector<LineChart> charts{{"A & B", "epoch", {{"train", values}}}};
    return draw_line_charts(charts);
}

/// What stands in the elements <text>, each in brackets.
std::string words_of(const std::string& svg) {
    static const std::regex element{"<text[^>]*>([^<]*)</text>"};
    std::string words;
    for (std::sregex_iterator at{svg.begin(), svg.end(), element}, end; at != end; ++at)
        words += "[" + at->str(1) + "]";
    return words;
}

}  // namespace

TEST_CASE("a curve goes through its values, and its axes name them") {
    const std::string svg = chart_of({3, 1, 2});
    // The panel spans x 60 to 780 and y 312 to 52; ticks a quarter apart would be more than eight.
    CHECK_THAT(svg, ContainsText("points=\"60.00,52.00 420.00,312.00 780.00,182.00\""));
    CHECK(words_of(svg) == "[A &amp; B][1.0][1.5][2.0][2.5][3.0][1][2][3][epoch][train]");
    CHECK(count(svg, "<circle") == 3);
    CHECK_THAT(svg, ContainsText("<title>train, epoch 2: 1.0000</title>"));
}

TEST_CASE("gaps, single values, level curves and long ones are drawn as well") {
    const std::string gap = chart_of({1, nothing, 2, 3});
    CHECK(count(gap, "<polyline") == 2);
    CHECK(count(gap, "<circle") == 3);
    CHECK(gap.find("nan") == gap.npos);
    CHECK_THAT(chart_of({5}), ContainsText("cx=\"420.00\""));
    CHECK(words_of(chart_of({7, 7})) == "[A &amp; B][7.0000][7.0001][1][2][epoch][train]");
    CHECK(count(chart_of({nothing}), "<circle") == 0);
    const std::string many = chart_of(std::vector<double>(41, 1.0));
    CHECK(count(many, "<circle") == 0);
    CHECK_THAT(words_of(many), ContainsText("[5][10][15][20][25][30][35][40][epoch]"));
}

TEST_CASE("a confusion matrix shows counts, shares of its rows and names") {
    const std::vector<std::string> names{"cat", "<dog>"};
    const std::vector<std::int64_t> counts{30, 10, 0, 0};
    const std::string svg = draw_confusion("Test", names, counts);
    CHECK(words_of(svg) ==
          "[Test][predicted class][true class][right][cat][cat][30][10][75.0 %]"
          "[&lt;dog&gt;][&lt;dog&gt;][0][0][-][share of the row:]"
          "[0 %][25 %][50 %][75 %][100 %]");
    CHECK_THAT(svg, ContainsText("<title>cat taken for &lt;dog&gt;: 10 of 40</title>"));
    static const std::regex cell{"fill-opacity=\"(0\\.\\d{3})\" stroke"};
    std::string shares;
    for (std::sregex_iterator at{svg.begin(), svg.end(), cell}, end; at != end; ++at)
        shares += at->str(1) + " ";
    CHECK(shares == "0.750 0.250 0.000 0.000 ");
    CHECK_THROWS_AS(draw_confusion("Test", names, std::span{counts}.first(3)), ShapeError);
}

TEST_CASE("base64 pads as RFC 4648 shows") {
    using detail::base64;
    CHECK(base64("") == "");
    CHECK(base64("f") == "Zg==");
    CHECK(base64("fo") == "Zm8=");
    CHECK(base64("foo") == "Zm9v");
    CHECK(base64("foobar") == "Zm9vYmFy");
    CHECK(base64("\xff\xfe\xfb"sv) == "//77");
}

TEST_CASE("a PNG image has its checksums, and of as many bytes as it has pixels") {
    CHECK(detail::adler32("Wikipedia") == 0x11E60398);
    const std::string png = encode_png({1, 1, {1, 2, 3}});
    // The same by Python's modules struct and zlib.
    CHECK(detail::base64(png) ==
          "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAAD0lEQVR4AQEEAPv/AAECAwAOAActojPsAAAA"
          "AElFTkSuQmCC");
    CHECK_THROWS_AS(encode_png({2, 1, {1, 2, 3}}), ShapeError);
    CHECK_THROWS_AS(encode_png({0, 1, {}}), ShapeError);
    // Blocks hold at most 65535 bytes.
    CHECK(detail::zlib_stored(std::string(65535, 'x')).size() == 2 + 5 + 65535 + 4);
    CHECK(detail::zlib_stored(std::string(65536, 'x')).size() == 2 + 10 + 65536 + 4);
}

TEST_CASE("images stand in rows of sixteen") {
    const std::vector<HintedImage> images(17, {{1, 1, {1, 2, 3}}, "filter"});
    const std::string svg = draw_images("Filters", images);
    CHECK(count(svg, "<image x=\"20.00\"") == 2);
    CHECK(count(svg, "href=\"data:image/png;base64,iVBORw0KGgo") == 17);
}

TEST_CASE("drawings are well-formed XML") {
    if (!typenet_test::has_python("xml.dom.minidom")) TYPENET_SKIP("python3 is not installed");
    const typenet_test::TemporaryFolder folder;
    const std::vector<std::string> names{"a<b>&\"c\""};
    write_file(folder / "a.svg", chart_of({3, 1, 2}));
    write_file(folder / "b.svg", draw_confusion("<&>", names, std::vector<std::int64_t>{1}));
    write_file(folder / "c.svg",
               draw_images("<&>", std::vector<HintedImage>{{{1, 1, {1, 2, 3}}, "<&>\"'"}}));
    for (const char* name : {"a.svg", "b.svg", "c.svg"})
        CHECK(std::system(("/usr/bin/python3 -c 'import sys, xml.dom.minidom as x; "
                           "x.parse(sys.argv[1])' " +
                           (folder / name).string())
                              .c_str()) == 0);
}
