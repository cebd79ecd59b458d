// From the host to the GPU while the GPU computes: two buffers in turn, and a stream of its own for
// the copies.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

#include "typenet/backends/cuda/memory.hpp"

namespace typenet::cuda {

class Staging {
public:
    Staging() : stream_(make_stream()) {
        for (Slot& slot : slots_) {
            slot.copied = make_event();
            slot.consumed = make_event();
        }
    }

    /// Starts to copy `bytes` and lets `consumer` wait for them. Where they are on the GPU; kernels
    /// that `consumer` gets next may read them, then call `consumed`. Waits until the buffer of the
    /// call before the last is free; allocates only where more bytes come than ever before.
    const void* send(cudaStream_t consumer, const void* data, std::int64_t bytes) {
        reserve(bytes);
        current_ = 1 - current_;
        Slot& slot = slots_[current_];
        TYPENET_CUDA_CHECK(cudaEventSynchronize(slot.consumed.get()));
        const auto size = static_cast<std::size_t>(bytes);
        std::memcpy(slot.host.as<std::byte>(), data, size);
        TYPENET_CUDA_CHECK(cudaMemcpyAsync(slot.device.bytes(), slot.host.as<std::byte>(), size,
                                           cudaMemcpyHostToDevice, stream_.get()));
        TYPENET_CUDA_CHECK(cudaEventRecord(slot.copied.get(), stream_.get()));
        TYPENET_CUDA_CHECK(cudaStreamWaitEvent(consumer, slot.copied.get(), 0));
        return slot.device.bytes();
    }
    void consumed(cudaStream_t consumer) {
        TYPENET_CUDA_CHECK(cudaEventRecord(slots_[current_].consumed.get(), consumer));
    }

    void reserve(std::int64_t bytes) {
        if (bytes <= capacity_) return;
        for (Slot& slot : slots_) {
            TYPENET_CUDA_CHECK(cudaEventSynchronize(slot.consumed.get()));
            slot.host = PinnedMemory(bytes);
            slot.device = Arena(bytes);
        }
        capacity_ = bytes;
    }

private:
    struct Slot {
        PinnedMemory host;
        Arena device;
        Owned<cudaEvent_t> copied;
        Owned<cudaEvent_t> consumed;
    };
    Owned<cudaStream_t> stream_;
    std::array<Slot, 2> slots_;
    std::size_t current_ = 0;
    std::int64_t capacity_ = 0;
};

}  // namespace typenet::cuda
