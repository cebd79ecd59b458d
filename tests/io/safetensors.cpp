#include <sys/resource.h>
#include <sys/stat.h>
#include <typenet/core/random.hpp>
#include <typenet/io/safetensors.hpp>

#include <array>
#include <bit>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

namespace fs = std::filesystem;
using typenet::Dtype;
using typenet::FileError;
using typenet::SafetensorsError;
using typenet::SafetensorsFault;
using typenet::SafetensorsFile;
using typenet::TensorView;
using typenet::write_safetensors;
using typenet_test::TemporaryFolder;
using Metadata = std::map<std::string, std::string>;
using namespace std::string_literals;
using namespace std::string_view_literals;

namespace {

std::vector<std::byte> bytes_of(std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}

std::string text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string contents(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    REQUIRE(file);
    return {std::istreambuf_iterator<char>(file), {}};
}

void put(const fs::path& path, std::string_view text) {
    std::ofstream(path, std::ios::binary) << text;
}

std::size_t files_in(const fs::path& folder) {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

std::string little_endian(std::uint64_t value) {
    return text_of(std::as_bytes(std::span(&value, 1)));
}

/// A file of this header, its length in front, and these data.
std::string file_of(std::string_view header, std::string_view data = {}) {
    return little_endian(header.size()) + std::string(header) + std::string(data);
}

SafetensorsFile parse(std::string_view file) {
    return SafetensorsFile::parse(bytes_of(file), "memory");
}

std::optional<SafetensorsFault> fault_of(std::string_view file) {
    try {
        parse(file);
    } catch (const SafetensorsError& error) {
        return error.fault();
    }
    return std::nullopt;
}

std::string error_of(std::string_view file) {
    try {
        parse(file);
    } catch (const SafetensorsError& error) {
        return error.what();
    }
    return "no error";
}

/// One tensor's entry in a header.
std::string entry(std::string_view name, std::string_view dtype, std::string_view shape,
                  std::string_view offsets) {
    return "\"" + std::string(name) + R"(":{"dtype":")" + std::string(dtype) + R"(","shape":)" +
           std::string(shape) + R"(,"data_offsets":)" + std::string(offsets) + "}";
}

std::string header(const std::string& entries) {
    return "{" + entries + "}";
}

/// Made by the reference implementation 0.8.0: step I64 [1] = 7; b F32 [2, 1] = 1, -2; empty F32
/// [0, 4]; scale F32 [] = 0.5; größe BF16 [1] = 1; mask U8 [3] = 97, 98, 99; one entry of
/// metadata.
const std::string reference_file =
    "\x90\x01\0\0\0\0\0\0"s
    R"({"__metadata__":{"note":"v\"\\\u0001\n)"
    "\x7F/\u00e9"
    R"("},"step":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},)"
    R"("b":{"dtype":"F32","shape":[2,1],"data_offsets":[8,16]},)"
    R"("empty":{"dtype":"F32","shape":[0,4],"data_offsets":[16,16]},)"
    R"("scale":{"dtype":"F32","shape":[],"data_offsets":[16,20]},)"
    "\"gr\u00f6\u00dfe\""
    R"(:{"dtype":"BF16","shape":[1],"data_offsets":[20,22]},)"
    R"("mask":{"dtype":"U8","shape":[3],"data_offsets":[22,25]}}     )"
    "\x07\0\0\0\0\0\0\0"
    "\0\0\x80\x3F\0\0\0\xC0"
    "\0\0\0\x3F"
    "\x80\x3F"
    "abc"s;

constexpr std::size_t reference_header_end = 8 + 0x190;

const Metadata reference_metadata{{"note", "v\"\\\x01\n\x7F/\u00e9"}};

/// The same tensors, in another order.
struct ReferenceTensors {
    std::array<std::int64_t, 1> step{7};
    std::array<float, 2> b{1, -2};
    std::array<float, 1> scale{0.5f};
    std::array<std::uint16_t, 1> size{0x3F80};
    std::array<char, 3> mask{'a', 'b', 'c'};
    std::vector<TensorView> views{
        TensorView::of("scale", {}, scale),
        {"mask", Dtype::U8, {3}, std::as_bytes(std::span(mask))},
        TensorView::of("empty", {0, 4}, {}),
        {"gr\u00f6\u00dfe", Dtype::BF16, {1}, std::as_bytes(std::span(size))},
        TensorView::of("b", {2, 1}, b),
        {"step", Dtype::I64, {1}, std::as_bytes(std::span(step))},
    };
};

