// What enters the network on the GPU: images, resized and normalised, and random numbers.
#include "cuda/compare.hpp"

using namespace typenet;
using namespace typenet::testing;

namespace {

__global__ void draw(DropoutMask mask, std::uint32_t quads, std::uint32_t* words) {
    const std::uint32_t quad = threadIdx.x;
    if (quad >= quads) return;
    const cuda::Words drawn = cuda::dropout_words(mask, blockIdx.x, quad);
    for (std::uint32_t i = 0; i < 4; ++i)
        words[(blockIdx.x * quads + quad) * 4 + i] = drawn.values[i];
}

/// A network that gives back what it is given.
template <int channels, int height, int width>
using Identity =
    Network<Input<channels, height, width>, Named<"same", Conv2d<channels, Kernel<1>>>>;

template <class Net, class Precision>
std::vector<float> as_loaded(const ImageBatch& images, const Normalization& normalization) {
    Model<Net, Cuda<Precision>> model;
    constexpr auto channels = static_cast<std::size_t>(Net::input_shape.channels);
    std::vector<float> weight(channels * channels);
    for (std::size_t c = 0; c < channels; ++c) weight[c * channels + c] = 1;
    model.set("same.weight", weight);
    model.set("same.bias", std::vector<float>(channels));
    return Predictor{model, Batch{2}}(images, normalization);
}

template <int channels, int height, int width>
void check_images(const Shape& image) {
    std::vector<std::uint8_t> pixels;
    RandomStream random{Seed{1}, Purpose::synthetic};
    for (std::int64_t i = 0; i < 2 * image.size(); ++i)
        pixels.push_back(static_cast<std::uint8_t>(random.below(256)));
    const std::vector<std::int32_t> labels(2);
    const ImageBatch images{pixels, labels, image};
    std::vector<float> expected(std::size_t{2} * channels * height * width);
    for (std::size_t n = 0; n < 2; ++n)
        resize_and_normalize(
            std::span{pixels}.subspan(n * pixels.size() / 2, pixels.size() / 2), image,
            Normalization::imagenet(),
            std::span{expected}.subspan(n * expected.size() / 2, expected.size() / 2), height,
            width);
    using Net = Identity<channels, height, width>;
    CHECK(relative_error(as_loaded<Net, float>(images, Normalization::imagenet()), expected) <=
          1e-6);
    CHECK(relative_error(as_loaded<Net, bf16>(images, Normalization::imagenet()), expected) <=
          4e-3);  // half a unit in the eighth bit
}

}  // namespace

TEST_CASE("Images are resized and normalised as on the host") {
    check_images<3, 23, 31>({3, 32, 32});
    check_images<3, 67, 65>({3, 32, 20});
    check_images<1, 5, 5>({1, 5, 5});
    check_images<4, 3, 9>({4, 1, 2});
}

TEST_CASE("Images that do not fit are refused") {
    Model<Identity<3, 4, 4>, Cuda<float>> model;
    Predictor predictor{model};
    const std::vector<std::uint8_t> pixels(16);
    const std::vector<std::int32_t> labels(1);
    CHECK_THROWS_AS(predictor(ImageBatch{pixels, labels, Shape{1, 4, 4}}), ShapeError);
}

TEST_CASE("Kernels draw the same random numbers as the host") {
    constexpr std::uint32_t samples = 3, quads = 70;
    for (const DropoutMask mask : {DropoutMask{Seed{0}, 0, 0, 0.5f},
                                   DropoutMask{Seed{0x123456789abcdef0}, 0x1234567890, 17, 0.1f}}) {
        cuda::Arena words{samples * quads * 16};
        cuda::launch(draw, dim3(samples), dim3(128), 0, nullptr, mask, quads,
                     words.as<std::uint32_t>());
        std::vector<std::uint32_t> drawn(samples * quads * 4);
        TYPENET_CUDA_CHECK(cudaMemcpyAsync(drawn.data(), words.bytes(), drawn.size() * 4,
                                           cudaMemcpyDeviceToHost, nullptr));
        TYPENET_CUDA_CHECK(cudaStreamSynchronize(nullptr));
        std::size_t i = 0;
        bool equal = true;
        for (std::uint32_t sample = 0; sample < samples; ++sample)
            for (std::uint32_t quad = 0; quad < quads; ++quad)
                for (const std::uint32_t word : mask.words(sample, quad))
                    equal = equal && drawn[i++] == word;
        CHECK(equal);
    }
}
