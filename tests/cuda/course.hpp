// A short training course that the CPU and the GPU take, to be compared. nvcc compiles the GPU's
// side on real devices, g++ the CPU's (cpu_course.cpp): what is here serves both.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "typenet/core.hpp"
#include "typenet/training/losses.hpp"
#include "typenet/training/model.hpp"
#include "typenet/training/optimizers.hpp"
#include "typenet/training/trainer.hpp"

namespace typenet::testing {

/// AlexNet's layers in small.
using SmallAlexNet =
    Network<Input<3, 67, 67>, Conv2d<24, Kernel<11>, Stride<4>>, Relu,
            MaxPool2d<Kernel<3>, Stride<2>>, Conv2d<32, Kernel<5>, Padding<2>>, Relu,
            MaxPool2d<Kernel<3>, Stride<2>>, Conv2d<24, Kernel<3>, Padding<1>>, Relu,
            Conv2d<24, Kernel<3>, Padding<1>>, Relu, Conv2d<16, Kernel<3>, Padding<1>>, Relu,
            MaxPool2d<Kernel<3>, Stride<2>>, Flatten, Linear<40>, Dropout<>, Relu, Linear<40>,
            Dropout<>, Relu, Linear<10>>;

/// Byte images of 32x32 whose brightness by thirds depends on their label.
struct Images {
    std::vector<std::uint8_t> pixels;
    std::vector<std::int32_t> labels;

    explicit Images(std::int64_t count) {
        RandomStream random{Seed{5}, Purpose::synthetic};
        for (std::int64_t n = 0; n < count; ++n) {
            labels.push_back(static_cast<std::int32_t>(random.below(10)));
            for (std::uint32_t i = 0; i < 3072; ++i) {
                const auto level = static_cast<std::uint32_t>(labels.back()) * (i / 1024 + 1) % 10;
                pixels.push_back(static_cast<std::uint8_t>(20 * level + random.below(56)));
            }
        }
    }
    ImageBatch batch(std::size_t first, std::size_t count) const {
        return {std::span{pixels}.subspan(first * 3072, count * 3072),
                std::span{labels}.subspan(first, count), Shape{3, 32, 32}};
    }
};

/// Batches of two sizes, so that two graphs are met, recorded and replayed in turn.
inline constexpr std::size_t batch_of_step[] = {8, 8, 3, 8, 3, 8, 3, 8, 8, 3};

/// Values by the names of parameters.
using Values = std::map<std::string, std::vector<float>>;

template <class Model>
Values parameters_of_model(const Model& model) {
    Values values;
    for (const ParameterInfo& parameter : model.parameters())
        values[parameter.name] = model.get(parameter.name);
    return values;
}

/// What ten steps leave.
struct Course {
    Values initial;
    Values final;
    std::vector<float> losses;
};

template <class Backend, class Optimizer, class... Policies>
Course take_course(const Images& images, const Optimizer& optimizer, Policies... policies) {
    Model<SmallAlexNet, Backend> model{Seed{2}, Initialization::kaiming_normal};
    Course course{parameters_of_model(model), {}, {}};
    Trainer trainer{model, CrossEntropy{}, optimizer, Batch{8}, Seed{4}, policies...};
    std::size_t first = 0;
    for (const std::size_t count : batch_of_step) {
        trainer.step(images.batch(first, count), Normalization::symmetric());
        course.losses.push_back(trainer.loss());
        first += count;
    }
    course.final = parameters_of_model(model);
    return course;
}

Course take_course_on_cpu(const Images& images, const Sgd& optimizer);
Course take_course_on_cpu(const Images& images, const Sgd& optimizer, ClipNorm clip);
Course take_course_on_cpu(const Images& images, const Adam& optimizer);

/// A run that somebody else goes on with.
struct Interim {
    std::int64_t steps = 0;
    Values parameters;
    Values moments[2];
};
/// The loss of one more step on the CPU.
float continue_on_cpu(const Interim& run, const Adam& optimizer, const ImageBatch& batch);

}  // namespace typenet::testing
