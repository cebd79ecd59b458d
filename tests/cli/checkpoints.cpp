// Checkpoints of the program's training run: a run that stops anywhere, however it stops, goes on
// with the same bits. The runs are those of small/train_small.cpp.
#include "../examples/alexnet/checkpoints.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "../examples/alexnet/report.hpp"
#include "cli/program.hpp"
#include "cli/small/weights.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"
#include "typenet/io/atomic_file.hpp"
#include "typenet/io/folder_lock.hpp"
#include "typenet/io/safetensors.hpp"

namespace {

namespace fs = std::filesystem;
using typenet_test::contents;
using typenet_test::Finished;
using typenet_test::names_in;
using typenet_test::read_report;
using typenet_test::Report;
using typenet_test::Surroundings;
using typenet_test::TemporaryFolder;
using Arguments = std::vector<std::string>;
using Microseconds = std::chrono::microseconds;

Finished train_small(const Arguments& arguments, Surroundings surroundings = {}) {
    surroundings.program = TRAIN_SMALL_PROGRAM;
    return typenet_test::run(arguments, surroundings);
}

/// What a run has left, without its times.
struct Outcome {
    std::set<std::string> lines;  ///< of stdout: figures
    std::vector<std::map<std::string, double>> epochs;
    std::map<std::string, std::string> files;               ///< the weights, byte by byte
    std::map<std::string, std::vector<std::byte>> tensors;  ///< of the last checkpoint

    friend bool operator==(const Outcome&, const Outcome&) = default;
};

/// Adds the lines with figures. A piece of a run may print again what one before it has printed,
/// which must then be the same.
void add_lines(const Finished& finished, Outcome& outcome) {
    std::istringstream text{finished.out};
    static const std::regex times{", \\d+\\.\\d images/s, \\d+\\.\\d s$|- \\d+s \\d+ms/step "};
    static const std::regex figures{"^(Epoch|\\[|Accuracy|\\d).*"};
    for (std::string line; std::getline(text, line);)
        if (std::regex_match(line, figures))
            outcome.lines.insert(std::regex_replace(line, times, ""));
}

void add_files(const fs::path& out, const fs::path& json, Outcome& outcome) {
    for (const char* name : {"weights.safetensors", "best.safetensors"})
        outcome.files[name] = contents(out / name);
    outcome.epochs = read_report(json).epochs;
    for (auto& epoch : outcome.epochs)
        for (const char* time : {"seconds", "images_per_second", "finished"}) epoch.erase(time);
    const auto checkpoint =
        typenet::SafetensorsFile::open(alexnet::checkpoints_in(out).back().path);
    for (const typenet::TensorView& tensor : checkpoint.tensors())
        outcome.tensors[tensor.name] = {tensor.bytes.begin(), tensor.bytes.end()};
}

/// A run that is stopped again and again.
class Pieces {
public:
    Pieces(const std::string& variant, const fs::path& folder, const std::string& every)
        : out_(folder / "out"),
          json_(folder / "report.json"),
          arguments_{variant, "--json", json_.string(), "--checkpoint-every", every} {
        if (variant != "finetune") return;
        const fs::path weights = folder / "pretrained.safetensors";
        typenet_test::write_small_weights(weights, 10);
        arguments_.insert(arguments_.end(), {"--weights", weights.string()});
    }

    /// Starts it or goes on. True when it has come to its end, and false when it was stopped.
    bool go_on(const Surroundings& surroundings = {}) {
        Arguments arguments = arguments_;
        const bool resumes = !alexnet::checkpoints_in(out_).empty();
        arguments.insert(arguments.end(), {resumes ? "--resume" : "--out", out_.string()});
        const Finished finished = train_small(arguments, surroundings);
        INFO(finished.err);
        add_lines(finished, outcome_);
        went_on_ += finished.out.find("Going on from") != std::string::npos;
        if (finished.code != 0) {
            REQUIRE(finished.code == (surroundings.signal == SIGKILL ? 137 : 130));
            return false;
        }
        add_files(out_, json_, outcome_);
        return true;
    }

