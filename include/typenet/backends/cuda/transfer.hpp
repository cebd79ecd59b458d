// The borders of the network on the GPU: samples in, outputs and losses out. Their maps are values
// of run time, so that every network shares this code.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "typenet/backends/cuda/context.hpp"
#include "typenet/backends/cuda/kernels/border.cuh"
#include "typenet/core/error.hpp"
#include "typenet/training/losses.hpp"

namespace typenet::cuda {

/// target = source's values, in as large pieces as the map's pixels allow.
template <class T, class Source>
void fill_map(cudaStream_t stream, const Source& source, std::int64_t samples, T* target) {
    const Map& map = source.map;
    const auto fill = [&](auto size) {
        constexpr int n = decltype(size)::value;
        const int packs = map.pixel / n;
        const std::int64_t rows = samples * map.pixels();
        const RowsLaunch shape(rows, packs, std::int64_t{1} << 30);
        launch(compute_rows<T, n, false, Source>, shape.grid, shape.block, 0, stream, source,
               target, nullptr, rows, packs);
    };
    if (map.pixel == pack_size<T>(planar_channel_limit))
        fill(std::integral_constant<int, pack_size<T>(planar_channel_limit)>{});
    else
        fill(std::integral_constant<int, pack_size<T>(8)>{});
}

/// The outputs of the last stage, canonical, and the loss on them.
template <class T>
class Outputs {
public:
    Outputs(const Geometry& last, std::int64_t batch, bool training)
        : map_(output_map(last)),
          values_(batch * size() * 4),
          host_values_(batch * size() * 4),
          done_(make_event()) {
        if (!training) return;
        labels_ = Arena(batch * 4);
        losses_ = Arena(batch * 4);
        correct_ = Arena(batch * 4);
        sum_ = Arena(sizeof(LossSum));
        host_sum_ = PinnedMemory(sizeof(LossSum));
        host_labels_.reserve(static_cast<std::size_t>(batch));
    }
    /// What such outputs take of the GPU's memory.
    static constexpr std::int64_t device_bytes(const Geometry& last, std::int64_t batch,
                                               bool training) {
        const Map map = output_map(last);
        const std::int64_t values = std::int64_t{map.channels} * map.pixels();
        return batch * (values + (training ? 3 : 0)) * 4 +
               (training ? static_cast<std::int64_t>(sizeof(LossSum)) : 0);
    }

    /// Canonical outputs [batch][outputs]; waits for them.
    void read(Context& context, const T* outputs, std::int64_t batch,
              std::span<float> canonical) const {
        {
            const Context::Turn turn(context);
            const dim3 grid(static_cast<unsigned>(divide_up(size(), threads_per_block)),
                            static_cast<unsigned>(std::min<std::int64_t>(batch, 65535)));
            launch(to_canonical<T>, grid, dim3(threads_per_block), 0, context.stream(), map_,
                   outputs, values_.floats(), batch);
            TYPENET_CUDA_CHECK(cudaMemcpyAsync(host_values_.template as<float>(), values_.floats(),
                                               static_cast<std::size_t>(batch * size() * 4),
                                               cudaMemcpyDeviceToHost, context.stream()));
            TYPENET_CUDA_CHECK(cudaEventRecord(done_.get(), context.stream()));
        }
        TYPENET_CUDA_CHECK(cudaEventSynchronize(done_.get()));
        std::copy_n(host_values_.template as<float>(), canonical.size(), canonical.begin());
    }

    /// The labels of the next evaluation. Throws ShapeError for one that is no class.
    void set_labels(Context& context, std::span<const std::int32_t> labels) {
        for (std::size_t n = 0; n < labels.size(); ++n) require_class(labels[n], n, size());
        host_labels_.assign(labels.begin(), labels.end());
        const Context::Turn turn(context);
        const auto place = [&](const std::byte* sent, std::int64_t first, std::int64_t count) {
            TYPENET_CUDA_CHECK(cudaMemcpyAsync(labels_.bytes() + 4 * first, sent,
                                               static_cast<std::size_t>(4 * count),
                                               cudaMemcpyDeviceToDevice, context.stream()));
        };
        context.staging().send(context.stream(), labels.data(), 4,
                               static_cast<std::int64_t>(labels.size()), place);
    }

    /// Whether a loss is computed on the GPU. Any other is the host's work, which waits for the
    /// outputs, so that no recording can hold it.
    template <class Loss>
    static constexpr bool computes = std::is_same_v<Loss, CrossEntropy>;

    /// Computes the loss of a batch and, unless `gradients` is null, its gradient.
    template <class Loss>
    void evaluate(Context& context, const Loss& loss, const T* outputs, float* gradients,
                  std::int64_t batch) {
        if constexpr (computes<Loss>) {
            launch(cross_entropy<T>, dim3(static_cast<unsigned>(divide_up(batch, warps_per_block))),
                   dim3(32, warps_per_block), 0, context.stream(), map_, loss.label_smoothing,
                   outputs, labels_.template as<const std::int32_t>(),
                   reinterpret_cast<T*>(gradients), losses_.floats(),
                   correct_.template as<std::int32_t>(), batch);
            launch(sum_losses<threads_per_block>, dim3(1), dim3(threads_per_block), 0,
                   context.stream(), losses_.template as<const float>(),
                   correct_.template as<const std::int32_t>(), batch, sum_.template as<LossSum>());
        } else {
            const Context::Turn turn(context);
            host_logits_.resize(static_cast<std::size_t>(batch * size()));
            host_gradients_.resize(host_logits_.size());
            read(context, outputs, batch, host_logits_);
            host_value_ = loss(host_logits_, host_labels_, host_gradients_);
            on_host_ = true;
            if (gradients == nullptr) return;
            TYPENET_CUDA_CHECK(cudaMemcpyAsync(values_.floats(), host_gradients_.data(),
                                               host_gradients_.size() * 4, cudaMemcpyHostToDevice,
                                               context.stream()));
            fill_map(context.stream(), FromCanonical{map_, values_.template as<const float>()},
                     batch, reinterpret_cast<T*>(gradients));
            context.synchronize();  // until then the copy may read the vector
        }
    }

    /// What the last evaluation found; waits for it.
    LossValue value(Context& context) const {
        if (on_host_) return host_value_;
        {
            const Context::Turn turn(context);
            TYPENET_CUDA_CHECK(cudaMemcpyAsync(host_sum_.template as<LossSum>(), sum_.bytes(),
                                               sizeof(LossSum), cudaMemcpyDeviceToHost,
                                               context.stream()));
            TYPENET_CUDA_CHECK(cudaEventRecord(done_.get(), context.stream()));
        }
        TYPENET_CUDA_CHECK(cudaEventSynchronize(done_.get()));
        const LossSum& sum = *host_sum_.template as<LossSum>();
        return {sum.sum, sum.correct};
    }

private:
    std::int64_t size() const { return std::int64_t{map_.channels} * map_.pixels(); }

    Map map_;
    Arena values_;  ///< canonical
    PinnedMemory host_values_;
    Owned<cudaEvent_t> done_;
    Arena labels_;
    Arena losses_;
    Arena correct_;
    Arena sum_;
    PinnedMemory host_sum_;
    std::vector<std::int32_t> host_labels_;
    std::vector<float> host_logits_;
    std::vector<float> host_gradients_;
    bool on_host_ = false;
    LossValue host_value_;
};

}  // namespace typenet::cuda
