// Event files: checksums and bytes as TensorFlow's own, and what TensorBoard reads in them.
#include "typenet/io/event_file.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <string_view>

#include "support/catch.hpp"
#include "support/python.hpp"
#include "support/temporary_folder.hpp"
#include "typenet/io/atomic_file.hpp"
#include "typenet/io/json.hpp"

using typenet::EventFile;
using typenet::detail::crc32c;
using namespace std::string_view_literals;

namespace {

std::string hexadecimal(std::string_view bytes) {
    std::string text;
    for (const char c : bytes)
        for (const int shift : {4, 0})
            text += "0123456789abcdef"[static_cast<unsigned char>(c) >> shift & 15];
    return text;
}

}  // namespace

TEST_CASE("CRC-32C has the sums of RFC 3720") {
    std::array<unsigned char, 32> bytes{};
    const auto sum = [&] { return crc32c(std::as_bytes(std::span(bytes))); };
    CHECK(sum() == 0x8A9136AA);
    bytes.fill(255);
    CHECK(sum() == 0x62A8AB43);
    std::iota(bytes.begin(), bytes.end(), static_cast<unsigned char>(0));
    CHECK(sum() == 0x46DD794E);
    std::iota(bytes.rbegin(), bytes.rend(), static_cast<unsigned char>(0));
    CHECK(sum() == 0x113FDB5C);
    CHECK(crc32c(std::as_bytes(std::span("123456789"sv))) == 0xE3069283);
    CHECK(crc32c({}) == 0);
}

TEST_CASE("an event file has the bytes that TensorBoard's own writer makes") {
    // By tensorboard 2.21: Event(wall_time=1.5, file_version="brain.Event:2"), then
    // Event(wall_time=2.5, step=300, summary of tag "loss/train" with simple_value 0.1).
    CHECK(hexadecimal(EventFile{1.5}.scalar("loss/train", 300, 2.5, 0.1).bytes()) ==
          "1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c"
          "2100000000000000017becf609000000000000044010ac022a130a110a0a6c6f73732f747261696e"
          "15cdcccc3df60b1719");
}

TEST_CASE("TensorBoard reads an event file") {
    const typenet_test::TemporaryFolder folder;
    EventFile events{1'000};
    std::string scalars;
    for (const char* tag : {"accuracy/test", "loss/train"})
        for (int step = 1; step <= 300; step += 23) {
            const double time = 1'000 + 0.5 * step, value = 100.0 / (step + 2);
            events.scalar(tag, step, time, value);
            scalars += tag + ("\t" + std::to_string(step)) + "\t" + std::to_string(time) + "\t" +
                       typenet::JsonWriter{}.value(value).text() + "\n";
        }
    typenet::write_file(folder / "events.tfevents", events.bytes());
    typenet::write_file(folder / "scalars", scalars);
    if (!typenet_test::check_tensorboard(folder.path(), folder / "scalars"))
        TYPENET_SKIP("no Python here has the module tensorboard (TYPENET_PYTHON)");
}