    const Outcome& outcome() const { return outcome_; }
    int went_on() const { return went_on_; }  ///< how often, from a checkpoint
    const fs::path& out() const { return out_; }

private:
    fs::path out_;
    fs::path json_;
    Arguments arguments_;
    Outcome outcome_;
    int went_on_ = 0;
};

/// Stops runs by `signal` at so many random moments, and checks that each of them ends as one that
/// was never stopped.
void check_stops(const std::string& variant, int signal, int stops) {
    const std::string every = variant == "sgd" ? "160" : "17";  // divides no epoch
    const TemporaryFolder undisturbed;
    Pieces whole{variant, undisturbed.path(), every};
    const auto start = std::chrono::steady_clock::now();
    REQUIRE(whole.go_on());
    const auto length =
        std::chrono::duration_cast<Microseconds>(std::chrono::steady_clock::now() - start);
    REQUIRE(whole.outcome().lines.size() > 5);
    const std::string names = names_in(whole.out());

    const unsigned seed = std::random_device{}();
    CAPTURE(variant, signal, seed, length.count());
    std::mt19937 random{seed};
    std::uniform_int_distribution<std::int64_t> moment{1, length.count() / 3};
    int went_on = 0;
    while (stops > 0) {
        const TemporaryFolder folder;
        Pieces pieces{variant, folder.path(), every};
        const auto stop = [&] {
            return Surroundings{.interrupt_at = "Recipe",  // training begins
                                .signal_after = Microseconds{moment(random)},
                                .signal = signal};
        };
        while (!pieces.go_on(stops > 0 ? stop() : Surroundings{})) --stops;
        CHECK(pieces.outcome().lines == whole.outcome().lines);
        CHECK(pieces.outcome().epochs == whole.outcome().epochs);
        CHECK(pieces.outcome().files == whole.outcome().files);
        CHECK(pieces.outcome().tensors == whole.outcome().tensors);
        CHECK(names_in(pieces.out()) == names);
        went_on += pieces.went_on();
    }
    WARN(variant << ", signal " << signal << ": seed " << seed << ", a whole run takes "
                 << length.count() / 1000 << " ms, and pieces went on " << went_on << " times");
    // Otherwise all of them ended before there was anything to go on from.
    CHECK(went_on > 0);
}

}  // namespace

TEST_CASE("a run that is killed at any moment goes on with the same bits: SGD") {
    check_stops("sgd", SIGKILL, 12);
}

TEST_CASE("a run that is killed at any moment goes on with the same bits: Adam, augmentation") {
    check_stops("adam", SIGKILL, 8);
}

TEST_CASE("a run that is killed at any moment goes on with the same bits: fine-tuning") {
    check_stops("finetune", SIGKILL, 6);
}

TEST_CASE("a run that is asked to stop keeps the step, and goes on with the same bits") {
    check_stops("adam", SIGINT, 3);
    check_stops("sgd", SIGTERM, 3);
}