/// Number of header fields (names, dtypes, shapes, metadata) in which two files differ.
int fields_changed(const SafetensorsFile& a, const SafetensorsFile& b) {
    int changed = a.metadata() != b.metadata();
    for (std::size_t i = 0; i < a.tensors().size(); ++i) {
        const TensorView& x = a.tensors()[i];
        const TensorView& y = b.tensors()[i];
        changed += (x.name != y.name) + (x.dtype != y.dtype) + (x.shape != y.shape);
    }
    return changed;
}

std::string data_of(const SafetensorsFile& file) {
    std::string data;
    for (const TensorView& tensor : file.tensors()) data += text_of(tensor.bytes) + "|";
    return data;
}

}  // namespace

TEST_CASE("a file of the reference implementation is read") {
    const SafetensorsFile file = parse(reference_file);
    REQUIRE(file.tensors().size() == 6);
    CHECK(file.tensors()[0].name == "step");
    CHECK(file.tensors()[5].name == "mask");
    CHECK(file.metadata() == reference_metadata);

    const TensorView* b = file.find("b");
    REQUIRE(b);
    CHECK(b->dtype == Dtype::F32);
    CHECK(b->shape == std::vector<std::int64_t>{2, 1});
    CHECK(b->size() == 2);
    CHECK(b->floats()[0] == 1);
    CHECK(b->floats()[1] == -2);
    const TensorView* scale = file.find("scale");
    REQUIRE(scale);
    CHECK(scale->shape.empty());
    CHECK(scale->size() == 1);
    CHECK(scale->floats()[0] == 0.5f);
    const TensorView* empty = file.find("empty");
    REQUIRE(empty);
    CHECK(empty->size() == 0);
    CHECK(empty->floats().empty());
    const TensorView* size = file.find("gr\u00f6\u00dfe");
    REQUIRE(size);
    CHECK(size->dtype == Dtype::BF16);
    CHECK(text_of(size->bytes) == "\x80\x3F");
    CHECK(text_of(file.find("mask")->bytes) == "abc");
    CHECK(text_of(file.find("step")->bytes) == little_endian(7));

    CHECK(file.find("B") == nullptr);
    CHECK(file.find("") == nullptr);
    CHECK(file.find("__metadata__") == nullptr);
}

