// Shuffled batches of a data set, gathered ahead of their use by threads of their own.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iterator>
#include <limits>
#include <mutex>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "typenet/core/error.hpp"
#include "typenet/core/random.hpp"
#include "typenet/core/shape.hpp"
#include "typenet/core/torch_generator.hpp"
#include "typenet/data/augment.hpp"
#include "typenet/data/dataset.hpp"
#include "typenet/data/shuffle.hpp"

namespace typenet {

/// Some images with their labels. The memory is the loader's: valid until the next batch is asked
/// for.
struct ImageBatch {
    std::span<const std::uint8_t> pixels;  ///< images x channels x height x width
    std::span<const std::int32_t> labels;
    Shape image_shape;
    std::int64_t index = 0;  ///< number of this batch within its epoch
    /// The loader's: which images of the data set. Empty where pixels are augmented.
    std::span<const std::uint32_t> indices{};

    std::int64_t size() const { return static_cast<std::int64_t>(labels.size()); }
};

/// Throws ShapeError unless a batch holds the pixels of its images.
inline void require_pixels(const ImageBatch& batch) {
    const std::int64_t wanted = batch.size() * batch.image_shape.size();
    if (static_cast<std::int64_t>(batch.pixels.size()) != wanted)
        throw ShapeError("a batch of " + std::to_string(batch.size()) + " images of " +
                         to_string(batch.image_shape) + " came with " +
                         std::to_string(batch.pixels.size()) + " bytes of pixels, not " +
                         std::to_string(wanted) +
                         "; where the Loader does not gather, give the DeviceImages as well");
}
/// Throws ShapeError unless a batch names each of its images by an index into `dataset`.
inline void require_indices(const ImageBatch& batch, const Dataset& dataset) {
    if (batch.indices.size() != batch.labels.size())
        throw ShapeError("a batch of " + std::to_string(batch.size()) + " images names " +
                         std::to_string(batch.indices.size()) +
                         " by their indices; take it from a Loader");
    for (const std::uint32_t index : batch.indices)
        if (index >= dataset.size())
            throw ShapeError("a batch names image " + std::to_string(index) + " of " +
                             std::to_string(dataset.size()) +
                             "; take it from a Loader of the same data set");
}

struct LoaderOptions {
    std::int64_t batch = 4;
    bool shuffle = true;  ///< otherwise in the order of the data set
    Seed seed{};
    bool drop_last = false;  ///< leaves out the last batch where it is not full
    int prefetch = 2;        ///< batches gathered ahead of the one in use
    int threads = 1;         ///< threads that gather
    /// Whether a batch has its images' pixels. Otherwise it has labels and indices alone, for a
    /// DeviceImages; no thread is started and nothing is copied.
    bool gather = true;
    /// Random changes of the pixels, drawn under `seed`. Needs `gather`.
    Augmentation augmentation{};
    /// Where given, epochs are shuffled as PyTorch does it after its default generator was left in
    /// this state, and not under `seed`: see shuffle().
    std::optional<TorchGenerator> torch{};
};

/// Gives the batches of a data set, epoch by epoch:
///
///     Loader loader{dataset, {.batch = 64, .seed = Seed{1}}};
///     for (int e = 0; e < epochs; ++e)
///         for (const ImageBatch& batch : loader.epoch(e)) ...
///
/// The order of an epoch depends on nothing but the seed (or `torch`) and the epoch's number. The
/// data set must outlive the loader, and the loader its epochs.
class Loader {
public:
    class Epoch;

    /// Throws Error where an option is out of range or the data set is empty or not valid.
    explicit Loader(const Dataset& dataset, const LoaderOptions& options = {})
        : dataset_(&dataset), options_(options) {
        const auto require_positive = [](std::int64_t value, const char* option) {
            if (value < 1)
                throw Error("Loader: " + std::string(option) + " is " + std::to_string(value) +
                            "; give 1 or more");
        };
        require_positive(options.batch, "batch");
        require_positive(options.prefetch, "prefetch");
        require_positive(options.threads, "threads");
        dataset.validate();
        if (options.augmentation) {
            options.augmentation.require_fit(dataset.image_shape);
            if (!options.gather)
                throw Error(
                    "Loader: augmentation changes pixels, which are not gathered; set gather");
        }
        if (dataset.size() == 0) throw Error("Loader: the data set is empty; give it an image");
        if (dataset.size() > (std::numeric_limits<std::uint32_t>::max)())
            throw Error("Loader: the data set holds 2^32 images or more; split it");
        if (batches_per_epoch() == 0)
            throw Error("Loader: with drop_last, " + std::to_string(dataset.size()) +
                        " images make no batch of " + std::to_string(options.batch) +
                        "; take a smaller batch");
    }
    Loader(const Dataset&&, const LoaderOptions& = {}) = delete;  // it would not outlive the loader

