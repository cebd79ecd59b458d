// What the program says about itself, and to a command line or to files that it cannot use.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cli/program.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"
#include "typenet/io/atomic_file.hpp"
#include "typenet/io/safetensors.hpp"
#include "typenet/version.hpp"

namespace {

namespace fs = std::filesystem;
using typenet_test::contents;
using typenet_test::Finished;
using typenet_test::names_in;
using typenet_test::run;
using typenet_test::TemporaryFolder;
using Arguments = std::vector<std::string>;

/// Checks that the program refuses `arguments` with one line and writes nothing on stdout.
void check_refusal(const Arguments& arguments, int code, const std::string& message,
                   const typenet_test::Surroundings& surroundings = {}) {
    std::string shown;
    for (const std::string& argument : arguments) shown += " " + argument;
    INFO("alexnet" << shown);
    const Finished finished = run(arguments, surroundings);
    CHECK(finished.code == code);
    CHECK(finished.out == "");
    CHECK(finished.err.starts_with("alexnet: error: "));
    CHECK(finished.err.find('\n') == finished.err.size() - 1);
    CHECK_THAT(finished.err, ContainsText(message));
}

constexpr std::size_t record = 3073;

/// A file of CIFAR-10 in which every label and pixel is 0 (and that takes no room on the disk).
void make_cifar10_file(const fs::path& path, std::size_t bytes = 10'000 * record) {
    std::ofstream{path, std::ios::binary};
    fs::resize_file(path, bytes);
}

}  // namespace

TEST_CASE("help says what there is, for each command") {
    const auto help = [](const Arguments& arguments) {
        const Finished finished = run(arguments);
        CHECK(finished.code == 0);
        CHECK(finished.err == "");
        return finished.out;
    };
    const std::string program = help({"--help"});
    for (const char* word : {"train", "eval", "predict", "convert", "info", "--version"})
        CHECK_THAT(program, ContainsText(word));
    const std::string train = help({"train", "--help"});
    for (const char* word : {"--data",
                             "--recipe",
                             "--epochs N",
                             "--batch N",
                             "--lr X",
                             "--momentum X=0.9",
                             "--optimizer",
                             "--init",
                             "--limit-train",
                             "--limit-test",
                             "--threads",
                             "--seed",
                             "--rng typenet|torch=typenet",
                             "--out",
                             "--device auto|cpu|cuda=auto",
                             "--precision f32|tf32|bf16=f32",
                             "--json",
                             "--checkpoint-every N=0",
                             "--keep N=2",
                             "--resume DIR|FILE",
                             "--no-progress",
                             "--schedule constant|step|cosine|plateau=constant",
                             "--weight-decay",
                             "--clip-norm X",
                             "--label-smoothing X=0",
                             "--early-stop",
                             "pytorch  SGD, batch 4, 10 epochs. Not stated",
                             "keras    Adam (with Keras's epsilon), batch 64, 15 epochs",
                             "Keras's default of 0.001 leaves this network"})
        CHECK_THAT(train, ContainsText(word));
    const std::string eval = help({"eval", "--help"});
    for (const char* word : {"--weights", "--data", "--limit-test", "--out DIR", "--json",
                             "--threads", "--device", "--precision", "--winograd"})
        CHECK_THAT(eval, ContainsText(word));
    CHECK_THAT(help({"info", "--help"}), ContainsText("--batch"));
}

TEST_CASE("--version names the version and the kernels") {
    const Finished finished = run({"--version"});
    CHECK(finished.code == 0);
    CHECK_THAT(finished.out, ContainsText("typenet " + std::to_string(TYPENET_VERSION_MAJOR) + "." +
                                          std::to_string(TYPENET_VERSION_MINOR) + "." +
                                          std::to_string(TYPENET_VERSION_PATCH)) &&
                                 ContainsText("kernels"));
}

TEST_CASE("info prints the network and its memory") {
    const Finished finished = run({"info", "--batch", "64", "--threads", "1"});
    CHECK(finished.code == 0);
    CHECK(finished.err == "");
    for (const char* text :
         {"cn1    96x55x55      34,944    105,415,200    114,056,448     118.30\n", "37,752,832",
          "58,322,314", "1,131,201,056", "2,262,402,112", "batch 64, 1 thread\n", "training, SGD",
          "training, Adam", "inference"})
        CHECK_THAT(finished.out, ContainsText(text));
}

