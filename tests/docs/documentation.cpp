// What README.md and docs/ show and link to is there.
#include <algorithm>
#include <cctype>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"

namespace {

using Lines = std::vector<std::string>;

const std::filesystem::path tests = TYPENET_TESTS_FOLDER;
const std::filesystem::path project = tests.parent_path();

Lines split(std::istream& text) {
    Lines lines;
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    return lines;
}

Lines read(const std::filesystem::path& file) {
    std::ifstream stream{file};
    INFO(file);
    REQUIRE(stream);
    return split(stream);
}

std::vector<std::filesystem::path> files_in(const std::filesystem::path& folder,
                                            std::string_view extension) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator{folder})
        if (entry.path().extension() == extension) files.push_back(entry.path());
    return files;
}

std::vector<std::filesystem::path> documents() {
    std::vector<std::filesystem::path> files = files_in(project / "docs", ".md");
    files.push_back(project / "README.md");
    return files;
}

/// The blocks of a document that are fenced with three backticks and `language`.
std::vector<Lines> blocks(const Lines& document, std::string_view language) {
    std::vector<Lines> found;
    bool inside = false;
    bool wanted = false;
    for (const std::string& line : document) {
        if (line.starts_with("```")) {
            inside = !inside;
            wanted = inside && line.substr(3) == language;
            if (wanted) found.emplace_back();
        } else if (wanted) {
            found.back().push_back(line);
        }
    }
    return found;
}

/// Without the indentation that all lines share.
Lines dedented(Lines lines) {
    std::size_t shared = std::string::npos;
    for (const std::string& line : lines)
        if (!line.empty()) shared = std::min(shared, line.find_first_not_of(' '));
    if (shared == std::string::npos) return lines;
    for (std::string& line : lines)
        if (!line.empty()) line.erase(0, shared);
    return lines;
}

/// Whether the lines of `quotation` stand one after the other in `source`, perhaps further right.
bool quotes(const Lines& source, const Lines& quotation) {
    if (quotation.empty()) return false;
    const auto count = static_cast<std::ptrdiff_t>(quotation.size());
    const Lines wanted = dedented(quotation);
    for (auto first = source.begin(); source.end() - first >= count; ++first)
        if (dedented(Lines(first, first + count)) == wanted) return true;
    return false;
}

bool stands_in_one_of(const std::vector<std::filesystem::path>& files, const Lines& quotation) {
    return std::any_of(files.begin(), files.end(),
                       [&](const auto& file) { return quotes(read(file), quotation); });
}

std::string joined(const Lines& lines) {
    std::string text;
    for (const std::string& line : lines) text += line + '\n';
    return text;
}

void require_quotations(std::string_view language,
                        const std::vector<std::filesystem::path>& sources) {
    std::size_t count = 0;
    for (const auto& document : documents())
        for (const Lines& block : blocks(read(document), language)) {
            INFO(document << " shows, but no file that is built has:\n" << joined(block));
            CHECK(stands_in_one_of(sources, block));
            ++count;
        }
    CHECK(count > 0);
}

/// The anchor that a heading gets: lower case, blanks as hyphens, punctuation left out.
std::string anchor_of(std::string_view heading) {
    std::string anchor;
    for (const char letter : heading.substr(heading.find_first_not_of("# "))) {
        const auto code = static_cast<unsigned char>(letter);
        if (letter == ' ' || letter == '-')
            anchor += '-';
        else if (std::isalnum(code) != 0 || letter == '_')
            anchor += static_cast<char>(std::tolower(code));
    }
    return anchor;
}

bool has_anchor(const std::filesystem::path& document, const std::string& anchor) {
    const Lines lines = read(document);
    return std::any_of(lines.begin(), lines.end(), [&](const std::string& line) {
        return line.starts_with("#") && anchor_of(line) == anchor;
    });
}

/// Names of the types that say why a layer refuses its input.
std::set<std::string> reasons_in_header() {
    std::set<std::string> names;
    const std::regex declaration{"struct (\\w+);"};
    std::string before;
    for (const std::string& line : read(project / "include/typenet/core/shape_error.hpp")) {
        std::smatch match;
        if (std::regex_match(line, match, declaration) && !before.starts_with("template"))
            names.insert(match[1]);
        before = line;
    }
    return names;
}

