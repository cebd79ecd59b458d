// What the emulator's own tests share.
#pragma once

#include <emulator.hpp>

#include <string>
#include <vector>

#include "support/catch.hpp"

namespace emulator_test {

inline void require_success(cudaError_t error) {
    if (error != cudaSuccess) throw std::runtime_error(cudaGetErrorName(error));
}

class Stream {
public:
    Stream() { require_success(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking)); }
    ~Stream() { cudaStreamDestroy(stream_); }
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;
    operator cudaStream_t() const { return stream_; }
    cudaError_t wait() const { return cudaStreamSynchronize(stream_); }

private:
    cudaStream_t stream_ = nullptr;
};

/// `count` floats in device memory, not set.
class Floats {
public:
    explicit Floats(std::size_t count) : count_(count) {
        require_success(cudaMalloc(&data_, count * sizeof(float)));
    }
    Floats(std::size_t count, float value) : Floats(std::vector<float>(count, value)) {}
    explicit Floats(const std::vector<float>& values) : Floats(values.size()) {
        const Stream stream;
        require_success(cudaMemcpyAsync(data_, values.data(), count_ * sizeof(float),
                                        cudaMemcpyHostToDevice, stream));
        require_success(stream.wait());
    }
    ~Floats() { cudaFree(data_); }
    Floats(const Floats&) = delete;
    Floats& operator=(const Floats&) = delete;

    float* data() const { return data_; }
    std::vector<float> read() const {
        std::vector<float> values(count_);
        const Stream stream;
        require_success(cudaMemcpyAsync(values.data(), data_, count_ * sizeof(float),
                                        cudaMemcpyDeviceToHost, stream));
        require_success(stream.wait());
        return values;
    }

private:
    float* data_ = nullptr;
    std::size_t count_;
};

/// The text of the one report that `f` causes. Fails if there are more or none, or if it has
/// another error.
template <class F>
std::string report_of(cudaError_t error, F&& f) {
    const auto reports = emulator::reports_of(std::forward<F>(f));
    REQUIRE(reports.size() == 1);
    CHECK(reports[0].error == error);
    return reports[0].text;
}

/// `f` causes one report, with this error and this text in it.
template <class F>
void check_report(cudaError_t error, const std::string& part, F&& f) {
    const std::string text = report_of(error, std::forward<F>(f));
    CHECK_THAT(text, ContainsText(part));
}

}  // namespace emulator_test
