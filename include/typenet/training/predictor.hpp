// Inference: no training memory, no dropout.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "typenet/data/loader.hpp"
#include "typenet/training/model.hpp"

namespace typenet {

/// Computes the outputs of a model. The model may be used by several Predictors at once, each on a
/// thread of its own: a Predictor owns its workspace and only reads the parameters.
///
/// `Policies` are types that decide how it computes: Winograd, for which it keeps a transformed
/// copy of the convolutions' weights. The copy is made with the Predictor, and anew by the first
/// prediction after the model's parameters have changed.
template <class Model, class... Policies>
class Predictor {
public:
    using Net = typename Model::network;

    /// Plans for at most `batch` samples at a time; larger inputs are cut. Throws Error.
    explicit Predictor(const Model& model, Batch batch = {}, Policies...) : runner_(model, batch) {}
    /// The model must outlive the Predictor.
    explicit Predictor(const Model&& model, Batch batch = {}, Policies...) = delete;

    /// Canonical samples [n][channel][row][column] to outputs [n][outputs]. Any n; throws
    /// ShapeError where `samples` holds no whole number of them.
    std::vector<float> operator()(Samples<Net> given) {
        const std::span<const float> samples = given.values;
        const auto sample = static_cast<std::size_t>(Net::input_shape.size());
        if (samples.size() % sample != 0) runner_.load(samples);  // throws
        return in_pieces(samples.size() / sample, [&](std::size_t first, std::size_t count) {
            runner_.load(samples.subspan(first * sample, count * sample));
        });
    }
    /// Byte images, resized to the network's input and normalised.
    std::vector<float> operator()(const ImageBatch& images,
                                  const Normalization& normalization = Normalization::unit()) {
        const auto sample = static_cast<std::size_t>(images.image_shape.size());
        require_pixels(images);
        return in_pieces(
            static_cast<std::size_t>(images.size()), [&](std::size_t first, std::size_t count) {
                runner_.load(ImageBatch{images.pixels.subspan(first * sample, count * sample),
                                        images.labels.subspan(first, count), images.image_shape},
                             normalization);
            });
    }
    /// Images of a data set where the model computes, which `batch` names by their indices. Throws
    /// ShapeError where it names others.
    std::vector<float> operator()(const DeviceImages<typename Model::backend>& images,
                                  const ImageBatch& batch,
                                  const Normalization& normalization = Normalization::unit()) {
        require_indices(batch, images.dataset());
        return in_pieces(static_cast<std::size_t>(batch.size()),
                         [&](std::size_t first, std::size_t count) {
                             ImageBatch piece = batch;
                             piece.labels = batch.labels.subspan(first, count);
                             piece.indices = batch.indices.subspan(first, count);
                             runner_.load(images, piece, normalization);
                         });
    }

private:
    template <class Load>
    std::vector<float> in_pieces(std::size_t samples, const Load& load) {
        constexpr auto width = static_cast<std::size_t>(Net::output_shape.size());
        std::vector<float> outputs(samples * width);
        const auto capacity = static_cast<std::size_t>(runner_.capacity());
        for (std::size_t first = 0; first < samples; first += capacity) {
            const std::size_t count = (std::min)(capacity, samples - first);
            load(first, count);
            runner_.forward(static_cast<std::int64_t>(count));
            runner_.read_outputs(static_cast<std::int64_t>(count),
                                 std::span{outputs}.subspan(first * width, count * width));
        }
        return outputs;
    }

    detail::StageRunner<Model, PredictingUnder<Policies...>> runner_;
};

}  // namespace typenet
