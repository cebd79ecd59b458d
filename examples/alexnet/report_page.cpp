// The page of a run, and that of a test.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <fstream>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <typenet/io/svg.hpp>
#include <typenet/io/text_format.hpp>
#include <typenet/version.hpp>
#include <vector>

#include "progress.hpp"
#include "run_files.hpp"
#include "session.hpp"
#include "system.hpp"

namespace alexnet {

namespace tn = typenet;

namespace {

using tn::detail::grouped;
using tn::detail::xml_escaped;

constexpr std::string_view style = R"(
:root { --page: #f6f7f9; --sheet: #fff; --ink: #1d2329; --pale: #5d6875;
  --rule: #dde2e8; --bar: #2478b8; }
@media (prefers-color-scheme: dark) {
  :root { --page: #14181d; --sheet: #1d232a; --ink: #e3e8ee; --pale: #9aa7b5; --rule: #343d48;
    --bar: #4a9ad4; } }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 54rem; background: var(--page);
  color: var(--ink); font: 1rem/1.5 system-ui, "DejaVu Sans", Verdana, sans-serif; }
h1 { margin: 0 0 0.25rem; font-size: 1.6rem; }
h2 { margin: 0 0 0.75rem; font-size: 1.15rem; }
p { margin: 0 0 1.25rem; color: var(--pale); }
section, .sheet { margin-top: 1rem; padding: 1rem 1.25rem; background: var(--sheet);
  border: 1px solid var(--rule); border-radius: 8px; overflow-x: auto; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(14rem, 1fr)); gap: 1rem; }
.figures div { color: var(--pale); font-size: 0.875rem; }
.figures strong { display: block; color: var(--ink); font-size: 1.5rem; }
svg { display: block; max-width: 100%; height: auto; }
svg .paper { fill: none; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.25rem 0.5rem; text-align: right; border-bottom: 1px solid var(--rule); }
th { color: var(--pale); font-weight: 600; font-size: 0.875rem; }
td { white-space: nowrap; }
th:first-child, td:first-child, .words td { text-align: left; }
.words td { white-space: normal; }
.words td:first-child { color: var(--pale); white-space: nowrap; }
.share { width: 50%; }
.share span { display: block; height: 0.75rem; background: var(--bar); border-radius: 2px; }
)";

/// Rows of cells; the markup around them is written here, so that what comes in is escaped.
class Table {
public:
    /// Without names of columns it is one of names and what they mean.
    explicit Table(std::initializer_list<std::string_view> columns = {}) {
        html_ = columns.size() == 0 ? "<table class=\"words\">\n" : "<table>\n<thead><tr>";
        for (const std::string_view column : columns) html_ += fmt::format("<th>{}</th>", column);
        html_ += columns.size() == 0 ? "<tbody>\n" : "</tr></thead>\n<tbody>\n";
    }
    Table& row(std::initializer_list<std::string> cells) {
        html_ += "<tr>";
        for (const std::string& cell : cells)
            html_ += fmt::format("<td>{}</td>", xml_escaped(cell));
        html_ += "</tr>\n";
        return *this;
    }
    /// The same with a bar behind them; `share` is in per cent.
    Table& row(std::initializer_list<std::string> cells, double share) {
        row(cells);
        html_.resize(html_.size() - std::string_view{"</tr>\n"}.size());
        html_ += fmt::format(
            "<td class=\"share\"><span style=\"width:{:.1f}%\"></span></td></tr>\n", share);
        return *this;
    }
    std::string finish() const { return html_ + "</tbody>\n</table>\n"; }

private:
    std::string html_;
};

std::string section(std::string_view title, const std::string& body) {
    return fmt::format("<section>\n<h2>{}</h2>\n{}</section>\n", title, body);
}

/// A figure and below it what it is.
std::string figure(const std::string& value, const std::string& meaning) {
    return fmt::format("<div><strong>{}</strong>{}</div>\n", xml_escaped(value),
                       xml_escaped(meaning));
}

std::string date_text(double unix_seconds) {
    return fmt::format("{:%Y-%m-%d %H:%M} UTC",
                       fmt::gmtime(static_cast<std::time_t>(unix_seconds)));
}

/// "AMD EPYC 7B13"; empty where the system does not say it.
std::string processor_name() {
    std::ifstream info{"/proc/cpuinfo"};
    for (std::string line; std::getline(info, line);)
        if (const std::size_t at = line.find(": ");
            line.starts_with("model name") && at != line.npos)
            return line.substr(at + 2);
    return {};
}

std::string table_of_classes(const TestResult& test, std::span<const std::string> names) {
    Table table{"class", "images", "right", "accuracy", ""};
    for (std::size_t c = 0; c < names.size(); ++c) {
        const int truth = static_cast<int>(c);
        const std::int64_t samples = test.confusion.samples(truth);
        const double accuracy = test.confusion.accuracy(truth);
        table.row({names[c], grouped(samples), grouped(test.confusion.count(truth, truth)),
                   samples > 0 ? fmt::format("{:.2f} %", accuracy) : "-"},
                  accuracy);
    }
    return table.finish();
}

std::string table_of_epochs(std::span<const EpochResult> epochs) {
    Table table{"epoch",     "steps",         "learning rate", "train loss", "train accuracy",
                "test loss", "test accuracy", "images/s",      "time"};
    for (const EpochResult& result : epochs)
        table.row(
            {std::to_string(result.epoch), grouped(result.steps),
             fmt::format("{:.4g}", result.learning_rate), fmt::format("{:.4f}", result.train_loss),
             fmt::format("{:.2f} %", result.train_accuracy),
             fmt::format("{:.4f}", result.test_loss), fmt::format("{:.2f} %", result.test_accuracy),
             fmt::format("{:.1f}", result.images_per_second), clock_text(result.seconds)});
    return table.finish();
}

std::string table_of_run(const TrainOptions& options, const Session& session,
                         const RunFacts& facts) {
    Table table;
    with_system(options.recipe.name, [&](auto system) {
        table.row(
            {"network", fmt::format("{}, {} parameters", system.name, grouped(facts.parameters))});
        table.row({"input", std::string{system.input}});
    });
    table.row({"images", fmt::format("{} to train on, {} to test", grouped(session.train.size()),
                                     grouped(session.test.size()))});
    table.row({"--epochs", std::to_string(options.recipe.epochs)});
    for (const auto& [option, value] : deciding_options(options))
        if (option != "--epochs") table.row({option, value});
    if (options.recipe.early_stop > 0)
        table.row({"--early-stop", std::to_string(options.recipe.early_stop)});
    return table.finish();
}

std::string table_of_tested_weights(const EvalOptions& options, const TestedWeights& tested,
                                    const RunFacts& facts) {
    Table table;
    table.row(
        {"network", fmt::format("{}, {} parameters", tested.network, grouped(facts.parameters))});
    table.row({"--weights", options.weights.string()});
    table.row({"--data", options.data.is_synthetic() ? "synthetic" : "CIFAR-10"});
    table.row({"--precision", options.machine.precision});
    return table.finish();
}

std::string table_of_machine(const RunFacts& facts) {
    Table table;
    table.row({"device", facts.device});
    const std::string processor = processor_name();
    table.row({"processor", fmt::format("{}{}{} threads", processor, processor.empty() ? "" : ", ",
                                        std::thread::hardware_concurrency())});
    table.row({"program", fmt::format("alexnet, typenet {}.{}.{}", TYPENET_VERSION_MAJOR,
                                      TYPENET_VERSION_MINOR, TYPENET_VERSION_PATCH)});
    return table.finish();
}

/// A page as far as its first line of text.
std::string page_start(const std::string& title, const std::string& summary) {
    return fmt::format(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
        "<meta name=\"color-scheme\" content=\"light dark\"/>\n"
        "<title>{0}</title>\n<style>{1}</style>\n</head>\n<body>\n<h1>{0}</h1>\n<p>{2}</p>\n",
        xml_escaped(title), style, xml_escaped(summary));
}
constexpr std::string_view page_end = "</body>\n</html>\n";

}  // namespace

std::string report_page(const TrainOptions& options, const Session& session, const TestResult& test,
                        const RunFacts& facts) {
    const std::span<const EpochResult> epochs = session.epochs;
    const EpochResult& last = epochs.back();
    const EpochResult& best = *std::ranges::max_element(epochs, {}, &EpochResult::test_accuracy);
    const double seconds =
        std::accumulate(epochs.begin(), epochs.end(), 0.0,
                        [](double sum, const EpochResult& e) { return sum + e.seconds; });

    std::string page =
        page_start(fmt::format("AlexNet, recipe {}", options.recipe.name),
                   fmt::format("{} of {} epochs done; the last one ended {}.", last.epoch,
                               options.recipe.epochs, date_text(last.finished)));
    page += "<div class=\"sheet figures\">\n";
    page += figure(fmt::format("{:.2f} %", last.test_accuracy), "test accuracy");
    page += figure(fmt::format("{:.4f}", last.test_loss), "test loss");
    page += figure(fmt::format("{:.2f} %", best.test_accuracy),
                   fmt::format("best test accuracy, epoch {}", best.epoch));
    page += figure(fmt::format("{:.2f} %", last.train_accuracy), "train accuracy");
    page += figure(clock_text(seconds), "training time");
    page += figure(fmt::format("{:.1f}", last.images_per_second), "training images a second");
    page += "</div>\n";
    page += section("Curves", draw_curves(epochs));
    page += section("Accuracy by class", table_of_classes(test, session.names));
    page += section("Confusion matrix", draw_confusion(test, session.names));
    page += section("Filters", draw_filters(facts.filters));
    page += section("Epochs", table_of_epochs(epochs));
    page += section("Run", table_of_run(options, session, facts));
    page += section("Machine", table_of_machine(facts));
    return page.append(page_end);
}

std::string test_page(const EvalOptions& options, const TestedWeights& tested,
                      const TestResult& test, const RunFacts& facts) {
    const EpochResult& result = tested.result;
    std::string page =
        page_start(fmt::format("Test of {}", tested.network),
                   fmt::format("{} images; the test ended {}.", grouped(test.confusion.samples()),
                               date_text(result.finished)));
    page += "<div class=\"sheet figures\">\n";
    page += figure(fmt::format("{:.2f} %", result.test_accuracy), "test accuracy");
    page += figure(fmt::format("{:.4f}", result.test_loss), "test loss");
    page += figure(clock_text(result.seconds), "time");
    page += figure(fmt::format("{:.1f}", result.images_per_second), "images a second");
    page += "</div>\n";
    page += section("Accuracy by class", table_of_classes(test, tested.names));
    page += section("Confusion matrix", draw_confusion(test, tested.names));
    page += section("Filters", draw_filters(facts.filters));
    page += section("Test", table_of_tested_weights(options, tested, facts));
    page += section("Machine", table_of_machine(facts));
    return page.append(page_end);
}

}  // namespace alexnet
