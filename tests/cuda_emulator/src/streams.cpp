// Streams, events and graphs. Nothing runs when it is asked for: work waits in its stream until the
// host waits for it, so that a forgotten wait shows as a wrong result.
#include <algorithm>
#include <set>
#include <thread>

#include "machine.hpp"

namespace emulator::detail {

namespace {

using Clock = std::chrono::steady_clock;

/// What an event stands for once it is recorded: a position in a stream.
struct Record {
    cudaStream_t stream;
    std::size_t position;  // done when the stream has done so many items
    bool is_done = false;
    Clock::time_point time{};
};

struct Item {
    Work work;                       // without `run`: record or wait
    std::shared_ptr<Record> record;  // to complete
    std::shared_ptr<Record> awaited;
};

struct Node {
    Work work;
    std::vector<std::size_t> after;
};

struct Capture {
    cudaStream_t origin;
    cudaStreamCaptureMode mode;
    std::thread::id thread;
    bool is_valid = true;
    std::vector<Node> nodes;
};

using Nodes = std::shared_ptr<const std::vector<Node>>;

}  // namespace

}  // namespace emulator::detail

using namespace emulator;
using namespace emulator::detail;

struct CUstream_st {
    bool is_blocking;  // takes turns with the legacy stream
    std::deque<Item> items{};
    std::size_t enqueued = 0;
    std::size_t done = 0;
    // While captured: the capture, and the nodes that the next one comes after.
    std::shared_ptr<Capture> capture{};
    std::vector<std::size_t> frontier{};
};

struct CUevent_st {
    bool is_timed;
    std::shared_ptr<Record> record{};
    // If recorded last in a captured stream.
    std::shared_ptr<Capture> capture{};
    std::vector<std::size_t> frontier{};
};

struct CUgraph_st {
    Nodes nodes;
};

struct CUgraphExec_st {
    Nodes nodes;
};

