// Real trainings of the real network, as short as they can be.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <span>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "cli/program.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"
#include "typenet/core.hpp"
#include "typenet/io/crc.hpp"
#include "typenet/io/event_file.hpp"
#include "typenet/io/json.hpp"
#include "typenet/io/safetensors.hpp"
#include "typenet/models/alexnet.hpp"

namespace {

namespace fs = std::filesystem;
using typenet_test::contents;
using typenet_test::Finished;
using typenet_test::names_in;
using typenet_test::read_report;
using typenet_test::Report;
using typenet_test::run;
using typenet_test::Surroundings;
using typenet_test::TemporaryFolder;
using Arguments = std::vector<std::string>;

/// `train` on twelve drawn images (three steps an epoch), tested on ten.
Arguments train(const Arguments& more) {
    Arguments arguments{"train",        "--data", "synthetic", "--limit-train", "12",
                        "--limit-test", "10",     "--lr",      "0.01"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
}

bool same_contents(const fs::path& a, const fs::path& b) {
    std::ifstream first{a, std::ios::binary}, second{b, std::ios::binary};
    REQUIRE(first);
    REQUIRE(second);
    return fs::file_size(a) == fs::file_size(b) &&
           std::equal(std::istreambuf_iterator<char>{first}, {},
                      std::istreambuf_iterator<char>{second});
}

const std::vector<std::string> classes{"disc",  "ring",     "square", "frame", "triangle",
                                       "cross", "crescent", "star",   "bars",  "hourglass"};

/// What a run leaves in --out.
const char* const pictures =
    "confusion.svg curves.svg events.out.tfevents.alexnet filters.svg "
    "metrics.csv metrics.jsonl report.html";

/// Checks that the files in --out tell what --json tells, once for each epoch.
void check_tables(const fs::path& out, const Report& report) {
    std::istringstream table{contents(out / "metrics.csv")};
    std::istringstream lines{contents(out / "metrics.jsonl")};
    std::string head, row, line;
    REQUIRE(std::getline(table, head));
    typenet::EventFile events{report.epochs.at(0).at("finished")};
    std::map<std::string, double> per_class;
    for (const auto& epoch : report.epochs) {
        REQUIRE(std::getline(table, row));
        std::istringstream names{head}, values{row};
        std::size_t cells = 0;
        for (std::string name, value;
             std::getline(names, name, ',') && std::getline(values, value, ','); ++cells)
            CHECK(std::stod(value) == epoch.at(name));
        CHECK(cells == epoch.size());

        REQUIRE(std::getline(lines, line));
        typenet::JsonReader reader{line};
        per_class.clear();
        reader.object([&](const std::string& key) {
            if (key == "per_class")
                reader.object([&](const std::string& name) { per_class[name] = reader.number(); });
            else
                CHECK(reader.number() == epoch.at(key));
        });
        for (const auto& [tag, key] :
             std::vector<std::pair<std::string, std::string>>{{"loss/train", "train_loss"},
                                                              {"loss/test", "test_loss"},
                                                              {"accuracy/train", "train_accuracy"},
                                                              {"accuracy/test", "test_accuracy"},
                                                              {"learning_rate", "learning_rate"}})
            events.scalar(tag, static_cast<std::int64_t>(epoch.at("epoch")), epoch.at("finished"),
                          epoch.at(key));
    }
    CHECK_FALSE(std::getline(table, row));
    CHECK_FALSE(std::getline(lines, line));
    CHECK(per_class == report.per_class);
    CHECK(contents(out / "events.out.tfevents.alexnet") == events.bytes());
    // Its 96 filters.
    const std::string filters = contents(out / "filters.svg");
    CHECK_THAT(filters, ContainsText("filter 95, ") && !ContainsText("filter 96, "));
}

}  // namespace

TEST_CASE("a run reports, keeps its weights, and goes on after a stop with the same bits") {
    const TemporaryFolder folder;
    const std::string whole = (folder / "whole").string();
    const std::string pieces = (folder / "pieces").string();

    // Two epochs in one run.
    const Finished finished =
        run(train({"--epochs", "2", "--out", whole, "--json", (folder / "whole.json").string()}));
    INFO(finished.err);
    REQUIRE(finished.code == 0);
    CHECK(names_in(whole) ==
          "best.safetensors checkpoint-00000003.safetensors checkpoint-00000006.safetensors " +
              std::string{pictures} + " weights.safetensors");
    const Report report = read_report(folder / "whole.json");
    REQUIRE(report.epochs.size() == 2);
    for (std::size_t e = 0; e < 2; ++e) {
        const auto& epoch = report.epochs[e];
        CHECK(epoch.size() == 10);
        CHECK(epoch.at("epoch") == static_cast<double>(e + 1));
        CHECK_THAT(epoch.at("train_loss"), WithinAbs(std::log(10.0), 0.5));
        CHECK_THAT(epoch.at("test_loss"), WithinAbs(std::log(10.0), 0.5));
        CHECK_THAT(epoch.at("images_per_second") * epoch.at("seconds"), WithinRel(12.0, 1e-9));
    }
    CHECK(report.epochs[1].at("steps") == 6);
    CHECK(report.epochs[1].at("learning_rate") == 0.01);
    CHECK(report.epochs[1].at("finished") - report.epochs[0].at("finished") >=
          report.epochs[1].at("seconds"));
    check_tables(whole, report);
    CHECK(report.test_accuracy == report.epochs[1].at("test_accuracy"));
    REQUIRE(report.per_class.size() == 10);
    double sum = 0;  // of ten images, one of each class
    for (const std::string& name : classes) {
        const double accuracy = report.per_class.at(name);
        CHECK((accuracy == 0 || accuracy == 100));
        sum += accuracy;
        const std::string line = accuracy == 0 ? " : 0.00 %\n" : " : 100.00 %\n";
        CHECK_THAT(finished.out,
                   ContainsText("Accuracy of " + name + std::string(9 - name.size(), ' ') + line));
    }
    CHECK_THAT(report.test_accuracy, WithinAbs(sum / 10, 1e-9));
    CHECK(std::regex_search(finished.out, std::regex{"\nEpoch 2/2: train loss \\d\\.\\d{4}, test "
                                                     "loss \\d\\.\\d{4}, test accuracy "}));
    CHECK(finished.out.starts_with("Device: "));
    CHECK_THAT(finished.out, ContainsText("Accuracy of the network on the 10 test images: ") &&
                                 ContainsText("Confusion matrix"));
    CHECK(finished.out.find('\x1b') == std::string::npos);

    const typenet::SafetensorsFile weights =
        typenet::SafetensorsFile::open(folder / "whole/weights.safetensors");
    CHECK(weights.tensors().size() == 16);
    REQUIRE(weights.find("cn1.weight") != nullptr);
    CHECK(weights.find("cn1.weight")->shape == std::vector<std::int64_t>{96, 3, 11, 11});
    REQUIRE(weights.find("fc3.weight") != nullptr);
    CHECK(weights.find("fc3.weight")->shape == std::vector<std::int64_t>{10, 4096});

    // The same in two pieces, the second one with another number of threads.
    REQUIRE(run(train({"--epochs", "1", "--out", pieces, "--checkpoint-every", "2", "--keep", "1"}))
                .code == 0);
    CHECK(names_in(pieces) == "best.safetensors checkpoint-00000003.safetensors " +
                                  std::string{pictures} + " weights.safetensors");
    CHECK_FALSE(
        same_contents(folder / "whole/weights.safetensors", folder / "pieces/weights.safetensors"));
    const Finished resumed = run(train({"--epochs", "2", "--resume", pieces, "--threads", "3",
                                        "--json", (folder / "pieces.json").string()}));
    INFO(resumed.err);
    REQUIRE(resumed.code == 0);
    CHECK(
        same_contents(folder / "whole/weights.safetensors", folder / "pieces/weights.safetensors"));
    Report pieced = read_report(folder / "pieces.json");
    REQUIRE(pieced.epochs.size() == 2);
    check_tables(pieces, pieced);
    for (std::size_t e = 0; e < 2; ++e)
        for (const char* key : {"train_loss", "test_loss", "test_accuracy"})
            CHECK(pieced.epochs[e].at(key) == report.epochs[e].at(key));

    // Refusals of that checkpoint leave it as it is.
    const auto refusal = [&](const Arguments& more) {
        Arguments arguments = train({"--epochs", "3", "--resume", pieces});
        arguments.insert(arguments.end(), more.begin(), more.end());
        const Finished refused = run(arguments);
        CHECK(refused.code == 1);
        return refused.err;
    };
    CHECK_THAT(refusal({"--seed", "7"}), ContainsText("was written with --seed 0, not --seed 7"));
    CHECK_THAT(refusal({"--batch", "3"}), ContainsText("was written with --batch 4, not"));
    CHECK_THAT(refusal({"--optimizer", "adam"}), ContainsText("--optimizer sgd, not"));
    const Finished over = run(train({"--epochs", "1", "--resume", pieces}));
    CHECK(over.code == 1);
    CHECK_THAT(over.err, ContainsText("1 of 1 epochs are done; give more --epochs to go on"));

    // `kill` in a later epoch.
    const Finished stopped =
        run(train({"--epochs", "9999", "--resume", pieces, "--keep", "1"}),
            {.interrupt_at = "AlexNet: 58322314 parameters", .signal = SIGTERM});
    CHECK(stopped.code == 130);
    CHECK_THAT(stopped.out, ContainsText("Going on from " + pieces +
                                         "/checkpoint-00000006.safetensors: epoch 2, after 3 "
                                         "steps of it\n"));
    std::smatch match;
    REQUIRE(std::regex_search(
        stopped.err, match,
        std::regex{"alexnet: interrupted in epoch (\\d+) of 9999, after ([0-3]) steps of it: go on "
                   "with --resume .*/pieces\n$"}));
    const int steps = 3 * (std::stoi(match[1]) - 1) + std::stoi(match[2]);
    CHECK(names_in(pieces) == "best.safetensors checkpoint-0000000" + std::to_string(steps) +
                                  ".safetensors " + pictures + " weights.safetensors");

    // The weights give in `eval` what they gave in the run; on the way, the bar of a terminal.
    const auto eval = [&](const Arguments& more, const Surroundings& surroundings) {
        Arguments arguments{"eval",
                            "--data",
                            "synthetic",
                            "--limit-test",
                            "10",
                            "--weights",
                            (folder / "whole/weights.safetensors").string()};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return run(arguments, surroundings);
    };
    const Finished evaluated =
        eval({"--json", (folder / "eval.json").string(), "--out", (folder / "eval").string()},
             {.environment = {{"TERM", "xterm"}}, .terminal = true});
    CHECK(evaluated.code == 0);
    CHECK_THAT(evaluated.err,
               ContainsText("\rtest [\x1b[32m########################\x1b[0m] 100 %"));
    CHECK(evaluated.err.ends_with("\r\x1b[K"));
    const Report tested = read_report(folder / "eval.json");
    CHECK(tested.test_loss == report.epochs[1].at("test_loss"));
    CHECK(tested.test_accuracy == report.test_accuracy);
    CHECK(tested.per_class == report.per_class);
    CHECK(names_in(folder / "eval") ==
          "confusion.svg filters.svg metrics.csv metrics.jsonl report.html");
    for (const char* name : {"confusion.svg", "filters.svg"})
        CHECK(contents(folder / "eval" / name) == contents(folder / "whole" / name));
    const Finished plain =
        eval({}, {.environment = {{"TERM", "xterm"}, {"NO_COLOR", "1"}}, .terminal = true});
    CHECK_THAT(plain.err, ContainsText("\rtest [########################] 100 %"));
    CHECK(plain.out == evaluated.out);
    CHECK(eval({"--no-progress"}, {.environment = {{"TERM", "xterm"}}, .terminal = true}).err ==
          "");
}

TEST_CASE("Ctrl-C in the first epoch leaves a checkpoint") {
    const TemporaryFolder folder;
    const std::string out = (folder / "out").string();
    const Finished stopped = run({"train", "--data", "synthetic", "--limit-test", "10", "--out",
                                  out, "--json", (folder / "a.json").string()},
                                 {.interrupt_at = "AlexNet: 58322314 parameters"});
    CHECK(stopped.code == 130);
    std::smatch match;
    REQUIRE(std::regex_match(stopped.err, match,
                             std::regex{"alexnet: interrupted in epoch 1 of 10, after (\\d) steps "
                                        "of it: go on with --resume " +
                                        out + "\n"}));
    CHECK(names_in(folder.path()) == "out");
    CHECK(names_in(out) == "checkpoint-0000000" + match[1].str() + ".safetensors");

    const Finished lost = run({"train", "--data", "synthetic", "--limit-test", "10"},
                              {.interrupt_at = "AlexNet: 58322314 parameters"});
    CHECK(lost.code == 130);
    CHECK_THAT(lost.err, ContainsText("steps of it: nothing was kept, since there was no --out"));
}

TEST_CASE("a training that diverges stops with nothing written") {
    const TemporaryFolder folder;
    const std::string out = (folder / "out").string();
    const Finished finished =
        run({"train", "--data", "synthetic", "--limit-train", "12", "--limit-test", "10", "--lr",
             "1e30", "--out", out, "--json", (folder / "a.json").string()});
    CHECK(finished.code == 1);
    CHECK(finished.err ==
          "alexnet: error: the training loss is not finite in epoch 1: the "
          "training diverges; use a lower --lr than 1e+30 or another --init\n");
    CHECK(names_in(folder.path()) == "out");
    CHECK(names_in(out) == "");
}

TEST_CASE("a disk that refuses the weights leaves none, and no report") {
    const TemporaryFolder folder;
    const std::string out = (folder / "out").string();
    const Finished finished =
        run(train({"--epochs", "1", "--out", out, "--json", (folder / "a.json").string()}),
            {.largest_file = 100'000'000});
    CHECK(finished.code == 1);
    CHECK_THAT(finished.err,
               ContainsText("checkpoint-00000003.safetensors: cannot write: File too large"));
    CHECK(names_in(folder.path()) == "out");
    CHECK(names_in(out) == "");
}

TEST_CASE("CIFAR-10's own files are trained on, with Adam, under the names of the tutorial") {
    const TemporaryFolder folder;
    fs::create_directories(folder / "data/cifar-10-batches-bin");
    for (const char* name : {"data_batch_1.bin", "test_batch.bin"}) {
        // Sparse: black airplanes all of them.
        const fs::path path = folder / "data/cifar-10-batches-bin" / name;
        std::ofstream{path, std::ios::binary};
        fs::resize_file(path, 30'730'000);
    }
    const Finished finished =
        run({"train", "--data", (folder / "data").string(), "--limit-train", "8", "--limit-test",
             "3", "--epochs", "1", "--batch", "8", "--optimizer", "adam", "--lr", "2e-4", "--init",
             "kaiming", "--json", (folder / "a.json").string()},
            {.environment = {{"CUDA_VISIBLE_DEVICES", ""}}});
    INFO(finished.err);
    REQUIRE(finished.code == 0);
    CHECK(finished.out.starts_with("Device: CPU, "));  // --device auto without a GPU
    CHECK_THAT(finished.out, ContainsText("Accuracy of plane : 100.00 %\n") &&
                                 ContainsText("Accuracy of car   : no test image\n") &&
                                 ContainsText("The weights are not kept: there is no --out"));
    const Report report = read_report(folder / "a.json");
    CHECK(report.test_accuracy == 100);
    CHECK(report.per_class.at("plane") == 100);
    CHECK(std::isnan(report.per_class.at("truck")));
    CHECK(names_in(folder.path()) == "a.json data");
}

TEST_CASE("a run stops early, and does not go on unless told to") {
    const TemporaryFolder folder;
    const std::string out = (folder / "out").string();
    const Arguments still{"train", "--data",       "synthetic", "--limit-train",
                          "4",     "--limit-test", "10",        "--lr",
                          "1e-30", "--schedule",   "cosine",    "--crop",
                          "4",     "--flip",       "--jitter",  "0.2"};
    const auto with = [&](const Arguments& more) {
        Arguments arguments = still;
        arguments.insert(arguments.end(), more.begin(), more.end());
        return run(arguments);
    };
    const Finished stopped = with({"--epochs", "9", "--early-stop", "1", "--out", out});
    INFO(stopped.err);
    REQUIRE(stopped.code == 0);
    CHECK_THAT(stopped.out, ContainsText("No lower test loss for 1 epoch: stopped after epoch 2"));
    CHECK(stopped.out.find("Epoch 3") == std::string::npos);
    CHECK(stopped.out.find("Accuracy of the network") != std::string::npos);

    const Finished again = with({"--epochs", "9", "--early-stop", "1", "--resume", out});
    CHECK(again.code == 0);
    CHECK_THAT(again.out, ContainsText("No lower test loss for 1 epoch: stopped after epoch 2"));
    REQUIRE(with({"--epochs", "9", "--early-stop", "2", "--resume", out}).code == 0);
    const Finished refused = with({"--epochs", "9", "--early-stop", "1", "--resume", out});
    CHECK(refused.code == 1);
    CHECK_THAT(refused.err, ContainsText("stopped early after epoch 2"));
    const Finished other = with({"--epochs", "8", "--resume", out});
    CHECK(other.code == 1);
    CHECK_THAT(other.err, ContainsText("was written with --epochs 9, not --epochs 8"));
    const Finished plain =
        run({"train", "--data", "synthetic", "--limit-train", "4", "--limit-test", "10", "--lr",
             "1e-30", "--epochs", "3", "--resume", out});
    CHECK(plain.code == 1);
    CHECK_THAT(plain.err, ContainsText("was written with --crop 4, which is not given"));
}

TEST_CASE("--rng torch starts from the weights that PyTorch draws, and belongs to the run") {
    const TemporaryFolder folder;
    const std::string out = (folder / "out").string();
    const auto at_rest = [&](const Arguments& more) {  // no weight moves at this learning rate
        Arguments arguments{"train",        "--data", "synthetic", "--limit-train", "12",
                            "--limit-test", "10",     "--lr",      "1e-45"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return run(arguments);
    };
    const Finished finished = at_rest({"--rng", "torch", "--epochs", "1", "--out", out});
    INFO(finished.err);
    REQUIRE(finished.code == 0);
    CHECK_THAT(finished.out, ContainsText("pytorch initialisation, seed 0 as in PyTorch\n"));
    const auto weights = typenet::SafetensorsFile::open(folder / "out/weights.safetensors");
    const auto goldens = typenet::SafetensorsFile::open(
        TYPENET_TESTS_FOLDER "/parity/goldens/torch_generator.safetensors");
    CHECK(weights.tensors().size() == 16);
    for (const typenet::TensorView& tensor : weights.tensors()) {
        INFO(tensor.name);
        const typenet::TensorView* golden = goldens.find("alexnet." + tensor.name + ".crc");
        REQUIRE(golden != nullptr);
        std::int64_t crc = 0;
        std::memcpy(&crc, golden->bytes.data(), sizeof crc);
        std::vector<float> values(tensor.bytes.size() / sizeof(float));
        std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
        for (float& value : values) value += 0.0f;  // but 0 to -0
        CHECK(typenet::detail::crc32(std::as_bytes(std::span{values})) == crc);
    }
    const Finished other = at_rest({"--epochs", "2", "--resume", out});
    CHECK(other.code == 1);
    CHECK_THAT(other.err, ContainsText("was written with --rng torch, not --rng typenet"));
}

TEST_CASE("the Keras recipe trains a network of its own, which eval recognises") {
    const TemporaryFolder folder;
    const std::string out = (folder / "out").string();
    const Finished finished =
        run({"train", "--recipe", "keras", "--data", "synthetic", "--limit-train", "12",
             "--limit-test", "10", "--epochs", "1", "--batch", "5", "--out", out, "--json",
             (folder / "a.json").string()});
    INFO(finished.err);
    REQUIRE(finished.code == 0);
    CHECK_THAT(finished.out,
               ContainsText("Recipe keras: adam, learning rate 0.0001, batch 5, glorot"));
    CHECK(std::regex_search(
        finished.out, std::regex{"\nEpoch 1/1\n3/3 - \\d+s \\d+ms/step - loss: \\d\\.\\d{4} - "
                                 "accuracy: [01]\\.\\d{4} - val_loss: \\d\\.\\d{4} - "
                                 "val_accuracy: [01]\\.\\d{4}\n"}));
    const Report report = read_report(folder / "a.json");
    CHECK_THAT(report.epochs.at(0).at("test_loss"), WithinAbs(std::log(10.0), 0.5));

    const fs::path weights = folder / "out/weights.safetensors";
    const auto file = typenet::SafetensorsFile::open(weights);
    REQUIRE(file.find("conv2d_4.weight") != nullptr);
    CHECK(file.find("conv2d_4.weight")->shape == std::vector<std::int64_t>{256, 384, 3, 3});
    const Finished tested = run({"eval", "--data", "synthetic", "--limit-test", "10", "--weights",
                                 weights.string(), "--json", (folder / "b.json").string()});
    REQUIRE(tested.code == 0);
    CHECK(read_report(folder / "b.json").test_loss == report.epochs.at(0).at("test_loss"));

    const Finished other = run(
        {"train", "--data", "synthetic", "--limit-train", "12", "--epochs", "2", "--resume", out});
    CHECK(other.code == 1);
    CHECK_THAT(other.err, ContainsText("was written with --"));
}

TEST_CASE("the GPU trains, in each precision, and the CPU tests what it has learnt") {
    const TemporaryFolder folder;
    for (const std::string precision : {"f32", "tf32", "bf16"}) {
        INFO(precision);
        const fs::path out = folder / precision;
        const Finished trained =
            run(train({"--epochs", "1", "--device", "cuda", "--precision", precision, "--out",
                       out.string(), "--json", (folder / "a.json").string()}));
        if (trained.code == 1 && trained.err.starts_with("alexnet: error: --device cuda: "))
            TYPENET_SKIP(trained.err);
        INFO(trained.err);
        REQUIRE(trained.code == 0);
        CHECK(std::regex_search(trained.out, std::regex{"^Device: .+, " + precision + "\n"}));
        const Finished tested = run(
            {"eval", "--device", "cpu", "--data", "synthetic", "--limit-test", "10", "--weights",
             (out / "weights.safetensors").string(), "--json", (folder / "b.json").string()});
        REQUIRE(tested.code == 0);
        CHECK_THAT(read_report(folder / "b.json").test_loss,
                   WithinRel(read_report(folder / "a.json").epochs.at(0).at("test_loss"),
                             precision == "bf16" ? 1e-2 : 1e-3));
        CHECK_THAT(run(train({"--epochs", "2", "--resume", out.string(), "--precision",
                              precision == "bf16" ? "f32" : "bf16", "--device", "cuda"}))
                       .err,
                   ContainsText("was written with --precision " + precision));
    }
}

TEST_CASE("the CPU trains in bf16, and tests in f32 and bf16 what it has learnt") {
    const TemporaryFolder folder;
    const std::string out = (folder / "out").string();
    const Finished trained = run(train({"--epochs", "1", "--device", "cpu", "--precision", "bf16",
                                        "--out", out, "--json", (folder / "a.json").string()}));
    INFO(trained.err);
    REQUIRE(trained.code == 0);
    CHECK(std::regex_search(trained.out, std::regex{"^Device: CPU, \\w+ kernels, .+, bf16\n"}));
    const double loss = read_report(folder / "a.json").epochs.at(0).at("test_loss");
    for (const std::string precision : {"f32", "bf16"}) {
        const Finished tested =
            run({"eval", "--device", "cpu", "--precision", precision, "--data", "synthetic",
                 "--limit-test", "10", "--weights", out + "/weights.safetensors", "--json",
                 (folder / "b.json").string()});
        INFO(tested.err);
        REQUIRE(tested.code == 0);
        CHECK_THAT(read_report(folder / "b.json").test_loss,
                   WithinRel(loss, precision == "bf16" ? 1e-12 : 1e-2));
    }
    CHECK_THAT(
        run(train({"--epochs", "2", "--resume", out, "--precision", "f32", "--device", "cpu"})).err,
        ContainsText("was written with --precision bf16"));
}

TEST_CASE("a training takes the memory that is planned", "[.extended]") {
    using namespace typenet;
    using models::AlexNet;
    // Two steps of 64 images, then a test of 64.
    constexpr std::int64_t batch = 64, images = 3 * batch, image_bytes = 3 * 32 * 32;
    constexpr MemoryPlan training = memory_plan<AlexNet, Cpu<float>, Training<Sgd>>(batch, 2);
    constexpr MemoryPlan testing = memory_plan<AlexNet, Cpu<float>, Predicting>(batch, 2);
    static_assert(training.activations <= 220'000'000);
    const std::int64_t planned =
        training.total + testing.total - testing.parameters + images * image_bytes;

    const std::int64_t empty = run({"--version"}).peak_bytes;
    const Finished finished =
        run({"train", "--data", "synthetic", "--limit-train", "128", "--limit-test", "64",
             "--batch", "64", "--epochs", "1", "--threads", "2", "--device", "cpu"});
    REQUIRE(finished.code == 0);
    INFO("planned " << planned << ", resident " << finished.peak_bytes << ", empty " << empty);
    // Pages of libraries (cuBLAS has many) come and go, so the idle program is no lower bound.
    CHECK(finished.peak_bytes >= planned);
    CHECK(finished.peak_bytes - empty <= planned + MiB(32));
}