    const Dataset& dataset() const { return *dataset_; }
    const LoaderOptions& options() const { return options_; }

    std::int64_t batches_per_epoch() const {
        const std::int64_t whole = dataset_->size() / options_.batch;
        const bool ragged = dataset_->size() % options_.batch != 0;
        return whole + (ragged && !options_.drop_last ? 1 : 0);
    }

    /// The images of an epoch (0 or more), in the order in which it visits them.
    std::vector<std::uint32_t> order(std::int64_t epoch) const {
        if (epoch < 0)
            throw Error("Loader: the epoch is " + std::to_string(epoch) + "; give 0 or more");
        std::vector<std::uint32_t> images(static_cast<std::size_t>(dataset_->size()));
        std::iota(images.begin(), images.end(), std::uint32_t{0});
        if (options_.shuffle && options_.torch) {
            typenet::shuffle(images, *options_.torch, epoch);
        } else if (options_.shuffle) {
            RandomStream random{options_.seed, Purpose::shuffling,
                                static_cast<std::uint64_t>(epoch)};
            typenet::shuffle(images, random);
        }
        return images;
    }

    /// The batches of an epoch, from `first_batch` (0..batches_per_epoch()) on. Its threads start
    /// here and end with it. Throws Error where a number is out of range.
    Epoch epoch(std::int64_t epoch, std::int64_t first_batch = 0) const;

private:
    const Dataset* dataset_;
    LoaderOptions options_;
};

namespace detail {

/// Copies the chosen images side by side, as an epoch changes them.
inline void gather_pixels(const Dataset& dataset, std::span<const std::uint32_t> images,
                          const LoaderOptions& options, std::int64_t epoch,
                          std::span<std::uint8_t> pixels) {
    const auto size = static_cast<std::size_t>(dataset.image_shape.size());
    for (std::size_t i = 0; i < images.size(); ++i) {
        const auto image = dataset.image(images[i]);
        const auto place = pixels.subspan(i * size, size);
        if (options.augmentation)
            augment(options.augmentation, options.seed, static_cast<std::uint64_t>(epoch),
                    images[i], image, dataset.image_shape, place);
        else
            std::copy(image.begin(), image.end(), place.begin());
    }
}
/// The same of their labels.
inline void gather_labels(const Dataset& dataset, std::span<const std::uint32_t> images,
                          std::span<std::int32_t> labels) {
    for (std::size_t i = 0; i < images.size(); ++i) labels[i] = dataset.labels[images[i]];
}

}  // namespace detail

/// The batches of one epoch, to be gone through once, by one thread. It may be left at any point.
/// All its memory is allocated before the first batch.
class Loader::Epoch {
public:
    class Iterator {
    public:
        using value_type = ImageBatch;
        using difference_type = std::ptrdiff_t;

        const ImageBatch& operator*() const { return epoch_->current_; }
        const ImageBatch* operator->() const { return &epoch_->current_; }
        Iterator& operator++() {
            epoch_->advance();
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const Iterator& iterator, std::default_sentinel_t) {
            return iterator.epoch_->finished();
        }

    private:
        friend class Epoch;
        explicit Iterator(Epoch& epoch) : epoch_(&epoch) {}
        Epoch* epoch_;
    };

    Epoch(const Epoch&) = delete;
    Epoch& operator=(const Epoch&) = delete;
    ~Epoch() { stop(); }

    /// Waits for the batch that comes next. Rethrows what a gathering thread has thrown.
    Iterator begin() {
        wait_for_current();
        return Iterator{*this};
    }
    std::default_sentinel_t end() const { return {}; }
    bool finished() const { return used_ == last_; }

private:
    friend class Loader;

    // Batch b lives in slot b % slots, from the time a thread starts to gather it until the
    // consumer asks for the next one.
    struct Slot {
        std::vector<std::uint8_t> pixels;
        std::vector<std::int32_t> labels;
        bool ready = false;
    };

