// What the program does with files of weights: predict, convert, info.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "classifier.hpp"
#include "cli/program.hpp"
#include "photo_file.hpp"
#include "support/catch.hpp"
#include "support/python.hpp"
#include "support/temporary_folder.hpp"
#include "typenet/io/atomic_file.hpp"
#include "typenet/io/json.hpp"
#include "typenet/io/safetensors.hpp"
#include "typenet/io/tensor_formats.hpp"
#include "typenet/models/known.hpp"

namespace {

namespace fs = std::filesystem;
using namespace typenet;
using typenet_test::contents;
using typenet_test::Finished;
using typenet_test::has_python;
using typenet_test::names_in;
using typenet_test::run;
using typenet_test::TemporaryFolder;

const fs::path tests = TYPENET_TESTS_FOLDER;

/// Weights of a known network that are all `others` but for the last bias: the logits, where they
/// are all zero.
void write_constant_weights(const fs::path& path, const models::KnownNetwork& known,
                            const std::vector<float>& logits,
                            const std::map<std::string, std::string>& metadata = {},
                            float others = 0) {
    std::vector<TensorView> tensors;
    for (const TensorShape& tensor : parameter_shapes(known.layers))
        tensors.push_back({tensor.name, Dtype::F32, tensor.shape, {}});
    const std::string last = tensors.back().name;
    std::vector<float> values;
    write_safetensors(path, tensors, metadata, [&](const TensorView& tensor) {
        if (tensor.name == last) return std::as_bytes(std::span(logits));
        values.assign(static_cast<std::size_t>(tensor.size()), others);
        return std::as_bytes(std::span<const float>(values));
    });
}

struct Prediction {
    std::string image;
    std::vector<std::pair<std::string, double>> top;
};
std::vector<Prediction> read_predictions(const fs::path& path) {
    const std::string text = contents(path);
    std::vector<Prediction> predictions;
    JsonReader reader(text);
    reader.array([&] {
        Prediction& prediction = predictions.emplace_back();
        reader.object([&](const std::string& key) {
            if (key == "image") {
                prediction.image = reader.string();
                return;
            }
            REQUIRE(key == "top");
            reader.array([&] {
                auto& [name, probability] = prediction.top.emplace_back();
                reader.object([&](const std::string& member) {
                    if (member == "class")
                        name = reader.string();
                    else if (member == "probability")
                        probability = reader.number();
                    else
                        reader.fail("unknown member " + member);
                });
            });
        });
    });
    reader.finish();
    return predictions;
}

double relative_error(std::span<const float> found, std::span<const float> wanted) {
    REQUIRE(found.size() == wanted.size());
    double difference = 0, largest = 0;
    for (std::size_t i = 0; i < found.size(); ++i) {
        difference = std::max(difference, std::abs(double{found[i]} - wanted[i]));
        largest = std::max(largest, std::abs(double{wanted[i]}));
    }
    return difference / largest;
}

}  // namespace

