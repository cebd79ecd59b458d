// PyTorch's files, those that it wrote and those that nobody should have written.
#include <typenet/io/pth.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/temporary_folder.hpp"
#include "typenet/io/safetensors.hpp"
#include "typenet/io/tensor_formats.hpp"

namespace fs = std::filesystem;
using typenet::Dtype;
using typenet::FileError;
using typenet::PthFile;
using typenet::SafetensorsFile;
using typenet::TensorFile;
using typenet::TensorView;
using typenet_test::TemporaryFolder;
using namespace std::string_literals;
using namespace std::string_view_literals;

namespace {

const fs::path goldens = fs::path(TYPENET_TESTS_FOLDER) / "io/goldens";

std::string contents(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    REQUIRE(file);
    return {std::istreambuf_iterator<char>(file), {}};
}

PthFile parse(std::string_view file) {
    const auto bytes = std::as_bytes(std::span(file));
    return PthFile::parse({bytes.begin(), bytes.end()}, "memory");
}

std::string error_of(std::string_view file) {
    try {
        parse(file);
    } catch (const FileError& error) {
        return error.what();
    }
    return "no error";
}

std::string error_of_golden(const std::string& name) {
    return error_of(contents(goldens / name));
}

/// All that a file says: names, dtypes, shapes and bytes, whatever their order.
using Tensors = std::map<std::string, std::tuple<Dtype, std::vector<std::int64_t>, std::string>>;
Tensors tensors_of(const TensorFile& file) {
    Tensors tensors;
    for (const TensorView& tensor : file.tensors())
        tensors[tensor.name] = {
            tensor.dtype,
            tensor.shape,
            {reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size()}};
    return tensors;
}

template <class T>
std::string little(T value) {
    return {reinterpret_cast<const char*>(&value), sizeof value};
}

// Zip files, right or wrong ----------------------------------------------------------------------

struct Stored {
    std::string name;
    std::string data;
    std::optional<std::uint32_t> start{};  ///< what the directory says instead of the truth
    std::optional<std::uint32_t> size{};   ///< what both headers say
    std::uint16_t method = 0;
    std::uint16_t flags = 0;
    std::string local_name{};  ///< empty: the name
};

std::string zip_of(const std::vector<Stored>& entries, int count = -1, std::string_view gap = {}) {
    std::string file, directory;
    for (const Stored& entry : entries) {
        const auto crc = typenet::detail::crc32(std::as_bytes(std::span(entry.data)));
        const auto size = entry.size.value_or(static_cast<std::uint32_t>(entry.data.size()));
        const std::string common = little(entry.flags) + little(entry.method) + little(0U) +
                                   little(crc) + little(size) + little(size);
        const auto name_size = [](const std::string& name) {
            return little(static_cast<std::uint16_t>(name.size()));
        };
        const std::string& local = entry.local_name.empty() ? entry.name : entry.local_name;
        directory += "PK\1\2\0\0\0\0"s + common + name_size(entry.name) + std::string(12, '\0') +
                     little(entry.start.value_or(static_cast<std::uint32_t>(file.size()))) +
                     entry.name;
        file += "PK\3\4\0\0"s + common + name_size(local) + "\0\0"s + local + entry.data;
    }
    file += gap;
    const auto entries16 =
        static_cast<std::uint16_t>(count < 0 ? static_cast<int>(entries.size()) : count);
    return file + directory + "PK\5\6\0\0\0\0"s + little(entries16) + little(entries16) +
           little(static_cast<std::uint32_t>(directory.size())) +
           little(static_cast<std::uint32_t>(file.size())) + "\0\0"s;
}

// Pickles ----------------------------------------------------------------------------------------

std::string text(std::string_view value) {
    return "X" + little(static_cast<std::uint32_t>(value.size())) + std::string(value);
}
std::string integer(std::int64_t value) {
    return "\x8A\x08" + little(value);
}
std::string tuple(const std::string& items) {
    return "(" + items + "t";
}
std::string integers(const std::vector<std::int64_t>& values) {
    std::string items;
    for (const std::int64_t value : values) items += integer(value);
    return tuple(items);
}
std::string storage(const std::string& type, const std::string& key, std::int64_t count) {
    return tuple(text("storage") + "ctorch\n" + type + "Storage\n" + text(key) + text("cpu") +
                 integer(count)) +
           "Q";
}
const std::string no_hooks =
    "\x89"
    "ccollections\nOrderedDict\n)R";
std::string tensor(const std::string& store, std::int64_t offset,
                   const std::vector<std::int64_t>& shape,
                   const std::vector<std::int64_t>& strides) {
    return "ctorch._utils\n_rebuild_tensor_v2\n" +
           tuple(store + integer(offset) + integers(shape) + integers(strides) + no_hooks) + "R";
}
std::string dictionary(const std::string& items) {
    return "}(" + items + "u";
}
std::string pickle(const std::string& body) {
    return "\x80\x02" + body + ".";
}

const std::string six_floats = [] {
    std::string bytes;
    for (const float value : {0.f, 1.f, 2.f, 3.f, 4.f, 5.f}) bytes += little(value);
    return bytes;
}();

/// A file with this pickle and one storage, "0", of six floats.
std::string file_of(const std::string& bare_pickle) {
    return zip_of({{"a/data.pkl", bare_pickle}, {"a/data/0", six_floats}, {"a/version", "3\n"}});
}
/// A file of the tensor "w".
std::string file_of_tensor(const std::string& described) {
    return file_of(pickle(dictionary(text("w") + described)));
}
std::string file_of_view(std::int64_t offset, const std::vector<std::int64_t>& shape,
                         const std::vector<std::int64_t>& strides) {
    return file_of_tensor(tensor(storage("Float", "0", 6), offset, shape, strides));
}

}  // namespace

