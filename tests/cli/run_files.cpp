// What a run leaves to be looked at, written here without a run.
#include "run_files.hpp"

#include <sys/stat.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <regex>
#include <string>
#include <vector>

#include "cli/program.hpp"
#include "photo_file.hpp"
#include "session.hpp"
#include "support/catch.hpp"
#include "support/python.hpp"
#include "support/temporary_folder.hpp"
#include "typenet/io/atomic_file.hpp"
#include "typenet/io/charts.hpp"
#include "typenet/io/json.hpp"

namespace {

namespace fs = std::filesystem;
using namespace alexnet;
using typenet_test::contents;
using typenet_test::names_in;
using typenet_test::TemporaryFolder;

EpochResult epoch(std::int64_t number) {
    const auto n = static_cast<double>(number);
    return {.epoch = number,
            .steps = 100 * number,
            .learning_rate = 1e-3f / static_cast<float>(number),
            .train_loss = 2.5 / n,
            .train_accuracy = 100 - 60 / n,
            .test_loss = 2.25 / n,
            .test_accuracy = 100 - 70 / n,
            .images_per_second = 300,
            .seconds = 12.5,
            .finished = 1.7e9 + 20 * n,
            .per_class = {100 - 50 / n, std::nan("")}};
}

/// A run of so many epochs, into `folder`.
struct Run {
    Run(const fs::path& folder, std::int64_t epochs) {
        options.recipe = pytorch_recipe();
        options.data.source = "synthetic";
        session.files.folder = folder;
        session.names = {"cat", "<dog>"};
        for (std::int64_t e = 1; e <= epochs; ++e) session.epochs.push_back(epoch(e));
        for (int i = 0; i < 4; ++i) test.confusion.add(0, i == 3);
        test.loss = 0.5;
        facts = {"a <device>",
                 1'234'567,
                 {{2, 3, 1, 2},
                  {1, -1, 0, 0.5f, 0, 0,  //
                   0, 0, 0, 0, 0, 0}}};
    }
    void write() const { write_run_files(options, session, test, facts); }

    TrainOptions options;
    Session session{2};
    TestResult test{typenet::ConfusionMatrix{2}};
    RunFacts facts;
};

ino_t file_of(const fs::path& path) {
    struct ::stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    return status.st_ino;
}

const char* const all_names =
    "confusion.svg curves.svg events.out.tfevents.alexnet filters.svg metrics.csv metrics.jsonl "
    "report.html";

}  // namespace

TEST_CASE("epochs survive the checkpoint's JSON, classes without images as well") {
    const std::vector<EpochResult> epochs{epoch(1), epoch(2)};
    const std::vector<EpochResult> read = epochs_from_json(to_json(epochs));
    REQUIRE(read.size() == 2);
    CHECK(to_json(read) == to_json(epochs));
    CHECK(read[1].steps == 200);
    CHECK(read[1].learning_rate == 5e-4f);
    CHECK(read[1].finished == 1.7e9 + 40);
    REQUIRE(read[1].per_class.size() == 2);
    CHECK(read[1].per_class[0] == 75);
    CHECK(std::isnan(read[1].per_class[1]));
}

TEST_CASE("tables have a line for each epoch") {
    const std::vector<EpochResult> epochs{epoch(1), epoch(2)};
    CHECK(to_csv(epochs) ==
          "epoch,steps,learning_rate,train_loss,train_accuracy,test_loss,test_accuracy,"
          "images_per_second,seconds,finished\n"
          "1,100,0.001,2.5,40,2.25,30,300,12.5,1700000020\n"
          "2,200,0.0005,1.25,70,1.125,65,300,12.5,1700000040\n");
    const std::vector<std::string> names{"cat", "dog"};
    CHECK_THAT(to_json_lines(epochs, names),
               ContainsText("\"test_accuracy\":65,\"images_per_second\":300,\"seconds\":12.5,"
                            "\"finished\":1700000040,\"per_class\":{\"cat\":75,\"dog\":null}}\n"));
}

TEST_CASE("the files of a run follow its epochs") {
    const TemporaryFolder folder;
    const fs::path events = folder / "events.out.tfevents.alexnet";
    Run{folder.path(), 1}.write();
    CHECK(names_in(folder.path()) == all_names);
    const std::string one_epoch = contents(events);
    const ino_t file = file_of(events);

    // One more: the others are new files, TensorBoard's grows.
    Run{folder.path(), 2}.write();
    CHECK(names_in(folder.path()) == all_names);
    CHECK(file_of(events) == file);
    const std::string two_epochs = contents(events);
    CHECK(two_epochs.size() > one_epoch.size());
    CHECK(two_epochs.starts_with(one_epoch));
    CHECK(contents(folder / "metrics.csv") == to_csv(Run{folder.path(), 2}.session.epochs));
    CHECK_THAT(contents(folder / "curves.svg"), ContainsText("test, epoch 2: 65.0000"));
    CHECK_THAT(contents(folder / "confusion.svg"),
               ContainsText("cat taken for &lt;dog&gt;: 1 of 4"));

    // Cut short within a record, as a crash may leave it, it is completed.
    fs::resize_file(events, one_epoch.size() + 5);
    Run{folder.path(), 2}.write();
    CHECK(contents(events) == two_epochs);
    // A run that starts over, or goes on from an earlier epoch, leaves nothing of what was there.
    Run{folder.path(), 1}.write();
    CHECK(contents(events) == one_epoch);
    CHECK(contents(folder / "metrics.csv") == to_csv(Run{folder.path(), 1}.session.epochs));

    // What follows can be told before a run has cost anything.
    fs::remove(folder / "curves.svg");
    fs::create_directory(folder / "curves.svg");
    CHECK_THROWS_AS(require_run_files_writable(folder.path()), typenet::FileError);
}

