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
template <class T, template <class, int> class Source, class... Arguments>
void fill_map(cudaStream_t stream, const Map& map, std::int64_t samples, T* target,
              const Arguments&... arguments) {
    const auto fill = [&](auto size) {
        constexpr int n = decltype(size)::value;
        const int packs = map.pixel / n;
        const std::int64_t rows = samples * map.pixels();
        const RowsLaunch shape(rows, packs, std::int64_t{1} << 30);
        launch(compute_rows<T, n, false, Source<T, n>>, shape.grid, shape.block, 0, stream,
               Source<T, n>{map, arguments...}, target, nullptr, rows, packs);
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
        label_staging_ = std::make_unique<Staging>();
        label_staging_->reserve(batch * 4);
    }

    /// Canonical outputs [batch][outputs]; waits for them.
    void read(Context& context, const float* outputs, std::int64_t batch,
              std::span<float> canonical) const {
        {
            const Context::Turn turn(context);
            const dim3 grid(static_cast<unsigned>(divide_up(size(), threads_per_block)),
                            static_cast<unsigned>(std::min<std::int64_t>(batch, 65535)));
            launch(to_canonical<T>, grid, dim3(threads_per_block), 0, context.stream(), map_,
                   reinterpret_cast<const T*>(outputs), values_.floats(), batch);
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
        const auto bytes = static_cast<std::int64_t>(labels.size_bytes());
        const void* sent = label_staging_->send(context.stream(), labels.data(), bytes);
        TYPENET_CUDA_CHECK(cudaMemcpyAsync(labels_.bytes(), sent, labels.size_bytes(),
                                           cudaMemcpyDeviceToDevice, context.stream()));
        label_staging_->consumed(context.stream());
    }

    /// Computes the loss of a batch and, unless `gradients` is null, its gradient. Cross entropy
    /// stays on the GPU; any other loss is computed by the host, which waits for the outputs.
    template <class Loss>
    void evaluate(Context& context, const Loss& loss, const float* outputs, float* gradients,
                  std::int64_t batch) {
        if constexpr (std::is_same_v<Loss, CrossEntropy>) {
            launch(cross_entropy<T>, dim3(static_cast<unsigned>(divide_up(batch, warps_per_block))),
                   dim3(32, warps_per_block), 0, context.stream(), map_,
                   reinterpret_cast<const T*>(outputs), labels_.template as<const std::int32_t>(),
                   reinterpret_cast<T*>(gradients), losses_.floats(),
                   correct_.template as<std::int32_t>(), batch);
            launch(sum_losses<threads_per_block>, dim3(1), dim3(threads_per_block), 0,
                   context.stream(), losses_.template as<const float>(),
                   correct_.template as<const std::int32_t>(), batch, sum_.template as<LossSum>());
        } else {
            context.used_host = true;
            std::vector<float> logits(static_cast<std::size_t>(batch * size()));
            std::vector<float> logit_gradients(logits.size());
            read(context, outputs, batch, logits);
            host_value_ = loss(logits, host_labels_, logit_gradients);
            if (gradients == nullptr) return;
            TYPENET_CUDA_CHECK(cudaMemcpyAsync(values_.floats(), logit_gradients.data(),
                                               logits.size() * 4, cudaMemcpyHostToDevice,
                                               context.stream()));
            fill_map<T, FromCanonical>(context.stream(), map_, batch,
                                       reinterpret_cast<T*>(gradients),
                                       values_.template as<const float>());
            context.synchronize();  // until then the copy may read the vector
        }
        on_host_ = !std::is_same_v<Loss, CrossEntropy>;
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
    std::unique_ptr<Staging> label_staging_;
    std::vector<std::int32_t> host_labels_;
    bool on_host_ = false;
    LossValue host_value_;
};

}  // namespace typenet::cuda