TEST_CASE("what is written is the reference implementation's file, byte for byte") {
    const TemporaryFolder folder;
    write_safetensors(folder / "a", ReferenceTensors().views, reference_metadata);
    CHECK(contents(folder / "a") == reference_file);
    CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("views live on when their file moves, is copied or is overwritten on disk") {
    const TemporaryFolder folder;
    put(folder / "a", reference_file);
    std::optional<SafetensorsFile> first = SafetensorsFile::open(folder / "a");
    SafetensorsFile copy = *first;
    const SafetensorsFile moved = std::move(*first);
    first.reset();
    write_safetensors(folder / "a", copy.tensors().subspan(0, 1));
    put(folder / "a", std::string(reference_file.size(), 'x'));
    CHECK(moved.find("b")->floats()[1] == -2);
    copy = parse(file_of("{}"));
    CHECK(copy.tensors().empty());
    CHECK(moved.find("b")->floats()[1] == -2);
    write_safetensors(folder / "a", moved.tensors(), moved.metadata());
    CHECK(contents(folder / "a") == reference_file);
}

TEST_CASE("round trips: nothing, every dtype, zero sizes, many dimensions, metadata") {
    const TemporaryFolder folder;
    write_safetensors(folder / "a", {});
    CHECK(contents(folder / "a") == file_of("{}      "));
    const SafetensorsFile none = SafetensorsFile::open(folder / "a");
    CHECK(none.tensors().empty());
    CHECK(none.metadata().empty());

    write_safetensors(folder / "a", {}, {{"b", ""}, {"a \u20ac", "{\"x\": [1]}\n\0\t"s}});
    const SafetensorsFile only_metadata = SafetensorsFile::open(folder / "a");
    CHECK(only_metadata.metadata() == Metadata{{"b", ""}, {"a \u20ac", "{\"x\": [1]}\n\0\t"s}});

    typenet::RandomStream random(typenet::Seed{3}, typenet::Purpose::synthetic);
    std::vector<std::byte> pool(4096);
    for (std::byte& byte : pool) byte = static_cast<std::byte>(random.next());
    for (int repeat = 0; repeat < 20; ++repeat) {
        std::vector<TensorView> tensors;
        for (int dtype = 0; dtype <= static_cast<int>(Dtype::U64); ++dtype) {
            TensorView tensor;
            tensor.dtype = static_cast<Dtype>(dtype);
            tensor.name =
                std::to_string(random.next()) + " \U0001F600 \"\\/" + std::to_string(dtype);
            for (std::uint32_t rank = random.below(5); rank > 0; --rank)
                tensor.shape.push_back(random.below(5));
            if (bits_of(tensor.dtype) < 8) tensor.shape.push_back(4);
            const auto bytes = static_cast<std::size_t>(tensor.size()) *
                               static_cast<std::size_t>(bits_of(tensor.dtype)) / 8;
            pool.resize(std::max(pool.size(), 2 * bytes));
            tensor.bytes = std::span(pool).subspan(0, bytes);
            tensors.push_back(tensor);
        }
        for (TensorView& tensor : tensors)  // the pool stays where it is from here on
            tensor.bytes = std::span(pool).subspan(random.below(64), tensor.bytes.size());

        write_safetensors(folder / "a", tensors);
        const SafetensorsFile file = SafetensorsFile::open(folder / "a");
        REQUIRE(file.tensors().size() == tensors.size());
        for (const TensorView& tensor : tensors) {
            CAPTURE(tensor.name, tensor.shape);
            const TensorView* read = file.find(tensor.name);
            REQUIRE(read);
            CHECK(read->dtype == tensor.dtype);
            CHECK(read->shape == tensor.shape);
            CHECK(text_of(read->bytes) == text_of(tensor.bytes));
        }
        const SafetensorsFile parsed = parse(contents(folder / "a"));
        CHECK(data_of(parsed) == data_of(file));
        CHECK(fields_changed(parsed, file) == 0);
    }
}

TEST_CASE("every dtype has its name and size") {
    constexpr std::array<std::pair<std::string_view, std::size_t>, 22> known{{
        {"BOOL", 8},        {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U8", 8},
        {"I8", 8},          {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8},
        {"F8_E5M2FNUZ", 8}, {"I16", 16},    {"U16", 16},    {"F16", 16},    {"BF16", 16},
        {"I32", 32},        {"U32", 32},    {"F32", 32},    {"C64", 64},    {"F64", 64},
        {"I64", 64},        {"U64", 64},
    }};
    for (std::size_t i = 0; i < known.size(); ++i) {
        const auto& [name, bits] = known[i];
        CAPTURE(name);
        const SafetensorsFile file =
            parse(file_of(header(entry("a", name, "[4]", "[0," + std::to_string(bits / 2) + "]")),
                          std::string(bits / 2, 'x')));
        CHECK(file.tensors()[0].dtype == static_cast<Dtype>(i));
        CHECK(to_string(static_cast<Dtype>(i)) == name);
    }
}

TEST_CASE("tensors at odd places are handed out aligned") {
    // A header of any length, then U8 and F32, as no writer of today pads and orders them.
    std::string text =
        header(entry("a", "U8", "[1]", "[0,1]") + "," + entry("b", "F32", "[1]", "[1,5]"));
    for (std::size_t padding = 0; padding < 8; ++padding, text += ' ') {
        const std::string file = file_of(text, "x\0\0\x80\x3F"sv);
        const SafetensorsFile parsed = parse(file);
        CHECK(parsed.find("b")->floats()[0] == 1);
        const TemporaryFolder folder;
        put(folder / "a", file);
        const SafetensorsFile opened = SafetensorsFile::open(folder / "a");
        CHECK(opened.find("b")->floats()[0] == 1);
    }
}

TEST_CASE("floats and size say what they cannot do") {
    const SafetensorsFile file = parse(reference_file);
    CHECK_THROWS_WITH(file.find("mask")->floats(),
                      ContainsText("tensor mask: holds U8") && ContainsText("convert"));
    alignas(8) const std::array<std::byte, 8> bytes{};
    const TensorView odd{"odd", Dtype::F32, {1}, std::span(bytes).subspan(1, 4)};
    CHECK_THROWS_WITH(odd.floats(), ContainsText("not aligned"));
    CHECK_THROWS_AS((TensorView{"a", Dtype::F32, {-1}, {}}.size()), typenet::ShapeError);
    CHECK_THROWS_AS((TensorView{"a", Dtype::F32, {1LL << 40, 1LL << 40}, {}}.size()),
                    typenet::ShapeError);
}

TEST_CASE("headers that are too small, too large or cut are refused") {
    for (std::size_t size = 0; size < 8; ++size)
        CHECK(fault_of(std::string(size, '\0')) == SafetensorsFault::header_missing);
    CHECK(fault_of(little_endian(100'000'001) + "{}") == SafetensorsFault::header_too_large);
    CHECK(fault_of(little_endian(~0ULL) + "{}") == SafetensorsFault::header_too_large);
    CHECK(fault_of(little_endian(~0ULL - 7) + "{}") == SafetensorsFault::header_too_large);
    CHECK(fault_of(little_endian(100'000'000) + "{}") == SafetensorsFault::header_cut);
    CHECK(fault_of(little_endian(3) + "{}") == SafetensorsFault::header_cut);
    CHECK(fault_of(little_endian(0)) == SafetensorsFault::header_start);
    CHECK(fault_of("PK\x03\x04 a zip archive, as PyTorch's are") ==
          SafetensorsFault::header_too_large);
    CHECK(fault_of(file_of("{}")) == std::nullopt);
}

TEST_CASE("a header of the greatest length is read") {
    std::string file = file_of("{}" + std::string(100'000'000 - 2, ' '));
    CHECK(fault_of(file) == std::nullopt);
    CHECK(fault_of(file_of("{}" + std::string(100'000'000 - 1, ' '))) ==
          SafetensorsFault::header_too_large);
}

TEST_CASE("headers that are not this format's JSON are refused") {
    using Fault = SafetensorsFault;
    const std::string good = entry("a", "U8", "[1]", "[0,1]");
    REQUIRE(fault_of(file_of(header(good), "x")) == std::nullopt);
    REQUIRE(fault_of(file_of("{ " + good + " }\n\t ", "x")) == std::nullopt);

    CHECK(fault_of(file_of(" " + header(good), "x")) == Fault::header_start);
    CHECK(fault_of(file_of("\n" + header(good), "x")) == Fault::header_start);
    CHECK(fault_of(file_of("\xEF\xBB\xBF" + header(good), "x")) == Fault::header_start);
    CHECK(fault_of(file_of("[]")) == Fault::header_start);
    CHECK(fault_of(file_of("\"\"")) == Fault::header_start);

    for (const std::string& text : {
             "{"s,
             "{}{}"s,
             "{}\0"s,
             "{} x"s,
             "{'a':1}"s,
             header(good + ","),
             header(good + "," + good),
             header(good + "," + entry("\\u0061", "U8", "[1]", "[1,2]")),
             header("\"a\":null"),
             header("\"a\":[]"),
             header("\"a\":{}"),
             header("\"a\":[\"U8\",[1],[0,1]]"),
             header(R"("a":{"dtype":"U8","shape":[1]})"),
             header(R"("a":{"dtype":"U8","data_offsets":[0,1]})"),
             header(R"("a":{"shape":[1],"data_offsets":[0,1]})"),
             header(R"("a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]})"),
             header(R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"strides":[1]})"),
             header(R"("a":{"dtype":3,"shape":[1],"data_offsets":[0,1]})"),
             entry("a", "U8", "[1]", "[0,1]"),
             header(entry("a", "U8", "1", "[0,1]")),
             header(entry("a", "U8", "null", "[0,1]")),
             header(entry("a", "U8", "[-1]", "[0,1]")),
             header(entry("a", "U8", "[1.0]", "[0,1]")),
             header(entry("a", "U8", "[1e0]", "[0,1]")),
             header(entry("a", "U8", "[\"1\"]", "[0,1]")),
             header(entry("a", "U8", "[[1]]", "[0,1]")),
             header(entry("a", "U8", "[9223372036854775808]", "[0,1]")),
             header(entry("a", "U8", "[1]", "[]")),
             header(entry("a", "U8", "[1]", "[0]")),
             header(entry("a", "U8", "[1]", "[0,1,1]")),
             header(entry("a", "U8", "[1]", "[0,-1]")),
             header(entry("a", "U8", "[1]", "{\"0\":1}")),
             header(entry("a", "U8", "[1]", "[0,18446744073709551616]")),
             header(entry("a\xFF", "U8", "[1]", "[0,1]")),
             header(entry("a\n", "U8", "[1]", "[0,1]")),
             header(entry("\\ud800", "U8", "[1]", "[0,1]")),
             header(R"("__metadata__":[],)" + good),
             header(R"("__metadata__":null,)" + good),
             header(R"("__metadata__":{"a":1},)" + good),
             header(R"("__metadata__":{"a":null},)" + good),
             header(R"("__metadata__":{"a":{}},)" + good),
             header(R"("__metadata__":{"a":"x","a":"y"},)" + good),
             header(R"("__metadata__":{},"__metadata__":{},)" + good),
             header("\"a\":" + std::string(1'000'000, '[')),
             header("\"a\":{\"shape\":" + std::string(1'000'000, '[')),
         }) {
        CAPTURE(text.substr(0, 200));
        const auto fault = fault_of(file_of(text, "x"));
        CHECK(
            (fault == Fault::header_not_json || (text[0] != '{' && fault == Fault::header_start)));
    }
}

