// A trained network of any known type on any backend.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <typenet/data/loader.hpp>
#include <typenet/data/transforms.hpp>
#include <typenet/io/tensor_file.hpp>
#include <typenet/models/known.hpp>
#include <vector>

#include "options.hpp"

namespace alexnet {

/// Computes the logits of images, [images][classes].
class Classifier {
public:
    virtual ~Classifier() = default;
    /// Of prepared samples, [images][3][rows][columns].
    virtual std::vector<float> operator()(std::span<const float> samples) = 0;
    /// Of byte images, stretched to the network's input.
    virtual std::vector<float> operator()(const typenet::ImageBatch& images,
                                          const typenet::Normalization& normalization) = 0;
    /// What computes.
    virtual std::string device() const = 0;
};

/// Makes the network `known` with the weights of `file`, read from `path`, for at most `batch`
/// images at a time. Throws typenet::Error.
using MakeClassifier = std::unique_ptr<Classifier>(const typenet::models::KnownNetwork& known,
                                                   const typenet::TensorFile& file,
                                                   const std::filesystem::path& path,
                                                   std::int64_t batch,
                                                   const MachineOptions& machine);
MakeClassifier make_cpu_classifier;
MakeClassifier make_bf16_classifier;  // on the CPU
MakeClassifier make_cpu_winograd_classifier;
MakeClassifier make_gpu_classifier;

/// Tests given weights and reports.
void evaluate(const EvalOptions& options, MakeClassifier& make);
/// Predicts the classes of photos. False where one of them could not be read: that was reported
/// on stderr.
bool predict(const PredictOptions& options, MakeClassifier& make);

}  // namespace alexnet