namespace emulator::detail {

namespace {

struct Streams {
    CUstream_st legacy{true};  // the null stream
    std::set<cudaStream_t> streams;
    std::set<cudaEvent_t> events;
    std::set<cudaGraph_t> graphs;
    std::set<cudaGraphExec_t> executables;
    std::vector<std::shared_ptr<Capture>> captures;  // those going on
};

Streams& state() {
    static Streams& the_streams = *new Streams;
    return the_streams;
}

cudaStream_t resolve(cudaStream_t stream) {
    return stream != nullptr ? stream : &state().legacy;
}

std::vector<cudaStream_t> all_streams() {
    std::vector<cudaStream_t> streams{&state().legacy};
    streams.insert(streams.end(), state().streams.begin(), state().streams.end());
    return streams;
}

// Running -----------------------------------------------------------------------------------------

void step(cudaStream_t stream) {
    Item item = std::move(stream->items.front());
    stream->items.pop_front();
    // After a bug the device does nothing more, but nobody waits for ever.
    if (item.work.run && sticky_error() == cudaSuccess) {
        item.work.run();
        check_guards(std::string("after ") + item.work.name);
    }
    if (item.record != nullptr) {
        item.record->is_done = true;
        item.record->time = Clock::now();
    }
    ++stream->done;
}

bool can_step(cudaStream_t stream) {
    if (stream->items.empty()) return false;
    const auto& awaited = stream->items.front().awaited;
    return awaited == nullptr || awaited->is_done;
}

void advance(cudaStream_t stream, std::size_t position) {
    while (stream->done < position) {
        if (!can_step(stream)) {
            const auto awaited = stream->items.front().awaited;
            advance(awaited->stream, awaited->position);
        }
        step(stream);
    }
}

// Runs a stream's items up to a position, and those of the other streams that its events demand or
// that the schedule lets run beside them.
void wait_for(cudaStream_t stream, std::size_t position) {
    if (stream->done >= position) return;
    const DeviceAccess access;
    switch (schedule().order) {
        case Order::forward:
            break;
        case Order::reversed:
            for (cudaStream_t other : all_streams()) {
                if (other != stream) advance(other, other->enqueued);
            }
            break;
        case Order::random:
            while (stream->done < position) {
                auto streams = all_streams();
                std::erase_if(streams, [](cudaStream_t s) { return !can_step(s); });
                step(streams[random_word() % streams.size()]);
            }
            break;
    }
    advance(stream, position);
}

void append(cudaStream_t stream, Item item) {
    stream->items.push_back(std::move(item));
    ++stream->enqueued;
}

std::shared_ptr<Record> append_record(cudaStream_t stream) {
    auto record = std::make_shared<Record>(Record{stream, stream->enqueued + 1});
    append(stream, {{"record", {}}, record, nullptr});
    return record;
}

void append_wait(cudaStream_t stream, std::shared_ptr<Record> awaited) {
    append(stream, {{"wait", {}}, nullptr, std::move(awaited)});
}

void run_nodes(const std::vector<Node>& nodes) {
    std::vector<bool> done(nodes.size());
    std::vector<std::size_t> free;
    for (std::size_t left = nodes.size(); left > 0; --left) {
        free.clear();
        for (std::size_t i = 0; i < nodes.size(); ++i) {
            if (!done[i] && std::all_of(nodes[i].after.begin(), nodes[i].after.end(),
                                        [&](std::size_t before) { return done[before]; })) {
                free.push_back(i);
            }
        }
        const std::size_t next = free[Permutation{free.size()}(0)];
        nodes[next].work.run();
        if (sticky_error() != cudaSuccess) return;
        done[next] = true;
    }
}

// Capturing ---------------------------------------------------------------------------------------

cudaError_t spoil(Capture& capture, cudaError_t error) {
    capture.is_valid = false;
    return error;
}

void leave_capture(const Capture& capture) {
    for (cudaStream_t stream : all_streams()) {
        if (stream->capture.get() != &capture) continue;
        stream->capture = nullptr;
        stream->frontier.clear();
    }
    std::erase_if(state().captures, [&](const auto& other) { return other.get() == &capture; });
}

}  // namespace

bool is_stream(cudaStream_t stream) {
    return stream == nullptr || state().streams.contains(stream);
}

bool is_capturing(cudaStream_t stream) {
    return resolve(stream)->capture != nullptr;
}

cudaError_t forbid_during_capture() {
    cudaError_t error = cudaSuccess;
    for (const auto& capture : state().captures) {
        const bool is_forbidden = capture->mode == cudaStreamCaptureModeGlobal ||
                                  (capture->mode == cudaStreamCaptureModeThreadLocal &&
                                   capture->thread == std::this_thread::get_id());
        if (is_forbidden) error = spoil(*capture, cudaErrorStreamCaptureUnsupported);
    }
    return error;
}

cudaError_t enqueue(cudaStream_t handle, Work work) {
    const cudaStream_t stream = resolve(handle);
    if (stream->capture != nullptr) {
        Capture& capture = *stream->capture;
        if (!capture.is_valid) return cudaErrorStreamCaptureInvalidated;
        capture.nodes.push_back({std::move(work), std::exchange(stream->frontier, {})});
        stream->frontier = {capture.nodes.size() - 1};
        return cudaSuccess;
    }
    if (stream == &state().legacy) {
        // Comes after all that the blocking streams were asked for.
        for (cudaStream_t other : all_streams()) {
            if (other == stream || !other->is_blocking) continue;
            if (other->capture != nullptr) {
                return spoil(*other->capture, cudaErrorStreamCaptureImplicit);
            }
            append_wait(stream, append_record(other));
        }
    } else if (stream->is_blocking && state().legacy.done < state().legacy.enqueued) {
        append_wait(stream, append_record(&state().legacy));
    }
    append(stream, {std::move(work), nullptr, nullptr});
    return cudaSuccess;
}

void synchronize_device() {
    const auto streams = all_streams();
    const Permutation order{streams.size()};
    for (std::size_t i = 0; i < streams.size(); ++i) {
        wait_for(streams[order(i)], streams[order(i)]->enqueued);
    }
}

void append_stream_leaks(std::vector<std::string>& lines) {
    const auto append = [&](std::size_t count, const char* what) {
        if (count > 0) lines.push_back(std::to_string(count) + " " + what);
    };
    append(state().streams.size(), "streams");
    append(state().events.size(), "events");
    append(state().graphs.size(), "graphs");
    append(state().executables.size(), "executable graphs");
}

}  // namespace emulator::detail

