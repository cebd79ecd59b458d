#include "typenet/data/dataset.hpp"

#include "support/catch.hpp"

using namespace typenet;

namespace {

Dataset three_images() {
    return {Shape{2, 1, 2}, {0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23}, {1, 0, 1}, {"no", "yes"}};
}

}  // namespace

TEST_CASE("A data set gives its images and its first ones") {
    const Dataset dataset = three_images();
    dataset.validate();
    CHECK(dataset.size() == 3);
    CHECK(dataset.image(2).size() == 4);
    CHECK(dataset.image(2)[3] == 23);
    CHECK_THROWS_WITH(dataset.image(3), ContainsText("no image 3"));
    CHECK_THROWS_WITH(dataset.image(-1), ContainsText("no image -1"));

    const Dataset two = dataset.first(2);
    two.validate();
    CHECK(two.size() == 2);
    CHECK(two.image(1)[0] == 10);
    CHECK(two.class_names == dataset.class_names);
    CHECK(dataset.first(7).size() == 3);
    CHECK_THROWS_AS(dataset.first(-1), Error);
}

TEST_CASE("A data set gives the images of some of its classes") {
    const Dataset dataset = three_images();
    const Dataset yes = dataset.of_classes(std::vector<std::int32_t>{1});
    yes.validate();
    CHECK(yes.pixels == std::vector<std::uint8_t>{0, 1, 2, 3, 20, 21, 22, 23});
    CHECK(yes.labels == std::vector<std::int32_t>{1, 1});
    CHECK(yes.class_names == dataset.class_names);
    CHECK(dataset.of_classes(std::vector<std::int32_t>{1, 0}).pixels == dataset.pixels);
    CHECK(dataset.of_classes({}).size() == 0);
}

TEST_CASE("A data set that does not hold together is refused") {
    Dataset dataset = three_images();
    SECTION("pixels missing") {
        dataset.pixels.pop_back();
        CHECK_THROWS_WITH(dataset.validate(), ContainsText("11 bytes of pixels for 3 labels"));
        CHECK_THROWS_AS(dataset.image(2), Error);
    }
    SECTION("a label too high") {
        dataset.labels[1] = 2;
        CHECK_THROWS_WITH(dataset.validate(), ContainsText("image 1 has label 2"));
    }
    SECTION("a label below zero") {
        dataset.labels[2] = -1;
        CHECK_THROWS_WITH(dataset.validate(), ContainsText("image 2 has label -1"));
    }
    SECTION("no classes") {
        dataset.class_names.clear();
        CHECK_THROWS_WITH(dataset.validate(), ContainsText("class"));
    }
    SECTION("a shape without pixels") {
        dataset.image_shape = {2, 0, 2};
        CHECK_THROWS_WITH(dataset.validate(), ContainsText("positive"));
    }
}
