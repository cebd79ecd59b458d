// dlib's side of bench/compare, which starts it: bench_compare_dlib WORK THREADS. dlib computes in
// its BLAS, whose number of threads is set by the environment (OPENBLAS_NUM_THREADS).
#include <dlib/dnn.h>
#include <dlib/revision.h>

#include <array>
#include <cstdint>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "protocol.hpp"

namespace {

using namespace dlib;

using Image = std::array<matrix<float>, 3>;

// A convolution pads by half its kernel where its stride is 1, and not at all elsewhere, as dlib
// does by default: the paddings of AlexNet.
// clang-format off
using Features =
    max_pool<3, 3, 2, 2,
    relu<con<256, 3, 3, 1, 1,
    relu<con<384, 3, 3, 1, 1,
    relu<con<384, 3, 3, 1, 1,
    max_pool<3, 3, 2, 2, relu<con<256, 5, 5, 1, 1,
    max_pool<3, 3, 2, 2, relu<con<96, 11, 11, 4, 4,
    input<Image>>>>>>>>>>>>>>;
// clang-format on
template <template <typename> class Drop>
using AlexNet = loss_multiclass_log<fc<10, relu<Drop<fc<4096, relu<Drop<fc<4096, Features>>>>>>>>;

template <typename Below>
using NoDropout = Below;  // dlib's dropout is active at all times

struct Data {
    std::vector<Image> images;
    std::vector<unsigned long> labels;
};

Data random_data(std::int64_t batch) {
    const std::vector<float> values = compare::random_values(batch * compare::sample_size);
    Data data;
    data.images.resize(static_cast<std::size_t>(batch));
    const float* value = values.data();
    for (Image& image : data.images)
        for (matrix<float>& channel : image) {
            channel.set_size(227, 227);
            for (float& pixel : channel) pixel = *value++;
        }
    for (std::int64_t i = 0; i < batch; ++i)
        data.labels.push_back(static_cast<unsigned long>(i % 10));
    return data;
}

template <class Net>
void load(Net& net, const Data& data, resizable_tensor& samples) {
    net.to_tensor(data.images.begin(), data.images.end(), samples);
    net.subnet().forward(samples);  // the first pass allocates the parameters
    if (static_cast<std::int64_t>(count_parameters(net)) != compare::parameter_count)
        throw std::runtime_error("dlib's network has " + std::to_string(count_parameters(net)) +
                                 " parameters, AlexNet has " +
                                 std::to_string(compare::parameter_count));
}

template <class Step>
void serve(const Step& step) {
    const std::string version = std::to_string(DLIB_MAJOR_VERSION) + "." +
                                std::to_string(DLIB_MINOR_VERSION) + "." +
                                std::to_string(DLIB_PATCH_VERSION);
    compare::serve("dlib", version, "BLAS", step);
}

template <class Solver>
void train(const Data& data, const Solver& solver) {
    using Net = AlexNet<dropout>;
    Net net;
    resizable_tensor samples;
    load(net, data, samples);
    std::vector<Solver> solvers(Net::num_computational_layers, solver);
    serve([&] {
        net.compute_parameter_gradients(samples, data.labels.begin());
        net.update_parameters(solvers, compare::learning_rate);
    });
}

void infer(const Data& data) {
    AlexNet<NoDropout> net;
    resizable_tensor samples;
    load(net, data, samples);
    serve([&] { net.subnet().forward(samples); });
}

void run(const compare::Work& work) {
    if (!work.variant.empty())
        throw std::invalid_argument(work.variant + ": dlib has no such variant of a work");
    const Data data = random_data(work.batch);
    switch (work.kind) {
        case compare::Work::Kind::infer:
            return infer(data);
        case compare::Work::Kind::train_sgd:
            return train(data, sgd(0, 0.9f));
        case compare::Work::Kind::train_adam:
            return train(data, adam(0, 0.9f, 0.999f));
    }
}

}  // namespace

int main(int argc, char** argv) {
    try {
        run(compare::parse_work(argc, argv));
        return 0;
    } catch (const std::exception& error) {
        std::cerr << "bench_compare_dlib: " << error.what() << '\n';
        return 1;
    }
}