TEST_CASE("CRC-32 has its published check value") {
    CHECK(typenet::detail::crc32(std::as_bytes(std::span("123456789"sv))) == 0xCBF43926);
    CHECK(typenet::detail::crc32({}) == 0);
}

TEST_CASE("what PyTorch saved is read: a state dict, and views of every kind and type") {
    for (const std::string name : {"state", "views"}) {
        const PthFile file = PthFile::open(goldens / (name + ".pth"));
        const SafetensorsFile truth = SafetensorsFile::open(goldens / (name + ".safetensors"));
        const Tensors found = tensors_of(file);
        for (const auto& [key, value] : tensors_of(truth)) {
            INFO(name << " " << key);
            REQUIRE(found.contains(key));
            CHECK((found.at(key) == value));
        }
        CHECK(found.size() == truth.tensors().size());
        CHECK(file.metadata().empty());
    }
    const PthFile state = PthFile::open(goldens / "state.pth");
    CHECK(state.tensors()[0].name == "conv.weight");
    CHECK(state.find("conv.weight")->shape == std::vector<std::int64_t>{3, 2, 2, 2});
    CHECK(state.find("conv.weight")->floats()[3] == -0.25f);
    CHECK(state.find("norm.num_batches_tracked")->dtype == Dtype::I64);
    CHECK(state.find("none") == nullptr);
}

TEST_CASE("tensors that share a storage share memory, and their views outlive the file's name") {
    std::optional<PthFile> file = PthFile::open(goldens / "views.pth");
    const TensorFile copy = *file;
    file.reset();
    const TensorView* shared = copy.find("shared");
    const TensorView* rows = copy.find("rows");
    REQUIRE(shared);
    REQUIRE(rows);
    CHECK(rows->bytes.data() == shared->bytes.data() + 2 * 4 * sizeof(float));
    CHECK(rows->floats()[0] == 1.0f);
    CHECK(copy.find("transposed")->floats()[1] == 0.0f);
}

TEST_CASE("the one state dict of a checkpoint is taken") {
    CHECK((tensors_of(PthFile::open(goldens / "checkpoint.pth")) ==
           tensors_of(SafetensorsFile::open(goldens / "state.safetensors"))));
}

