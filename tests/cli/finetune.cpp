// Fine-tuning: small runs, then the program's own networks, and the classes that a run is kept to.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "cli/program.hpp"
#include "cli/small/weights.hpp"
#include "feature_cache.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"
#include "typenet/core/torch_generator.hpp"
#include "typenet/io/safetensors.hpp"

namespace {

namespace fs = std::filesystem;
using typenet::SafetensorsFile;
using typenet_test::contents;
using typenet_test::Finished;
using typenet_test::names_in;
using typenet_test::read_report;
using typenet_test::run;
using typenet_test::TemporaryFolder;
using typenet_test::write_small_weights;
using Arguments = std::vector<std::string>;

std::vector<float> values_of(const SafetensorsFile& file, const std::string& name) {
    const typenet::TensorView* tensor = file.find(name);
    INFO(name);
    REQUIRE(tensor != nullptr);
    const std::span<const float> values = tensor->floats();
    return {values.begin(), values.end()};
}

/// Whether both files have these values of a tensor.
bool agree(const SafetensorsFile& a, const SafetensorsFile& b, const std::string& name) {
    return values_of(a, name) == values_of(b, name);
}

/// A short small run; with a folder and weights.
class SmallRuns {
public:
    SmallRuns() { write_small_weights(weights(), 7); }

