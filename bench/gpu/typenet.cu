// typenet's side of bench/gpu/compare, which starts it.
//
//   bench_gpu peaks             what the GPU does at best, and what AlexNet asks of it, as JSON
//   bench_gpu WORK PRECISION    WORK: train_bN or infer_bN, PRECISION: f32, tf32 or bf16
//
// The second form answers each line with a number N by running N steps and printing the seconds
// that one took. A step starts with the indices of byte images of 32x32 in the GPU's memory, which
// resizes them; inference ends with the outputs on the host.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "typenet/cuda.hpp"
#include "typenet/version.hpp"

namespace {

using namespace typenet;
using models::AlexNet;

// The least that a step can do, for its place under the roofline.

/// Floating-point operations an image: forward, the gradients of all weights, and of the inputs of
/// all layers but the first.
constexpr double training_flops =
    2.0 * static_cast<double>(3 * AlexNet::macs - AlexNet::layers[0].macs);
constexpr double inference_flops = 2.0 * static_cast<double>(AlexNet::macs);
/// Bytes of parameters a step, were nothing moved twice: read in forward and backward; then
/// parameters and momentum read and written. With bf16's copies it is the same sum.
constexpr double training_bytes = 20.0 * static_cast<double>(AlexNet::parameter_count);

__global__ void fill(float* values, std::int64_t count) {
    const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (i < count)
        values[i] =
            static_cast<float>(static_cast<std::uint32_t>(i) * 2654435761u >> 8) * 0x1p-23f - 1;
}
__global__ void fill(__nv_bfloat16* values, std::int64_t count) {
    const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (i < count)
        values[i] = __float2bfloat16(
            static_cast<float>(static_cast<std::uint32_t>(i) * 2654435761u >> 8) * 0x1p-23f - 1);
}

double seconds_of(const cuda::Context& context, const auto& body) {
    double best = std::numeric_limits<double>::infinity();
    for (int i = 0; i < 7; ++i) {  // the first ones warm up
        context.synchronize();
        const auto start = std::chrono::steady_clock::now();
        body();
        context.synchronize();
        const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
        best = std::min(best, spent.count());
    }
    return best;
}

/// Bytes read and written a second by a copy within the GPU's memory.
double bandwidth() {
    const cuda::Context context{CUBLAS_DEFAULT_MATH};
    constexpr std::int64_t bytes = std::int64_t{1} << 30;
    const cuda::Arena a{bytes}, b{bytes};
    return 2.0 * static_cast<double>(bytes) / seconds_of(context, [&] {
               TYPENET_CUDA_CHECK(cudaMemcpyAsync(b.bytes(), a.bytes(), bytes,
                                                  cudaMemcpyDeviceToDevice, context.stream()));
           });
}

/// Operations a second of a large product of matrices.
template <class Precision>
double product_flops() {
    using Format = cuda::Format<Precision>;
    using Value = typename Format::Value;
    const cuda::Context context{Format::math};
    constexpr int n = 8192;
    constexpr std::int64_t count = std::int64_t{n} * n;
    const cuda::Arena a{count * 4}, b{count * 4}, c{count * 4};
    for (const cuda::Arena* arena : {&a, &b})
        cuda::launch(static_cast<void (*)(Value*, std::int64_t)>(fill),
                     dim3(static_cast<unsigned>(cuda::divide_up(count, 256))), dim3(256), 0,
                     context.stream(), arena->template as<Value>(), count);
    const float one = 1, zero = 0;
    return 2.0 * n * n * n / seconds_of(context, [&] {
               TYPENET_CUDA_CHECK(cublasGemmEx(context.blas(), CUBLAS_OP_N, CUBLAS_OP_N, n, n, n,
                                               &one, a.bytes(), Format::type, n, b.bytes(),
                                               Format::type, n, &zero, c.bytes(), Format::type, n,
                                               CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT));
           });
}

void print_peaks() {
    cudaDeviceProp properties{};
    TYPENET_CUDA_CHECK(cudaGetDeviceProperties(&properties, 0));
    std::printf(
        R"({"device": "%s", "version": "%d.%d.%d", "bandwidth": %.6g, "f32": %.6g, "tf32": %.6g, )"
        R"("bf16": %.6g, "training_flops": %.9g, "inference_flops": %.9g, "training_bytes": %.9g, )"
        R"("parameters": %.9g})"
        "\n",
        properties.name, TYPENET_VERSION_MAJOR, TYPENET_VERSION_MINOR, TYPENET_VERSION_PATCH,
        bandwidth(), product_flops<float>(), product_flops<tf32>(), product_flops<bf16>(),
        training_flops, inference_flops, training_bytes,
        static_cast<double>(AlexNet::parameter_count));
}

template <class Step, class Wait>
void serve(const Step& step, const Wait& wait) {
    std::cout << "{}" << std::endl;  // ready
    for (int steps = 0; std::cin >> steps;) {
        const auto start = std::chrono::steady_clock::now();
        for (int i = 0; i < steps; ++i) step();
        wait();
        const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
        std::printf("{\"seconds\": %.9f}\n", spent.count() / steps);
        std::fflush(stdout);
    }
}

template <class Precision>
void run(bool trains, std::int64_t batch) {
    RandomStream random{Seed{1}, Purpose::synthetic};
    Dataset dataset{Shape{3, 32, 32}, {}, {}, cifar10_names()};
    dataset.pixels.resize(static_cast<std::size_t>(batch) * 3072);
    for (std::uint8_t& pixel : dataset.pixels) pixel = static_cast<std::uint8_t>(random.below(256));
    std::vector<std::uint32_t> indices;
    for (std::int64_t i = 0; i < batch; ++i) {
        dataset.labels.push_back(static_cast<std::int32_t>(i % 10));
        indices.push_back(static_cast<std::uint32_t>(i));
    }
    const ImageBatch all{{}, dataset.labels, dataset.image_shape, 0, indices};

    Model<AlexNet, Cuda<Precision>> model{Seed{1}, Initialization::kaiming_normal};
    if (trains) {
        Trainer trainer{model, CrossEntropy{}, Sgd{.learning_rate = 1e-3f, .momentum = 0.9f},
                        Batch{batch}};
        const DeviceImages images{model, dataset};
        serve([&] { trainer.step(images, all, Normalization::symmetric()); },
              [&] { trainer.loss(); });
    } else {
        Predictor predictor{model, Batch{batch}};
        const DeviceImages images{model, dataset};
        serve([&] { predictor(images, all, Normalization::symmetric()); }, [] {});
    }
}

int run_program(const std::vector<std::string>& arguments) {
    if (arguments.size() == 1 && arguments[0] == "peaks") {
        print_peaks();
        return 0;
    }
    if (arguments.size() == 2) {
        const std::string &work = arguments[0], &precision = arguments[1];
        const bool trains = work.starts_with("train_b"), infers = work.starts_with("infer_b");
        const std::int64_t batch = trains || infers ? std::atoll(work.c_str() + 7) : 0;
        if (batch > 0 && precision == "f32") return run<float>(trains, batch), 0;
        if (batch > 0 && precision == "tf32") return run<tf32>(trains, batch), 0;
        if (batch > 0 && precision == "bf16") return run<bf16>(trains, batch), 0;
    }
    std::fputs("bench_gpu: use `peaks`, or train_bN or infer_bN with f32, tf32 or bf16\n", stderr);
    return 2;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run_program({argv + 1, argv + argc});
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench_gpu: %s\n", error.what());
        return 1;
    }
}