TEST_CASE("other things that PyTorch saves are refused with the way out") {
    const auto check = [](const std::string& name, const std::string& reason,
                          const std::string& remedy) {
        INFO(name);
        const std::string error = error_of_golden(name);
        CHECK(error.starts_with("memory: "));
        CHECK_THAT(error, ContainsText(reason) && ContainsText(remedy));
    };
    check("module.pth", "Python object \"torch.nn.modules.linear.Linear\"", "model.state_dict()");
    check("legacy.pth", "a stream of PyTorch before 1.6", "save it again");
    check("script.pth", "a TorchScript archive", "torch.jit.load(path).state_dict()");
    check("expanded.pth", "tensor \"a\": its elements overlap: 1000 of them in 1", ".contiguous()");
    check("several.pth", "several dictionaries of tensors", "save the one");
    check("list.pth", "holds a list where a dictionary", "model.state_dict()");
    check("mixed.pth", "mixes tensors with other things", "model.state_dict()");
    check("number_as_name.pth", "a tensor has no text as its name", "model.state_dict()");
    check("sparse.pth", "Python object \"torch._utils._rebuild_sparse_tensor\"", "state_dict()");
    check("complex128.pth", "tensor \"a\": elements of the type \"ComplexDouble\"", "float32");
    check("protocol4.pth", "not of pickle protocol 2", "leave pickle_protocol");
}

TEST_CASE("other formats are recognised by their bytes") {
    const TemporaryFolder folder;
    const auto refusal = [&](std::string_view bytes) {
        std::ofstream(folder / "a", std::ios::binary) << bytes;
        try {
            typenet::open_tensors(folder / "a");
        } catch (const FileError& error) {
            return std::string(error.what());
        }
        return "no error"s;
    };
    const std::string tar = std::string(257, 'x') + "ustar" + std::string(250, '\0');
    CHECK_THAT(refusal(tar), ContainsText("a tar of PyTorch before 0.1.10"));
    CHECK_THAT(refusal(contents(goldens / "legacy.pth")), ContainsText("before 1.6"));
    CHECK_THAT(refusal("\x80\x02}q\1."), ContainsText("a bare pickle"));
    CHECK_THAT(refusal("\x89HDF\r\n\x1A\n\0\0\0"sv),
               ContainsText("HDF5") && ContainsText("scripts/convert-keras"));
    CHECK_THAT(refusal("\x93NUMPY\1\0"sv), ContainsText("an array of numpy"));
    CHECK_THAT(refusal("GGUF\3\0\0\0"sv), ContainsText("GGUF"));
    CHECK_THAT(refusal("\x1c\0\0\0TFL3"sv), ContainsText("TensorFlow Lite"));
    CHECK_THAT(refusal("\x08\x07\x12\x07pytorch\x1a"sv), ContainsText("ONNX"));
    CHECK_THAT(refusal(zip_of({{"metadata.json", "{}", {}, {}, 8}, {"model.weights.h5", "x"}})),
               ContainsText("a Keras model") && ContainsText("scripts/convert-keras"));
    CHECK_THAT(refusal(zip_of({{"a.npy", "x", {}, {}, 8}})), ContainsText("archive of numpy"));
    CHECK_THAT(refusal(zip_of({{"readme", "x"}})), ContainsText("none of torch.save"));
    CHECK_THAT(refusal("weights"), ContainsText("not a safetensors file"));
    CHECK_THAT(refusal(""), ContainsText("not a safetensors file"));

    // A safetensors file whose first byte is a pickle's.
    const std::string header = "{}" + std::string(0x280 - 2, ' ');
    CHECK(refusal(little(std::uint64_t{header.size()}) + header) == "no error");
    std::ofstream(folder / "a", std::ios::binary) << contents(goldens / "small.pth");
    CHECK(typenet::open_tensors(folder / "a").format() == "PyTorch .pth");
    CHECK(typenet::open_tensors(goldens / "state.safetensors").format() == "safetensors");
    CHECK_THROWS_WITH(typenet::open_tensors(folder.path()), ContainsText("is a folder"));
}