TEST_CASE("the last checkpoints are kept, and the best weights") {
    const TemporaryFolder folder;
    const fs::path out = folder / "out";
    const Arguments few{"sgd", "--limit-train", "100", "--epochs", "3", "--out", out.string()};
    Arguments arguments = few;  // 100 steps an epoch
    arguments.insert(arguments.end(), {"--checkpoint-every", "30", "--keep", "3", "--json",
                                       (folder / "a.json").string()});
    REQUIRE(train_small(arguments).code == 0);
    CHECK(names_in(out) ==
          "best.safetensors checkpoint-00000240.safetensors checkpoint-00000270.safetensors "
          "checkpoint-00000300.safetensors confusion.svg curves.svg events.out.tfevents.alexnet "
          "filters.svg metrics.csv metrics.jsonl report.html weights.safetensors");

    const Report report = read_report(folder / "a.json");
    std::size_t best = 0;
    for (std::size_t e = 1; e < report.epochs.size(); ++e)
        if (report.epochs[e].at("test_accuracy") > report.epochs[best].at("test_accuracy"))
            best = e;
    const auto epoch_of = [&](const char* name) {
        const auto file = typenet::SafetensorsFile::open(out / name);
        return file.metadata().at("epoch");
    };
    CHECK(epoch_of("best.safetensors") == std::to_string(best + 1));
    CHECK(epoch_of("weights.safetensors") == "3");

    // A run that goes on elsewhere takes the best weights with it, if they are of the best epoch.
    const auto go_on = [&](const char* name) {
        return train_small({"sgd", "--limit-train", "100", "--epochs", "3", "--resume",
                            (out / "checkpoint-00000270.safetensors").string(), "--out",
                            (folder / name).string()})
            .err;
    };
    CHECK((best == 2 || go_on("taken") == ""));
    CHECK((best == 2 ||
           contents(folder / "taken/best.safetensors") == contents(out / "best.safetensors")));
    fs::copy_file(out / "weights.safetensors", folder / "kept");
    fs::rename(out / "best.safetensors", folder / "best");
    CHECK_THAT(go_on("lost"),
               ContainsText("lost/best.safetensors will be the best of the epochs from "
                            "now on; the weights of epoch ") &&
                   ContainsText("not at hand: " + (out / "best").string()));
    CHECK(contents(folder / "lost/best.safetensors") ==
          contents(folder / "lost/weights.safetensors"));
    fs::rename(folder / "best", out / "best.safetensors");

    const Finished again = train_small(few);
    CHECK(again.code == 1);
    CHECK_THAT(again.err, ContainsText("out: holds the checkpoints of an earlier run; go on with "
                                       "--resume "));
    // Two of them go when the run starts from the first one and writes the next.
    const auto first = (out / "checkpoint-00000240.safetensors").string();
    const Finished back =
        train_small({"sgd", "--limit-train", "100", "--epochs", "3", "--resume", first},
                    {.interrupt_at = "Going on from " + first});
    REQUIRE((back.code == 130 || back.code == 0));
    CHECK_THAT(back.out, ContainsText("Going on from " + first + ": epoch 3, after 40 steps"));
    CHECK(alexnet::checkpoints_in(out).size() <= 2);
}

TEST_CASE("a finished run is resumed to the same end, and further with more epochs") {
    const TemporaryFolder folder;
    const auto train = [&](const std::string& epochs, const char* option, const char* name) {
        const Finished finished =
            train_small({"sgd", "--limit-train", "100", "--epochs", epochs, option,
                         (folder / name).string(), "--json", (folder / name).string() + ".json"});
        INFO(finished.err);
        REQUIRE(finished.code == 0);
        Outcome outcome;
        add_files(folder / name, (folder / name).string() + ".json", outcome);
        return outcome;
    };
    const Outcome whole = train("2", "--out", "whole");
    const Outcome half = train("1", "--out", "pieces");
    CHECK_FALSE(half.files == whole.files);
    CHECK(train("1", "--resume", "pieces") == half);
    CHECK(train("2", "--resume", "pieces") == whole);
    const Finished over = train_small(
        {"sgd", "--limit-train", "100", "--epochs", "1", "--resume", (folder / "pieces").string()});
    CHECK(over.code == 1);
    CHECK_THAT(over.err, ContainsText("1 of 1 epochs are done; give more --epochs to go on"));
}

