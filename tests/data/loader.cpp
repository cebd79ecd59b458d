#include "typenet/data/loader.hpp"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "typenet/data/synthetic.hpp"

using namespace typenet;

namespace {

/// Images of 1x2x2; image i holds the bytes i, i, i, i and has label i.
Dataset numbered(int count) {
    Dataset dataset{Shape{1, 2, 2}, {}, {}, {}};
    for (int i = 0; i < count; ++i) {
        dataset.pixels.insert(dataset.pixels.end(), 4, static_cast<std::uint8_t>(i));
        dataset.labels.push_back(i);
        dataset.class_names.push_back(std::to_string(i));
    }
    return dataset;
}

/// The labels of an epoch in the order in which they come. Checks each batch on the way.
std::vector<std::int32_t> labels_of(const Loader& loader, std::int64_t epoch,
                                    std::int64_t first_batch = 0) {
    std::vector<std::int32_t> labels;
    std::int64_t index = first_batch;
    for (const ImageBatch& batch : loader.epoch(epoch, first_batch)) {
        REQUIRE(batch.index == index++);
        REQUIRE(batch.image_shape == Shape{1, 2, 2});
        REQUIRE(batch.pixels.size() == 4 * batch.labels.size());
        for (std::size_t i = 0; i < batch.labels.size(); ++i)
            for (std::size_t p = 0; p < 4; ++p) REQUIRE(batch.pixels[4 * i + p] == batch.labels[i]);
        labels.insert(labels.end(), batch.labels.begin(), batch.labels.end());
    }
    REQUIRE(index == loader.batches_per_epoch());
    return labels;
}

std::vector<std::int32_t> counting(int count) {
    std::vector<std::int32_t> labels(static_cast<std::size_t>(count));
    std::iota(labels.begin(), labels.end(), 0);
    return labels;
}

}  // namespace

TEST_CASE("An epoch visits every image once, the last batch being what is left") {
    const Dataset dataset = numbered(50);
    for (const std::int64_t size : {1, 4, 7, 50, 64}) {
        CAPTURE(size);
        const Loader loader{dataset, {.batch = size}};
        CHECK(loader.batches_per_epoch() == (50 + size - 1) / size);
        auto labels = labels_of(loader, 0);
        CHECK(labels != counting(50));
        std::sort(labels.begin(), labels.end());
        CHECK(labels == counting(50));
    }
    std::vector<std::int64_t> sizes;
    const Loader loader{dataset, {.batch = 16}};
    for (const ImageBatch& batch : loader.epoch(0)) sizes.push_back(batch.size());
    CHECK(sizes == std::vector<std::int64_t>{16, 16, 16, 2});
}

TEST_CASE("drop_last leaves out the ragged batch and nothing else") {
    const Dataset dataset = numbered(50);
    const Loader loader{dataset, {.batch = 16, .drop_last = true}};
    CHECK(loader.batches_per_epoch() == 3);
    CHECK(labels_of(loader, 0).size() == 48);
    CHECK(Loader(dataset, {.batch = 10, .drop_last = true}).batches_per_epoch() == 5);
}

TEST_CASE("Without shuffling the order is the data set's") {
    const Dataset dataset = numbered(50);
    const Loader loader{dataset, {.shuffle = false}};
    CHECK(labels_of(loader, 0) == counting(50));
    CHECK(labels_of(loader, 9) == counting(50));
}

TEST_CASE("The order depends on the seed and the epoch, and on nothing else") {
    const Dataset dataset = numbered(50);
    const auto expected = labels_of(Loader{dataset, {.seed = Seed{5}}}, 2);
    for (const int threads : {1, 2, 3})
        for (const int prefetch : {1, 2, 8})
            for (const std::int64_t size : {3, 8}) {
                const Loader loader{
                    dataset,
                    {.batch = size, .seed = Seed{5}, .prefetch = prefetch, .threads = threads}};
                CAPTURE(threads, prefetch, size);
                labels_of(loader, 1);
                CHECK(labels_of(loader, 2) == expected);
            }
    CHECK(labels_of(Loader{dataset, {.seed = Seed{5}}}, 3) != expected);
    CHECK(labels_of(Loader{dataset, {.seed = Seed{6}}}, 2) != expected);
}