TEST_CASE("info writes the network in several formats, with roofline times where it can") {
    const auto info = [](const Arguments& more) {
        Arguments arguments{"info"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        const Finished finished = run(arguments);
        CHECK(finished.code == 0);
        CHECK(finished.err == "");
        return finished.out;
    };
    CHECK_THAT(info({"--peak", "100", "--bandwidth", "20", "--batch", "64"}),
               ContainsText("118.30   134.931\n"));
    CHECK(info({"--format", "dot"}).starts_with("digraph \"AlexNet\" {\n"));
    CHECK_THAT(info({"--format", "markdown"}), ContainsText("| 0 | Conv2d | cn1 | 96x55x55 |"));
    const std::string json = info({"--format", "json"});
    CHECK(json.starts_with("{\"name\":\"AlexNet\",\"input\":[3,227,227],\"batch\":4,"));
    CHECK(json.ends_with("}\n"));
    check_refusal({"info", "weights.safetensors", "--batch", "4"}, 2, "excludes");
    check_refusal({"info", "--format", "svg"}, 2, "'svg' given; use table or markdown or dot");
    check_refusal({"info", "--peak", "100"}, 2, "--peak requires --bandwidth");
    check_refusal({"info", "--bandwidth", "100"}, 2, "--bandwidth requires --peak");
    check_refusal({"info", "--peak", "-1", "--bandwidth", "1"}, 2, "use a positive number");
}

TEST_CASE("info draws the plan of the memory") {
    const TemporaryFolder folder;
    const std::string file = (folder / "plan.svg").string();
    CHECK(run({"info", "--batch", "64", "--plan", file}).code == 0);
    INFO("the guide shows it: alexnet info --batch 64 --plan docs/alexnet-plan.svg");
    CHECK(contents(file) == contents(fs::path{TYPENET_TESTS_FOLDER} / "../docs/alexnet-plan.svg"));
    CHECK_THAT(contents(file), ContainsText("<svg") &&
                                   ContainsText("AlexNet, training, batch 64: 155.1 MiB") &&
                                   ContainsText("fc3: gradient of it"));
    check_refusal({"info", "--plan", (folder / "none/plan.svg").string()}, 1, "none");
}

TEST_CASE("what the system refuses is said") {
    check_refusal({"train", "--data", "synthetic", "--resume", std::string(300, 'a')}, 1,
                  std::string(300, 'a') + ": File name too long; check the name");
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    const Finished refused = run({"info", "--threads", "1000"}, {.most_memory = 3'000'000'000});
    CHECK(refused.code == 1);
    CHECK_THAT(refused.err, ContainsText("alexnet: error: threads: the system gives ") &&
                                ContainsText(" of 1000 (Resource temporarily unavailable); use"));
#endif
}

TEST_CASE("a wrong command line is a usage error") {
    check_refusal({}, 2, "a command is missing; use train, eval, predict, convert or info");
    check_refusal({"guess"}, 2, "'guess' is no command; use train, eval, predict, convert or info");
    check_refusal({"train"}, 2, "--data is required");
    check_refusal({"train", "--lrr", "1"}, 2, "unexpected: --lrr 1; 'alexnet train");
    check_refusal({"eval", "--data", "synthetic"}, 2, "--weights is required");
    check_refusal(
        {"eval", "--data", "synthetic", "--weights", "a", "--device", "cuda", "--winograd"}, 2,
        "--winograd: is for the CPU, and --device cuda was given");
    const std::vector<std::pair<Arguments, std::string>> cases{
        {{"--foo"}, "unexpected: --foo; 'alexnet train --help'"},
        {{"extra"}, "unexpected: extra"},
        {{"--batch"}, "--batch"},
        {{"--batch", "-4"}, "--batch: '-4' given; use a whole number from 1 to 100000"},
        {{"--batch", "0"}, "--batch: '0' given"},
        {{"--batch", "4x"}, "--batch: '4x' given"},
        {{"--batch", "010"},
         "--batch: '010' given; use a whole number from 1 to 100000, without ze"},
        {{"--batch", "99999999999999999999"}, "--batch: '99999999999999999999' given"},
        {{"--epochs", "0"}, "--epochs: '0' given; use a whole number from 1"},
        {{"--epochs", "-1"}, "--epochs: '-1' given"},
        {{"--threads", "0"}, "--threads: '0' given; use a whole number from 1 to 1024"},
        {{"--threads", "-2"}, "--threads: '-2' given"},
        {{"--limit-train", "0"}, "--limit-train: '0' given"},
        {{"--limit-test", "-1"}, "--limit-test: '-1' given"},
        {{"--seed", "-1"}, "--seed: '-1' given; use a whole number from 0"},
        {{"--lr", "0"}, "--lr: '0' given; use a positive number"},
        {{"--lr", "nan"}, "--lr: 'nan' given"},
        {{"--lr", "inf"}, "--lr: 'inf' given"},
        {{"--momentum", "1"}, "--momentum: '1' given; use a number from 0 on, below 1"},
        {{"--optimizer", "rms"}, "--optimizer: 'rms' given; use sgd or adam"},
        {{"--optimizer", "adam", "--momentum", "0.9"}, "--momentum: belongs to --optimizer sgd"},
        {{"--init", "zero"}, "--init: 'zero' given; use pytorch or kaiming or glorot"},
        {{"--rng", "numpy"}, "--rng: 'numpy' given; use typenet or torch"},
        {{"--recipe", "keras", "--rng", "torch"}, "--rng: torch needs --init pytorch, not glorot"},
        {{"--recipe", "caffe"}, "--recipe: 'caffe' given; use pytorch or keras"},
        {{"--recipe", "keras", "--momentum", "0.9"}, "--momentum: belongs to --optimizer sgd"},
        {{"--crop", "32"}, "--crop: '32' given; use a whole number from 1 to 31"},
        {{"--jitter", "0"}, "--jitter: '0' given; use a number above 0, up to 1"},
        {{"--schedule", "linear"}, "--schedule: 'linear' given; use constant or step or cosine"},
        {{"--warm-up", "1"}, "--warm-up: belongs to --schedule cosine"},
        {{"--schedule", "cosine", "--decay", "0.5"}, "--decay: belongs to --schedule step or plat"},
        {{"--schedule", "step", "--decay", "0"}, "--decay: '0' given; use a number above 0"},
        {{"--weight-decay", "-1"}, "--weight-decay: '-1' given; use a number from 0 on"},
        {{"--clip-norm", "0"}, "--clip-norm: '0' given; use a positive number"},
        {{"--clip-norm", "inf"}, "--clip-norm: 'inf' given; use a positive number"},
        {{"--label-smoothing", "1"}, "--label-smoothing: '1' given; use a number from 0 on, below"},
        {{"--early-stop", "0"}, "--early-stop: '0' given; use a whole number from 1"},
        {{"--device", "gpu"}, "--device: 'gpu' given; use auto or cpu or cuda"},
        {{"--device", "cuda", "--precision", "f16"}, "--precision: 'f16' given; use f32 or tf32"},
        {{"--device", "cpu", "--precision", "tf32"}, "--precision: tf32 needs --device cuda; '"},
        {{"--precision", "tf32"}, "--precision: tf32 needs --device cuda; 'alexnet train --help'"},
        {{"--out", ""}, "--out: '' given; use a path"},
        {{"--out", "a", "--keep", "0"}, "--keep: '0' given; use a whole number from 1"},
        {{"--keep", "3"}, "--keep: needs --out"},
        {{"--checkpoint-every", "100"}, "--checkpoint-every: needs --out"},
    };
    for (const auto& [more, message] : cases) {
        Arguments arguments{"train", "--data", "synthetic"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        check_refusal(arguments, 2, message);
    }
}

TEST_CASE("--device cuda without a GPU, or built without CUDA, is refused before anything else") {
    const TemporaryFolder folder;
    const std::string message = ALEXNET_HAS_CUDA ? "compute on the CPU" : "built without CUDA";
    const typenet_test::Surroundings no_gpu{.environment = {{"CUDA_VISIBLE_DEVICES", ""}}};
    for (const char* precision : {"f32", "bf16"})
        check_refusal({"train", "--data", "synthetic", "--device", "cuda", "--precision", precision,
                       "--out", (folder / "out").string()},
                      1, message, no_gpu);
    check_refusal({"eval", "--data", "synthetic", "--device", "cuda", "--weights",
                   (folder / "no weights").string()},
                  1, message, no_gpu);
    CHECK(names_in(folder.path()) == "");
}

TEST_CASE("data that are missing, cut or mislabelled are refused") {
    const TemporaryFolder folder;
    const std::string data = (folder / "data").string();
    const std::string out = (folder / "out").string();
    const Arguments train{"train", "--data", data, "--out", out, "--limit-train", "20"};
    check_refusal(train, 1, data + ": no such folder; ");
    fs::create_directory(data);
    check_refusal(train, 1, "data_batch_1.bin: no such file; ");
    make_cifar10_file(folder / "data/data_batch_1.bin", 10'000 * record - 1);
    check_refusal(train, 1, "data_batch_1.bin: 30729999 bytes instead of 30730000");
    make_cifar10_file(folder / "data/data_batch_1.bin");
    check_refusal(train, 1, "test_batch.bin: no such file; ");
    make_cifar10_file(folder / "data/test_batch.bin");
    std::fstream{folder / "data/data_batch_1.bin", std::ios::in | std::ios::out}
        .seekp(3 * record)
        .put(10);
    check_refusal(train, 1, "record 3 (byte 9219) has label 10, not 0 to 9");
    CHECK(names_in(folder.path()) == "data");
}

TEST_CASE("files that cannot be written are refused before training") {
    const TemporaryFolder folder;
    typenet::write_file(folder / "file", "mine");
    const Arguments train{"train", "--data",       "synthetic", "--limit-train",
                          "8",     "--limit-test", "8"};
    const auto with = [&](const char* option, const fs::path& path) {
        Arguments arguments = train;
        arguments.insert(arguments.end(), {option, path.string()});
        return arguments;
    };
    check_refusal(with("--out", folder / "file"), 1, "file: cannot make this folder: ");
    check_refusal(with("--out", folder / "file/out"), 1, "out: cannot make this folder: ");
    check_refusal(with("--json", folder.path()), 1, ": is a folder");
    check_refusal(with("--json", folder / "no/a.json"), 1, "a.json: cannot open the folder");
    check_refusal(with("--resume", folder / "no"), 1,
                  "no: holds no checkpoint; name the --out folder of an earlier run");
    fs::create_directories(folder / "taken/weights.safetensors");
    check_refusal(with("--out", folder / "taken"), 1, "weights.safetensors: is a folder");
    CHECK(names_in(folder.path()) == "file taken");
    CHECK(names_in(folder / "taken") == "weights.safetensors");
    CHECK(contents(folder / "file") == "mine");
}

TEST_CASE("weights and checkpoints that are none are refused") {
    const TemporaryFolder folder;
    const Arguments eval{"eval",
                         "--data",
                         "synthetic",
                         "--limit-test",
                         "10",
                         "--json",
                         (folder / "a.json").string(),
                         "--weights",
                         (folder / "weights.safetensors").string()};
    check_refusal(eval, 1, "weights.safetensors: cannot be opened");
    typenet::write_file(folder / "weights.safetensors", "no weights");
    check_refusal(eval, 1, "not a safetensors file, or a damaged one");
    const std::vector<float> bias(96);
    const std::vector<typenet::TensorView> tensors{typenet::TensorView::of("cn1.bias", {96}, bias)};
    typenet::write_safetensors(folder / "weights.safetensors", tensors);
    check_refusal(eval, 1, "tensor \"cn1.weight\" is missing; name a file that holds the weights");

    typenet::write_safetensors(folder / "checkpoint-00000012.safetensors", tensors);
    check_refusal({"train", "--data", "synthetic", "--resume", folder.path().string()}, 1,
                  "is not a checkpoint of this program");
    CHECK(names_in(folder.path()) == "checkpoint-00000012.safetensors weights.safetensors");
}

TEST_CASE("results that cannot be printed are an error") {
    const Finished finished = run({"info"}, {.stdout_path = "/dev/full"});
    CHECK(finished.code == 1);
    CHECK_THAT(finished.err, ContainsText("alexnet: error: stdout: "));
}
