#include "typenet/data/synthetic.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include "support/catch.hpp"

using namespace typenet;

namespace {

/// FNV-1a, 64 bits.
std::uint64_t hash_of(const std::vector<std::uint8_t>& bytes) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const std::uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001b3;
    return hash;
}

/// Softmax regression on pixels in [-1, 1]: the best that a network without a hidden layer can do.
class LinearClassifier {
public:
    using Scores = std::array<float, 10>;

    Scores operator()(std::span<const std::uint8_t> image) const {
        Scores scores = bias_;
        for (std::size_t p = 0; p < image.size(); ++p)
            for (std::size_t c = 0; c < 10; ++c) scores[c] += value(image[p]) * weight_[p][c];
        return scores;
    }

    void learn(std::span<const std::uint8_t> image, std::int32_t label, float rate) {
        Scores step = (*this)(image);
        const float highest = *std::max_element(step.begin(), step.end());
        for (float& score : step) score = std::exp(score - highest);
        const float sum = std::accumulate(step.begin(), step.end(), 0.0f);
        for (float& score : step) score *= -rate / sum;
        step[static_cast<std::size_t>(label)] += rate;
        for (std::size_t p = 0; p < image.size(); ++p)
            for (std::size_t c = 0; c < 10; ++c) weight_[p][c] += step[c] * value(image[p]);
        for (std::size_t c = 0; c < 10; ++c) bias_[c] += step[c];
    }

    double accuracy(const Dataset& dataset) const {
        std::int64_t right = 0;
        for (std::int64_t i = 0; i < dataset.size(); ++i) {
            const Scores scores = (*this)(dataset.image(i));
            const auto best = std::max_element(scores.begin(), scores.end()) - scores.begin();
            right += best == dataset.labels[static_cast<std::size_t>(i)] ? 1 : 0;
        }
        return static_cast<double>(right) / static_cast<double>(dataset.size());
    }

private:
    static float value(std::uint8_t pixel) { return static_cast<float>(pixel) / 127.5f - 1; }

    std::vector<Scores> weight_ = std::vector<Scores>(3072);
    Scores bias_{};
};

}  // namespace

TEST_CASE("The synthetic set is sound and balanced") {
    const Dataset dataset = make_synthetic(Split::train, 1005);
    dataset.validate();
    CHECK(dataset.size() == 1005);
    CHECK(dataset.image_shape == Shape{3, 32, 32});
    CHECK(dataset.class_names.size() == 10);
    for (std::int32_t label = 0; label < 10; ++label) {
        const auto held = std::count(dataset.labels.begin(), dataset.labels.end(), label);
        CHECK((held == 100 || held == 101));
    }
    // Mixed: the labels do not repeat every ten images.
    CHECK_FALSE(std::equal(dataset.labels.begin() + 10, dataset.labels.begin() + 100,
                           dataset.labels.begin()));
    CHECK_THROWS_WITH(make_synthetic(Split::train, 0), ContainsText("count is 0"));
    CHECK_THROWS_AS(make_synthetic(Split::test, -3), Error);
}

TEST_CASE("A synthetic image depends on nothing but seed, split and number") {
    const Dataset dataset = make_synthetic(Split::train, 55, Seed{3});
    const Dataset fewer = make_synthetic(Split::train, 13, Seed{3});
    CHECK((fewer.pixels == dataset.first(13).pixels));
    CHECK((fewer.labels == dataset.first(13).labels));
    CHECK((make_synthetic(Split::test, 55, Seed{3}).pixels != dataset.pixels));
    CHECK((make_synthetic(Split::train, 55, Seed{4}).pixels != dataset.pixels));
}

TEST_CASE("Every compiler and processor draws the same bytes") {
    CHECK(hash_of(make_synthetic(Split::train, 100).pixels) == 0x770f4ebe45a8114a);
    CHECK(hash_of(make_synthetic(Split::test, 100, Seed{7}).pixels) == 0xc63c185e63f04917);
}

TEST_CASE("A linear classifier finds the hint of colour but not the shape") {
    const Dataset train = make_synthetic(Split::train, 3000);
    const Dataset test = make_synthetic(Split::test, 1000);
    LinearClassifier classifier;
    double best = 0;
    for (int epoch = 0; epoch < 10; ++epoch) {
        const float rate = 2e-4f / static_cast<float>(1 + epoch);
        for (std::int64_t i = 0; i < train.size(); ++i)
            classifier.learn(train.image(i), train.labels[static_cast<std::size_t>(i)], rate);
        best = std::max(best, classifier.accuracy(test));
    }
    const double learnt = classifier.accuracy(train);
    CAPTURE(learnt, best);
    CHECK(learnt > 0.4);  // it was trained, not merely left alone
    CHECK(best > 0.15);
    CHECK(best < 0.6);
}