TEST_CASE("The shuffle is the same with every compiler and library, and fair") {
    const Dataset dataset = numbered(8);
    CHECK(Loader{dataset, {.seed = Seed{1}}}.order(0) ==
          std::vector<std::uint32_t>{1, 7, 2, 3, 5, 6, 0, 4});

    const Dataset three = numbered(3);
    const Loader loader{three};
    std::vector<int> seen(27);
    for (int epoch = 0; epoch < 6000; ++epoch) {
        const auto order = loader.order(epoch);
        ++seen[order[0] * 9 + order[1] * 3 + order[2]];
    }
    // Each of the six orders is expected 1000 times, with a standard deviation of 29.
    for (const int times : seen) CHECK((times == 0 || (times > 850 && times < 1150)));
    CHECK(std::count(seen.begin(), seen.end(), 0) == 21);
}

TEST_CASE("An epoch goes on from its middle as if it had never stopped") {
    const Dataset dataset = numbered(50);
    const Loader loader{dataset, {.batch = 8, .threads = 2}};
    const auto whole = labels_of(loader, 4);
    for (const std::int64_t first : {0, 1, 5, 6, 7}) {
        CAPTURE(first);
        const auto skipped = std::min(std::int64_t{50}, 8 * first);
        CHECK(labels_of(loader, 4, first) ==
              std::vector<std::int32_t>(whole.begin() + skipped, whole.end()));
    }
    CHECK_THROWS_WITH(loader.epoch(4, 8), ContainsText("first batch is 8; give 0 to 7"));
    CHECK_THROWS_WITH(loader.epoch(4, -1), ContainsText("first batch is -1"));
    CHECK_THROWS_WITH(loader.epoch(-1), ContainsText("epoch is -1"));
}

TEST_CASE("An epoch may be left at any point") {
    const Dataset dataset = numbered(200);
    for (const int threads : {1, 3})
        for (int stop = 0; stop < 40; ++stop) {
            const Loader loader{dataset, {.prefetch = 3, .threads = threads}};
            { const auto untouched = loader.epoch(0); }
            int seen = 0;
            for ([[maybe_unused]] const ImageBatch& batch : loader.epoch(0))
                if (seen++ == stop) break;
            CHECK(seen == stop + 1);
        }
}

TEST_CASE("What a gathering thread throws reaches the loop") {
    for (const int threads : {1, 3}) {
        Dataset dataset = numbered(50);
        const Loader loader{dataset, {.shuffle = false, .threads = threads}};
        dataset.pixels.resize(4 * 20);  // images 20 to 49 lose their pixels
        std::int64_t seen = 0;
        const auto drain = [&] {
            for (const ImageBatch& batch : loader.epoch(0)) seen += batch.size();
        };
        CHECK_THROWS_WITH(drain(), ContainsText("no image 2"));
        CHECK(seen <= 20);
    }
}

TEST_CASE("Without gathering, batches have the same labels, and indices in place of pixels") {
    const Dataset dataset = numbered(50);
    const Loader gathering{dataset, {.batch = 8, .seed = Seed{5}}};
    const Loader loader{dataset, {.batch = 8, .seed = Seed{5}, .gather = false}};
    std::vector<std::int32_t> labels;
    std::vector<std::uint32_t> indices;
    for (const ImageBatch& batch : loader.epoch(3, 2)) {
        REQUIRE(batch.pixels.empty());
        REQUIRE(batch.image_shape == dataset.image_shape);
        labels.insert(labels.end(), batch.labels.begin(), batch.labels.end());
        indices.insert(indices.end(), batch.indices.begin(), batch.indices.end());
    }
    CHECK(labels == labels_of(gathering, 3, 2));
    CHECK(std::equal(indices.begin(), indices.end(), labels.begin(), labels.end()));
    for (const ImageBatch& batch : gathering.epoch(0)) {
        CHECK(std::equal(batch.indices.begin(), batch.indices.end(), batch.labels.begin(),
                         batch.labels.end()));
    }
}