TEST_CASE("photos are classified, bad ones reported, and all of it written as JSON") {
    const TemporaryFolder folder;
    const std::vector<float> logits{0, 3, 1, -2, 5, 2, -1, 4, -3, 0.5f};
    write_constant_weights(folder / "weights.safetensors", models::known_networks[0], logits,
                           {{"classes", "a,b,c,d,e,f,g,h,i,j"}});
    write_file(folder / "bad.png", "no image");
    const std::string good = (tests / "cli/photos/rgb.ppm").string();
    std::vector<std::string> arguments{"predict",
                                       "--weights",
                                       (folder / "weights.safetensors").string(),
                                       "--json",
                                       (folder / "top.json").string(),
                                       (folder / "bad.png").string()};
    for (int i = 0; i < 18; ++i) arguments.push_back(good);  // more than fit at once
    arguments.push_back((folder / "none.jpg").string());
    const Finished finished = run(arguments);
    CHECK(finished.code == 1);
    CHECK(finished.err == "alexnet: error: " + (folder / "bad.png").string() +
                              ": is no JPEG, PNG or binary PPM; convert it to one of them\n" +
                              "alexnet: error: " + (folder / "none.jpg").string() +
                              ": cannot be opened: No such file or directory; check the path: a "
                              "folder or file of it is not there\n");
    CHECK_THAT(finished.out, ContainsText("weights.safetensors: AlexNet of 10 classes\n") &&
                                 ContainsText("rgb.ppm\n   62.78 %  e\n"));

    const std::vector<Prediction> predictions = read_predictions(folder / "top.json");
    REQUIRE(predictions.size() == 18);
    double sum = 0;
    for (const float logit : logits) sum += std::exp(logit);
    for (const Prediction& prediction : predictions) {
        CHECK(prediction.image == good);
        REQUIRE(prediction.top.size() == 5);
        const std::vector<std::pair<std::string, float>> wanted{
            {"e", 5.f}, {"h", 4.f}, {"b", 3.f}, {"f", 2.f}, {"c", 1.f}};
        for (std::size_t i = 0; i < 5; ++i) {
            CHECK(prediction.top[i].first == wanted[i].first);
            CHECK_THAT(prediction.top[i].second, WithinRel(std::exp(wanted[i].second) / sum, 1e-6));
        }
    }

    // By Winograd's algorithm as well: these weights give no rounding errors.
    arguments.insert(arguments.begin() + 1, "--winograd");
    const Finished by_winograd = run(arguments);
    CHECK(by_winograd.code == 1);
    CHECK_THAT(by_winograd.out, ContainsText(", Winograd's algorithm\n") &&
                                    ContainsText("rgb.ppm\n   62.78 %  e\n"));

    // Other names, then a list of the wrong length.
    write_file(folder / "names", "plane\r\ncar\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n");
    arguments = {"predict",
                 "--weights",
                 (folder / "weights.safetensors").string(),
                 "--classes",
                 (folder / "names").string(),
                 good};
    const Finished named = run(arguments);
    CHECK(named.code == 0);
    CHECK(named.err == "");
    CHECK_THAT(named.out, ContainsText(" %  deer\n") && ContainsText(" %  car\n"));
    write_file(folder / "names",
               "tench, Tinca tinca\ncar\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\nx\n");
    const std::string commas = (folder / "commas.safetensors").string();
    CHECK(run({"convert", "--classes", (folder / "names").string(), arguments[2], commas}).code ==
          0);
    CHECK_THAT(run({"predict", "--weights", commas, good}).out,
               ContainsText(" %  deer\n") && ContainsText(" %  car\n"));
    CHECK(run({"info", commas}).code == 0);
    write_file(folder / "names", "plane\ncar\n");
    const Finished short_list = run(arguments);
    CHECK(short_list.code == 1);
    CHECK_THAT(short_list.err,
               ContainsText("names: names 2 classes where AlexNet is of 10; give --classes"));

    const std::string huge = (folder / "huge.safetensors").string();
    write_constant_weights(huge, models::known_networks[0], logits, {}, 3e38f);
    const Finished overflows = run({"predict", "--weights", huge, good});
    CHECK(overflows.code == 1);
    CHECK_THAT(overflows.err,
               ContainsText("huge.safetensors: makes the network's outputs overflow"));

    // The same weights in other formats.
    const std::string onnx = (folder / "a.onnx").string();
    CHECK(run({"convert", (folder / "weights.safetensors").string(), onnx}).code == 0);
    const Finished refused = run({"info", onnx});
    CHECK(refused.code == 1);
    CHECK_THAT(refused.err, ContainsText("a.onnx: is ONNX, which is not read here"));
    CHECK(fs::file_size(onnx) > 58'322'314 * 4);
    CHECK(fs::file_size(onnx) < 58'322'314 * 4 + 4096);
}

