// The borders of the network: from canonical values and byte images to maps and back, and softmax
// and cross entropy, fused, with the gradient of the logits. Maps are arguments here: such kernels
// run once a step and need no specialisation.
#pragma once

#include "typenet/backends/cuda/kernels/block_sum.cuh"
#include "typenet/backends/cuda/kernels/normalization.cuh"
#include "typenet/backends/cuda/kernels/resize.cuh"

namespace typenet::cuda {

/// Canonical values [sample][channel][row][column].
struct FromCanonical {
    Map map;
    const float* values;

    template <int n>
    __device__ Pack<n> at(std::int64_t row, int channel) const {
        const MapPlace place(map, row);
        Pack<n> pack{};
        for (int i = 0; i < n && channel + i < map.channels; ++i)
            pack[i] = values[((place.sample * map.channels + channel + i) * map.height + place.y) *
                                 map.width +
                             place.x];
        return pack;
    }
};

/// Byte images [image][channel][row][column], and how to normalise them. Sample n is image
/// indices[n], or image n where `indices` is null.
struct Images {
    const std::uint8_t* pixels;
    const std::uint32_t* indices;
    int height;
    int width;
    float mean[4];
    float deviation[4];
};

/// Images, resized to the map and normalised.
struct FromImages {
    Map map;
    Images images;

    template <int n>
    __device__ Pack<n> at(std::int64_t row, int channel) const {
        const MapPlace place(map, row);
        const std::int64_t image =
            images.indices != nullptr ? images.indices[place.sample] : place.sample;
        const Tap rows(place.y, images.height, map.height);
        const Tap columns(place.x, images.width, map.width);
        Pack<n> values{};
        for (int i = 0; i < n && channel + i < map.channels; ++i) {
            const int c = channel + i;
            const std::uint8_t* plane = images.pixels + (image * map.channels + c) * images.height *
                                                            std::int64_t{images.width};
            const auto at = [&](int y, int x) {
                return static_cast<float>(plane[std::int64_t{y} * images.width + x]);
            };
            const float value = blend(
                blend(at(rows.low, columns.low), at(rows.low, columns.high), columns.weight),
                blend(at(rows.high, columns.low), at(rows.high, columns.high), columns.weight),
                rows.weight);
            values[i] = (value / 255 - images.mean[c]) / images.deviation[c];
        }
        return values;
    }
};

/// Back to canonical values; one thread a value, the grid's y runs over samples.
template <class T>
__global__ void to_canonical(Map map, const T* input, float* values, std::int64_t samples) {
    const int pixels = map.height * map.width;
    const int size = map.channels * pixels;
    const auto element = static_cast<int>(blockIdx.x * threads_per_block + threadIdx.x);
    if (element >= size) return;
    const int channel = element / pixels;
    const int pixel = element % pixels;
    for (std::int64_t sample = blockIdx.y; sample < samples; sample += gridDim.y)
        values[sample * size + element] =
            to_float(input[(sample * pixels + pixel) * map.pixel + channel]);
}

/// What a loss found for a batch, in the GPU's memory.
struct LossSum {
    double sum;
    std::int64_t correct;
};

/// losses[sample] and correct[sample], and the gradients, as CrossEntropy has them, unless
/// `gradients` is null. One warp a sample; labels are known to be classes.
template <class T>
__global__ void cross_entropy(Map map, float smoothing, const T* logits, const std::int32_t* labels,
                              T* gradients, float* losses, std::int32_t* correct,
                              std::int64_t samples) {
    const std::int64_t sample = std::int64_t{blockIdx.x} * warps_per_block + threadIdx.y;
    if (sample >= samples) return;  // a whole warp
    const int pixels = map.height * map.width;
    const int size = pixels * map.pixel;
    const T* x = logits + sample * size;
    const auto thread = static_cast<int>(threadIdx.x);
    const int label = labels[sample];
    // Where the label's logit lies.
    const int place = label % pixels * map.pixel + label / pixels;

    float largest = -INFINITY;
    for (int i = thread; i < size; i += 32)
        if (i % map.pixel < map.channels) largest = fmaxf(largest, to_float(x[i]));
    largest = warp_largest(largest);
    // The class of the largest logit: the first of equal ones.
    int best = map.channels * pixels;
    float sum = 0, logit_sum = 0;
    for (int i = thread; i < size; i += 32) {
        if (i % map.pixel >= map.channels) continue;
        sum += expf(to_float(x[i]) - largest);
        logit_sum += to_float(x[i]);
        const int own = i % map.pixel * pixels + i / map.pixel;
        if (to_float(x[i]) == largest && own < best) best = own;
    }
    sum = warp_sum(sum);
    const float everywhere = smoothing / static_cast<float>(map.channels * pixels);
    if (smoothing > 0) logit_sum = warp_sum(logit_sum);
    for (int offset = 16; offset > 0; offset /= 2) {
        const int other = __shfl_xor_sync(0xffffffffu, best, offset);
        best = other < best ? other : best;
    }
    if (thread == 0) {
        losses[sample] = logf(sum) + largest - (1 - smoothing) * to_float(x[place]);
        if (smoothing > 0) losses[sample] -= everywhere * logit_sum;
        correct[sample] = best == label ? 1 : 0;
    }
    if (gradients == nullptr) return;
    for (int i = thread; i < size; i += 32) {
        float gradient = 0;
        if (i % map.pixel < map.channels)
            gradient = (expf(to_float(x[i]) - largest) / sum -
                        ((i == place ? 1 - smoothing : 0.0f) + everywhere)) /
                       static_cast<float>(samples);
        gradients[sample * size + i] = from_float<T>(gradient);
    }
}

/// Adds up a batch in a fixed order: one block of `threads`, a power of 2.
template <unsigned threads>
__global__ void sum_losses(const float* losses, const std::int32_t* correct, std::int64_t samples,
                           LossSum* result) {
    double sum = 0;
    std::int64_t count = 0;
    for (std::int64_t i = threadIdx.x; i < samples; i += threads) {
        sum += static_cast<double>(losses[i]);
        count += correct[i];
    }
    sum = block_sum<threads>(sum);
    count = block_sum<threads>(count);
    if (threadIdx.x == 0) *result = {sum, count};
}

}  // namespace typenet::cuda