TEST_CASE("unknown dtypes are refused") {
    for (const char* dtype :
         {"", "f32", "F32 ", "FLOAT", "F128", "I4", "F32\\u0000", "__metadata__"})
        CHECK(fault_of(file_of(header(entry("a", dtype, "[1]", "[0,4]")), "xxxx")) ==
              SafetensorsFault::unknown_dtype);
    CHECK_THAT(error_of(file_of(header(entry("conv.w", "F128", "[1]", "[0,16]")))),
               ContainsText("memory: ") && ContainsText("tensor \"conv.w\"") &&
                   ContainsText("\"F128\" is unknown"));
}

TEST_CASE("sizes that overflow or do not fit are refused") {
    using Fault = SafetensorsFault;
    const auto fault = [](const char* dtype, const char* shape, const char* offsets) {
        return fault_of(file_of(header(entry("a", dtype, shape, offsets)), "xxxx"));
    };
    CHECK(fault("U8", "[4]", "[0,4]") == std::nullopt);
    CHECK(fault("U8", "[9223372036854775807,2]", "[0,4]") == Fault::size_overflow);
    CHECK(fault("U8", "[4294967296,4294967296]", "[0,4]") == Fault::size_overflow);
    CHECK(fault("U8", "[4294967296,4294967296,0]", "[0,4]") == Fault::size_overflow);
    // 2^62 + 1 floats: modulo 2^64 they would take 4 bytes.
    CHECK(fault("F32", "[4611686018427387905]", "[0,4]") == Fault::size_overflow);
    CHECK(fault("U64", "[2305843009213693952]", "[0,4]") == Fault::size_overflow);
    CHECK(fault("U8", "[3]", "[0,4]") == Fault::size_mismatch);
    CHECK(fault("U8", "[5]", "[0,4]") == Fault::size_mismatch);
    CHECK(fault("U8", "[0]", "[0,4]") == Fault::size_mismatch);
    CHECK(fault("U16", "[4]", "[0,4]") == Fault::size_mismatch);
    CHECK(fault("F32", "[]", "[0,4]") == std::nullopt);
    CHECK(fault("U8", "[]", "[0,4]") == Fault::size_mismatch);
    CHECK(fault("F4", "[8]", "[0,4]") == std::nullopt);
    CHECK(fault("F4", "[7]", "[0,4]") == Fault::partial_byte);
    CHECK(fault("F6_E2M3", "[5]", "[0,4]") == Fault::partial_byte);
    CHECK(fault_of(file_of(header(entry("a", "F32", "[0,9223372036854775807,9223372036854775807]",
                                        "[0,0]")))) == std::nullopt);
    CHECK_THAT(
        error_of(file_of(header(entry("w", "F32", "[2,3]", "[0,20]")), std::string(20, 'x'))),
        ContainsText("tensor \"w\"") && ContainsText("bytes 0 to 20") &&
            ContainsText("F32 [2, 3] takes 24 bytes"));
}