TEST_CASE("a damaged checkpoint is refused by name, and the one before it serves who names it") {
    const TemporaryFolder folder;
    const fs::path out = folder / "out";
    const Arguments few{"sgd", "--limit-train", "100", "--epochs", "2"};
    const auto with = [&](const char* option, const fs::path& path) {
        Arguments arguments = few;
        arguments.insert(arguments.end(), {option, path.string()});
        return train_small(arguments);
    };
    REQUIRE(with("--out", out).code == 0);
    const std::string weights = contents(out / "weights.safetensors");
    const fs::path last = out / "checkpoint-00000200.safetensors";
    const fs::path before = out / "checkpoint-00000100.safetensors";
    const std::string whole = contents(last);
    const auto refusal = [&](const std::string& damaged) {
        typenet::write_file(last, damaged);
        const std::string names = names_in(out);
        const Finished refused = with("--resume", out);
        CHECK(refused.code == 1);
        CHECK(refused.out == "");
        CHECK_THAT(refused.err, ContainsText("alexnet: error: " + last.string() + ": "));
        CHECK_THAT(refused.err, ContainsText("; to go on from the checkpoint before it, --resume " +
                                             before.string() + "\n"));
        CHECK(std::ranges::count(refused.err, '\n') == 1);
        CHECK(names_in(out) == names);
        return refused.err;
    };
    const auto changed = [&](std::size_t place) {
        std::string text = whole;
        text[place] = static_cast<char>(text[place] ^ 1);
        return text;
    };
    CHECK_THAT(refusal(""), ContainsText("it has 0 bytes"));
    CHECK_THAT(refusal(whole.substr(0, whole.size() / 2)), ContainsText("a damaged one"));
    CHECK_THAT(refusal(whole.substr(0, whole.size() - 1)), ContainsText("a damaged one"));
    CHECK_THAT(refusal(changed(whole.size() - 4)), ContainsText("its checksum does not agree"));
    CHECK_THAT(refusal(changed(whole.find("\\\"train_loss\\\":") + 17)),
               ContainsText("its checksum does not agree"));
    CHECK_THAT(refusal(std::regex_replace(whole, std::regex{"since_line"}, "since_lane")),
               ContainsText("its account of the run is damaged: there is no counter since_lane"));

    CHECK(contents(out / "weights.safetensors") == weights);
    REQUIRE(with("--resume", before).code == 0);
    CHECK(contents(out / "weights.safetensors") == weights);
}

TEST_CASE("a checkpoint of other data, or of none, is refused") {
    const TemporaryFolder folder;
    const fs::path out = folder / "out";
    const auto train = [&](const std::string& images, const char* option, const fs::path& path) {
        return train_small(
            {"sgd", "--limit-train", images, "--epochs", "3", option, path.string()});
    };
    CHECK_THAT(train("100", "--resume", out).err,
               ContainsText("out: holds no checkpoint; name the --out folder"));
    REQUIRE(train("100", "--out", out).code == 0);
    CHECK_THAT(train("101", "--resume", out).err,
               ContainsText("was written with --limit-train 100, not --limit-train 101"));
}

