#include "report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <typenet/core/error.hpp>
#include <typenet/io/atomic_file.hpp>
#include <typenet/io/json.hpp>

namespace alexnet {

namespace tn = typenet;

namespace {

struct EpochMember {
    const char* key;
    double EpochResult::*member;
};
/// The members of an epoch in a report, behind its number, steps and learning rate.
constexpr EpochMember epoch_members[] = {
    {"train_loss", &EpochResult::train_loss},
    {"train_accuracy", &EpochResult::train_accuracy},
    {"test_loss", &EpochResult::test_loss},
    {"test_accuracy", &EpochResult::test_accuracy},
    {"images_per_second", &EpochResult::images_per_second},
    {"seconds", &EpochResult::seconds},
    {"finished", &EpochResult::finished},
};
/// Those that a test without training has: all but what was measured in training.
constexpr std::span<const EpochMember> test_members = std::span{epoch_members}.subspan(2);

/// The members of an epoch, without the classes; the caller opens and closes the object.
void add_members(tn::JsonWriter& json, const EpochResult& result) {
    json.key("epoch").value(result.epoch).key("steps").value(result.steps);
    json.key("learning_rate").value(result.learning_rate);
    for (const auto& [key, member] : epoch_members) json.key(key).value(result.*member);
}

/// {"disc":12.5,...}; NaN, which means no image, becomes null.
void add_per_class(tn::JsonWriter& json, std::span<const double> per_class,
                   std::span<const std::string> names) {
    json.key("per_class").begin_object();
    for (std::size_t c = 0; c < std::min(per_class.size(), names.size()); ++c)
        json.key(names[c]).value(per_class[c]);
    json.end_object();
}

void add_accuracies(tn::JsonWriter& json, const TestResult& test,
                    std::span<const std::string> names) {
    json.key("test_accuracy").value(test.confusion.accuracy());
    add_per_class(json, accuracies(test.confusion), names);
}

std::size_t longest(std::span<const std::string> names) {
    std::size_t most = 0;
    for (const std::string& name : names) most = std::max(most, name.size());
    return most;
}

std::string mebibytes(std::int64_t bytes) {
    return fmt::format("{:.1f}", static_cast<double>(bytes) / (1 << 20));
}

}  // namespace

void print_error(const std::string& message) {
    std::fputs(("alexnet: error: " + message + "\n").c_str(), stderr);
}

void print_warning(const std::string& message) {
    std::fputs(("alexnet: warning: " + message + "\n").c_str(), stderr);
}

bool is_best(std::span<const EpochResult> epochs) {
    const EpochResult& last = epochs.back();
    return std::ranges::all_of(epochs.first(epochs.size() - 1), [&](const EpochResult& epoch) {
        return epoch.test_accuracy < last.test_accuracy;
    });
}

std::string to_json(std::span<const EpochResult> epochs) {
    tn::JsonWriter json;
    json.begin_array();
    for (const EpochResult& result : epochs) {
        add_members(json.begin_object(), result);
        json.key("per_class").begin_array();
        for (const double accuracy : result.per_class) json.value(accuracy);
        json.end_array().end_object();
    }
    return json.end_array().text();
}

std::vector<EpochResult> epochs_from_json(const std::string& text) {
    std::vector<EpochResult> epochs;
    tn::JsonReader reader(text);
    reader.array([&] {
        EpochResult result;
        reader.object([&](const std::string& key) {
            const auto* known = std::ranges::find_if(
                epoch_members, [&](const auto& entry) { return key == entry.key; });
            if (key == "epoch")
                result.epoch = reader.natural();
            else if (key == "steps")
                result.steps = reader.natural();
            else if (key == "learning_rate")
                result.learning_rate = static_cast<float>(reader.number());
            else if (key == "per_class")
                reader.array([&] { result.per_class.push_back(reader.number()); });
            else if (known != std::end(epoch_members))
                result.*(known->member) = reader.number();
            else
                reader.fail("an epoch has no member " + key);
        });
        epochs.push_back(result);
        if (result.epoch != static_cast<std::int64_t>(epochs.size()))
            reader.fail("the epochs are not numbered from 1 on");
    });
    reader.finish();
    return epochs;
}

std::string to_json_lines(std::span<const EpochResult> epochs, std::span<const std::string> names) {
    std::string lines;
    for (const EpochResult& result : epochs) {
        tn::JsonWriter json;
        add_members(json.begin_object(), result);
        add_per_class(json, result.per_class, names);
        lines += json.end_object().text() + "\n";
    }
    return lines;
}

std::string to_csv(std::span<const EpochResult> epochs) {
    std::string lines = "epoch,steps,learning_rate";
    for (const auto& [key, member] : epoch_members) lines += std::string{","} + key;
    lines += "\n";
    for (const EpochResult& result : epochs) {
        lines += fmt::format("{},{},{}", result.epoch, result.steps, result.learning_rate);
        for (const auto& [key, member] : epoch_members) lines += fmt::format(",{}", result.*member);
        lines += "\n";
    }
    return lines;
}

std::string test_to_json_line(const EpochResult& test, std::span<const std::string> names) {
    tn::JsonWriter json;
    json.begin_object();
    for (const auto& [key, member] : test_members) json.key(key).value(test.*member);
    add_per_class(json, test.per_class, names);
    return json.end_object().text() + "\n";
}

std::string test_to_csv(const EpochResult& test) {
    std::string names, values;
    for (const auto& [key, member] : test_members) {
        const char* separator = names.empty() ? "" : ",";
        names += fmt::format("{}{}", separator, key);
        values += fmt::format("{}{}", separator, test.*member);
    }
    return names + "\n" + values + "\n";
}

std::vector<double> accuracies(const tn::ConfusionMatrix& confusion) {
    std::vector<double> per_class;
    for (int c = 0; c < confusion.classes(); ++c)
        per_class.push_back(confusion.samples(c) > 0 ? confusion.accuracy(c) : std::nan(""));
    return per_class;
}

void write_report(const std::filesystem::path& path, std::span<const EpochResult> epochs,
                  const TestResult& test, std::span<const std::string> names) {
    tn::JsonWriter json;
    json.begin_object().key("epochs").begin_array();
    for (const EpochResult& result : epochs) {
        add_members(json.begin_object(), result);
        json.end_object();
    }
    json.end_array();
    add_accuracies(json, test, names);
    tn::write_file(path, json.end_object().text() + "\n");
}

void write_report(const std::filesystem::path& path, const TestResult& test,
                  std::span<const std::string> names) {
    tn::JsonWriter json;
    json.begin_object().key("test_loss").value(test.loss);
    add_accuracies(json, test, names);
    tn::write_file(path, json.end_object().text() + "\n");
}

void print_device(const std::string& description) {
    fmt::print("Device: {}\n", description);
    std::fflush(stdout);
}

void print_copies(const char* kind, const typenet::Dataset& images) {
    fmt::print(
        "The {} {} images ({} MiB) do not fit into the GPU's memory beside the network: each "
        "batch is copied\n",
        images.size(), kind, mebibytes(static_cast<std::int64_t>(images.pixels.size())));
    std::fflush(stdout);
}

void print_taken_over(const std::filesystem::path& weights, const char* network,
                      std::int64_t classes, const char* replaced) {
    fmt::print("Weights: {}: {} of {} classes; taken over but for {}, which is new\n",
               weights.string(), network, classes, replaced);
}

void print_frozen(std::int64_t frozen, std::int64_t parameters) {
    fmt::print("Frozen: {} parameters; {} learn\n", frozen, parameters - frozen);
}

void print_features(const char* kind, std::int64_t bytes, bool are_kept, bool are_changed) {
    const std::string size = mebibytes(bytes);
    if (are_kept)
        fmt::print("Features of the {} images: computed once and kept, {} MiB\n", kind, size);
    else if (are_changed)
        fmt::print("Features of the {} images: computed in every epoch, since the images change\n",
                   kind);
    else
        fmt::print(
            "Features of the {} images: computed in every epoch, since their {} MiB do not fit "
            "into --cache-limit\n",
            kind, size);
    std::fflush(stdout);
}

void print_loss(std::size_t epoch, std::int64_t batches, double mean) {
    fmt::print("[{}, {:5}] loss: {:.3f}\n", epoch, batches, mean);
    std::fflush(stdout);
}

std::string loss_note(double loss) {
    return fmt::format("loss {:.3f}", loss);
}

void print_epoch(const EpochResult& result, int epochs) {
    fmt::print(
        "Epoch {}/{}: train loss {:.4f}, test loss {:.4f}, test accuracy {:.2f} %, "
        "{:.1f} images/s, {:.1f} s\n",
        result.epoch, epochs, result.train_loss, result.test_loss, result.test_accuracy,
        result.images_per_second, result.seconds);
    std::fflush(stdout);
}

void print_keras_epoch(const EpochResult& result, int epochs, std::int64_t batches) {
    fmt::print(
        "Epoch {}/{}\n{}/{} - {:.0f}s {:.0f}ms/step - loss: {:.4f} - accuracy: {:.4f} - val_loss: "
        "{:.4f} - val_accuracy: {:.4f}\n",
        result.epoch, epochs, batches, batches, result.seconds,
        1000 * result.seconds / static_cast<double>(batches), result.train_loss,
        result.train_accuracy / 100, result.test_loss, result.test_accuracy / 100);
    std::fflush(stdout);
}

void print_early_stop(int patience, const EpochResult& last) {
    fmt::print("No lower test loss for {} epoch{}: stopped after epoch {}\n", patience,
               patience == 1 ? "" : "s", last.epoch);
    std::fflush(stdout);
}

void print_test(const TestResult& test, std::span<const std::string> names) {
    const tn::ConfusionMatrix& confusion = test.confusion;
    const std::size_t width = longest(names);
    fmt::print("\n");
    for (std::size_t c = 0; c < names.size(); ++c) {
        const int truth = static_cast<int>(c);
        if (confusion.samples(truth) == 0)
            fmt::print("Accuracy of {:{}} : no test image\n", names[c], width);
        else
            fmt::print("Accuracy of {:{}} : {:.2f} %\n", names[c], width,
                       confusion.accuracy(truth));
    }
    fmt::print("\nAccuracy of the network on the {} test images: {:.2f} % (loss {:.4f})\n",
               confusion.samples(), confusion.accuracy(), test.loss);

    fmt::print("\nConfusion matrix (rows: true class, columns: predicted class)\n{:{}}", "", width);
    const auto column = [&](std::size_t c) { return std::max(names[c].size(), std::size_t{5}); };
    for (std::size_t c = 0; c < names.size(); ++c) fmt::print("  {:>{}}", names[c], column(c));
    fmt::print("\n");
    for (std::size_t truth = 0; truth < names.size(); ++truth) {
        fmt::print("{:{}}", names[truth], width);
        for (std::size_t c = 0; c < names.size(); ++c)
            fmt::print("  {:>{}}", confusion.count(static_cast<int>(truth), static_cast<int>(c)),
                       column(c));
        fmt::print("\n");
    }
}

void print(const std::string& text) {
    fmt::print("{}", text);
}

void print_memory(std::span<const PlannedMemory> plans, std::int64_t batch, int threads) {
    static constexpr char row[] = "{:15}  {:>10}  {:>10}  {:>10}  {:>11}  {:>10}  {:>8}\n";
    const auto print_row = [&](const auto&... cells) { fmt::print(row, cells...); };
    fmt::print("\nPlanned memory in MiB, batch {}, {} thread{}\n\n", batch, threads,
               threads == 1 ? "" : "s");
    print_row("", "parameters", "optimizer", "gradients", "activations", "workspace", "total");
    for (const auto& [purpose, plan] : plans)
        print_row(purpose, mebibytes(plan.parameters), mebibytes(plan.optimizer_state),
                  mebibytes(plan.gradients), mebibytes(plan.activations), mebibytes(plan.workspace),
                  mebibytes(plan.total));
}

}  // namespace alexnet