TEST_CASE("eval takes weights of any known network that tells as many classes apart") {
    const TemporaryFolder folder;
    const std::string weights = (folder / "weights.safetensors").string();
    std::vector<float> logits(10);
    logits[3] = 2;
    write_constant_weights(weights, models::known_networks[3], logits);
    const fs::path out = folder / "a/b";
    const std::vector<std::string> arguments{"eval",
                                             "--weights",
                                             weights,
                                             "--data",
                                             "synthetic",
                                             "--limit-test",
                                             "20",
                                             "--out",
                                             out.string(),
                                             "--json",
                                             (folder / "a.json").string()};
    const Finished finished = run(arguments);
    CHECK(finished.err == "");
    CHECK(finished.code == 0);
    CHECK_THAT(finished.out, ContainsText(": torchvision's AlexNet of 10 classes\n") &&
                                 ContainsText("Accuracy of frame     : 100.00 %\n") &&
                                 ContainsText("Accuracy of disc      : 0.00 %\n") &&
                                 ContainsText("on the 20 test images: 10.00 % (loss 2."));
    CHECK(names_in(out) == "confusion.svg filters.svg metrics.csv metrics.jsonl report.html");
    CHECK_THAT(contents(out / "report.html"),
               ContainsText("torchvision's AlexNet of 10 classes, 57,044,810 parameters") &&
                   ContainsText("<strong>10.00 %</strong>test accuracy"));
    CHECK_THAT(contents(out / "filters.svg"), ContainsText("64 filters of the first"));
    const typenet_test::Report report = typenet_test::read_report(folder / "a.json");
    CHECK_THAT(contents(out / "metrics.jsonl"),
               ContainsText("{\"test_loss\":" + JsonWriter{}.value(report.test_loss).text() +
                            ",\"test_accuracy\":10,\"images_per_second\":") &&
                   ContainsText(",\"per_class\":{\"disc\":0,"));
    CHECK(contents(out / "metrics.csv")
              .starts_with("test_loss,test_accuracy,images_per_second,seconds,finished\n2."));

    // By Winograd's algorithm as well: these weights give no rounding errors.
    CHECK_THAT(run({"eval", "--weights", weights, "--data", "synthetic", "--limit-test", "20",
                    "--winograd"})
                   .out,
               ContainsText(", Winograd's algorithm\n") &&
                   ContainsText("on the 20 test images: 10.00 % (loss 2."));

    // The results of a training run stay.
    write_file(out / "checkpoint-00000001.safetensors", "");
    fs::remove(out / "report.html");
    const Finished taken = run(arguments);
    CHECK(taken.code == 1);
    CHECK_THAT(taken.err, ContainsText("b: holds a training run with its own results; choose"));
    CHECK_FALSE(fs::exists(out / "report.html"));
    write_constant_weights(weights, models::known_networks[4], std::vector<float>(1000));
    const Finished refused = run(arguments);
    CHECK(refused.code == 1);
    CHECK_THAT(refused.err, ContainsText("weights.safetensors: holds the AlexNet of 2012 of 1000 "
                                         "classes, but the data have 10; give data"));
}

TEST_CASE("info and convert know a file, or say what they do not know") {
    const TemporaryFolder folder;
    const std::string small = (tests / "io/goldens/state.pth").string();
    const Finished info = run({"info", small});
    CHECK(info.code == 0);
    CHECK_THAT(info.out, ContainsText("state.pth: PyTorch .pth, 9 tensors, 50 values, ") &&
                             ContainsText("Network: not recognised: ") &&
                             ContainsText("conv.weight               F32   [3, 2, 2, 2]\n") &&
                             ContainsText("norm.num_batches_tracked  I64   []\n"));

    const std::string copy = (folder / "copy.safetensors").string();
    const Finished converted = run({"convert", small, copy});
    CHECK(converted.code == 0);
    CHECK_THAT(converted.out, ContainsText("Not recognised, its tensors are taken as they are") &&
                                  ContainsText("copy.safetensors, 9 tensors\n"));
    const SafetensorsFile read = SafetensorsFile::open(copy);
    const SafetensorsFile wanted = SafetensorsFile::open(tests / "io/goldens/state.safetensors");
    for (const TensorView& tensor : wanted.tensors()) {
        const TensorView* found = read.find(tensor.name);
        REQUIRE(found != nullptr);
        CHECK(found->shape == tensor.shape);
        CHECK(std::ranges::equal(found->bytes, tensor.bytes));
    }

    const Finished unknown = run({"convert", small, (folder / "a.onnx").string()});
    CHECK(unknown.code == 1);
    CHECK_THAT(unknown.err, ContainsText("holds the weights of no network that is known here"));
    CHECK(run({"convert", small, (folder / "a.pth").string()}).code == 2);
    const std::vector<float> bad{1, std::nanf("")};
    write_safetensors(folder / "bad.safetensors", std::vector{TensorView::of("x", {2}, bad)});
    const Finished nan = run(
        {"convert", (folder / "bad.safetensors").string(), (folder / "b.safetensors").string()});
    CHECK(nan.code == 1);
    CHECK_THAT(nan.err, ContainsText("tensor \"x\" has the value nan at index 1"));
    CHECK(names_in(folder.path()) == "bad.safetensors copy.safetensors");
}

