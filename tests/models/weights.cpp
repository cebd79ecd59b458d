// Weights and checkpoints of a small network: what is written comes back bit by bit, and what does
// not fit is refused with the model untouched.
#include "typenet/io/weights.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/temporary_folder.hpp"
#include "typenet/core.hpp"
#include "typenet/data/loader.hpp"
#include "typenet/training/model.hpp"
#include "typenet/training/optimizers.hpp"
#include "typenet/training/trainer.hpp"

namespace {

namespace fs = std::filesystem;
using namespace typenet;
using typenet_test::TemporaryFolder;

using Net = Network<Input<3, 8, 8>, Named<"cn1", Conv2d<20, Kernel<3>>>, Relu,
                    MaxPool2d<Kernel<2>, Stride<2>>, Flatten, Named<"fc1", Linear<24>>, Dropout<>,
                    Relu, Linear<5>>;
using Bits = std::map<std::string, std::vector<float>>;

Bits bits_of(const Model<Net>& model) {
    Bits bits;
    for (const ParameterInfo& parameter : model.parameters())
        bits[parameter.name] = model.get(parameter.name);
    return bits;
}

/// Equal bit by bit, which == on floats is not.
bool same(const Bits& a, const Bits& b) {
    return std::ranges::equal(a, b, [](const auto& x, const auto& y) {
        return x.first == y.first && x.second.size() == y.second.size() &&
               std::memcmp(x.second.data(), y.second.data(), 4 * x.second.size()) == 0;
    });
}

/// The tensors of a file, to be changed and written again.
struct Editable {
    std::vector<TensorView> tensors;
    Bits values;
    Metadata metadata;

    explicit Editable(const fs::path& path) {
        const SafetensorsFile file = SafetensorsFile::open(path);
        metadata = file.metadata();
        for (const TensorView& tensor : file.tensors()) {
            const std::span<const float> floats = tensor.floats();
            values[tensor.name] = {floats.begin(), floats.end()};
            tensors.push_back(TensorView::of(tensor.name, tensor.shape, values[tensor.name]));
        }
    }
    TensorView& operator[](const std::string& name) {
        return *std::ranges::find(tensors, name, &TensorView::name);
    }
    void remove(const std::string& name) {
        std::erase_if(tensors, [&](const TensorView& tensor) { return tensor.name == name; });
    }
    void write(const fs::path& path) const { write_safetensors(path, tensors, metadata); }
};

/// A step over numbers that depend on `index` alone.
template <class Trainer>
void train(Trainer& trainer, int index) {
    RandomStream random{Seed{5}, Purpose::augmentation, static_cast<std::uint64_t>(index)};
    std::vector<float> samples(3 * 3 * 8 * 8);
    for (float& sample : samples) sample = random.uniform(-1, 1);
    const std::vector<std::int32_t> labels{0, 4, index % 5};
    trainer.step(samples, labels);
}

template <class Trainer>
Bits states_of(const Model<Net>& model, const Trainer& trainer, int slots) {
    Bits bits;
    for (int slot = 0; slot < slots; ++slot)
        for (const ParameterInfo& parameter : model.parameters())
            bits[std::to_string(slot) + parameter.name] = trainer.get_state(parameter.name, slot);
    return bits;
}

template <class Optimizer>
void check_that_a_run_goes_on(Optimizer optimizer, int slots) {
    const TemporaryFolder folder;
    const fs::path path = folder / "checkpoint.safetensors";
    Model<Net> whole{Seed{1}, Initialization::pytorch, Threads{1}};
    Trainer through{whole, CrossEntropy{}, optimizer, Batch{3}, Seed{2}};
    for (int i = 0; i < 3; ++i) train(through, i);
    save_checkpoint(whole, through, path, {{"epoch", "1"}});
    const Bits weights = bits_of(whole);
    const Bits states = states_of(whole, through, slots);

    Model<Net> second{Seed{99}, Initialization::pytorch, Threads{1}};
    Trainer again{second, CrossEntropy{}, optimizer, Batch{3}, Seed{2}};
    Metadata metadata = load_checkpoint(second, again, path);
    CHECK(metadata.erase("checksum") == 1);
    CHECK(metadata == Metadata{{"epoch", "1"}, {"steps", "3"}});
    CHECK(again.steps() == 3);
    CHECK(same(bits_of(second), weights));
    CHECK(same(states_of(second, again, slots), states));

    for (int i = 3; i < 6; ++i) train(through, i);
    for (int i = 3; i < 6; ++i) train(again, i);
    CHECK(same(bits_of(second), bits_of(whole)));
    CHECK_FALSE(same(bits_of(second), weights));
}

}  // namespace

