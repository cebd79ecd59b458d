// The command line of `alexnet`: options, errors and exit codes.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <limits>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <typenet/backends/cpu/isa.hpp>
#include <typenet/core/error.hpp>
#include <typenet/version.hpp>
#include <vector>

#include "classifier.hpp"
#include "gpu.hpp"
#include "interrupt.hpp"
#include "options.hpp"
#include "report.hpp"
#include "run.hpp"
#include "system.hpp"
#include "weights_file.hpp"

namespace typenet {
template <class T>
struct Cpu;
}

namespace alexnet {
namespace {

enum ExitCode { fine = 0, failed = 1, usage = 2, interrupted = 130 };

std::string given(const std::string& text, const std::string& wanted) {
    return fmt::format("'{}' given; use {}", text, wanted);
}

using Check = std::function<std::string(const std::string&)>;

CLI::Validator check(const Check& explain) {
    return {explain, ""};
}

/// A whole number from `least` to `most`.
CLI::Validator whole_number(std::uint64_t least, std::uint64_t most) {
    return check([=](const std::string& text) -> std::string {
        std::uint64_t value = 0;
        const char* end = text.data() + text.size();
        const auto [stop, error] = std::from_chars(text.data(), end, value);
        const bool octal = text.size() > 1 && text[0] == '0';  // as CLI11 reads it
        if (error == std::errc{} && stop == end && value >= least && value <= most && !octal)
            return {};
        return given(text, fmt::format("a whole number from {} to {}{}", least, most,
                                       octal ? ", without zeros before it" : ""));
    });
}

/// "4GiB", "512MiB", "64KiB" or "0" in bytes; nothing for any other text.
std::optional<std::int64_t> size_in_bytes(const std::string& text) {
    std::uint64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || value > 1'000'000) return std::nullopt;
    const std::string_view unit{stop, end};
    const auto bytes = static_cast<std::int64_t>(value);
    if (unit == "GiB") return bytes << 30;
    if (unit == "MiB") return bytes << 20;
    if (unit == "KiB") return bytes << 10;
    if (unit.empty() && bytes == 0) return bytes;
    return std::nullopt;
}

/// A number that `fits`.
CLI::Validator number(bool (*fits)(float), const std::string& wanted) {
    return check([=](const std::string& text) -> std::string {
        float value = 0;
        const char* end = text.data() + text.size();
        const auto [stop, error] = std::from_chars(text.data(), end, value);
        return error == std::errc{} && stop == end && fits(value) ? "" : given(text, wanted);
    });
}

CLI::Validator positive() {
    return number([](float x) { return x > 0 && std::isfinite(x); }, "a positive number");
}

CLI::Validator one_of(const std::vector<std::string>& words) {
    return check([=](const std::string& text) -> std::string {
        return std::ranges::find(words, text) != words.end()
                   ? ""
                   : given(text, CLI::detail::join(words, " or "));
    });
}

CLI::Validator not_empty() {
    return check([](const std::string& text) -> std::string {
        return text.empty() ? given(text, "a path") : "";
    });
}

// More is a slip of the finger, and would overflow or choke something further on.
constexpr std::uint64_t most_images = 10'000'000;
constexpr std::uint64_t most_batch = 100'000;
constexpr std::uint64_t most_epochs = 1'000'000;
constexpr std::uint64_t most_steps = 1'000'000'000'000;
constexpr std::uint64_t most_threads = 1024;

void add_data(CLI::App& command, DataOptions& data) {
    command
        .add_option("--data", data.source,
                    "Folder with cifar-10-batches-bin, or 'synthetic': ten shapes drawn by the "
                    "program")
        ->required()
        ->check(not_empty())
        ->type_name("DIR|synthetic");
    command
        .add_option("--limit-test", data.limit_test,
                    "Test on the first N images only (synthetic without it: 2000)")
        ->check(whole_number(1, most_images))
        ->type_name("N");
}

void add_only(CLI::App& command, DataOptions& data) {
    command
        .add_option("--only", data.only,
                    "Use the images of these classes only (of the first N, where there is a "
                    "limit); names with commas between. The network keeps an output for each class "
                    "of the data")
        ->check(check([](const std::string& text) -> std::string {
            return text.empty() ? given(text, "names of classes with commas between") : "";
        }))
        ->type_name("CLASS,CLASS,...");
}

void add_threads(CLI::App& command, int& threads) {
    command
        .add_option("--threads", threads,
                    "Threads of the CPU that compute; results do not depend on it (default: one "
                    "for each processor)")
        ->check(whole_number(1, most_threads))
        ->type_name("N");
}

void add_machine(CLI::App& command, MachineOptions& machine) {
    command
        .add_option("--device", machine.device,
                    "What computes: the CPU, an NVIDIA GPU (cuda), or that where there is one")
        ->check(one_of({"auto", "cpu", "cuda"}))
        ->type_name("auto|cpu|cuda")
        ->capture_default_str();
    command
        .add_option("--precision", machine.precision,
                    "Numbers that are multiplied; sums and weights are always f32. tf32 needs "
                    "--device cuda; bf16 trains on the CPU by --recipe pytorch and keras only")
        ->check(one_of({"f32", "tf32", "bf16"}))
        ->type_name("f32|tf32|bf16")
        ->capture_default_str();
    add_threads(command, machine.threads);
}

void add_winograd(CLI::App& command, MachineOptions& machine) {
    command.add_flag("--winograd", machine.winograd,
                     "Compute convolutions on the CPU by Winograd's algorithm: quicker, with "
                     "somewhat larger rounding errors");
}

void require_compatible(const MachineOptions& machine) {
    if (machine.winograd && machine.device == "cuda")
        throw CLI::ValidationError("--winograd: is for the CPU, and --device cuda was given");
    if (machine.winograd && machine.precision != "f32")
        throw CLI::ValidationError("--winograd: computes in f32, and --precision " +
                                   machine.precision + " was given");
    if (machine.precision == "tf32" && machine.device != "cuda")
        throw CLI::ValidationError("--precision: tf32 needs --device cuda");
}

/// Whether the GPU computes. Throws typenet::Error where it has to and cannot.
bool uses_gpu(const MachineOptions& machine) {
    if (machine.device == "cpu") return false;
    try {
        gpu_name();
        return true;
    } catch (const typenet::Error&) {
        if (machine.device == "cuda") throw;
        return false;
    }
}

void run_on_device(const TrainOptions& options) {
    if (uses_gpu(options.machine))
        run_on_gpu(options);
    else if (options.machine.precision == "bf16")
        train_in_bf16(options);
    else
        with_system(options.recipe.name,
                    [&](auto system) { train<decltype(system), typenet::Cpu<float>>(options); });
}
MakeClassifier& classifier_for(const MachineOptions& machine) {
    if (machine.winograd) return make_cpu_winograd_classifier;
    if (uses_gpu(machine)) return make_gpu_classifier;
    return machine.precision == "bf16" ? make_bf16_classifier : make_cpu_classifier;
}

void add_progress(CLI::App& command, bool& progress) {
    command.add_flag_callback(
        "--no-progress", [&] { progress = false; }, "Show no progress on stderr");
}

void add_json(CLI::App& command, std::filesystem::path& json, const char* when) {
    command.add_option("--json", json, std::string{"Write the results to this file"} + when)
        ->check(not_empty())
        ->type_name("FILE");
}

CLI::App* add_train(CLI::App& program, TrainOptions& options) {
    CLI::App* command = program.add_subcommand("train", "Train AlexNet and report its accuracy");
    Recipe& recipe = options.recipe;
    recipe.name = "pytorch";
    command->footer(
        "The recipes are a published report's, with CIFAR-10 enlarged to 227x227:\n"
        "  pytorch  SGD, batch 4, 10 epochs. Not stated, and taken from PyTorch's CIFAR-10\n"
        "           tutorial: learning rate 0.001, momentum 0.9, inputs in [-1, 1]. Initial\n"
        "           weights as PyTorch draws them.\n"
        "  keras    Adam (with Keras's epsilon), batch 64, 15 epochs; the network resizes, pads\n"
        "           with 'same', drops out after ReLU and ends in a softmax; inputs in [0, 1].\n"
        "           Not stated: the learning rate. Keras's default of 0.001 leaves this network\n"
        "           at chance, so it is 0.0001. Initial weights as Keras draws them (glorot).\n"
        "  finetune torchvision's AlexNet, pretrained (--weights FILE): its convolutions stay as\n"
        "           they are, its last layer is drawn anew, and the linear layers learn by SGD,\n"
        "           learning rate 0.001, momentum 0.9. Not stated: batch 4, 10 epochs. Of images\n"
        "           resized to 256x256 it sees the middle 224x224, by ImageNet's mean and\n"
        "           deviation. The report reached 81.15 %. What the convolutions make of the\n"
        "           images is computed once and kept where it fits into --cache-limit and the\n"
        "           images do not change (--crop, --flip, --jitter).\n\n"
        "One more makes weights for it, where torchvision's are not at hand:\n"
        "  torchvision  The same network from the start: SGD, batch 32, 10 epochs, learning rate\n"
        "           0.01, momentum 0.9. With --only, it learns some of the classes.\n\n"
        "--out gets checkpoints (checkpoint-STEPS.safetensors): after every epoch, every\n"
        "--checkpoint-every steps, and when Ctrl-C or `kill` stops the run after the current\n"
        "step. --resume goes on from there with the same bits as if the run had never stopped;\n"
        "so it does after a crash, from the last checkpoint.\n\n"
        "--out also gets report.html, a page about the run with all of these pictures:\n"
        "curves.svg (loss and accuracy), confusion.svg (what was taken for what) and filters.svg\n"
        "(the first convolution's weights); metrics.csv and metrics.jsonl, a line an epoch; and\n"
        "events.out.tfevents.alexnet: 'tensorboard --logdir DIR' draws it while the run goes on.");
    add_data(*command, options.data);
    command
        ->add_option("--limit-train", options.data.limit_train,
                     "Train on the first N images only (synthetic without it: 10000)")
        ->check(whole_number(1, most_images))
        ->type_name("N");
    add_only(*command, options.data);
    command
        ->add_option("--recipe", recipe.name,
                     "Which network is trained and where the defaults below come from")
        ->check(one_of({"pytorch", "keras", "finetune", "torchvision"}))
        ->type_name("pytorch|keras|finetune|torchvision")
        ->capture_default_str();
    command
        ->add_option("--weights", options.weights,
                     "Of --recipe finetune: weights of torchvision's AlexNet, of any number of "
                     "classes, as safetensors or as PyTorch's .pth")
        ->check(not_empty())
        ->type_name("FILE");
    command
        ->add_option_function<std::string>(
            "--cache-limit",
            [&](const std::string& text) { options.cache_limit = *size_in_bytes(text); },
            "Of --recipe finetune: memory for what the convolutions make of the images (36 KiB "
            "each)")
        ->check(check([](const std::string& text) -> std::string {
            return size_in_bytes(text) ? "" : given(text, "a size such as 512MiB or 4GiB, or 0");
        }))
        ->type_name("SIZE")
        ->default_str("4GiB");
    command->add_option("--epochs", recipe.epochs, "Passes over the training images")
        ->check(whole_number(1, most_epochs))
        ->type_name("N");
    command->add_option("--batch", recipe.batch, "Images a step")
        ->check(whole_number(1, most_batch))
        ->type_name("N");
    command->add_option("--optimizer", recipe.optimizer, "How the weights are updated")
        ->check(one_of({"sgd", "adam"}))
        ->type_name("sgd|adam");
    command->add_option("--lr", recipe.learning_rate, "Learning rate")
        ->check(positive())
        ->type_name("X");
    command->add_option("--momentum", recipe.momentum, "Momentum of sgd")
        ->check(number([](float x) { return x >= 0 && x < 1; }, "a number from 0 on, below 1"))
        ->type_name("X")
        ->default_str("0.9");
    command->add_option("--init", recipe.initialization, "How the initial weights are drawn")
        ->check(one_of({"pytorch", "kaiming", "glorot"}))
        ->type_name("pytorch|kaiming|glorot");
    command->add_option("--weight-decay", recipe.weight_decay, "L2 penalty, added to the gradients")
        ->check(number([](float x) { return x >= 0 && std::isfinite(x); }, "a number from 0 on"))
        ->type_name("X")
        ->default_str("0");
    command
        ->add_option("--clip-norm", recipe.clip_norm,
                     "Scale the gradients down where their norm, over all weights and biases, is "
                     "above X (default: as they are)")
        ->check(positive())
        ->type_name("X");
    command
        ->add_option("--label-smoothing", recipe.label_smoothing,
                     "Train on labels of which this share is spread evenly over all classes; tests "
                     "are not smoothed")
        ->check(number([](float x) { return x >= 0 && x < 1; }, "a number from 0 on, below 1"))
        ->type_name("X")
        ->default_str("0");
    command
        ->add_option("--crop", recipe.augmentation.crop_padding,
                     "Shift training images by up to so many pixels, anew in every epoch")
        ->check(whole_number(1, 31))
        ->type_name("N");
    command->add_flag("--flip", recipe.augmentation.flip,
                      "Mirror every other training image, anew in every epoch");
    command
        ->add_option("--jitter", recipe.augmentation.jitter,
                     "Change brightness, contrast and saturation of training images by up to this "
                     "share, anew in every epoch")
        ->check(number([](float x) { return x > 0 && x <= 1; }, "a number above 0, up to 1"))
        ->type_name("X");
    command
        ->add_option("--schedule", recipe.schedule,
                     "How the learning rate changes: it falls by --decay after every --decay-every "
                     "epochs (step); rises for --warm-up epochs, then falls to 0 at the end "
                     "(cosine); falls by --decay where the test loss has not fallen for more than "
                     "--patience epochs (plateau)")
        ->check(one_of({"constant", "step", "cosine", "plateau"}))
        ->type_name("constant|step|cosine|plateau")
        ->capture_default_str();
    command->add_option("--decay-every", recipe.decay_every, "Epochs of --schedule step")
        ->check(whole_number(1, most_epochs))
        ->type_name("N")
        ->capture_default_str();
    command->add_option("--decay", recipe.decay, "Factor of --schedule step and plateau")
        ->check(number([](float x) { return x > 0 && x <= 1; }, "a number above 0, up to 1"))
        ->type_name("X")
        ->capture_default_str();
    command->add_option("--patience", recipe.patience, "Epochs of --schedule plateau")
        ->check(whole_number(0, most_epochs))
        ->type_name("N")
        ->capture_default_str();
    command->add_option("--warm-up", recipe.warm_up, "Epochs of --schedule cosine")
        ->check(number([](float x) { return x >= 0 && std::isfinite(x); }, "a number from 0 on"))
        ->type_name("X")
        ->default_str("0");
    command
        ->add_option("--early-stop", recipe.early_stop,
                     "Stop after so many epochs without a lower test loss")
        ->check(whole_number(1, most_epochs))
        ->type_name("N");
    command->add_option("--seed", recipe.seed, "Decides over weights, order and dropout")
        ->check(whole_number(0, std::numeric_limits<std::uint64_t>::max()))
        ->type_name("N")
        ->capture_default_str();
    command
        ->add_option("--rng", recipe.rng,
                     "Whose weights and order of images a seed gives: the program's own, or "
                     "PyTorch's after torch.manual_seed (dropout stays the program's)")
        ->check(one_of({"typenet", "torch"}))
        ->type_name("typenet|torch")
        ->capture_default_str();
    add_machine(*command, options.machine);
    command
        ->add_option("--out", options.out,
                     "Folder for checkpoints, for the weights after every epoch "
                     "(weights.safetensors) and for those with the best test accuracy "
                     "(best.safetensors), and what people look at (see below); default with "
                     "--resume: the same folder")
        ->check(not_empty())
        ->type_name("DIR");
    command
        ->add_option("--checkpoint-every", options.checkpoint_every,
                     "Steps between checkpoints within an epoch; 0: only after each epoch")
        ->check(whole_number(0, most_steps))
        ->type_name("N")
        ->capture_default_str();
    command->add_option("--keep", options.keep, "Keep so many checkpoints, the last ones")
        ->check(whole_number(1, most_epochs))
        ->type_name("N")
        ->capture_default_str();
    add_json(*command, options.json, " after every epoch");
    command
        ->add_option("--resume", options.resume,
                     "Go on from the last checkpoint of the run with this --out, or from that "
                     "very checkpoint; needs that run's other options")
        ->check(not_empty())
        ->type_name("DIR|FILE");
    add_progress(*command, options.progress);
    return command;
}

/// Takes from the recipe that was named what the command line leaves open.
void complete(Recipe& recipe, const CLI::App& command) {
    const Recipe defaults = recipe.name == "keras"         ? keras_recipe()
                            : recipe.name == "finetune"    ? finetune_recipe()
                            : recipe.name == "torchvision" ? torchvision_recipe()
                                                           : pytorch_recipe();
    const auto fill = [&](const char* option, auto member) {
        if (command.count(option) == 0) recipe.*member = defaults.*member;
    };
    fill("--epochs", &Recipe::epochs);
    fill("--batch", &Recipe::batch);
    fill("--optimizer", &Recipe::optimizer);
    fill("--lr", &Recipe::learning_rate);
    fill("--init", &Recipe::initialization);
}

/// Refuses options that belong to another schedule.
void require_schedule(const std::string& schedule, const CLI::App& command) {
    const auto belongs = [&](const char* option, std::initializer_list<const char*> schedules) {
        if (command.count(option) == 0 || std::ranges::find(schedules, schedule) != schedules.end())
            return;
        throw CLI::ValidationError(
            fmt::format("{}: belongs to --schedule {}", option, fmt::join(schedules, " or ")));
    };
    belongs("--decay-every", {"step"});
    belongs("--decay", {"step", "plateau"});
    belongs("--patience", {"plateau"});
    belongs("--warm-up", {"cosine"});
}

/// Refuses a fine-tuning without weights, and its options elsewhere.
void require_weights(const TrainOptions& options, const CLI::App& command) {
    if (options.recipe.name != "finetune") {
        for (const char* option : {"--weights", "--cache-limit"})
            if (command.count(option) > 0)
                throw CLI::ValidationError(fmt::format("{}: belongs to --recipe finetune", option));
    } else if (options.weights.empty() && options.resume.empty()) {
        throw CLI::ValidationError(
            "--recipe: finetune needs --weights FILE; download torchvision's from "
            "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth, or train some with "
            "--recipe torchvision --out DIR");
    }
}

void add_weights(CLI::App& command, std::filesystem::path& weights) {
    command
        .add_option("--weights", weights,
                    "Weights of a known network, as safetensors or as PyTorch's .pth")
        ->required()
        ->check(not_empty())
        ->type_name("FILE");
}

void add_classes(CLI::App& command, std::filesystem::path& classes) {
    command
        .add_option("--classes", classes,
                    "Text file with the name of a class in each line (default: those that the "
                    "weights name, or else numbers)")
        ->check(not_empty())
        ->type_name("FILE");
}

CLI::App* add_eval(CLI::App& program, EvalOptions& options) {
    CLI::App* command = program.add_subcommand("eval", "Test given weights");
    add_weights(*command, options.weights);
    add_data(*command, options.data);
    add_only(*command, options.data);
    command
        ->add_option("--out", options.out,
                     "Folder for what people look at: report.html, confusion.svg, filters.svg, and "
                     "the test's figures as metrics.csv and metrics.jsonl")
        ->check(not_empty())
        ->type_name("DIR");
    add_json(*command, options.json, "");
    add_machine(*command, options.machine);
    add_winograd(*command, options.machine);
    add_progress(*command, options.progress);
    return command;
}

CLI::App* add_predict(CLI::App& program, PredictOptions& options) {
    CLI::App* command =
        program.add_subcommand("predict", "Print the five most probable classes of each photo");
    command->footer(
        "Images are JPEG, PNG or PPM. One that cannot be read is reported, the others go on, and\n"
        "the exit code is 1.");
    add_weights(*command, options.weights);
    add_classes(*command, options.classes);
    add_json(*command, options.json, "");
    add_machine(*command, options.machine);
    add_winograd(*command, options.machine);
    command->add_option("IMAGE", options.images, "Photos")
        ->required()
        ->check(not_empty())
        ->type_name("");
    return command;
}

CLI::App* add_convert(CLI::App& program, ConvertOptions& options) {
    CLI::App* command = program.add_subcommand("convert", "Write weights in another format");
    command->add_option("IN", options.from, "Weights as safetensors or as PyTorch's .pth")
        ->required()
        ->check(not_empty())
        ->type_name("");
    command
        ->add_option("OUT", options.to,
                     "The new file: .safetensors, or .onnx for a known network in inference")
        ->required()
        ->check(check([](const std::string& text) -> std::string {
            const auto extension = std::filesystem::path{text}.extension();
            return extension == ".safetensors" || extension == ".onnx"
                       ? ""
                       : given(text, "a name that ends with .safetensors or .onnx");
        }))
        ->type_name("");
    add_classes(*command, options.classes);
    return command;
}

CLI::App* add_info(CLI::App& program, InfoOptions& options) {
    CLI::App* command = program.add_subcommand(
        "info", "Print the network and its planned memory, or what a file of weights holds");
    CLI::Option* file =
        command->add_option("FILE", options.weights, "Weights as safetensors or as PyTorch's .pth")
            ->check(not_empty())
            ->type_name("");
    command->add_option("--batch", options.batch, "Images a step")
        ->check(whole_number(1, most_batch))
        ->type_name("N")
        ->capture_default_str();
    add_threads(*command, options.threads);
    command->add_option("--format", options.format, "How the network is written")
        ->check(one_of({"table", "markdown", "dot", "json"}))
        ->type_name("table|markdown|dot|json")
        ->capture_default_str();
    CLI::Option* peak =
        command
            ->add_option("--peak", options.peak,
                         "With --bandwidth: least time of each layer on a machine that does X "
                         "GFLOP/s")
            ->check(positive())
            ->type_name("X");
    CLI::Option* bandwidth = command
                                 ->add_option("--bandwidth", options.bandwidth,
                                              "With --peak: and moves X GB/s to and from memory")
                                 ->check(positive())
                                 ->type_name("X");
    peak->needs(bandwidth);
    bandwidth->needs(peak);
    command
        ->add_option("--plan", options.plan,
                     "Draw the memory of a training step into this SVG file")
        ->check(not_empty())
        ->type_name("FILE");
    for (CLI::Option* option : command->get_options())
        if (option != file && option != command->get_help_ptr()) file->excludes(option);
    return command;
}

std::string version() {
    return fmt::format("alexnet (typenet {}.{}.{}), CPU with {} kernels, built by {} {}",
                       TYPENET_VERSION_MAJOR, TYPENET_VERSION_MINOR, TYPENET_VERSION_PATCH,
                       typenet::cpu::to_string(typenet::cpu::best_isa()),
#ifdef __clang__
                       "clang++", __clang_version__
#else
                       "g++", __VERSION__
#endif
    );
}

int run_program(int argc, char** argv) {
    TrainOptions train_options;
    EvalOptions eval_options;
    PredictOptions predict_options;
    ConvertOptions convert_options;
    InfoOptions info_options;
    CLI::App program{"Trains, tests, uses and describes AlexNet.", "alexnet"};
    program.set_version_flag("--version", version);
    program.require_subcommand(1);
    program.get_formatter()->column_width(38);
    CLI::App* train = add_train(program, train_options);
    CLI::App* eval = add_eval(program, eval_options);
    CLI::App* predicting = add_predict(program, predict_options);
    CLI::App* converting = add_convert(program, convert_options);
    CLI::App* info = add_info(program, info_options);
    try {
        program.parse(argc, argv);
        complete(train_options.recipe, *train);
        require_schedule(train_options.recipe.schedule, *train);
        if (train->parsed()) require_weights(train_options, *train);
        if (train->count("--momentum") > 0 && train_options.recipe.optimizer != "sgd")
            throw CLI::ValidationError("--momentum: belongs to --optimizer sgd");
        for (const char* option : {"--checkpoint-every", "--keep"})
            if (train->count(option) > 0 && train_options.out.empty() &&
                train_options.resume.empty())
                throw CLI::ValidationError(fmt::format("{}: needs --out", option));
        if (train_options.recipe.rng == "torch" && train_options.recipe.initialization != "pytorch")
            throw CLI::ValidationError("--rng: torch needs --init pytorch, not " +
                                       train_options.recipe.initialization);
        require_compatible(train_options.machine);
        require_compatible(eval_options.machine);
        require_compatible(predict_options.machine);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) return program.exit(error);  // --help, --version
        if (program.get_subcommands().empty()) {
            print_error(fmt::format("{}; use train, eval, predict, convert or info",
                                    argc > 1 ? fmt::format("'{}' is no command", argv[1])
                                             : std::string{"a command is missing"}));
            return usage;
        }
        const CLI::App& used = *program.get_subcommands().front();
        // What nobody knows is said in its own order, and before what is missing.
        const auto code = static_cast<CLI::ExitCodes>(error.get_exit_code());
        const std::vector<std::string> unknown = program.remaining(true);
        const bool unexpected = !unknown.empty() && (code == CLI::ExitCodes::ExtrasError ||
                                                     code == CLI::ExitCodes::RequiredError);
        const std::string what =
            unexpected ? fmt::format("unexpected: {}", fmt::join(unknown, " ")) : error.what();
        print_error(
            fmt::format("{}; 'alexnet {} --help' lists what there is", what, used.get_name()));
        return usage;
    }
    if (train->parsed()) run_on_device(train_options);
    if (eval->parsed()) evaluate(eval_options, classifier_for(eval_options.machine));
    bool all_read = true;
    if (predicting->parsed())
        all_read = predict(predict_options, classifier_for(predict_options.machine));
    if (converting->parsed()) convert(convert_options);
    if (info->parsed() && info_options.weights.empty()) run(info_options);
    if (info->parsed() && !info_options.weights.empty()) print_weights(info_options.weights);
    if (std::fflush(stdout) != 0)
        throw typenet::Error("stdout: cannot be written; check where it leads");
    return all_read ? fine : failed;
}

}  // namespace
}  // namespace alexnet

int main(int argc, char** argv) {
    using namespace alexnet;
    try {
        return run_program(argc, argv);
    } catch (const Interrupted& error) {
        std::fputs(fmt::format("alexnet: {}\n", error.what()).c_str(), stderr);
        return interrupted;
    } catch (const std::filesystem::filesystem_error& error) {
        print_error(fmt::format("{}: {}; check the name and its permissions",
                                error.path1().string(), error.code().message()));
    } catch (const std::system_error& error) {  // of fmt::print
        print_error(fmt::format("stdout: {}; check where it leads", error.what()));
    } catch (const std::bad_alloc&) {
        print_error("out of memory; use a smaller --batch or fewer images");
    } catch (const std::exception& error) {
        print_error(error.what());
    }
    return failed;
}