TEST_CASE("Augmented batches are those images changed for that epoch, on any number of threads") {
    const Dataset dataset = make_synthetic(Split::train, 30);
    const Augmentation how{.crop_padding = 3, .flip = true, .jitter = 0.2f};
    const auto size = static_cast<std::size_t>(dataset.image_shape.size());
    const auto pixels_of = [&](int threads, std::int64_t epoch) {
        const Loader loader{dataset,
                            {.batch = 8, .seed = Seed{5}, .threads = threads, .augmentation = how}};
        std::vector<std::uint8_t> pixels;
        for (const ImageBatch& batch : loader.epoch(epoch)) {
            CHECK(batch.indices.empty());
            pixels.insert(pixels.end(), batch.pixels.begin(), batch.pixels.end());
        }
        return pixels;
    };
    const std::vector<std::uint8_t> pixels = pixels_of(1, 2);
    CHECK(pixels == pixels_of(3, 2));
    CHECK(pixels != pixels_of(1, 1));
    const std::vector<std::uint32_t> order =
        Loader{dataset, {.batch = 8, .seed = Seed{5}}}.order(2);
    std::vector<std::uint8_t> expected(size);
    for (std::size_t i = 0; i < order.size(); ++i) {
        augment(how, Seed{5}, 2, order[i], dataset.image(order[i]), dataset.image_shape, expected);
        CHECK(std::equal(expected.begin(), expected.end(),
                         pixels.begin() + static_cast<std::ptrdiff_t>(i * size)));
    }
    CHECK_THROWS_WITH((Loader{dataset, {.gather = false, .augmentation = how}}),
                      ContainsText("set gather"));
    CHECK_THROWS_WITH((Loader{dataset, {.augmentation = {.crop_padding = 32}}}),
                      ContainsText("crop_padding is 32"));
}

TEST_CASE("Batches cost no allocation") {
    if (allocations() == 0) TYPENET_SKIP("this build's operator new is not the counting one");
    const Dataset dataset = numbered(200);
    for (const bool gather : {true, false}) {
        const Loader loader{dataset, {.threads = 2, .gather = gather}};
        auto epoch = loader.epoch(0);
        auto place = epoch.begin();
        const std::int64_t before = allocations();
        std::int64_t seen = 0;
        for (; place != epoch.end(); ++place) seen += place->size();
        const std::int64_t during = allocations() - before;
        CHECK(seen == 200);
        CHECK(during == 0);
    }
}

TEST_CASE("Options out of range are refused") {
    const Dataset dataset = numbered(10);
    CHECK_THROWS_WITH(Loader(dataset, {.batch = 0}), ContainsText("batch is 0; give 1 or more"));
    CHECK_THROWS_WITH(Loader(dataset, {.batch = -4}), ContainsText("batch is -4"));
    CHECK_THROWS_WITH(Loader(dataset, {.prefetch = 0}), ContainsText("prefetch is 0"));
    CHECK_THROWS_WITH(Loader(dataset, {.threads = -1}), ContainsText("threads is -1"));
    CHECK_THROWS_WITH(Loader(dataset, {.batch = 11, .drop_last = true}),
                      ContainsText("10 images make no batch of 11"));
    const Dataset empty = dataset.first(0);
    CHECK_THROWS_WITH(Loader{empty}, ContainsText("empty"));
    Dataset broken = numbered(10);
    broken.labels[3] = 10;
    CHECK_THROWS_WITH(Loader{broken}, ContainsText("image 3 has label 10"));
}