// Streams -----------------------------------------------------------------------------------------

cudaError_t cudaDeviceSynchronize() {
    return call("cudaDeviceSynchronize", [&] {
        for (const auto& capture : state().captures) capture->is_valid = false;
        if (!state().captures.empty()) return cudaErrorStreamCaptureUnsupported;
        synchronize_device();
        return sticky_error();
    });
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
    return call("cudaStreamCreateWithFlags", [&] {
        if (flags > cudaStreamNonBlocking) return cudaErrorInvalidValue;
        *stream = new CUstream_st{flags == cudaStreamDefault};
        state().streams.insert(*stream);
        return cudaSuccess;
    });
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    return release("cudaStreamDestroy", [&] {
        if (!state().streams.contains(stream)) return cudaErrorInvalidResourceHandle;
        if (stream->capture != nullptr) {
            const auto capture = stream->capture;
            leave_capture(*capture);
        }
        wait_for(stream, stream->enqueued);
        state().streams.erase(stream);
        delete stream;
        return cudaSuccess;
    });
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
    return call("cudaStreamSynchronize", [&] {
        if (!is_stream(handle)) return cudaErrorInvalidResourceHandle;
        const cudaStream_t stream = resolve(handle);
        if (stream->capture != nullptr) {
            return spoil(*stream->capture, cudaErrorStreamCaptureUnsupported);
        }
        wait_for(stream, stream->enqueued);
        return sticky_error();
    });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event, unsigned flags) {
    return call("cudaStreamWaitEvent", [&] {
        if (!is_stream(handle) || !state().events.contains(event)) {
            return cudaErrorInvalidResourceHandle;
        }
        if (flags != 0) return cudaErrorInvalidValue;
        const cudaStream_t stream = resolve(handle);
        if (event->capture != nullptr) {
            Capture& capture = *event->capture;
            if (stream == &state().legacy) return spoil(capture, cudaErrorStreamCaptureImplicit);
            if (stream->capture != nullptr && stream->capture != event->capture) {
                return spoil(capture, spoil(*stream->capture, cudaErrorStreamCaptureMerge));
            }
            if (std::find(state().captures.begin(), state().captures.end(), event->capture) ==
                state().captures.end()) {
                return cudaErrorCapturedEvent;  // the capture has ended
            }
            stream->capture = event->capture;
            for (const std::size_t node : event->frontier) {
                if (std::find(stream->frontier.begin(), stream->frontier.end(), node) ==
                    stream->frontier.end()) {
                    stream->frontier.push_back(node);
                }
            }
            return cudaSuccess;
        }
        if (stream->capture != nullptr) {
            return spoil(*stream->capture, cudaErrorStreamCaptureIsolation);
        }
        if (event->record != nullptr && !event->record->is_done) {
            append_wait(stream, event->record);
        }
        return cudaSuccess;
    });
}