TEST_CASE("a file cut at any byte is refused") {
    const std::string file = contents(goldens / "small.pth");
    for (std::size_t size = 0; size < file.size(); ++size) {
        const std::string error = error_of(std::string_view(file).substr(0, size));
        INFO("cut at " << size);
        CHECK(error != "no error");
    }
    CHECK_THAT(error_of(file + '\0'), ContainsText("lacks its directory"));
}

TEST_CASE("a file with any byte changed is refused or says the same") {
    const std::string file = contents(goldens / "small.pth");
    const Tensors truth = tensors_of(parse(file));
    REQUIRE(truth.size() == 2);
    int refused = 0;
    for (std::size_t place = 0; place < file.size(); ++place)
        for (const int flip : {0x01, 0x80, 0xFF}) {
            std::string changed = file;
            changed[place] = static_cast<char>(changed[place] ^ flip);
            try {
                const PthFile read = parse(changed);
                INFO("byte " << place << " xor " << flip);
                CHECK((tensors_of(read) == truth));
            } catch (const FileError&) {
                ++refused;
            }
        }
    // Free are times, attributes, versions and what pads the file.
    CHECK(refused > 2 * static_cast<int>(file.size()));
}

TEST_CASE("a description with any byte changed, and its CRC with it, leads to no other memory") {
    const std::string described =
        pickle(dictionary(text("w") + tensor(storage("Float", "0", 6), 1, {2, 2}, {1, 3}) +
                          text("v") + tensor(storage("Float", "0", 6), 0, {6}, {1})));
    int read = 0, refused = 0;
    for (std::size_t place = 0; place < described.size(); ++place)
        for (int flip = 1; flip < 256; ++flip) {
            std::string changed = described;
            changed[place] = static_cast<char>(changed[place] ^ flip);
            try {
                const PthFile file = parse(file_of(changed));
                for (const TensorView& view : file.tensors()) {
                    const auto width = static_cast<std::size_t>(bits_of(view.dtype)) / 8;
                    REQUIRE(view.bytes.size() == static_cast<std::size_t>(view.size()) * width);
                    // To be read, and by the sanitizers seen to be ours.
                    REQUIRE(std::ranges::count(view.bytes, std::byte{1}) >= 0);
                }
                ++read;
            } catch (const FileError&) {
                ++refused;
            }
        }
    CHECK(refused > 20'000);
    CHECK(read > 500);  // other names, shapes and strides
}

TEST_CASE("zip files that lie are refused") {
    const std::string good = file_of_view(0, {6}, {1});
    const std::vector<Stored> entries{
        {"a/data.pkl",
         pickle(dictionary(text("w") + tensor(storage("Float", "0", 6), 0, {6}, {1})))},
        {"a/data/0", six_floats}};
    CHECK(tensors_of(parse(good)).size() == 1);
    CHECK(tensors_of(parse(zip_of(entries))).size() == 1);
    const auto changed = [&](std::size_t index, const auto& change) {
        std::vector<Stored> copy = entries;
        change(copy[index]);
        return error_of(zip_of(copy));
    };
    for (const std::uint32_t start : {0U, 3U})
        CHECK_THAT(changed(1, [&](Stored& e) { e.start = start; }),
                   ContainsText("entry \"a/data") && ContainsText("overlaps the one behind it"));
    CHECK_THAT(changed(1, [](Stored& e) { e.start = 0xFFFFFFF0; }),
               ContainsText("an entry ends too early"));
    CHECK_THAT(changed(0, [](Stored& e) { e.start = 3; }), ContainsText("belong to nothing"));
    CHECK_THAT(changed(1, [](Stored& e) { e.size = 23; }), ContainsText("belong to nothing"));
    CHECK_THAT(changed(1, [](Stored& e) { e.size = 25; }), ContainsText("ends too early"));
    CHECK_THAT(changed(0, [](Stored& e) { e.size = 0xFFFFFFF0; }), ContainsText("ends too early"));
    CHECK_THAT(changed(1, [](Stored& e) { e.method = 8; }), ContainsText("is compressed"));
    CHECK_THAT(changed(1, [](Stored& e) { e.flags = 1; }), ContainsText("is encrypted"));
    CHECK_THAT(changed(1, [](Stored& e) { e.local_name = "a/data/1"; }),
               ContainsText("says other things than the directory"));
    CHECK_THAT(changed(1, [](Stored& e) { e.name = "a/data.pkl"; }), ContainsText("comes twice"));
    CHECK_THAT(changed(1, [](Stored& e) { e.name = "a/data/\xFF"; }), ContainsText("not UTF-8"));
    CHECK_THAT(changed(1, [](Stored& e) { e.name = "a/data/1"; }),
               ContainsText("tensor \"w\": its storage \"0\" is missing"));
    CHECK_THAT(changed(1, [](Stored& e) { e.name = "b/data.pkl"; }),
               ContainsText("none of torch.save"));
    CHECK_THAT(error_of(zip_of(entries, 1)), ContainsText("has 2 entries and says 1"));
    CHECK_THAT(error_of(zip_of(entries, 65534)), ContainsText("has 2 entries and says 65534"));
    CHECK_THAT(error_of(zip_of(entries, -1, "gap")), ContainsText("belong to nothing"));
    CHECK_THAT(error_of("gap" + good), ContainsText("not a file of torch.save"));
    std::vector<Stored> big_endian = entries;
    big_endian.push_back({"a/byteorder", "big"});
    CHECK_THAT(error_of(zip_of(big_endian)), ContainsText("another byte order"));
}

TEST_CASE("a comment at the end of a zip file may hold what looks like its mark") {
    std::string file = file_of_view(0, {6}, {1});
    file.replace(file.size() - 2, 2, little(std::uint16_t{30}));
    CHECK(tensors_of(parse(file + "PK\5\6" + std::string(26, '\0'))).size() == 1);
}

TEST_CASE("tensors stay within their storage") {
    const auto floats = [](std::int64_t offset, const std::vector<std::int64_t>& shape,
                           const std::vector<std::int64_t>& strides) {
        const PthFile file = parse(file_of_view(offset, shape, strides));
        const std::span<const float> values = file.find("w")->floats();
        return std::vector<float>(values.begin(), values.end());
    };
    using Values = std::vector<float>;
    CHECK(floats(0, {2, 3}, {3, 1}) == Values{0, 1, 2, 3, 4, 5});
    CHECK(floats(0, {3, 2}, {1, 3}) == Values{0, 3, 1, 4, 2, 5});
    CHECK(floats(1, {2, 2}, {3, 1}) == Values{1, 2, 4, 5});
    CHECK(floats(5, {}, {}) == Values{5});
    CHECK(floats(9, {0}, {1}).empty());
    CHECK(floats(0, {2, 2}, {1, 1}) == Values{0, 1, 1, 2});

    constexpr std::int64_t huge = std::numeric_limits<std::int64_t>::max();
    const auto refusal = [](std::int64_t offset, const std::vector<std::int64_t>& shape,
                            const std::vector<std::int64_t>& strides) {
        const std::string error = error_of(file_of_view(offset, shape, strides));
        CHECK_THAT(error, ContainsText("memory: tensor \"w\": "));
        return error;
    };
    CHECK_THAT(refusal(0, {7}, {1}), ContainsText("reaches beyond the 6 elements"));
    CHECK_THAT(refusal(6, {1}, {1}), ContainsText("reaches beyond"));
    CHECK_THAT(refusal(1, {2, 3}, {3, 1}), ContainsText("reaches beyond"));
    CHECK_THAT(refusal(0, {2}, {huge}), ContainsText("reaches beyond"));
    CHECK_THAT(refusal(0, {3}, {huge}), ContainsText("reaches beyond"));
    CHECK_THAT(refusal(huge, {2}, {1}), ContainsText("reaches beyond"));
    CHECK_THAT(refusal(0, {huge, huge}, {0, 0}), ContainsText("has no size in 63 bits"));
    CHECK_THAT(refusal(0, {huge}, {0}), ContainsText("overlap"));
    CHECK_THAT(refusal(0, {7}, {0}), ContainsText("overlap"));
    CHECK_THAT(refusal(0, {2, 3}, {1}), ContainsText("has 2 sizes, but 1 strides"));
    CHECK_THAT(refusal(-1, {1}, {1}), ContainsText("a whole number from 0 on"));
    CHECK_THAT(refusal(0, {-1}, {1}), ContainsText("a whole number from 0 on"));
    CHECK_THAT(refusal(0, {1}, {-1}), ContainsText("a whole number from 0 on"));
}

TEST_CASE("many tensors of few bytes do not fill the memory") {
    std::string items;
    for (int i = 0; i < 100; ++i) items += text(std::to_string(i)) + "h\0"s;
    const std::string body = "}(" + text("w") +
                             tensor(storage("Float", "0", 6), 0, {3, 2}, {1, 3}) + "q\0"s + items +
                             "u";
    CHECK_THAT(error_of(file_of(pickle(body))), ContainsText("more memory than the file itself"));
}

TEST_CASE("storages are what their descriptions say") {
    const auto refusal = [](const std::string& store) {
        const std::string error = error_of(file_of_tensor(tensor(store, 0, {1}, {1})));
        CHECK_THAT(error, ContainsText("memory: tensor \"w\": "));
        return error;
    };
    CHECK_THAT(refusal(storage("Float", "0", 5)), ContainsText("24 bytes where 5 elements of F32"));
    CHECK_THAT(refusal(storage("Double", "0", 6)),
               ContainsText("24 bytes where 6 elements of F64"));
    CHECK_THAT(refusal(storage("Float", "0", std::numeric_limits<std::int64_t>::max())),
               ContainsText("24 bytes where"));
    CHECK_THAT(refusal(storage("Float", "1", 6)), ContainsText("storage \"1\" is missing"));
    CHECK_THAT(refusal(storage("Float", "../0", 6)), ContainsText("storage \"../0\" is missing"));
    CHECK_THAT(refusal(storage("QInt8", "0", 24)), ContainsText("type \"QInt8\" are not read"));
    CHECK_THAT(refusal(tuple(text("storage")) + "Q"), ContainsText("not as PyTorch writes it"));
    CHECK_THAT(refusal(integer(1) + "Q"), ContainsText("not as PyTorch writes it"));
    CHECK_THAT(refusal(integer(1)), ContainsText("not as PyTorch writes it"));
    CHECK_THAT(error_of(file_of_tensor("ctorch._utils\n_rebuild_tensor_v2\n)R")),
               ContainsText("tensor \"w\": its description is not as PyTorch writes it"));
    CHECK_THAT(error_of(file_of(
                   pickle(dictionary(text("w") + tensor(storage("Float", "0", 6), 0, {6}, {1}) +
                                     text("w") + tensor(storage("Float", "0", 6), 0, {6}, {1}))))),
               ContainsText("tensor \"w\": it comes twice"));
}

TEST_CASE("flags that change what the bytes mean are refused") {
    const auto flagged = [](const std::string& flags) {
        return error_of(file_of_tensor("ctorch._utils\n_rebuild_tensor_v2\n" +
                                       tuple(storage("Float", "0", 6) + integer(0) + integers({1}) +
                                             integers({1}) + no_hooks + flags) +
                                       "R"));
    };
    CHECK(flagged("N") == "no error");
    CHECK(flagged("}") == "no error");
    CHECK_THAT(flagged(dictionary(text("neg") + "\x88")),
               ContainsText("tensor \"w\": is marked as conjugate or negative"));
    CHECK_THAT(flagged("\x88"), ContainsText("not as PyTorch writes it"));
}

TEST_CASE("pickles that are more than data, or less, are refused") {
    const auto refusal = [](const std::string& bare_pickle) {
        const std::string error = error_of(file_of(bare_pickle));
        CHECK(error.starts_with("memory: "));
        return error;
    };
    CHECK_THAT(refusal(pickle("cos\nsystem\n(" + text("true") + "tR")),
               ContainsText("Python object \"os.system\""));
    CHECK_THAT(refusal(pickle("c__builtin__\neval\n(" + text("1") + "tR")),
               ContainsText("Python object \"__builtin__.eval\""));
    CHECK_THAT(refusal(pickle("ctorch._utils\n_rebuild_parameter\n)R")),
               ContainsText("with other arguments than PyTorch"));
    CHECK_THAT(refusal(pickle("ccollections\nOrderedDict\n" + tuple("N") + "R")),
               ContainsText("with other arguments than PyTorch"));
    CHECK_THAT(refusal(pickle("ctorch\nFloatStorage\n)R")), ContainsText("with other arguments"));
    CHECK_THAT(refusal(pickle(text("os") + ")R")), ContainsText("cannot be called"));
    CHECK_THAT(refusal(pickle("ios\nsystem\n")), ContainsText("operation 105"));  // INST
    CHECK_THAT(refusal(pickle("}}\x81")), ContainsText("operation 129"));         // NEWOBJ
    CHECK_THAT(refusal(pickle("\x82\1")), ContainsText("operation 130"));         // EXT1
    CHECK_THAT(refusal("\x80\x02"), ContainsText("its data.pkl ends too early"));
    CHECK_THAT(refusal(""), ContainsText("its data.pkl ends too early"));
    CHECK_THAT(refusal("\x80\x05."), ContainsText("not of pickle protocol 2"));
    CHECK_THAT(refusal(pickle("")), ContainsText("something unfinished"));
    CHECK_THAT(refusal(pickle("NN")), ContainsText("something unfinished"));
    CHECK_THAT(refusal(pickle("(N")), ContainsText("something unfinished"));
    CHECK_THAT(refusal(pickle("N") + "N"), ContainsText("something follows its end"));
    CHECK_THAT(refusal(pickle("t")), ContainsText("lacks its mark"));
    CHECK_THAT(refusal(pickle("N\x86")), ContainsText("lacks its values"));
    CHECK_THAT(refusal(pickle("N(\x85")), ContainsText("lacks its values"));  // not below a mark
    CHECK_THAT(refusal(pickle("(a")), ContainsText("lacks its value"));
    CHECK_THAT(refusal(pickle("q\1")), ContainsText("lacks its value"));
    CHECK_THAT(refusal(pickle("h\1")), ContainsText("never memorized"));
    CHECK_THAT(refusal(pickle("j\xFF\xFF\xFF\xFF")), ContainsText("never memorized"));
    CHECK_THAT(refusal(pickle("}Na")), ContainsText("takes none of them"));
    CHECK_THAT(refusal(pickle("]NNs")), ContainsText("takes none of them"));
    CHECK_THAT(refusal(pickle("}(Nu")), ContainsText("takes none of them"));
    CHECK_THAT(refusal(pickle("]}b")), ContainsText("attributes to something else"));
    CHECK_THAT(refusal(pickle("X\xFF\xFF\xFF\xFF")), ContainsText("ends too early"));
    CHECK_THAT(refusal(pickle(text("\xFF"))), ContainsText("not UTF-8"));
    CHECK_THAT(refusal(pickle("\x8A\x09" + std::string(9, '\1'))),
               ContainsText("more than 64 bits"));
    CHECK_THAT(refusal(pickle("c")), ContainsText("ends too early"));
    CHECK_THAT(refusal(pickle("c\xFF\n\n")), ContainsText("(not UTF-8)"));
    CHECK_THAT(refusal(pickle("}")), ContainsText("holds no dictionary of tensors"));
    CHECK_THAT(refusal(pickle("N")), ContainsText("holds None where a dictionary"));
}

TEST_CASE("deep, cyclic and endless pickles cost no stack and little memory") {
    // A list in a list in a list ...
    CHECK_THAT(error_of(file_of(pickle(std::string(200'000, ']') + std::string(199'999, 'a')))),
               ContainsText("holds a list"));
    // A dictionary that holds itself, beside a tensor and alone.
    CHECK_THAT(error_of(file_of(pickle("}q\0("s + text("me") + "h\0u"s))),
               ContainsText("holds no dictionary of tensors"));
    // Each tuple holds the one before it twice: 2^60 leaves.
    std::string bomb = ")q\0"s;
    for (int i = 0; i < 60; ++i) bomb += "h\0h\0\x86q\0"s;
    CHECK_THAT(error_of(file_of(pickle(bomb))), ContainsText("something unfinished"));
    // More values than any state dict, more names for one of them, more marks.
    CHECK_THAT(error_of(file_of(pickle(std::string(1'000'001, ']')))),
               ContainsText("more than 1000000 values"));
    std::string names = "]";
    for (std::uint32_t i = 0; i <= 1'000'000; ++i) names += "r" + little(i);
    CHECK_THAT(error_of(file_of(pickle(names))), ContainsText("more than 1000000 values"));
    CHECK_THAT(error_of(file_of(pickle(std::string(1'000'002, '(')))),
               ContainsText("more than 1000000 values"));
}