TEST_CASE("overlaps, holes and foreign bytes are refused") {
    using Fault = SafetensorsFault;
    const auto fault = [](const char* first, const char* second, std::size_t size) {
        return fault_of(
            file_of(header(entry("a", "U8", "[2]", first) + "," + entry("b", "U8", "[2]", second)),
                    std::string(size, 'x')));
    };
    CHECK(fault("[0,2]", "[2,4]", 4) == std::nullopt);
    CHECK(fault("[2,4]", "[0,2]", 4) == std::nullopt);  // order in the header is free
    CHECK(fault("[0,2]", "[0,2]", 2) == Fault::offsets);
    CHECK(fault("[0,2]", "[1,3]", 3) == Fault::offsets);
    CHECK(fault("[0,2]", "[3,5]", 5) == Fault::offsets);
    CHECK(fault("[1,3]", "[3,5]", 5) == Fault::offsets);
    CHECK(fault("[0,2]", "[4,2]", 4) == Fault::offsets);
    CHECK(fault("[0,2]", "[2,0]", 2) == Fault::offsets);
    CHECK(fault("[0,2]", "[9223372036854775807,9223372036854775807]", 2) == Fault::offsets);
    CHECK(fault("[0,2]", "[2,4]", 3) == Fault::data_size);
    CHECK(fault("[0,2]", "[2,4]", 5) == Fault::data_size);
    CHECK(fault("[0,2]", "[2,4]", 0) == Fault::data_size);
    CHECK(fault_of(file_of("{}", "x")) == Fault::data_size);
    CHECK_THAT(error_of(file_of(header(entry("a", "U8", "[2]", "[0,2]")), "xyz")),
               ContainsText("take 2 bytes, but 3 follow"));
    CHECK_THAT(error_of(file_of(header(entry("a", "U8", "[2]", "[1,3]")), "xyz")),
               ContainsText("tensor \"a\": it has bytes 1 to 3") && ContainsText("ends at 0"));
}