TEST_CASE("filters are pictures with grey for a weight of zero") {
    if (!ALEXNET_HAS_PNG) TYPENET_SKIP("the program is built without libpng");
    const TemporaryFolder folder;
    // [3][1][2]: red is 1 and -1, green 0 and 0.5, blue 0; the second filter is all zero.
    const std::string svg = draw_filters(Run{folder.path(), 1}.facts.filters);
    CHECK_THAT(svg, ContainsText("2 filters of the first convolution, 1 x 2") &&
                        ContainsText("<title>filter 0, weights up to 1</title>"));
    const auto image_of = [&](const std::vector<std::uint8_t>& pixels) {
        return "base64," + typenet::detail::base64(typenet::encode_png({2, 1, pixels})) + "\"";
    };
    const std::vector<std::uint8_t> first{255, 128, 128, 0, 191, 128};
    CHECK_THAT(svg, ContainsText(image_of(first)) &&
                        ContainsText(image_of(std::vector<std::uint8_t>(6, 128))));
    typenet::write_file(folder / "a.png", typenet::encode_png({2, 1, first}));
    const typenet::Photo photo = read_photo(folder / "a.png");
    CHECK(photo.width == 2);
    CHECK(photo.height == 1);
    CHECK(photo.pixels == first);
    // More than a block of the compression's format holds.
    typenet::Bitmap large{200, 150, std::vector<std::uint8_t>(3 * 200 * 150)};
    for (std::size_t i = 0; i < large.pixels.size(); ++i)
        large.pixels[i] = static_cast<std::uint8_t>(i * i >> 7);
    typenet::write_file(folder / "b.png", typenet::encode_png(large));
    CHECK(read_photo(folder / "b.png").pixels == large.pixels);
}

TEST_CASE("the page tells the run, loads nothing and is well-formed") {
    const TemporaryFolder folder;
    const Run run{folder.path(), 3};
    run.write();
    const std::string page = contents(folder / "report.html");
    CHECK_THAT(page, ContainsText("3 of 10 epochs done; the last one ended 2023-11-14 22:14 UTC."));
    CHECK_THAT(page, ContainsText("<strong>76.67 %</strong>test accuracy"));
    CHECK_THAT(page, ContainsText("1,234,567 parameters") && ContainsText("a &lt;device&gt;"));
    CHECK_THAT(page, ContainsText("<td>--lr</td><td>0.001</td>"));
    CHECK_THAT(page, ContainsText("<tr><td>cat</td><td>4</td><td>3</td><td>75.00 %</td>"));
    CHECK_THAT(page, ContainsText("<tr><td>&lt;dog&gt;</td><td>0</td><td>0</td><td>-</td>"));
    CHECK_THAT(page, ContainsText(contents(folder / "curves.svg")) &&
                         ContainsText(contents(folder / "confusion.svg")) &&
                         ContainsText(contents(folder / "filters.svg")));
    // Addresses are those of pictures within it.
    static const std::regex address{"(href|src)=\"([^\"]{0,22})"};
    int addresses = 0;
    for (std::sregex_iterator at{page.begin(), page.end(), address}, end; at != end; ++at) {
        CHECK(at->str(2) == "data:image/png;base64,");
        ++addresses;
    }
    CHECK(addresses == 2);
    CHECK(page.find("url(") == page.npos);

    // That of a test of given weights as well.
    EvalOptions options;
    options.weights = "<mine>.pth";
    options.data.source = "synthetic";
    options.out = folder / "test";
    fs::create_directory(options.out);
    const TestedWeights tested{"some network", run.session.names, epoch(1)};
    write_test_files(options, tested, run.test, run.facts);
    CHECK(names_in(options.out) ==
          "confusion.svg filters.svg metrics.csv metrics.jsonl report.html");
    CHECK(contents(options.out / "metrics.csv") ==
          "test_loss,test_accuracy,images_per_second,seconds,finished\n"
          "2.25,30,300,12.5,1700000020\n");
    CHECK(contents(options.out / "metrics.jsonl") ==
          "{\"test_loss\":2.25,\"test_accuracy\":30,\"images_per_second\":300,\"seconds\":12.5,"
          "\"finished\":1700000020,\"per_class\":{\"cat\":50,\"<dog>\":null}}\n");
    CHECK_THAT(contents(options.out / "report.html"),
               ContainsText("4 images; the test ended 2023-11-14 22:13 UTC.") &&
                   ContainsText("&lt;mine&gt;.pth") && ContainsText("a &lt;device&gt;"));

    if (!typenet_test::has_python("xml.dom.minidom")) TYPENET_SKIP("python3 is not installed");
    for (const fs::path& file : {folder / "report.html", options.out / "report.html"})
        CHECK(std::system(("/usr/bin/python3 -c 'import sys, xml.dom.minidom as x; "
                           "x.parse(sys.argv[1])' " +
                           file.string())
                              .c_str()) == 0);
}
