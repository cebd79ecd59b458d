// From the host to the GPU while the GPU computes: a few buffers in turn, and a stream of its own
// for the copies.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "typenet/backends/cuda/memory.hpp"

namespace typenet::cuda {

class Staging {
    static constexpr std::int64_t slots = 4;
    static constexpr std::int64_t slot_bytes = std::int64_t{4} << 20;

public:
    /// What it takes of the GPU's memory. A single sample of more than 4 MiB lets it grow.
    static constexpr std::int64_t device_bytes = slots * slot_bytes;

    Staging() : stream_(make_stream()) {
        for (Slot& slot : slots_) {
            slot.copied = make_event();
            slot.consumed = make_event();
        }
        reserve(slot_bytes);
    }

    /// Sends `count` samples of `sample_bytes` to the GPU, in pieces that fit a buffer. For each,
    /// fill(target, first, count) writes samples for the copy, then consume(data, first, count)
    /// enqueues into `consumer` what reads them there. Waits where all buffers are in use.
    template <class Fill, class Consume>
    void send(cudaStream_t consumer, std::int64_t sample_bytes, std::int64_t count,
              const Fill& fill, const Consume& consume) {
        reserve(sample_bytes);
        const std::int64_t most = capacity_ / sample_bytes;
        for (std::int64_t first = 0; first < count; first += most) {
            const std::int64_t piece = (std::min)(most, count - first);
            current_ = (current_ + 1) % slots_.size();
            Slot& slot = slots_[current_];
            TYPENET_CUDA_CHECK(cudaEventSynchronize(slot.consumed.get()));
            fill(slot.host.as<std::byte>(), first, piece);
            TYPENET_CUDA_CHECK(cudaMemcpyAsync(slot.device.bytes(), slot.host.as<std::byte>(),
                                               static_cast<std::size_t>(piece * sample_bytes),
                                               cudaMemcpyHostToDevice, stream_.get()));
            TYPENET_CUDA_CHECK(cudaEventRecord(slot.copied.get(), stream_.get()));
            TYPENET_CUDA_CHECK(cudaStreamWaitEvent(consumer, slot.copied.get(), 0));
            consume(slot.device.bytes(), first, piece);
            TYPENET_CUDA_CHECK(cudaEventRecord(slot.consumed.get(), consumer));
        }
    }
    /// The same for samples that lie side by side at `data`.
    template <class Consume>
    void send(cudaStream_t consumer, const void* data, std::int64_t sample_bytes,
              std::int64_t count, const Consume& consume) {
        const auto fill = [&](std::byte* target, std::int64_t first, std::int64_t piece) {
            std::memcpy(target, static_cast<const std::byte*>(data) + first * sample_bytes,
                        static_cast<std::size_t>(piece * sample_bytes));
        };
        send(consumer, sample_bytes, count, fill, consume);
    }

private:
    struct Slot {
        PinnedMemory host;
        Arena device;
        Owned<cudaEvent_t> copied;
        Owned<cudaEvent_t> consumed;
    };

    void reserve(std::int64_t bytes) {
        if (bytes <= capacity_) return;
        bytes = (std::max)(bytes, slot_bytes);
        capacity_ = 0;  // should one of the allocations fail
        for (Slot& slot : slots_) {
            TYPENET_CUDA_CHECK(cudaEventSynchronize(slot.consumed.get()));
            slot.host = PinnedMemory(bytes);
            slot.device = Arena(bytes);
        }
        capacity_ = bytes;
    }

    Owned<cudaStream_t> stream_;
    std::array<Slot, slots> slots_;
    std::size_t current_ = 0;
    std::int64_t capacity_ = 0;
};

}  // namespace typenet::cuda