    Finished train(const Arguments& more) const {
        Arguments arguments{"finetune", "--limit-train", "26"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return run(arguments, {.program = TRAIN_SMALL_PROGRAM});
    }
    Finished train_into(const std::string& out, const Arguments& more) const {
        Arguments arguments{"--weights", weights().string(), "--out", (folder / out).string()};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return train(arguments);
    }
    fs::path weights() const { return folder / "pretrained.safetensors"; }
    SafetensorsFile result(const std::string& out) const {
        return SafetensorsFile::open(folder / out / "weights.safetensors");
    }

    TemporaryFolder folder;
};

}  // namespace

TEST_CASE("features are computed once an image where they are kept, and every time where not") {
    constexpr typenet::Shape shape{1, 1, 2};
    std::vector<std::vector<std::uint8_t>> computed;
    const auto compute = [&](const typenet::ImageBatch& images) {
        computed.emplace_back(images.pixels.begin(), images.pixels.end());
        std::vector<float> rows;
        for (std::size_t i = 0; i < images.labels.size(); ++i)
            for (int k = 0; k < 3; ++k) rows.push_back(10.0f * images.pixels[2 * i] + float(k));
        return rows;
    };
    const auto rows_of = [&](alexnet::FeatureCache& cache, std::vector<std::uint32_t> indices) {
        std::vector<std::uint8_t> pixels;
        for (const std::uint32_t index : indices)
            pixels.insert(pixels.end(), {static_cast<std::uint8_t>(index), 0});
        const std::vector<std::int32_t> labels(indices.size());
        const auto rows = cache.rows({pixels, labels, shape, 0, indices});
        return std::vector<float>(rows.begin(), rows.end());
    };
    using Rows = std::vector<float>;
    using Pixels = std::vector<std::vector<std::uint8_t>>;

    alexnet::FeatureCache kept{compute};
    kept.keep(5, 3);
    CHECK(rows_of(kept, {4, 1}) == Rows{40, 41, 42, 10, 11, 12});
    CHECK(rows_of(kept, {1, 3, 4}) == Rows{10, 11, 12, 30, 31, 32, 40, 41, 42});
    CHECK(rows_of(kept, {3, 1}) == Rows{30, 31, 32, 10, 11, 12});
    CHECK(computed == Pixels{{4, 0, 1, 0}, {3, 0}});

    computed.clear();
    alexnet::FeatureCache passing{compute};
    CHECK(rows_of(passing, {4, 1}) == Rows{40, 41, 42, 10, 11, 12});
    CHECK(rows_of(passing, {4, 1}) == Rows{40, 41, 42, 10, 11, 12});
    CHECK(computed == Pixels{{4, 0, 1, 0}, {4, 0, 1, 0}});
}

TEST_CASE("fine-tuning takes weights over, and changes neither what is frozen nor with the cache") {
    const SmallRuns runs;
    const Finished kept = runs.train_into("kept", {"--epochs", "3"});
    INFO(kept.err);
    REQUIRE(kept.code == 0);
    CHECK_THAT(kept.out, ContainsText("Weights: " + runs.weights().string() +
                                      ": a small network of 7 classes; taken over but for "
                                      "classifier.3, which is new\n"
                                      "Frozen: 240 parameters; 2666 learn\n"
                                      "Features of the training images: computed once and kept, "
                                      "0.0 MiB\n"
                                      "Features of the test images: computed once and kept, "));
    const SafetensorsFile start = SafetensorsFile::open(runs.weights());
    const SafetensorsFile tuned = runs.result("kept");
    CHECK(tuned.tensors().size() == 10);
    for (const char* kind :
         {"0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var"})
        CHECK(agree(tuned, start, std::string{"features."} + kind));
    CHECK_FALSE(agree(tuned, start, "classifier.1.weight"));
    CHECK(values_of(tuned, "classifier.3.bias").size() == 10);

    // Neither what is kept nor how much of it changes a bit.
    const Finished passing = runs.train_into("passing", {"--epochs", "3", "--cache-limit", "0"});
    REQUIRE(passing.code == 0);
    CHECK_THAT(passing.out, ContainsText("Features of the training images: computed in every "
                                         "epoch, since their 0.0 MiB do not fit into "
                                         "--cache-limit\n"));
    const Finished partly =
        runs.train_into("partly", {"--epochs", "3", "--cache-limit", std::to_string(26 * 72 * 4)});
    REQUIRE(partly.code == 0);
    CHECK_THAT(partly.out, ContainsText("training images: computed once and kept") &&
                               ContainsText("test images: computed in every epoch, since their "));
    for (const char* other : {"passing", "partly"})
        CHECK(contents(runs.folder / other / "weights.safetensors") ==
              contents(runs.folder / "kept/weights.safetensors"));

    const Finished changing = runs.train_into("changing", {"--epochs", "1", "--crop", "4"});
    REQUIRE(changing.code == 0);
    CHECK_THAT(changing.out,
               ContainsText("Features of the training images: computed in every epoch, since the "
                            "images change\nFeatures of the test images: computed once"));
}

TEST_CASE("the new layer is drawn from the seed, here or as PyTorch draws it") {
    const SmallRuns runs;
    const auto start_of = [&](const std::string& out, const Arguments& more) {
        // A learning rate of nothing would be refused; one step of it changes the last digits only.
        Arguments arguments{"--epochs", "1", "--limit-train", "1"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        const Finished finished = runs.train_into(out, arguments);
        INFO(finished.err);
        REQUIRE(finished.code == 0);
        return values_of(runs.result(out), "classifier.3.weight");
    };
    const std::vector<float> own = start_of("own", {});
    const std::vector<float> torch = start_of("torch", {"--rng", "torch"});
    // torch.manual_seed(0); torch.nn.Linear(32, 10).weight: within 1 / sqrt(32).
    typenet::TorchGenerator generator{typenet::Seed{0}};
    double apart = 0, apart_from_own = 0, largest = 0;
    for (std::size_t i = 0; i < torch.size(); ++i) {
        const double drawn = generator.uniform(0.17677669f);
        apart = std::max(apart, std::abs(torch[i] - drawn));
        apart_from_own = std::max(apart_from_own, std::abs(own[i] - drawn));
        largest = std::max(largest, double{std::abs(own[i])});
    }
    CHECK(apart < 0.05);
    CHECK(apart_from_own > 0.2);
    CHECK(largest > 0.15);
    CHECK(largest < 0.23);
}

TEST_CASE("weights that do not fit are refused, and so are others than a run began with") {
    const SmallRuns runs;
    const Finished finished = runs.train_into("out", {"--epochs", "1"});
    REQUIRE(finished.code == 0);
    const std::string out = (runs.folder / "out").string();
    // The checkpoint holds them all: weights are not needed again, and the same do no harm.
    CHECK(runs.train({"--epochs", "2", "--resume", out}).code == 0);
    CHECK(
        runs.train({"--epochs", "3", "--resume", out, "--weights", runs.weights().string()}).code ==
        0);
    const fs::path other = runs.folder / "other.safetensors";
    write_small_weights(other, 7, 2);
    const Finished refused =
        runs.train({"--epochs", "4", "--resume", out, "--weights", other.string()});
    CHECK(refused.code == 1);
    CHECK_THAT(refused.err, ContainsText("goes on from other --weights than " + other.string() +
                                         ": tensor features.0.weight differs; give those"));

    const std::vector<float> bias(8);
    typenet::write_safetensors(other,
                               std::vector{typenet::TensorView::of("features.0.bias", {8}, bias)});
    const Finished lacking = runs.train({"--weights", other.string()});
    CHECK(lacking.code == 1);
    CHECK_THAT(lacking.err, ContainsText("other.safetensors: tensor \"features.0.weight\" is "
                                         "missing; name a file"));
}

TEST_CASE("fine-tuning's options are checked") {
    const auto refusal = [](const Arguments& more, int code) {
        Arguments arguments{"train", "--data", "synthetic", "--limit-train", "10"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        const Finished finished = run(arguments);
        CHECK(finished.code == code);
        CHECK(finished.out == "");
        return finished.err;
    };
    CHECK_THAT(refusal({"--recipe", "finetune"}, 2),
               ContainsText("--recipe: finetune needs --weights FILE; download torchvision's from "
                            "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth, or "
                            "train some with --recipe torchvision"));
    CHECK_THAT(refusal({"--recipe", "keras", "--weights", "a.pth"}, 2),
               ContainsText("--weights: belongs to --recipe finetune"));
    CHECK_THAT(refusal({"--cache-limit", "1GiB"}, 2),
               ContainsText("--cache-limit: belongs to --recipe finetune"));
    for (const char* size : {"4", "4GB", "-1GiB", "GiB", "1000001GiB", "1.5GiB", ""})
        CHECK_THAT(
            refusal({"--recipe", "finetune", "--weights", "a.pth", "--cache-limit", size}, 2),
            ContainsText("given; use a size such as 512MiB or 4GiB, or 0"));
    CHECK_THAT(refusal({"--recipe", "finetune", "--weights", "none.pth"}, 1),
               ContainsText("none.pth: cannot be opened"));
    CHECK_THAT(refusal({"--only", "disc,plane"}, 1),
               ContainsText("--only: the data have no class 'plane'; they have disc, ring, "));
    CHECK_THAT(refusal({"--only", "disc,"}, 1), ContainsText("no class ''; they have"));
    CHECK_THAT(refusal({"--only", ""}, 2), ContainsText("use names of classes with commas"));
    CHECK_THAT(refusal({"--only", "disc", "--limit-test", "1"}, 1),
               ContainsText("--only: none of the 1 test images is of disc; raise --limit-test"));
}

TEST_CASE("torchvision's network learns some classes, is fine-tuned to all, tested and used") {
    const TemporaryFolder folder;
    const auto path = [&](const char* name) { return (folder / name).string(); };
    const Finished first =
        run({"train", "--recipe", "torchvision", "--only", "disc,ring,square,frame,triangle",
             "--data", "synthetic", "--limit-train", "10", "--limit-test", "20", "--epochs", "1",
             "--batch", "5", "--out", path("first"), "--json", path("first.json")});
    INFO(first.err);
    REQUIRE(first.code == 0);
    CHECK_THAT(
        first.out,
        ContainsText("torchvision's AlexNet: 57044810 parameters, 5 images to train on, 10 "
                     "to test\nRecipe torchvision: sgd, learning rate 0.01, momentum 0.9, ") &&
            ContainsText("Accuracy of star      : no test image\n"));
    const auto report = read_report(folder / "first.json");
    CHECK(std::isnan(report.per_class.at("star")));
    CHECK_FALSE(std::isnan(report.per_class.at("ring")));
    // The same test, images prepared in the same way.
    const Arguments eval{"eval",
                         "--data",
                         "synthetic",
                         "--limit-test",
                         "20",
                         "--only",
                         "disc,ring,square,frame,triangle",
                         "--weights",
                         (folder / "first/weights.safetensors").string(),
                         "--json",
                         path("eval.json")};
    REQUIRE(run(eval).code == 0);
    CHECK(read_report(folder / "eval.json").test_loss == report.epochs.at(0).at("test_loss"));

    const Arguments tune{"train",
                         "--recipe",
                         "finetune",
                         "--data",
                         "synthetic",
                         "--limit-train",
                         "6",
                         "--limit-test",
                         "10",
                         "--epochs",
                         "2",
                         "--out",
                         path("tuned"),
                         "--json",
                         path("tuned.json"),
                         "--weights",
                         (folder / "first/weights.safetensors").string()};
    const Finished tuned = run(tune);
    INFO(tuned.err);
    REQUIRE(tuned.code == 0);
    CHECK_THAT(tuned.out,
               ContainsText("Recipe finetune: sgd, learning rate 0.001, momentum 0.9, batch 4") &&
                   ContainsText(": torchvision's AlexNet of 10 classes; taken over but for "
                                "classifier.6, which is new\n"
                                "Frozen: 2469696 parameters; 54575114 learn\n"
                                "Features of the training images: computed once and kept, 0.2 "));
    CHECK_THAT(contents(folder / "tuned/filters.svg"),
               ContainsText("filter 63, ") && !ContainsText("filter 64, "));
    {
        const auto before = SafetensorsFile::open(folder / "first/weights.safetensors");
        const auto after = SafetensorsFile::open(folder / "tuned/weights.safetensors");
        CHECK(after.tensors().size() == 16);
        for (const typenet::TensorView& tensor : after.tensors())
            CHECK(agree(before, after, tensor.name) == tensor.name.starts_with("features."));
        CHECK(after.metadata().at("network") == "torchvision's AlexNet");
    }
    // It goes on, and a test and a photo take its weights.
    const Finished more = run({"train", "--recipe", "finetune", "--data", "synthetic",
                               "--limit-train", "6", "--limit-test", "10", "--epochs", "3",
                               "--resume", path("tuned"), "--json", path("tuned.json")});
    INFO(more.err);
    REQUIRE(more.code == 0);
    CHECK(more.out.find("Weights: ") == std::string::npos);
    REQUIRE(run({"eval", "--data", "synthetic", "--limit-test", "10", "--weights",
                 (folder / "tuned/weights.safetensors").string(), "--json", path("eval.json")})
                .code == 0);
    CHECK(read_report(folder / "eval.json").test_loss ==
          read_report(folder / "tuned.json").epochs.at(2).at("test_loss"));
    const Finished predicted =
        run({"predict", "--weights", (folder / "tuned/weights.safetensors").string(),
             TYPENET_TESTS_FOLDER "/cli/photos/rgb.ppm"});
    CHECK(predicted.code == 0);
    CHECK_THAT(predicted.out,
               ContainsText(": torchvision's AlexNet of 10 classes\n") && ContainsText(" %  "));
}