TEST_CASE("weights come back bit by bit under PyTorch's names and shapes") {
    const TemporaryFolder folder;
    const fs::path path = folder / "weights.safetensors";
    const Model<Net> model{Seed{1}, Initialization::pytorch, Threads{1}};
    save(model, path, {{"network", "a small one"}});

    const SafetensorsFile file = SafetensorsFile::open(path);
    std::map<std::string, std::vector<std::int64_t>> shapes;
    for (const TensorView& tensor : file.tensors()) {
        CHECK(tensor.dtype == Dtype::F32);
        shapes[tensor.name] = tensor.shape;
    }
    CHECK(shapes == std::map<std::string, std::vector<std::int64_t>>{{"cn1.weight", {20, 3, 3, 3}},
                                                                     {"cn1.bias", {20}},
                                                                     {"fc1.weight", {24, 180}},
                                                                     {"fc1.bias", {24}},
                                                                     {"7.weight", {5, 24}},
                                                                     {"7.bias", {5}}});
    const std::vector<float> weight = model.get("cn1.weight");
    CHECK(std::ranges::equal(file.find("cn1.weight")->floats(), weight));

    Model<Net> other{Seed{2}, Initialization::pytorch, Threads{1}};
    CHECK_FALSE(same(bits_of(other), bits_of(model)));
    CHECK(load(other, path) == Metadata{{"network", "a small one"}});
    CHECK(same(bits_of(other), bits_of(model)));
}

TEST_CASE("weights of other precisions become floats") {
    const TemporaryFolder folder;
    const fs::path path = folder / "weights.safetensors";
    const Model<Net> model{Seed{1}, Initialization::pytorch, Threads{1}};
    save(model, path);
    Editable file{path};
    const std::vector<double> doubles{0.1, -2, 3.5, 4, 1e-60};
    file["7.bias"].dtype = Dtype::F64;
    file["7.bias"].bytes = std::as_bytes(std::span(doubles));
    const std::vector<std::uint16_t> halves(24, 0xC100);
    file["fc1.bias"].dtype = Dtype::F16;
    file["fc1.bias"].bytes = std::as_bytes(std::span(halves));
    const std::vector<std::uint16_t> bfloats(20, 0x4049);
    file["cn1.bias"].dtype = Dtype::BF16;
    file["cn1.bias"].bytes = std::as_bytes(std::span(bfloats));
    file.write(path);

    Model<Net> other{Seed{2}, Initialization::pytorch, Threads{1}};
    load(other, path);
    CHECK(other.get("7.bias") == std::vector<float>{0.1f, -2, 3.5f, 4, 0});
    CHECK(other.get("fc1.bias") == std::vector<float>(24, -2.5f));
    CHECK(other.get("cn1.bias") == std::vector<float>(20, 3.140625f));
    CHECK(other.get("cn1.weight") == model.get("cn1.weight"));
}

