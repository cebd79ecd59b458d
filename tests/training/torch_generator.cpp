// The initial weights and the orders of epochs that PyTorch draws, bit for bit.
#include "typenet/core/torch_generator.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "parity/branching.hpp"
#include "parity/goldens.hpp"
#include "support/catch.hpp"
#include "typenet/io/crc.hpp"
#include "typenet/typenet.hpp"

using namespace typenet;
using namespace typenet::testing;

namespace {

using Grouped = Network<Input<4, 5, 5>, Named<"conv", Conv2d<6, Kernel<3>, Groups<2>>>, Flatten,
                        Named<"fc", Linear<5>>>;

template <class T>
double crc_of(const std::vector<T>& values) {
    return detail::crc32(std::as_bytes(std::span{values}));
}

template <class Net>
void check_weights(const SafetensorsFile& file, const std::string& name, Seed seed) {
    TorchGenerator generator{seed};
    const Model<Net> model{generator, Threads{1}};
    for (const ParameterInfo& parameter : model.parameters()) {
        INFO(name << " " << parameter.name);
        const std::string golden = name + "." + parameter.name;
        const std::vector<float> values = model.get(parameter.name);
        CHECK(std::vector{values.front(), values.back()} == floats_of(file, golden + ".ends"));
        CHECK(crc_of(values) == values_of(file, golden + ".crc").at(0));
    }
}

}  // namespace

TEST_CASE("A generator gives PyTorch's numbers") {
    // torch.manual_seed(0); torch.rand(3) * 2 - 1, and torch.randperm(10)
    TorchGenerator generator;
    CHECK(generator.uniform(1) == 2 * 0.4962565899f - 1);
    CHECK(generator.uniform(1) == 2 * 0.7682217956f - 1);
    std::vector<int> ten{0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    TorchGenerator{}.permute(ten);
    CHECK(ten == std::vector{4, 1, 7, 5, 3, 9, 0, 8, 6, 2});
}

TEST_CASE("Initial weights are PyTorch's for the same seed") {
    const SafetensorsFile file = goldens("torch_generator");
    check_weights<Grouped>(file, "grouped", Seed{3});
    check_weights<ResidualNet>(file, "residual", Seed{(std::uint64_t{1} << 32) + 7});
    check_weights<InceptionNet>(file, "inception", Seed{~std::uint64_t{0}});
    check_weights<models::AlexNet>(file, "alexnet", Seed{0});
}

TEST_CASE("Weights are drawn anew from where the generator stands") {
    TorchGenerator generator{Seed{3}}, other{Seed{3}};
    Model<Grouped> first{generator, Threads{1}};
    const Model<Grouped> second{generator, Threads{1}};
    CHECK(first.get("conv.weight") != second.get("conv.weight"));
    first.initialize(other);
    first.initialize(other);
    CHECK(first.get("conv.weight") == second.get("conv.weight"));
    CHECK(generator.next() == other.next());
}

TEST_CASE("Epochs come in the order of PyTorch's DataLoader, whichever is asked for first") {
    const SafetensorsFile file = goldens("torch_generator");
    for (const int count : {1, 2, 3, 10, 1000, 50'000}) {
        Dataset dataset{Shape{1, 1, 1}, {}, {}, {"only"}};
        dataset.pixels.resize(static_cast<std::size_t>(count));
        dataset.labels.resize(static_cast<std::size_t>(count));
        TorchGenerator generator{Seed{static_cast<std::uint64_t>(count)}};
        const Model<Grouped> model{generator, Threads{1}};
        const Loader loader{dataset, {.batch = 7, .torch = generator}};
        for (const int epoch : {3, 0, 1, 2}) {
            INFO(count << " images, epoch " << epoch);
            const std::string golden =
                "order." + std::to_string(count) + "." + std::to_string(epoch);
            const std::vector<std::uint32_t> order = loader.order(epoch);
            const std::vector<double> first = values_of(file, golden + ".first");
            CHECK(std::equal(first.begin(), first.end(), order.begin()));
            CHECK(crc_of(order) == values_of(file, golden + ".crc").at(0));
        }
    }
    Dataset three{Shape{1, 1, 1}, {1, 2, 3}, {0, 0, 0}, {"only"}};
    const Loader unshuffled{three, {.shuffle = false, .torch = TorchGenerator{}}};
    CHECK(unshuffled.order(0) == std::vector<std::uint32_t>{0, 1, 2});
}