TEST_CASE("torchvision's AlexNet has its logits here, from the file and the photos on",
          "[.extended]") {
    if (!has_python("torch, torchvision")) TYPENET_SKIP("python3-torchvision is not installed");
    const TemporaryFolder folder;
    const std::string make = (tests / "cli/make_alexnet.py").string();
    REQUIRE(std::system((make + " " + folder.path().string()).c_str()) == 0);

    const SafetensorsFile golden = SafetensorsFile::open(folder / "logits.safetensors");
    const std::span<const float> logits = golden.find("logits")->floats();
    std::vector<fs::path> images;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder.path()))
        if (std::isdigit(entry.path().filename().string()[0])) images.push_back(entry.path());
    std::ranges::sort(images);
    REQUIRE(images.size() == 16);

    std::vector<float> first, first_sample;
    for (const char* name : {"alexnet.pth", "alexnet.safetensors"}) {
        const fs::path path = folder / name;
        const TensorFile file = open_tensors(path);
        const models::KnownNetwork& known = models::recognize(file, path);
        CHECK(known.title() == "torchvision's AlexNet of 1000 classes");
        const auto classifier = alexnet::make_cpu_classifier(known, file, path, 4, {});
        std::vector<float> found;
        for (std::size_t i = 0; i < images.size(); ++i) {
            if ((!ALEXNET_HAS_JPEG && images[i].extension() == ".jpg") ||
                (!ALEXNET_HAS_PNG && images[i].extension() == ".png"))
                TYPENET_SKIP("the program was built without libjpeg or libpng");
            std::vector<float> sample(static_cast<std::size_t>(known.input().size()));
            preprocess(alexnet::read_photo(images[i]), known.preprocessing, known.input(), sample);
            if (i == 0) first_sample = sample;
            const std::vector<float> ours = (*classifier)(sample);
            const double error = relative_error(ours, logits.subspan(1000 * i, 1000));
            INFO(images[i]);
            CHECK(error <= 1e-4);
            // By far more than that do the logits differ from photo to photo.
            if (i > 0)
                CHECK(relative_error(ours, std::span(found).subspan(1000 * (i - 1), 1000)) > 0.1);
            found.insert(found.end(), ours.begin(), ours.end());
        }
        WARN(name << ": largest error of a logit " << relative_error(found, logits));
        if (first.empty()) first = found;
        CHECK(first == found);
    }

    // The same as ONNX, for those who check it and run it.
    const std::string onnx = (folder / "alexnet.onnx").string();
    REQUIRE(run({"convert", (folder / "alexnet.pth").string(), onnx}).code == 0);
    write_safetensors(folder / "prepared",
                      std::vector{TensorView::of("input", {1, 3, 224, 224}, first_sample),
                                  TensorView::of("output", {1, 1000}, logits.first(1000))});
    if (!typenet_test::check_onnx(onnx, folder / "prepared"))
        TYPENET_SKIP("no Python here has the module onnx or onnxruntime (TYPENET_PYTHON)");
}
