// The model card as text, and the memory plan as a drawing.
#include "typenet/io/model_card.hpp"

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"
#include "support/temporary_folder.hpp"
#include "typenet/core.hpp"
#include "typenet/io/atomic_file.hpp"
#include "typenet/io/plan_drawing.hpp"

using namespace typenet;

namespace {

using Small = Network<Input<2, 6, 6>, Named<"a \"b\" <c|d>", Conv2d<4, Kernel<3>>>, Relu,
                      MaxPool2d<Kernel<2>>, Flatten, Linear<10>>;
constexpr auto card = model_card<Small>(3);

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream{text};
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
}

std::size_t count_of(std::string_view part, std::string_view text) {
    std::size_t count = 0;
    for (auto at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++count;
    return count;
}

}  // namespace

TEST_CASE("A card as a table has a line a layer, in columns") {
    const std::string text = to_text(card, CardFormat::table, "Small");
    const auto lines = lines_of(text);
    REQUIRE(lines.size() == 12);
    CHECK(lines[0] == "Small, input 2x6x6, 2,624 floating-point operations a sample, forward");
    for (std::size_t i = 3; i < 9; ++i) CHECK(lines[i].size() == lines[2].size());
    CHECK_THAT(lines[3], ContainsText("0  Conv2d     a \"b\" <c|d>   4x4x4") &&
                             ContainsText("76  1,152        1,936       3.57"));
    CHECK_THAT(lines[8], ContainsText("total") && ContainsText("246  1,312"));
    CHECK(text.find("least ms") == text.npos);
    // 2 FLOP/s and 1 GB/s: 6912 FLOP of the convolution take 3,456,000 ms.
    CHECK_THAT(to_text(card, CardFormat::table, "Small", Peak{2, 1e9}),
               ContainsText("least ms") && ContainsText("3456000.000"));
}

TEST_CASE("A card as Markdown has as many cells in each row") {
    const auto lines = lines_of(to_text(card, CardFormat::markdown, "Small"));
    REQUIRE(lines.size() == 13);
    CHECK(lines[3] == "|---:|---|---|---:|---:|---:|---:|---:|");
    CHECK_THAT(lines[4], ContainsText("a \"b\" <c\\|d>"));
    for (std::size_t i = 2; i < 10; ++i) {
        INFO(lines[i]);
        CHECK(count_of("|", lines[i]) - count_of("\\|", lines[i]) == 9);
    }
}

TEST_CASE("A card as JSON is read back") {
    const std::string text = to_text(card, CardFormat::json, "Small", Peak{1e9, 2e9});
    JsonReader reader(text);
    std::map<std::string, double> total, first;
    std::vector<std::string> names;
    std::vector<std::int64_t> channels;
    std::vector<double> sources;
    std::int64_t batch = 0;
    const auto ignore_numbers = [&] { reader.array([&] { reader.number(); }); };
    const auto read_layer = [&] {
        std::map<std::string, double> numbers;
        reader.object([&](const std::string& key) {
            if (key == "type")
                reader.string();
            else if (key == "name")
                names.push_back(reader.string());
            else if (key == "output")
                reader.array([&] { channels.push_back(reader.natural()); });
            else if (key == "sources")
                reader.array([&] { sources.push_back(reader.number()); });
            else
                numbers[key] = reader.number();
        });
        if (names.size() == 1) first = numbers;
    };
    reader.object([&](const std::string& key) {
        if (key == "name")
            CHECK(reader.string() == "Small");
        else if (key == "batch")
            batch = reader.natural();
        else if (key == "element_bytes")
            CHECK(reader.natural() == 4);
        else if (key == "input")
            ignore_numbers();
        else if (key == "layers")
            reader.array(read_layer);
        else
            reader.object([&](const std::string& name) {
                const double number = reader.number();
                if (key == "total") total[name] = number;
            });
    });
    reader.finish();
    CHECK(batch == 3);
    CHECK(names == std::vector<std::string>{"a \"b\" <c|d>", "", "", "", ""});
    CHECK(channels == std::vector<std::int64_t>{4, 4, 4, 4, 4, 4, 4, 2, 2, 16, 10});
    CHECK(sources == std::vector<double>{-1, 0, 1, 2, 3});
    CHECK(first["index"] == 0);
    CHECK(first["macs"] == 1152);
    CHECK(first["flops"] == 3 * 2 * 1152);
    CHECK(first["bytes_read"] == 4 * (3 * 72 + 76));
    CHECK(first["bytes_written"] == 4 * 3 * 64);
    CHECK(first["least_seconds"] == 6912e-9);
    CHECK(total["parameters"] == Small::parameter_count);
    CHECK(total["macs"] == Small::macs);
}

TEST_CASE("A card as a graph has a node a layer and an edge an input, and Graphviz takes it") {
    const std::string text = to_text(card, CardFormat::dot, "Sm\"all");
    CHECK(text.starts_with("digraph \"Sm\\\"all\" {\n"));
    CHECK(count_of(" -> ", text) == Small::layer_count + 1);
    CHECK_THAT(text, ContainsText("input -> layer0 [label=\"2x6x6\"];") &&
                         ContainsText("layer0 -> layer1 [label=\"4x4x4\"];") &&
                         ContainsText("layer4 -> output [label=\"10\"];") &&
                         ContainsText("0 Conv2d a \\\"b\\\" <c|d>\\n76 parameters"));
    if (std::system("dot -V >/dev/null 2>&1") != 0) return;  // Graphviz is not on this machine
    const typenet_test::TemporaryFolder folder;
    const std::string file = (folder / "card.dot").string(), svg = (folder / "card.svg").string();
    write_file(file, text);
    CHECK(std::system(("dot -Tsvg -o '" + svg + "' '" + file + "'").c_str()) == 0);
    CHECK(std::filesystem::file_size(svg) > 1000);
}

TEST_CASE("A plan is drawn with a bar a buffer") {
    using Mode = Training<Sgd>;
    const std::string text = draw_plan<Small, Cpu<float>, Mode>("Small & <co>", 1000);
    const auto& plan = buffer_plan<Small, Cpu<float>, Mode>;
    CHECK(text.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""));
    CHECK(text.ends_with("</svg>\n"));
    CHECK(count_of("<text", text) == count_of("</text>", text));
    CHECK(count_of("<title>", text) == plan.count + 3);  // and the legend's
    CHECK(count_of("<rect", text) == plan.count + 3 + 1);
    CHECK_THAT(text, ContainsText("Small &amp; &lt;co&gt;, batch 1000") &&
                         ContainsText("a &quot;b&quot; &lt;c|d&gt;: code of a max pool") &&
                         ContainsText(">Linear 4</text>") && ContainsText(">loss</text>"));
    const std::string inference = draw_plan<Small, Cpu<float>, Predicting>("Small", 1);
    CHECK(inference.find(">loss</text>") == inference.npos);
    CHECK(inference.find(">backward</text>") == inference.npos);
    CHECK(count_of("<title>", inference) == buffer_plan<Small, Cpu<float>, Predicting>.count + 3);
    for (const double range : {0.0007, 0.9, 1.0, 155.1, 40'000.0}) {
        const double tick = detail::tick_distance(range);
        CHECK(range / tick <= 8.001);
        CHECK(range / tick >= 3);
    }
}
