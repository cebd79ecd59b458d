// Makes classifiers on a backend: each backend instantiates this in one file of its own.
#pragma once

#include <memory>
#include <typenet/io/weights.hpp>
#include <typenet/training/model.hpp>
#include <typenet/training/predictor.hpp>
#include <vector>

#include "classifier.hpp"
#include "run.hpp"
#include "test.hpp"

namespace alexnet {

/// `Policies` are the predictor's.
template <class Net, class Backend, class... Policies>
class ClassifierOf : public Classifier {
public:
    ClassifierOf(const typenet::TensorFile& file, const std::filesystem::path& path,
                 std::int64_t batch, const MachineOptions& machine)
        : model_{typenet::Seed{}, typenet::Initialization::pytorch,
                 typenet::Threads{machine.threads}},
          predictor_{(typenet::load(model_, file, path), model_), typenet::Batch{batch},
                     Policies{}...},
          device_{
              describe<Backend>(model_.context(), machine) +
              (typenet::PredictingUnder<Policies...>::winograd ? ", Winograd's algorithm" : "")} {}

    std::vector<float> operator()(std::span<const float> samples) override {
        return logits_of(predictor_(samples));
    }
    std::vector<float> operator()(const typenet::ImageBatch& images,
                                  const typenet::Normalization& normalization) override {
        return logits_of(predictor_(images, normalization));
    }
    std::string device() const override { return device_; }

private:
    static std::vector<float> logits_of(std::vector<float> outputs) {
        make_logits(Net::layers[Net::layer_count - 1], outputs);
        return outputs;
    }

    typenet::Model<Net, Backend> model_;
    typenet::Predictor<typenet::Model<Net, Backend>, Policies...> predictor_;
    std::string device_;
};

template <class Backend, class... Policies>
std::unique_ptr<Classifier> make_classifier(const typenet::models::KnownNetwork& known,
                                            const typenet::TensorFile& file,
                                            const std::filesystem::path& path, std::int64_t batch,
                                            const MachineOptions& machine) {
    std::unique_ptr<Classifier> made;
    typenet::models::with_type_of(known, [&](auto tag) {
        using Net = typename decltype(tag)::type;
        made =
            std::make_unique<ClassifierOf<Net, Backend, Policies...>>(file, path, batch, machine);
    });
    return made;
}

}  // namespace alexnet