TEST_CASE("integers of every length have their signs") {
    const auto offset_of = [](const std::string& number) {
        // The offset stands where it shows in the error.
        const std::string described =
            "ctorch._utils\n_rebuild_tensor_v2\n" +
            tuple(storage("Float", "0", 6) + number + integers({1}) + integers({1}) + no_hooks) +
            "R";
        return error_of(file_of_tensor(described));
    };
    CHECK_THAT(offset_of("K\xFF"), ContainsText("from 255 on"));
    CHECK_THAT(offset_of("M\xFF\xFF"), ContainsText("from 65535 on"));
    CHECK_THAT(offset_of("J\xFF\xFF\xFF\x7F"), ContainsText("from 2147483647 on"));
    CHECK_THAT(offset_of("J\xFF\xFF\xFF\xFF"), ContainsText("something else than a whole number"));
    CHECK_THAT(offset_of("\x8A\x02\xFF\x00"s), ContainsText("from 255 on"));
    CHECK_THAT(offset_of("\x8A\x01\xFF"), ContainsText("something else than a whole number"));
    CHECK(offset_of("\x8A\x00"s) == "no error");
}

TEST_CASE("halves and their like become the floats that they are") {
    using typenet::detail::bfloat16_to_float;
    using typenet::detail::half_to_float;
    CHECK(half_to_float(0x3C00) == 1);
    CHECK(half_to_float(0xC100) == -2.5f);
    CHECK(half_to_float(0x7BFF) == 65504);
    CHECK(half_to_float(0x0001) == 0x1p-24f);
    CHECK(half_to_float(0x83FF) == -0x1.FF8p-15f);
    CHECK(half_to_float(0x0400) == 0x1p-14f);
    CHECK(half_to_float(0x7C00) == std::numeric_limits<float>::infinity());
    CHECK(half_to_float(0xFC00) == -std::numeric_limits<float>::infinity());
    CHECK(half_to_float(0x7C01) != half_to_float(0x7C01));
    CHECK(1 / half_to_float(0x8000) == -std::numeric_limits<float>::infinity());
    CHECK(bfloat16_to_float(0x4049) == 3.140625f);
    CHECK(bfloat16_to_float(0xFF80) == -std::numeric_limits<float>::infinity());
    const PthFile views = PthFile::open(goldens / "views.pth");
    for (const char* name : {"float32", "float64", "float16", "bfloat16"}) {
        const typenet::FloatValues values(*views.find(name));
        CHECK(std::ranges::equal(values.get(), std::vector<float>{-1, -0.75f, -0.5f, -0.25f, 0}));
    }
    CHECK_THROWS_WITH(typenet::FloatValues(*views.find("int64")), ContainsText("holds I64"));
}