TEST_CASE("clipping and smoothing decide over a run, and belong to its checkpoints") {
    const TemporaryFolder folder;
    const auto train = [&](const Arguments& more) {
        Arguments arguments{"sgd", "--limit-train", "50"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return train_small(arguments);
    };
    const auto outcome = [&](const char* name, Arguments more) {
        const fs::path out = folder / name, json = folder / (std::string{name} + ".json");
        more.insert(more.end(), {"--json", json.string()});
        if (std::ranges::find(more, "--resume") == more.end())
            more.insert(more.end(), {"--out", out.string()});
        const Finished finished = train(more);
        INFO(finished.err);
        REQUIRE(finished.code == 0);
        Outcome result;
        add_files(out, json, result);
        return result;
    };
    const Outcome plain = outcome("plain", {"--epochs", "2"});
    const Outcome clipped = outcome("clipped", {"--epochs", "2", "--clip-norm", "0.5"});
    const Outcome smoothed = outcome("smoothed", {"--epochs", "2", "--label-smoothing", "0.2"});
    CHECK_FALSE(clipped.files == plain.files);
    CHECK_FALSE(smoothed.files == plain.files);
    CHECK(outcome("loose", {"--epochs", "2", "--clip-norm", "1e30"}).files == plain.files);
    // Gradients of next to no length move no parameter.
    const Outcome still = outcome("still", {"--epochs", "1", "--clip-norm", "1e-30"});
    const Outcome later = outcome("later", {"--epochs", "2", "--clip-norm", "1e-30"});
    for (const char* name : {"0.weight", "5.weight", "8.bias"}) {
        CHECK(still.tensors.at(name) == later.tensors.at(name));
        CHECK(clipped.tensors.at(name) != plain.tensors.at(name));
        CHECK(clipped.tensors.at(name) != still.tensors.at(name));
    }
    // Only the loss that is trained on is smoothed.
    const Outcome smoothed_still = outcome(
        "smoothed_still", {"--epochs", "1", "--clip-norm", "1e-30", "--label-smoothing", "0.2"});
    CHECK(smoothed_still.epochs[0].at("train_loss") != still.epochs[0].at("train_loss"));
    CHECK(smoothed_still.epochs[0].at("test_loss") == still.epochs[0].at("test_loss"));

    const std::string pieces = (folder / "pieces").string();
    const Arguments both{"--clip-norm", "0.5", "--label-smoothing", "0.1"};
    const auto with = [](Arguments arguments, const Arguments& more) {
        arguments.insert(arguments.end(), more.begin(), more.end());
        return arguments;
    };
    const Outcome whole = outcome("whole", with(both, {"--epochs", "2"}));
    outcome("pieces", with(both, {"--epochs", "1"}));
    CHECK(outcome("pieces", with(both, {"--epochs", "2", "--resume", pieces})) == whole);
    const auto refusal = [&](const Arguments& more) {
        const Finished refused = train(with(more, {"--epochs", "3", "--resume", pieces}));
        CHECK(refused.code == 1);
        return refused.err;
    };
    CHECK_THAT(refusal({"--clip-norm", "1", "--label-smoothing", "0.1"}),
               ContainsText("was written with --clip-norm 0.5, not --clip-norm 1"));
    CHECK_THAT(refusal({"--clip-norm", "0.5", "--label-smoothing", "0.2"}),
               ContainsText("was written with --label-smoothing 0.1, not --label-smoothing 0.2"));
    CHECK_THAT(refusal({"--label-smoothing", "0.1"}),
               ContainsText("was written with --clip-norm 0.5, which is not given"));
    CHECK_THAT(
        train({"--epochs", "3", "--clip-norm", "1", "--resume", (folder / "plain").string()}).err,
        ContainsText("was written without --clip-norm 1; give the options of that run"));
}

TEST_CASE("two runs do not share a folder") {
    const TemporaryFolder folder;
    const fs::path out = folder / "out";
    fs::create_directory(out);
    const Arguments arguments{"sgd", "--limit-train", "10", "--out", out.string()};
    {
        const typenet::FolderLock lock{out, "this test"};
        const Finished refused = train_small(arguments);
        CHECK(refused.code == 1);
        CHECK_THAT(refused.err, ContainsText("out: is in use by another training run; wait for "));
        CHECK(names_in(out) == "");
    }
    CHECK(train_small(arguments).code == 0);
}

TEST_CASE("checkpoints are told from other files, and sorted by their steps") {
    const TemporaryFolder folder;
    CHECK(alexnet::checkpoint_path("run", 12'500) == "run/checkpoint-00012500.safetensors");
    CHECK(alexnet::checkpoints_in(folder / "none").empty());
    for (const char* name :
         {"checkpoint-00000007.safetensors", "checkpoint-123456789.safetensors",
          "checkpoint-00000100.safetensors", "checkpoint-.safetensors", "checkpoint-7.safetensors~",
          "checkpoint--7.safetensors", "checkpoint-7x.safetensors", "weights.safetensors"})
        typenet::write_file(folder / name, "");
    const auto steps = [&] {
        std::vector<std::int64_t> found;
        for (const auto& file : alexnet::checkpoints_in(folder.path())) found.push_back(file.steps);
        return found;
    };
    CHECK(steps() == std::vector<std::int64_t>{7, 100, 123'456'789});
    alexnet::remove_old_checkpoints(folder.path(), 123'456'789, 2);
    CHECK(steps() == std::vector<std::int64_t>{100, 123'456'789});
    alexnet::remove_old_checkpoints(folder.path(), 100, 2);
    CHECK(steps() == std::vector<std::int64_t>{100});
    CHECK(fs::exists(folder / "checkpoint-7x.safetensors"));
}

TEST_CASE("the best epoch is the first of those with the highest accuracy") {
    std::vector<alexnet::EpochResult> epochs;
    const auto is_best_with = [&](double accuracy) {
        epochs.push_back({.test_accuracy = accuracy});
        return alexnet::is_best(epochs);
    };
    CHECK(is_best_with(0));
    CHECK(is_best_with(50));
    CHECK_FALSE(is_best_with(50));
    CHECK_FALSE(is_best_with(40));
    CHECK(is_best_with(51));
}