TEST_CASE("empty tensors may share a place, but not lie in another tensor") {
    const auto file = [](const char* place) {
        return file_of(
            header(entry("e", "F32", "[0]", place) + "," + entry("a", "U8", "[2]", "[0,2]") + "," +
                   entry("f", "F32", "[3,0]", "[2,2]")),
            "xy");
    };
    CHECK(fault_of(file("[0,0]")) == std::nullopt);
    CHECK(fault_of(file("[2,2]")) == std::nullopt);
    CHECK(fault_of(file("[1,1]")) == SafetensorsFault::offsets);
    CHECK(fault_of(file("[3,3]")) == SafetensorsFault::offsets);
}

TEST_CASE("an error stays one line of moderate length, whatever the file holds") {
    const std::string name = std::string(1'000'000, 'n') + "\\n";
    const std::string error = error_of(file_of(header(entry(name, "U8", "[2]", "[1,3]")), "xyz"));
    CHECK(error.size() < 400);
    CHECK(error_of(file_of(header(entry("a\\nb", "U8", "[2]", "[1,3]")), "xyz")).find('\n') ==
          std::string::npos);
    std::string shape = "[2";
    for (int i = 0; i < 100'000; ++i) shape += ",1";
    CHECK(error_of(file_of(header(entry("a", "U8", shape + "]", "[0,3]")), "xyz")).size() < 400);
}

TEST_CASE("truncation at every byte is noticed") {
    const TemporaryFolder folder;
    for (std::size_t size = 0; size < reference_file.size(); ++size) {
        const std::string cut = reference_file.substr(0, size);
        CAPTURE(size);
        CHECK(fault_of(cut) != std::nullopt);
        put(folder / "a", cut);
        CHECK_THROWS_AS(SafetensorsFile::open(folder / "a"), SafetensorsError);
    }
    CHECK(fault_of(reference_file + "x") == SafetensorsFault::data_size);
}

TEST_CASE("a byte changed at any place is an error, or changes that one thing") {
    const SafetensorsFile good = parse(reference_file);
    int harmless = 0;
    int wrong = 0;
    for (std::size_t at = 0; at < reference_file.size(); ++at) {
        for (int flip = 1; flip < 256; ++flip) {
            std::string changed = reference_file;
            changed[at] = static_cast<char>(changed[at] ^ flip);
            std::optional<SafetensorsFile> file;
            try {
                file = parse(changed);
            } catch (const SafetensorsError&) {
                continue;
            }
            ++harmless;
            bool is_right = file->tensors().size() == good.tensors().size();
            if (is_right && at < reference_header_end) {
                is_right = fields_changed(good, *file) <= 1 && data_of(good) == data_of(*file);
            } else if (is_right) {
                std::string differences;
                const std::string before = data_of(good);
                const std::string after = data_of(*file);
                for (std::size_t i = 0; i < before.size(); ++i)
                    if (before[i] != after[i]) differences += after[i];
                is_right = fields_changed(good, *file) == 0 && before.size() == after.size() &&
                           differences == changed.substr(at, 1);
            }
            if (!is_right) {
                ++wrong;
                UNSCOPED_INFO("byte " << at << " changed by " << flip);
            }
        }
    }
    CHECK(wrong == 0);
    CHECK(harmless >= 25 * 255);  // all changes of the data at the least
}

TEST_CASE("random damage never does worse than an error") {
    typenet::RandomStream random(typenet::Seed{1}, typenet::Purpose::synthetic);
    constexpr std::string_view pieces = "{}[]\",:0123456789\\u ";
    int refused = 0;
    for (int repeat = 0; repeat < 20'000; ++repeat) {
        std::string damaged = reference_file;
        for (std::uint32_t edits = 1 + random.below(4); edits > 0; --edits) {
            const std::size_t at = random.below(static_cast<std::uint32_t>(damaged.size()));
            const char piece = pieces[random.below(static_cast<std::uint32_t>(pieces.size()))];
            switch (random.below(4)) {
                case 0:
                    damaged[at] = piece;
                    break;
                case 1:
                    damaged.insert(at, 1, piece);
                    break;
                case 2:
                    damaged.erase(at, 1 + random.below(3));
                    break;
                default:
                    damaged[at] = static_cast<char>(random.next());
            }
        }
        if (random.below(2) == 0 && damaged.size() >= 33)  // let more of it reach the JSON
            damaged.replace(0, 8, little_endian(damaged.size() - 33));
        try {
            const SafetensorsFile file = parse(damaged);
            for (const TensorView& tensor : file.tensors()) {
                const auto bits = tensor.size() * bits_of(tensor.dtype);
                REQUIRE(static_cast<std::size_t>(bits) == tensor.bytes.size() * 8);
            }
        } catch (const SafetensorsError&) {
            ++refused;
        }
    }
    CHECK(refused > 10'000);
    CHECK(refused < 20'000);
}

TEST_CASE("files that cannot be read say why") {
    const TemporaryFolder folder;
    const auto error = [](const fs::path& path) -> std::string {
        try {
            SafetensorsFile::open(path);
        } catch (const FileError& problem) {
            return problem.what();
        }
        return "no error";
    };
    CHECK(error(folder / "none") ==
          (folder / "none").string() +
              ": cannot be opened: No such file or directory; check the path: a "
              "folder or file of it is not there");
    CHECK_THAT(error(folder.path()), ContainsText("is a folder"));
    CHECK_THAT(error("/dev/null"), ContainsText("is not a regular file"));
    REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
    CHECK_THAT(error(folder / "pipe"), ContainsText("is not a regular file"));
    put(folder / "empty", "");
    CHECK_THAT(error(folder / "empty"),
               ContainsText((folder / "empty").string()) && ContainsText("it has 0 bytes"));
}

TEST_CASE("a file larger than the memory is an error") {
#if defined(__SANITIZE_ADDRESS__)
    TYPENET_SKIP("the address sanitizer ends the program where an allocation fails");
#elif defined(__has_feature)
    #if __has_feature(address_sanitizer)
    TYPENET_SKIP("the address sanitizer ends the program where an allocation fails");
    #endif
#endif
    const TemporaryFolder folder;
    const std::string text = header(entry("a", "U8", "[1000000000000]", "[0,1000000000000]"));
    put(folder / "a", file_of(text));
    std::error_code code;
    fs::resize_file(folder / "a", 8 + text.size() + 1'000'000'000'000, code);  // sparse
    if (code) TYPENET_SKIP("no file of 1 TB here: " << code.message());
    ::rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_AS, &before) == 0);
    ::rlimit limited = before;
    limited.rlim_cur = 100'000'000'000;
    REQUIRE(::setrlimit(RLIMIT_AS, &limited) == 0);
    std::string error = "no error";
    try {
        SafetensorsFile::open(folder / "a");
    } catch (const FileError& problem) {
        error = problem.what();
    }
    ::setrlimit(RLIMIT_AS, &before);
    CHECK_THAT(error, ContainsText("do not fit in memory; free some memory"));
}

TEST_CASE("tensors made on demand give the same file, one at a time") {
    const TemporaryFolder folder;
    const ReferenceTensors tensors;
    std::vector<TensorView> empty = tensors.views;
    for (TensorView& tensor : empty) tensor.bytes = {};
    std::vector<std::byte> only;  // overwritten by each tensor
    const auto bytes_of = [&](const TensorView& wanted) {
        for (const TensorView& tensor : tensors.views)
            if (tensor.name == wanted.name) only.assign(tensor.bytes.begin(), tensor.bytes.end());
        return std::span<const std::byte>(only);
    };
    write_safetensors(folder / "a", empty, reference_metadata, bytes_of);
    CHECK(contents(folder / "a") == reference_file);

    const auto too_short = [&](const TensorView& wanted) {
        return bytes_of(wanted).first(bytes_of(wanted).size() / 2);
    };
    CHECK_THROWS_WITH(write_safetensors(folder / "a", empty, {}, too_short),
                      ContainsText("takes") && ContainsText("bytes, but it has"));
    CHECK(contents(folder / "a") == reference_file);
    CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("what cannot be a file is not written, and the old file stays") {
    using Fault = SafetensorsFault;
    const TemporaryFolder folder;
    put(folder / "a", "old");
    const std::array<float, 4> values{};
    const auto fault = [&](const std::vector<TensorView>& tensors,
                           const Metadata& metadata = {}) -> std::optional<Fault> {
        try {
            write_safetensors(folder / "a", tensors, metadata);
        } catch (const SafetensorsError& error) {
            CHECK_THAT(error.what(), ContainsText((folder / "a").string()));
            return error.fault();
        }
        return std::nullopt;
    };
    const auto named = [&](const std::string& name) { return TensorView::of(name, {4}, values); };

    CHECK(fault({named("a"), named("b"), named("a")}) == Fault::name);
    CHECK(fault({named("a"), {"a", Dtype::U8, {16}, std::as_bytes(std::span(values))}}) ==
          Fault::name);
    for (const std::string& name : {""s, "__metadata__"s, "a\nb"s, "a\0"s, "\x1F"s, "\x7F"s,
                                    "\u0080"s, "\u009F"s, "\xFF"s, "\xC3"s, "\xED\xA0\x80"s}) {
        CAPTURE(name);
        CHECK(fault({named(name)}) == Fault::name);
    }
    CHECK(fault({TensorView::of("a", {3}, values)}) == Fault::size_mismatch);
    CHECK(fault({TensorView::of("a", {}, values)}) == Fault::size_mismatch);
    CHECK(fault({TensorView::of("a", {-4}, values)}) == Fault::size_overflow);
    CHECK(fault({TensorView::of("a", {-2, -2}, values)}) == Fault::size_overflow);
    CHECK(fault({TensorView::of("a", {1LL << 62, 4, 4}, values)}) == Fault::size_overflow);
    CHECK(fault({{"a", Dtype::F4, {33}, std::as_bytes(std::span(values))}}) == Fault::partial_byte);
    CHECK(fault({}, {{"", "x"}}) == Fault::name);
    CHECK(fault({}, {{"a\n", "x"}}) == Fault::name);
    CHECK(fault({}, {{"\xFF", "x"}}) == Fault::name);
    CHECK(fault({}, {{"a", "\xFF"}}) == Fault::name);
    CHECK(fault({}, {{"a", std::string(100'000'000, 'x')}}) == Fault::header_too_large);
    CHECK(contents(folder / "a") == "old");
    CHECK(files_in(folder.path()) == 1);
    CHECK(fault({named("\u00a0")}) == std::nullopt);
    const SafetensorsFile file = SafetensorsFile::open(folder / "a");
    CHECK(file.find("\u00a0") != nullptr);
}

TEST_CASE("when the disk refuses in the middle of a tensor, the old file stays") {
    const TemporaryFolder folder;
    put(folder / "a", reference_file);
    const std::vector<float> values(10'000);
    const std::vector<TensorView> tensors{TensorView::of("a", {10'000}, values)};
    ::rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
    ::rlimit limited = before;
    limited.rlim_cur = 20'000;
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &limited) == 0);
    std::string error = "no error";
    try {
        write_safetensors(folder / "a", tensors);
    } catch (const FileError& problem) {
        error = problem.what();
    }
    ::setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, old_handler);
    CHECK_THAT(error, ContainsText((folder / "a").string() + ": cannot write: File too large"));
    CHECK(contents(folder / "a") == reference_file);
    CHECK(files_in(folder.path()) == 1);
    CHECK_THROWS_AS(write_safetensors(folder / "a" / "b", tensors), FileError);
    CHECK_THROWS_AS(write_safetensors("/proc/typenet", tensors), FileError);
    CHECK(contents(folder / "a") == reference_file);
}