TEST_CASE("PyTorch's counters of batches are passed over, and nothing else") {
    const TemporaryFolder folder;
    const fs::path path = folder / "weights.safetensors";
    using Normed = Network<Input<2, 3, 3>, Named<"norm", BatchNorm2d<>>>;
    Model<Normed> model{Seed{1}, Initialization::pytorch, Threads{1}};
    save(model, path);
    Editable file{path};
    const std::vector<std::int64_t> batches{7};
    file.tensors.push_back(
        {"norm.num_batches_tracked", Dtype::I64, {}, std::as_bytes(std::span(batches))});
    file.write(path);
    load(model, path);
    file.tensors.back().name = "other.num_batches_tracked";
    file.write(path);
    CHECK_THROWS_WITH(load(model, path),
                      ContainsText("tensor \"other.num_batches_tracked\" is unexpected"));
}

TEST_CASE("a file of PyTorch is loaded like any other") {
    // Made by tests/io/make_goldens.py: a convolution, a batch normalisation, a linear layer.
    using Linears = Network<Input<4>, Named<"fc", Linear<2>>>;
    Model<Linears> model{Seed{1}, Initialization::pytorch, Threads{1}};
    const fs::path golden = fs::path(TYPENET_TESTS_FOLDER) / "io/goldens/state.pth";
    const std::vector<float> before = model.get("fc.weight");
    CHECK_THROWS_WITH(load(model, golden), ContainsText("tensor \"conv.weight\" is unexpected"));
    CHECK(model.get("fc.weight") == before);

    using Whole = Network<Input<1, 2, 2>, Flatten, Named<"layer", Linear<2>>>;
    Model<Whole> whole{Seed{1}, Initialization::pytorch, Threads{1}};
    load(whole, fs::path(TYPENET_TESTS_FOLDER) / "io/goldens/linear.pth");
    CHECK(whole.get("layer.weight") == std::vector<float>{-1, -0.75f, -0.5f, -0.25f,  //
                                                          0, 0.25f, 0.5f, 0.75f});
    CHECK(whole.get("layer.bias") == std::vector<float>{-1, -0.75f});
}

