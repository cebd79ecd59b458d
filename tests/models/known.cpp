// Files made elsewhere are recognised by their names and shapes.
#include "typenet/models/known.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"
#include "typenet/core.hpp"

namespace {

using namespace typenet;
using models::KnownNetwork;

/// A file that has names and shapes, which is all that matters here.
struct Shapes : TensorFile {
    explicit Shapes(const std::vector<TensorShape>& tensors) : TensorFile("test", nullptr) {
        for (const TensorShape& tensor : tensors) add({tensor.name, Dtype::F32, tensor.shape, {}});
    }
};

std::string refusal(const std::vector<TensorShape>& tensors) {
    try {
        models::recognize(Shapes(tensors), "some/file");
    } catch (const FileError& error) {
        return error.what();
    }
    return "no error";
}

template <class Net>
void check_last_layer(const std::string& name, std::int64_t classes) {
    const std::vector<TensorShape> shapes = parameter_shapes(Net::layers);
    CHECK(shapes.size() == 16);
    CHECK(shapes[14].name == name + ".weight");
    CHECK(shapes[14].shape == std::vector<std::int64_t>{classes, 4096});
    CHECK(shapes[15].name == name + ".bias");
    CHECK(shapes[15].shape == std::vector<std::int64_t>{classes});
}

}  // namespace

TEST_CASE("the known networks have the names and shapes that their sources give them") {
    check_last_layer<models::AlexNet>("fc3", 10);
    check_last_layer<models::KerasAlexNet>("dense_2", 10);
    check_last_layer<models::TorchvisionAlexNet<>>("classifier.6", 1000);
    check_last_layer<models::TorchvisionAlexNet<10>>("classifier.6", 10);
    check_last_layer<models::OriginalAlexNet<>>("fc8", 1000);
    using Torchvision = models::TorchvisionAlexNet<>;
    const std::vector<TensorShape> shapes = parameter_shapes(Torchvision::layers);
    CHECK(shapes[0].name == "features.0.weight");
    CHECK(shapes[0].shape == std::vector<std::int64_t>{64, 3, 11, 11});
    CHECK(shapes[2].name == "features.3.weight");
    CHECK(shapes[2].shape == std::vector<std::int64_t>{192, 64, 5, 5});
    CHECK(shapes[8].name == "features.10.weight");
    CHECK(shapes[10].name == "classifier.1.weight");
    CHECK(shapes[10].shape == std::vector<std::int64_t>{4096, 9216});
    const std::vector<TensorShape> original = parameter_shapes(models::OriginalAlexNet<>::layers);
    CHECK(original[2].shape == std::vector<std::int64_t>{256, 48, 5, 5});
    CHECK(original[6].shape == std::vector<std::int64_t>{384, 192, 3, 3});
}

TEST_CASE("each known network is recognised, and its type found") {
    int types = 0;
    for (const KnownNetwork& known : models::known_networks) {
        INFO(known.title());
        std::vector<TensorShape> shapes = parameter_shapes(known.layers);
        std::swap(shapes.front(), shapes.back());  // the order in a file is its writer's
        CHECK(&models::recognize(Shapes(shapes), "file") == &known);
        models::with_type_of(known, [&](auto tag) {
            using Net = typename decltype(tag)::type;
            CHECK(Net::output_shape.size() == known.classes());
            CHECK(Net::input_shape == known.input());
            ++types;
        });
    }
    CHECK(types == static_cast<int>(models::known_networks.size()));
    CHECK(models::known_networks[2].title() == "torchvision's AlexNet of 1000 classes");
}

TEST_CASE("what is not recognised is told apart from what is") {
    std::vector<TensorShape> shapes = parameter_shapes(models::TorchvisionAlexNet<>::layers);
    SECTION("other classes") {
        shapes[14].shape[0] = 37;
        shapes[15].shape[0] = 37;
        CHECK_THAT(
            refusal(shapes),
            ContainsText("some/file: tensor \"classifier.6.weight\" has the shape [37, 4096] "
                         "where torchvision's AlexNet of 1000 classes has [1000, 4096]"));
    }
    SECTION("a tensor less") {
        shapes.erase(shapes.begin() + 3);
        CHECK_THAT(refusal(shapes), ContainsText("tensor \"features.3.bias\" is missing"));
    }
    SECTION("a tensor more") {
        shapes.push_back({"optimizer.0.classifier.6.bias", {1000}});
        CHECK_THAT(refusal(shapes),
                   ContainsText("more tensors than torchvision's AlexNet of 1000"));
    }
    SECTION("something else, or nothing") {
        CHECK_THAT(refusal({{"conv1.weights", {96}}}),
                   ContainsText("of no network that is known here") &&
                       ContainsText(
                           "AlexNet of 10 classes, Keras's AlexNet of 10 classes, torchvision's"));
        CHECK_THAT(refusal({}), ContainsText("of no network that is known here"));
    }
}