// Events ------------------------------------------------------------------------------------------

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
    return call("cudaEventCreateWithFlags", [&] {
        if (flags > (cudaEventBlockingSync | cudaEventDisableTiming)) return cudaErrorInvalidValue;
        *event = new CUevent_st{(flags & cudaEventDisableTiming) == 0};
        state().events.insert(*event);
        return cudaSuccess;
    });
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
    return release("cudaEventDestroy", [&] {
        if (state().events.erase(event) == 0) return cudaErrorInvalidResourceHandle;
        delete event;
        return cudaSuccess;
    });
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t handle) {
    return call("cudaEventRecord", [&] {
        if (!is_stream(handle) || !state().events.contains(event)) {
            return cudaErrorInvalidResourceHandle;
        }
        const cudaStream_t stream = resolve(handle);
        event->capture = stream->capture;
        event->frontier = stream->frontier;
        if (stream->capture == nullptr) event->record = append_record(stream);
        return cudaSuccess;
    });
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
    return call("cudaEventSynchronize", [&] {
        if (!state().events.contains(event)) return cudaErrorInvalidResourceHandle;
        if (event->capture != nullptr) return spoil(*event->capture, cudaErrorCapturedEvent);
        if (event->record != nullptr && !event->record->is_done) {
            wait_for(event->record->stream, event->record->position);
        }
        return sticky_error();
    });
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
    return call("cudaEventElapsedTime", [&] {
        for (cudaEvent_t event : {start, end}) {
            if (!state().events.contains(event) || !event->is_timed || event->record == nullptr) {
                return cudaErrorInvalidResourceHandle;
            }
            if (event->capture != nullptr) return cudaErrorCapturedEvent;
        }
        if (!start->record->is_done || !end->record->is_done) return cudaErrorNotReady;
        *milliseconds =
            std::chrono::duration<float, std::milli>(end->record->time - start->record->time)
                .count();
        return cudaSuccess;
    });
}

// Graphs ------------------------------------------------------------------------------------------

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
    return call("cudaStreamBeginCapture", [&] {
        if (!is_stream(stream)) return cudaErrorInvalidResourceHandle;
        if (stream == nullptr) return cudaErrorStreamCaptureUnsupported;
        if (stream->capture != nullptr) {
            return spoil(*stream->capture, cudaErrorStreamCaptureUnsupported);
        }
        stream->capture =
            std::make_shared<Capture>(Capture{stream, mode, std::this_thread::get_id(), true, {}});
        state().captures.push_back(stream->capture);
        return cudaSuccess;
    });
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
    return call("cudaStreamEndCapture", [&] {
        *graph = nullptr;
        if (!is_stream(stream)) return cudaErrorInvalidResourceHandle;
        if (stream == nullptr || stream->capture == nullptr) return cudaErrorInvalidValue;
        const auto capture = stream->capture;
        if (capture->origin != stream) return spoil(*capture, cudaErrorStreamCaptureUnmatched);

        // What other streams did for the graph must have been waited for.
        std::vector<bool> is_joined(capture->nodes.size());
        auto reached = stream->frontier;
        while (!reached.empty()) {
            const std::size_t node = reached.back();
            reached.pop_back();
            if (is_joined[node]) continue;
            is_joined[node] = true;
            const auto& after = capture->nodes[node].after;
            reached.insert(reached.end(), after.begin(), after.end());
        }
        leave_capture(*capture);
        if (!capture->is_valid) return cudaErrorStreamCaptureInvalidated;
        if (std::find(is_joined.begin(), is_joined.end(), false) != is_joined.end()) {
            return cudaErrorStreamCaptureUnjoined;
        }
        *graph =
            new CUgraph_st{std::make_shared<const std::vector<Node>>(std::move(capture->nodes))};
        state().graphs.insert(*graph);
        return cudaSuccess;
    });
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph,
                                 unsigned long long flags) {
    return call("cudaGraphInstantiate", [&] {
        if (!state().graphs.contains(graph) || flags != 0) return cudaErrorInvalidValue;
        *executable = new CUgraphExec_st{graph->nodes};
        state().executables.insert(*executable);
        return cudaSuccess;
    });
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
    return call("cudaGraphLaunch", [&] {
        if (!is_stream(stream)) return cudaErrorInvalidResourceHandle;
        if (!state().executables.contains(executable)) return cudaErrorInvalidValue;
        return enqueue(stream,
                       {"cudaGraphLaunch", [nodes = executable->nodes] { run_nodes(*nodes); }});
    });
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    return release("cudaGraphDestroy", [&] {
        if (state().graphs.erase(graph) == 0) return cudaErrorInvalidValue;
        delete graph;
        return cudaSuccess;
    });
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
    return release("cudaGraphExecDestroy", [&] {
        if (state().executables.erase(executable) == 0) return cudaErrorInvalidValue;
        delete executable;
        return cudaSuccess;
    });
}