TEST_CASE("weights that do not fit are refused and the model stays as it was") {
    const TemporaryFolder folder;
    const fs::path path = folder / "weights.safetensors";
    save(Model<Net>{Seed{1}, Initialization::pytorch, Threads{1}}, path);
    Model<Net> model{Seed{2}, Initialization::pytorch, Threads{1}};
    const Bits before = bits_of(model);
    const auto refusal = [&] {
        std::string text = "no error";
        try {
            load(model, path);
        } catch (const FileError& error) {
            text = error.what();
        }
        CHECK(same(bits_of(model), before));
        CHECK_THAT(text, ContainsText(path.string() + ": "));
        return text;
    };
    Editable file{path};

    SECTION("a missing tensor, the last of the network") {
        file.remove("7.bias");
        file.write(path);
        CHECK_THAT(refusal(), ContainsText("tensor \"7.bias\" is missing"));
    }
    SECTION("an unexpected tensor") {
        const std::vector<float> value(1);
        file.tensors.push_back(TensorView::of("fc9.bias", {1}, value));
        file.write(path);
        CHECK_THAT(refusal(), ContainsText("tensor \"fc9.bias\" is unexpected"));
    }
    SECTION("a transposed tensor") {
        file["7.weight"].shape = {24, 5};
        file.write(path);
        CHECK_THAT(refusal(), ContainsText("tensor \"7.weight\" has the shape [24, 5] where the "
                                           "network has [5, 24]"));
    }
    SECTION("another element type of the same size") {
        file["7.bias"].dtype = Dtype::I32;
        file.write(path);
        CHECK_THAT(refusal(), ContainsText("tensor \"7.bias\" holds I32 where F32 is wanted"));
    }
    SECTION("a number that only a double can hold") {
        const std::vector<double> values{0, 1, 1e300, 3, 4};
        file["7.bias"].dtype = Dtype::F64;
        file["7.bias"].bytes = std::as_bytes(std::span(values));
        file.write(path);
        CHECK_THAT(refusal(), ContainsText("tensor \"7.bias\" has the value inf at index 2"));
    }
    SECTION("values that are not finite") {
        for (const float bad :
             {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
            file.values["7.bias"][4] = bad;
            file.write(path);
            CHECK_THAT(refusal(), ContainsText("tensor \"7.bias\" has the value") &&
                                      ContainsText("at index 4"));
        }
    }
    SECTION("no safetensors file, or none at all") {
        write_file(path, "weights");
        CHECK_THAT(refusal(), ContainsText("not a safetensors file"));
        fs::remove(path);
        CHECK_THAT(refusal(), ContainsText("cannot be opened"));
    }
    SECTION("a checkpoint") {
        Model<Net> other{Seed{1}, Initialization::pytorch, Threads{1}};
        save_checkpoint(other, Trainer{other, CrossEntropy{}, Sgd{}, Batch{1}}, path);
        CHECK_THAT(refusal(), ContainsText("is unexpected; name a file that holds the weights"));
    }
}

TEST_CASE("a checkpoint goes on with the same bits: SGD with momentum") {
    check_that_a_run_goes_on(Sgd{.learning_rate = 0.05f, .momentum = 0.9f}, 1);
}

TEST_CASE("a checkpoint goes on with the same bits: Adam") {
    check_that_a_run_goes_on(Adam{.learning_rate = 0.01f}, 2);
}

TEST_CASE("a checkpoint that does not fit is refused, model and trainer stay as they were") {
    const TemporaryFolder folder;
    const fs::path path = folder / "checkpoint.safetensors";
    const Sgd optimizer{.learning_rate = 0.05f, .momentum = 0.9f};
    Model<Net> model{Seed{1}, Initialization::pytorch, Threads{1}};
    Trainer trainer{model, CrossEntropy{}, optimizer, Batch{3}};
    train(trainer, 0);
    save_checkpoint(model, trainer, path);
    train(trainer, 1);
    const Bits weights = bits_of(model);
    const Bits states = states_of(model, trainer, 1);
    const auto refusal = [&](const Metadata& metadata, const char* removed) {
        Editable file{path};
        file.metadata = metadata;
        if (removed != nullptr) file.remove(removed);
        file.write(folder / "edited");
        std::string text = "no error";
        try {
            load_checkpoint(model, trainer, folder / "edited");
        } catch (const FileError& error) {
            text = error.what();
        }
        CHECK(same(bits_of(model), weights));
        CHECK(same(states_of(model, trainer, 1), states));
        CHECK(trainer.steps() == 2);
        return text;
    };
    CHECK_THAT(refusal({{"steps", "1"}}, "optimizer.0.7.bias"),
               ContainsText("tensor \"optimizer.0.7.bias\" is missing; name a file that holds a "
                            "checkpoint of this network with this optimizer"));
    for (const char* steps : {"", "-1", "1x", "1.5", "99999999999999999999"})
        CHECK_THAT(refusal({{"steps", steps}}, nullptr), ContainsText("after how many steps"));
    CHECK_THAT(refusal({}, nullptr), ContainsText("after how many steps"));
    CHECK_THAT(refusal({{"steps", "1"}}, nullptr), ContainsText("is damaged: its checksum"));
    const SafetensorsFile file = SafetensorsFile::open(path);
    Metadata metadata = file.metadata();
    metadata["steps"] = "3";
    CHECK_THAT(refusal(metadata, nullptr), ContainsText("is damaged: its checksum"));
    for (const TensorView& tensor : file.tensors()) {
        INFO(tensor.name);
        Editable edited{path};
        edited.values[tensor.name].back() += 1;
        edited.write(folder / "edited");
        CHECK_THROWS_WITH(load_checkpoint(model, trainer, folder / "edited"),
                          ContainsText("is damaged: its checksum"));
    }
    CHECK(same(bits_of(model), weights));
    load_checkpoint(model, trainer, path);
    CHECK(trainer.steps() == 1);
    CHECK_FALSE(same(bits_of(model), weights));
}
