// What a run trains and tests: a whole network, or the rest of one on the features of its fixed
// part.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <typenet/core/error.hpp>
#include <typenet/data/loader.hpp>
#include <typenet/io/tensor_formats.hpp>
#include <typenet/io/weights.hpp>
#include <typenet/training/device_images.hpp>
#include <typenet/training/frozen_features.hpp>
#include <typenet/training/losses.hpp>
#include <typenet/training/model.hpp>
#include <typenet/training/predictor.hpp>
#include <typenet/training/trainer.hpp>
#include <vector>

#include "feature_cache.hpp"
#include "prepared.hpp"
#include "report.hpp"
#include "session.hpp"
#include "test.hpp"

namespace alexnet {

inline typenet::Initialization initialization_of(const Recipe& recipe) {
    if (recipe.initialization == "kaiming") return typenet::Initialization::kaiming_normal;
    if (recipe.initialization == "glorot") return typenet::Initialization::glorot_uniform;
    return typenet::Initialization::pytorch;
}

inline typenet::CrossEntropy loss_of(const Recipe& recipe) {
    return {.label_smoothing = recipe.label_smoothing};
}

/// PyTorch's generator after torch.manual_seed, where the recipe wants its numbers.
inline std::optional<typenet::TorchGenerator> torch_generator(const Recipe& recipe) {
    if (recipe.rng != "torch") return std::nullopt;
    return typenet::TorchGenerator{typenet::Seed{recipe.seed}};
}

/// All of a system's network learns. `torch` is left as the initial weights leave it.
template <class System, class Backend, class Optimizer, class... Policies>
class WholeNetwork {
public:
    using Net = typename System::Network;
    /// Whether images go the way of photos, and are not stretched where the network computes.
    static constexpr bool prepares = System::preprocessing.shorter_side > 0;
    /// Whether batches need their pixels.
    static bool gathers(const Recipe& recipe) {
        return prepares || static_cast<bool>(recipe.augmentation);
    }
    static constexpr bool gathers_test = prepares;

    WholeNetwork(const TrainOptions& options, const Session& session, const Optimizer& optimizer,
                 std::optional<typenet::TorchGenerator>& torch, Policies... policies)
        : model_(make_model(options, torch)),
          trainer_(model_, loss_of(options.recipe), optimizer, typenet::Batch{options.recipe.batch},
                   typenet::Seed{options.recipe.seed}, policies...),
          predictor_(model_, typenet::Batch{test_batch(session.test)}) {
        if constexpr (!prepares) {
            if (!options.recipe.augmentation) train_images_.emplace(model_, session.train);
            test_images_.emplace(model_, session.test);
        }
    }

    auto& model() { return model_; }
    auto& trainer() { return trainer_; }
    auto& context() { return model_.context(); }

    void print_state(const Session& session) const {
        if (train_images_ && !train_images_->is_on_device())
            print_copies("training", session.train);
        if (test_images_ && !test_images_->is_on_device()) print_copies("test", session.test);
    }

    void step(const typenet::ImageBatch& batch) {
        if constexpr (prepares)
            trainer_.step(prepared(batch, System::preprocessing, Net::input_shape), batch.labels);
        else if (train_images_)
            trainer_.step(*train_images_, batch, System::preprocessing.normalization);
        else
            trainer_.step(batch, System::preprocessing.normalization);
    }
    /// The network's outputs for test images.
    std::vector<float> outputs(const typenet::ImageBatch& batch) {
        if constexpr (prepares)
            return predictor_(prepared(batch, System::preprocessing, Net::input_shape));
        else
            return predictor_(*test_images_, batch, System::preprocessing.normalization);
    }

private:
    using Model = typenet::Model<Net, Backend>;

    static Model make_model(const TrainOptions& options,
                            std::optional<typenet::TorchGenerator>& torch) {
        const typenet::Threads threads{options.machine.threads};
        if (torch) return Model{*torch, threads};
        const Recipe& recipe = options.recipe;
        return Model{typenet::Seed{recipe.seed}, initialization_of(recipe), threads};
    }

    Model model_;
    typenet::Trainer<Model, typenet::CrossEntropy, Optimizer, Policies...> trainer_;
    typenet::Predictor<Model> predictor_;
    std::optional<typenet::DeviceImages<Backend>> train_images_;  // as they are, where they are
    std::optional<typenet::DeviceImages<Backend>> test_images_;
};

/// A system's network is taken over from a file. What is Frozen stays as it is, without gradient or
/// optimizer state; one layer is `replaced` by one drawn anew, the first that `torch` draws; the
/// rest learns from where it is. The outputs of the fixed part are kept within the cache's limit.
template <class System, class Backend, class Optimizer, class... Policies>
class FineTuning {
public:
    using Net = typename System::Network;
    using Frozen = typename System::Frozen;
    static bool gathers(const Recipe&) { return true; }
    static constexpr bool gathers_test = true;

