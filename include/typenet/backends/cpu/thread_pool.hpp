// A small persistent pool of threads with one operation, parallel_for.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "typenet/core/error.hpp"
#include "typenet/core/threads.hpp"

namespace typenet {

namespace cpu {

/// Runs numbered tasks on a fixed set of threads. Which thread runs a task is left open: tasks must
/// not depend on it, so that results have the same bits on any number of threads.
class ThreadPool {
public:
    using Function = void (*)(const void* context, std::int64_t task, int worker);

    /// Throws Error where `threads` is negative or the system has no more threads to give.
    explicit ThreadPool(Threads threads) {
        if (threads.count < 0)
            throw Error("threads: " + std::to_string(threads.count) +
                        " given; use 0 (one for each processor) or more");
        int count = threads.count;
        if (count == 0) count = static_cast<int>(std::thread::hardware_concurrency());
        try {
            for (int worker = 1; worker < count; ++worker)
                helpers_.emplace_back([this, worker] { serve(worker); });
        } catch (const std::system_error& error) {
            const int given = size();
            stop();
            throw Error("threads: the system gives " + std::to_string(given) + " of " +
                        std::to_string(count) + " (" + error.code().message() +
                        "); use fewer or raise its limits");
        }
    }
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;
    ~ThreadPool() { stop(); }

    /// Threads that may run tasks at the same time; worker numbers are below it.
    int size() const { return static_cast<int>(helpers_.size()) + 1; }

    /// Calls f(context, task, worker) once for each task in [0, tasks) and returns when all are
    /// done. While one caller uses the pool, another one's tasks run on that caller's own thread.
    void parallel_for(std::int64_t tasks, Function f, const void* context) {
        const std::unique_lock turn{turn_, std::try_to_lock};
        if (tasks <= 1 || helpers_.empty() || !turn.owns_lock()) {
            for (std::int64_t task = 0; task < tasks; ++task) f(context, task, 0);
            return;
        }
        {
            const std::lock_guard lock{mutex_};
            function_ = f;
            context_ = context;
            tasks_ = tasks;
            next_.store(0, std::memory_order_relaxed);
            busy_.store(static_cast<int>(helpers_.size()), std::memory_order_relaxed);
            generation_.fetch_add(1, std::memory_order_release);
        }
        wake_.notify_all();
        drain(0);
        for (int spin = 0; busy_.load(std::memory_order_acquire) != 0; ++spin)
            if (spin > spin_limit) std::this_thread::yield();
    }

private:
    static constexpr int spin_limit = 2000;

    void stop() {
        {
            const std::lock_guard lock{mutex_};
            stopping_ = true;
        }
        wake_.notify_all();
        for (std::thread& helper : helpers_) helper.join();
    }

    void drain(int worker) {
        for (;;) {
            const std::int64_t task = next_.fetch_add(1, std::memory_order_relaxed);
            if (task >= tasks_) return;
            function_(context_, task, worker);
        }
    }

    void serve(int worker) {
        std::uint64_t seen = 0;
        for (;;) {
            // Stages follow each other within microseconds, so look a while before sleeping.
            for (int spin = 0; spin < spin_limit; ++spin)
                if (generation_.load(std::memory_order_acquire) != seen) break;
            {
                std::unique_lock lock{mutex_};
                wake_.wait(lock, [&] {
                    return stopping_ || generation_.load(std::memory_order_relaxed) != seen;
                });
                if (stopping_) return;
                seen = generation_.load(std::memory_order_relaxed);
            }
            drain(worker);
            busy_.fetch_sub(1, std::memory_order_release);
        }
    }

    std::vector<std::thread> helpers_;
    std::mutex turn_;   // held by the caller whose tasks are running
    std::mutex mutex_;  // guards what follows
    std::condition_variable wake_;
    bool stopping_ = false;
    Function function_ = nullptr;
    const void* context_ = nullptr;
    std::int64_t tasks_ = 0;
    std::atomic<std::int64_t> next_{0};
    std::atomic<int> busy_{0};
    std::atomic<std::uint64_t> generation_{0};
};

}  // namespace cpu
}  // namespace typenet
