#include "typenet/data/cifar10.hpp"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using namespace typenet;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t record_bytes = 3073;
constexpr std::size_t file_bytes = 10'000 * record_bytes;

/// The bytes of a batch file: record r has label (r + first) % 10, and its byte p is (r + 7 p) %
/// 256.
std::string batch_file(std::size_t first) {
    std::string bytes(file_bytes, '\0');
    for (std::size_t r = 0; r < 10'000; ++r) {
        char* record = bytes.data() + r * record_bytes;
        record[0] = static_cast<char>((r + first) % 10);
        for (std::size_t p = 0; p < 3072; ++p) record[1 + p] = static_cast<char>((r + 7 * p) % 256);
    }
    return bytes;
}

void write(const fs::path& file, const std::string& bytes) {
    fs::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << bytes;
}

/// What reading the test split of `folder` complains about.
std::string complaint(const fs::path& folder, Split split = Split::test) {
    try {
        read_cifar10(folder, split);
    } catch (const FileError& error) {
        return error.what();
    }
    return "no complaint";
}

}  // namespace

TEST_CASE("CIFAR-10's test split is read from its folder and from the folder around it") {
    const typenet_test::TemporaryFolder folder;
    const fs::path inner = folder / "cifar-10-batches-bin";
    write(inner / "test_batch.bin", batch_file(3));

    for (const fs::path& named : {folder.path(), inner}) {
        const Dataset dataset = read_cifar10(named, Split::test);
        dataset.validate();
        REQUIRE(dataset.size() == 10'000);
        CHECK(dataset.image_shape == Shape{3, 32, 32});
        CHECK(dataset.class_names == cifar10_names());
        CHECK(dataset.labels[0] == 3);
        CHECK(dataset.labels[9'999] == 2);
        CHECK(dataset.image(0)[1] == 7);
        CHECK(dataset.image(9'999)[3071] == (9'999 + 7 * 3071) % 256);
    }
}

TEST_CASE("CIFAR-10's training files are read in order, and only as many as a limit needs") {
    const typenet_test::TemporaryFolder folder;
    write(folder / "data_batch_1.bin", batch_file(0));
    write(folder / "data_batch_2.bin", batch_file(5));

    const Dataset few = read_cifar10(folder.path(), Split::train, 12);
    CHECK(few.size() == 12);
    CHECK(few.labels[11] == 1);

    const Dataset more = read_cifar10(folder.path(), Split::train, 10'001);
    REQUIRE(more.size() == 10'001);
    CHECK(more.labels[9'999] == 9);
    CHECK(more.labels[10'000] == 5);
    CHECK(more.image(10'000)[0] == 0);

    CHECK_THAT(complaint(folder.path(), Split::train),
               ContainsText("data_batch_3.bin: no such file"));
    CHECK_THROWS_WITH(read_cifar10(folder.path(), Split::train, 0), ContainsText("limit is 0"));
    CHECK_THROWS_WITH(read_cifar10(folder.path(), Split::train, -2), ContainsText("limit is -2"));
}

TEST_CASE("A limit beyond the split reads all of it") {
    const typenet_test::TemporaryFolder folder;
    write(folder / "test_batch.bin", batch_file(0));
    CHECK(read_cifar10(folder.path(), Split::test, 12'000).size() == 10'000);
}

TEST_CASE("CIFAR-10's class names come from batches.meta.txt where it is sound") {
    const typenet_test::TemporaryFolder folder;
    write(folder / "test_batch.bin", batch_file(0));
    const auto names = [&](const std::string& meta) {
        write(folder / "batches.meta.txt", meta);
        return read_cifar10(folder.path(), Split::test, 1).class_names;
    };
    const std::vector<std::string> letters{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
    CHECK(names("a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n") == letters);
    CHECK(names("a\r\nb\r\nc\r\nd\r\ne\r\nf\r\ng\r\nh\r\ni\r\nj\r\n") == letters);
    CHECK(names("a\nb\nc\n") == cifar10_names());
    CHECK(names("a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\n") == cifar10_names());
    CHECK(names("a\nb\nc\nd\ne\nf\ng\nh\ni\n\x01\n") == cifar10_names());
    CHECK(cifar10_short_names()[1] == "car");
}

TEST_CASE("What is wrong with CIFAR-10's files is said with file, place and remedy") {
    const typenet_test::TemporaryFolder folder;
    const fs::path file = folder / "test_batch.bin";

    SECTION("no folder") {
        const std::string text = complaint(folder / "nowhere");
        CHECK_THAT(text, ContainsText("nowhere: no such folder"));
        CHECK_THAT(text, ContainsText("scripts/get-cifar10"));
    }
    SECTION("no file") {
        const std::string text = complaint(folder.path());
        CHECK_THAT(text, ContainsText(file.string() + ": no such file"));
        CHECK_THAT(text, ContainsText("scripts/get-cifar10"));
    }
    SECTION("a folder in its place") {
        fs::create_directory(file);
        CHECK_THAT(complaint(folder.path()), ContainsText(file.string() + ": not a file"));
    }
    SECTION("empty") {
        write(file, "");
        CHECK_THAT(complaint(folder.path()), ContainsText("ends in record 0, at byte 0"));
    }
    SECTION("one byte short") {
        write(file, batch_file(0).substr(0, file_bytes - 1));
        const std::string text = complaint(folder.path());
        CHECK_THAT(text, ContainsText(file.string() + ": 30729999 bytes instead of 30730000"));
        CHECK_THAT(text, ContainsText("ends in record 9999, at byte 30729999"));
        CHECK_THAT(text, ContainsText("scripts/get-cifar10"));
    }
    SECTION("one byte too long") {
        write(file, batch_file(0) + 'x');
        const std::string text = complaint(folder.path());
        CHECK_THAT(text, ContainsText(file.string() + ": 30730001 bytes instead of 30730000"));
        CHECK_THAT(text, ContainsText("at byte 30730000"));
    }
    SECTION("a size that is wrong beyond the limit") {
        write(file, batch_file(0).substr(0, 100 * record_bytes));
        CHECK_THROWS_AS(read_cifar10(folder.path(), Split::test, 5), FileError);
    }
    SECTION("a label out of range") {
        std::string bytes = batch_file(0);
        bytes[17 * record_bytes] = static_cast<char>(200);
        write(file, bytes);
        const std::string text = complaint(folder.path());
        CHECK_THAT(text, ContainsText(file.string() + ": record 17 (byte 52241) has label 200"));
        CHECK_THAT(text, ContainsText("scripts/get-cifar10"));
        CHECK(read_cifar10(folder.path(), Split::test, 17).size() == 17);
    }
}