    FineTuning(const TrainOptions& options, const Session& session, const Optimizer& optimizer,
               std::optional<typenet::TorchGenerator>& torch, Policies... policies)
        : model_(typenet::Threads{options.machine.threads}),
          trainer_(model_.learning(), loss_of(options.recipe), optimizer,
                   typenet::Batch{options.recipe.batch}, typenet::Seed{options.recipe.seed},
                   policies...),
          fixed_(model_.fixed(),
                 typenet::Batch{std::max(options.recipe.batch, test_batch(session.test))}),
          predictor_(model_.learning(), typenet::Batch{test_batch(session.test)}) {
        if (!options.weights.empty()) take_over(options.weights);
        if (session.checkpoint && !options.weights.empty()) require_same_fixed_part(session);
        const Recipe& recipe = options.recipe;
        if (torch)
            model_.initialize(System::replaced, *torch);
        else
            model_.initialize(System::replaced, typenet::Seed{recipe.seed},
                              initialization_of(recipe));

        std::int64_t room = options.cache_limit;
        const auto keep_if_it_fits = [&](FeatureCache& cache, const typenet::Dataset& images) {
            if (bytes_of(images) > room) return;
            room -= bytes_of(images);
            cache.keep(images.size(), width);
        };
        changes_images_ = static_cast<bool>(recipe.augmentation);
        if (!changes_images_) keep_if_it_fits(train_features_, session.train);
        keep_if_it_fits(test_features_, session.test);
    }

    auto& model() { return model_; }
    auto& trainer() { return trainer_; }
    auto& context() { return model_.learning().context(); }

    void print_state(const Session& session) const {
        if (classes_ > 0) print_taken_over(source_, System::name, classes_, System::replaced);
        constexpr std::int64_t fixed = Model::Fixed::network::parameter_count;
        print_frozen(fixed, Net::parameter_count);
        print_features("training", bytes_of(session.train), train_features_.keeps(),
                       changes_images_);
        print_features("test", bytes_of(session.test), test_features_.keeps(), false);
    }

    void step(const typenet::ImageBatch& batch) {
        trainer_.step(train_features_.rows(batch), batch.labels);
    }
    std::vector<float> outputs(const typenet::ImageBatch& batch) {
        return predictor_(test_features_.rows(batch));
    }

private:
    using Model = typenet::CutModel<Net, Frozen, Backend>;
    static constexpr std::int64_t width = Model::Fixed::network::output_shape.size();

    static std::int64_t bytes_of(const typenet::Dataset& images) {
        return images.size() * width * static_cast<std::int64_t>(sizeof(float));
    }

    void take_over(const std::filesystem::path& path) {
        const typenet::TensorFile file = typenet::open_tensors(path);
        classes_ = typenet::load_except(model_, System::replaced, file, path);
        source_ = path;
    }
    /// Throws FileError unless the checkpoint's fixed part is what --weights holds.
    void require_same_fixed_part(const Session& session) const {
        for (const typenet::ParameterInfo& tensor : model_.fixed().tensors()) {
            const typenet::TensorView* kept = session.checkpoint->find(tensor.name);
            if (kept == nullptr || !typenet::FloatValues::can_hold(kept->dtype)) return;
            const typenet::FloatValues values(*kept);
            if (!std::ranges::equal(values.get(), model_.fixed().get(tensor.name)))
                throw typenet::FileError(
                    session.checkpoint_path.string(),
                    "goes on from other --weights than " + source_.string() + ": tensor " +
                        tensor.name + " differs",
                    "give those of that run, or none: the checkpoint holds them");
        }
    }
    std::vector<float> features(const typenet::ImageBatch& images) {
        return fixed_(prepared(images, System::preprocessing, Net::input_shape));
    }

    Model model_;
    typenet::Trainer<typename Model::Learning, typenet::CrossEntropy, Optimizer, Policies...>
        trainer_;
    typenet::Predictor<typename Model::Fixed> fixed_;
    typenet::Predictor<typename Model::Learning> predictor_;
    const FeatureCache::Compute compute_ = [this](const typenet::ImageBatch& images) {
        return features(images);
    };
    FeatureCache train_features_{compute_};
    FeatureCache test_features_{compute_};
    bool changes_images_ = false;
    std::filesystem::path source_;  // of the weights
    std::int64_t classes_ = 0;      // that they tell apart; 0: they come from a checkpoint
};

namespace detail {
template <class System, class Backend, class Optimizer, class... Policies>
struct LearnerOf {
    using type = WholeNetwork<System, Backend, Optimizer, Policies...>;
};
template <class System, class Backend, class Optimizer, class... Policies>
requires requires {
    typename System::Frozen;
}
struct LearnerOf<System, Backend, Optimizer, Policies...> {
    using type = FineTuning<System, Backend, Optimizer, Policies...>;
};
}  // namespace detail

/// What trains a system. It stays where it is made.
template <class System, class Backend, class Optimizer, class... Policies>
using Learner = typename detail::LearnerOf<System, Backend, Optimizer, Policies...>::type;

}  // namespace alexnet