    Epoch(const Loader& loader, std::int64_t epoch, std::int64_t first_batch)
        : dataset_(*loader.dataset_),
          batch_((std::min)(loader.options_.batch, dataset_.size())),
          options_(loader.options_),
          epoch_(epoch),
          order_(loader.order(epoch)),
          claimed_(first_batch),
          used_(first_batch),
          last_(loader.batches_per_epoch()) {
        if (first_batch < 0 || first_batch > last_)
            throw Error("Loader: the first batch is " + std::to_string(first_batch) +
                        "; give 0 to " + std::to_string(last_));
        const std::int64_t left = last_ - first_batch;
        const std::int64_t ahead = options_.gather ? loader.options_.prefetch : 0;
        slots_.resize(static_cast<std::size_t>((std::min)(left, ahead + 1)));
        for (Slot& slot : slots_) {
            if (options_.gather)
                slot.pixels.resize(static_cast<std::size_t>(batch_ * dataset_.image_shape.size()));
            slot.labels.resize(static_cast<std::size_t>(batch_));
        }
        const auto threads =
            options_.gather ? (std::min)(left, std::int64_t{loader.options_.threads}) : 0;
        try {
            for (std::int64_t i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
        } catch (const std::system_error& error) {
            stop();
            throw Error("Loader: the system gives " + std::to_string(threads_.size()) + " of " +
                        std::to_string(threads) + " threads (" + error.code().message() +
                        "); use fewer or raise its limits");
        }
    }

    Slot& slot_of(std::int64_t batch) {
        return slots_[static_cast<std::size_t>(batch) % slots_.size()];
    }
    /// The images of a batch.
    std::span<const std::uint32_t> indices_of(std::int64_t batch) const {
        const std::int64_t first = batch * batch_;
        return std::span{order_}.subspan(
            static_cast<std::size_t>(first),
            static_cast<std::size_t>((std::min)(batch_, dataset_.size() - first)));
    }

    /// What a thread does: claims the next batch once its slot is free, and gathers it.
    void work() {
        std::unique_lock lock(mutex_);
        try {
            while (true) {
                slot_freed_.wait(lock, [this] {
                    return stopping_ || claimed_ == last_ ||
                           claimed_ - used_ < static_cast<std::int64_t>(slots_.size());
                });
                if (stopping_ || claimed_ == last_) return;
                const std::int64_t batch = claimed_++;
                Slot& slot = slot_of(batch);
                lock.unlock();
                detail::gather_pixels(dataset_, indices_of(batch), options_, epoch_, slot.pixels);
                detail::gather_labels(dataset_, indices_of(batch), slot.labels);
                lock.lock();
                slot.ready = true;
                batch_ready_.notify_one();
            }
        } catch (...) {
            if (!lock.owns_lock()) lock.lock();
            stopping_ = true;
            failure_ = std::current_exception();
            batch_ready_.notify_one();
            slot_freed_.notify_all();
        }
    }

    void wait_for_current() {
        if (finished()) return;
        Slot& slot = slot_of(used_);
        const std::span indices = indices_of(used_);
        const auto image_bytes = static_cast<std::size_t>(dataset_.image_shape.size());
        if (options_.gather) {
            std::unique_lock lock(mutex_);
            batch_ready_.wait(lock, [&] { return slot.ready || failure_; });
            if (!slot.ready) std::rethrow_exception(failure_);
        } else {
            detail::gather_labels(dataset_, indices, slot.labels);
        }
        current_ = {
            std::span(slot.pixels).first(options_.gather ? indices.size() * image_bytes : 0),
            std::span(slot.labels).first(indices.size()), dataset_.image_shape, used_,
            options_.augmentation ? std::span<const std::uint32_t>{} : indices};
    }

    void advance() {
        {
            const std::lock_guard lock(mutex_);
            slot_of(used_).ready = false;
            ++used_;
        }
        slot_freed_.notify_one();
        wait_for_current();
    }

    void stop() {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        slot_freed_.notify_all();
        for (std::thread& thread : threads_) thread.join();
    }

    const Dataset& dataset_;
    const std::int64_t batch_;
    const LoaderOptions options_;
    const std::int64_t epoch_;
    const std::vector<std::uint32_t> order_;
    std::vector<Slot> slots_;
    ImageBatch current_;

    std::mutex mutex_;  // guards what follows, and whether a slot is ready
    std::condition_variable slot_freed_;
    std::condition_variable batch_ready_;
    std::int64_t claimed_;  // the next batch to gather
    std::int64_t used_;     // the batch that the consumer holds; written by the consumer only
    const std::int64_t last_;
    bool stopping_ = false;
    std::exception_ptr failure_;
    std::vector<std::thread> threads_;
};

inline Loader::Epoch Loader::epoch(std::int64_t epoch, std::int64_t first_batch) const {
    return Epoch(*this, epoch, first_batch);
}

}  // namespace typenet