/// The sections of docs/shape-errors.md whose heading is a reason, each with its lines.
std::map<std::string, Lines> explanations() {
    std::map<std::string, Lines> sections;
    const std::regex heading{"## `(\\w+)`"};
    std::string reason;
    for (const std::string& line : read(project / "docs/shape-errors.md")) {
        std::smatch match;
        if (std::regex_match(line, match, heading)) {
            reason = match[1];
            sections[reason];
        } else if (!reason.empty()) {
            sections[reason].push_back(line);
        }
    }
    return sections;
}

/// Whether a test shows that `network` is refused for `reason`: the lines after #else in a case.
bool is_refused_for(const std::string& reason, const Lines& network) {
    const auto cases = files_in(tests / "compile_fail/cases", ".cpp");
    return std::any_of(cases.begin(), cases.end(), [&](const auto& file) {
        const Lines lines = read(file);
        const bool expects = std::any_of(lines.begin(), lines.end(), [&](const std::string& line) {
            return line.starts_with("// expect:") && line.find(reason) != std::string::npos;
        });
        return expects &&
               quotes({std::find(lines.begin(), lines.end(), "#else"), lines.end()}, network);
    });
}

}  // namespace

TEST_CASE("all C++ that the documentation shows is built") {
    std::vector<std::filesystem::path> sources = files_in(tests / "compile_fail/cases", ".cpp");
    for (const auto& file : files_in(project / "examples", ".cpp")) sources.push_back(file);
    require_quotations("cpp", sources);
}

TEST_CASE("all CMake that the documentation shows is run") {
    require_quotations("cmake", files_in(tests / "consumers", ".txt"));
}

TEST_CASE("links within the project lead somewhere") {
    const std::regex link{"\\]\\(([^)#]*)#?([^)]*)\\)"};
    std::size_t count = 0;
    for (const auto& document : documents()) {
        const std::string text = joined(read(document));
        for (std::sregex_iterator match{text.begin(), text.end(), link}, end; match != end;
             ++match) {
            const std::string target = (*match)[1];
            const std::string anchor = (*match)[2];
            if (target.find("://") != std::string::npos) continue;
            INFO(document << " links to " << target << " # " << anchor);
            const auto file = target.empty() ? document : document.parent_path() / target;
            CHECK(std::filesystem::exists(file));
            if (!anchor.empty()) CHECK(has_anchor(file, anchor));
            ++count;
        }
    }
    CHECK(count > 0);
}

TEST_CASE("every reason for a shape error is explained by a network that is refused for it") {
    std::set<std::string> explained;
    for (const auto& [reason, section] : explanations()) {
        INFO(reason);
        explained.insert(reason);
        const std::vector<Lines> networks = blocks(section, "cpp");
        CHECK(!networks.empty());
        for (const Lines& network : networks) CHECK(is_refused_for(reason, network));
    }
    CHECK(explained == reasons_in_header());
}

TEST_CASE("a quotation is found where it stands and nowhere else") {
    std::istringstream text{"int f() {\n    if (a)\n        b();\n\n    c();\n}\n"};
    const Lines source = split(text);
    CHECK(quotes(source, {"if (a)", "    b();"}));
    CHECK(quotes(source, {"    if (a)", "        b();", "", "    c();"}));
    CHECK_FALSE(quotes(source, {"if (a)", "b();"}));
    CHECK_FALSE(quotes(source, {"if (a)", "    b();", "c();"}));
    CHECK_FALSE(quotes(source, {"if (b)"}));
    CHECK_FALSE(quotes(source, {}));
    CHECK_FALSE(quotes({}, {"c();"}));
}

TEST_CASE("blocks are told apart by their language") {
    std::istringstream text{"a\n```cpp\nb\n```\n```\nc\n```\n```sh\nd\n```\n```cpp\ne\nf\n```\n"};
    const std::vector<Lines> expected{{"b"}, {"e", "f"}};
    CHECK(blocks(split(text), "cpp") == expected);
}

TEST_CASE("an anchor is what a heading becomes on a page") {
    CHECK(anchor_of("## Threads and `TYPENET_ISA`: why?") == "threads-and-typenet_isa-why");
}
