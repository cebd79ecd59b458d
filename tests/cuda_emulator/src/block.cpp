// Runs a kernel: one block at a time, its threads on fibers. A thread that meets no barrier is a
// plain call: a fiber goes on with the block's next thread as soon as one has returned, and only a
// thread that has to wait keeps its fiber.
#include <cxxabi.h>
#include <dlfcn.h>
#include <signal.h>
#include <ucontext.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

#include "fiber.hpp"
#include "machine.hpp"

#if defined(__has_feature)
    #if __has_feature(address_sanitizer)
        #define TYPENET_EMULATOR_NO_ASAN __attribute__((no_sanitize("address")))
    #endif
#endif
#ifndef TYPENET_EMULATOR_NO_ASAN
    #define TYPENET_EMULATOR_NO_ASAN __attribute__((no_sanitize_address))
#endif

namespace emulator::detail {

BuiltIns built_ins;

namespace {

enum class State : unsigned char { running, waiting, ready, exited };

struct Thread {
    uint3 index;
    State state;
    Operation operation;
    unsigned mask;        // of a warp operation
    std::uint64_t value;  // given; after the rendezvous: received
    int lane;             // a shuffle's lane, delta or mask
    int width;
    Site site;
    Fiber* fiber;
};

constexpr unsigned warp_size = 32;
constexpr std::size_t largest_block = 1024;

bool waits_for_block(Operation operation) {
    return operation <= Operation::syncthreads_or;
}

const char* name_of(Operation operation) {
    constexpr const char* names[] = {"__syncthreads",    "__syncthreads_count", "__syncthreads_and",
                                     "__syncthreads_or", "__syncwarp",          "__shfl_sync",
                                     "__shfl_up_sync",   "__shfl_down_sync",    "__shfl_xor_sync",
                                     "__ballot_sync",    "__any_sync",          "__all_sync"};
    return names[static_cast<std::size_t>(operation)];
}

std::string text_of(const Site& site) {
    const char* slash = std::strrchr(site.file, '/');
    return std::string(slash != nullptr ? slash + 1 : site.file) + ":" + std::to_string(site.line);
}

std::string text_of(const uint3& v) {
    return "(" + std::to_string(v.x) + "," + std::to_string(v.y) + "," + std::to_string(v.z) + ")";
}

std::string hexadecimal(unsigned value) {
    constexpr char digits[] = "0123456789abcdef";
    std::string text = "0x";
    for (int shift = 28; shift >= 0; shift -= 4) text += digits[(value >> shift) & 15];
    return text;
}

/// A kernel's name if the program exports it, its address otherwise.
std::string name_of_kernel(const void* function) {
    Dl_info info{};
    if (dladdr(function, &info) == 0 || info.dli_sname == nullptr || info.dli_saddr != function) {
        return "at address " + std::to_string(reinterpret_cast<std::uintptr_t>(function));
    }
    int status = 0;
    char* demangled = abi::__cxa_demangle(info.dli_sname, nullptr, nullptr, &status);
    std::string name = demangled != nullptr ? demangled : info.dli_sname;
    std::free(demangled);
    return "'" + name + "'";
}

/// The shared memory of the running block.
class SharedMemory {
public:
    void begin_block(std::size_t dynamic_bytes) {
        used_ = 0;
        static_bytes_ = 0;
        arrays_.clear();
        if (dynamic_bytes > 0) add(nullptr, dynamic_bytes, 16, "dynamic shared memory");
    }

    struct Array {
        const void* key;  // null: the dynamic one
        std::byte* begin;
        std::size_t bytes;
        std::string name;
    };

    const Array* find(const void* key) const {
        for (const Array& array : arrays_) {
            if (array.key == key) return &array;
        }
        return nullptr;
    }

    const Array& add(const void* key, std::size_t bytes, std::size_t alignment, std::string name) {
        if (key != nullptr) static_bytes_ += bytes;
        alignment = std::max<std::size_t>(alignment, 16);
        const std::size_t begin = (used_ + canary_bytes + alignment - 1) / alignment * alignment;
        const std::size_t end = begin + bytes + canary_bytes;
        if (end > memory_.size()) std::abort();  // the limits are far below
        std::memset(memory_.data() + used_, canary, end - used_);
        poison(memory_.data() + begin, bytes);
        used_ = end;
        arrays_.push_back({key, memory_.data() + begin, bytes, std::move(name)});
        return arrays_.back();
    }

    std::size_t static_bytes() const { return static_bytes_; }

    /// What was written outside of the arrays, in words, or an empty string.
    std::string damage() const {
        const std::byte* gap = memory_.data();
        for (std::size_t i = 0; i <= arrays_.size(); ++i) {
            const std::byte* end = i < arrays_.size() ? arrays_[i].begin : memory_.data() + used_;
            const auto* bad = std::find_if(gap, end, [](std::byte b) { return b != canary_byte; });
            if (bad != end) {
                return i == 0 ? "before " + arrays_[0].name
                              : std::to_string(bad - gap) + " bytes past the end of " +
                                    arrays_[i - 1].name + " (" +
                                    std::to_string(arrays_[i - 1].bytes) + " bytes)";
            }
            if (i < arrays_.size()) gap = arrays_[i].begin + arrays_[i].bytes;
        }
        return {};
    }

private:
    static constexpr std::size_t canary_bytes = 64;
    static constexpr int canary = 0xf5;
    static constexpr std::byte canary_byte{canary};

    std::vector<std::byte> memory_ = std::vector<std::byte>(std::size_t{1} << 19);
    std::size_t used_ = 0;
    std::size_t static_bytes_ = 0;
    std::vector<Array> arrays_;
};

/// Where an address at fault was met.
struct Fault {
    const void* address;
    bool is_write;
};

class Scheduler {
public:
    void run(const Kernel& kernel);

    // Called on the running thread's fiber.
    std::uint64_t wait(Operation operation, unsigned mask, std::uint64_t value, int lane, int width,
                       Site site);
    void* shared(const void* key, std::size_t bytes, std::size_t alignment, Site site);
    void* dynamic_shared(Site site);
    /// `what` makes the text: nothing on the fiber's stack is destroyed any more.
    template <class F>
    [[noreturn]] void fail(cudaError_t error, F&& what);
    [[noreturn]] void fail(const Fault& fault);
    Fiber* running_fiber() const { return fiber_; }

private:
    void run_block();
    void resume(Fiber& fiber);
    static void run_threads(Fiber& fiber);
    bool start_next_thread();
    void release_waiting();
    bool release_warps();
    bool release_block();
    void exchange(std::size_t first, unsigned mask);
    std::string where() const;
    std::string who_waits() const;
    unsigned linear_index(uint3 i) const {
        return i.x + kernel_->block.x * (i.y + kernel_->block.y * i.z);
    }

    const Kernel* kernel_ = nullptr;
    std::vector<std::unique_ptr<Fiber>> fibers_;
    std::vector<Fiber*> idle_;
    SharedMemory shared_;

    std::array<Thread, largest_block> threads_;
    std::size_t thread_count_ = 0;
    Permutation order_{0};
    std::size_t started_ = 0;
    std::size_t exited_ = 0;
    std::vector<unsigned> waiting_, ready_;
    unsigned thread_ = 0;     // the running one
    Fiber* fiber_ = nullptr;  // the running one's
    bool fiber_is_idle_ = false;
    bool failed_ = false;
};

Scheduler& scheduler() {
    static Scheduler& the_scheduler = *new Scheduler;
    return the_scheduler;
}

// Faults ------------------------------------------------------------------------------------------

Fault fault;

// A fiber whose thread touched what it must not touch goes on here, on a stack as good as new.
[[noreturn]] TYPENET_EMULATOR_NO_ASAN void land_after_fault() {
    scheduler().fail(fault);
}

void on_segmentation_fault(int, siginfo_t* info, void* context) {
    Fiber* fiber = scheduler().running_fiber();
#if defined(__x86_64__)
    if (fiber != nullptr) {
        auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
        fault = {info->si_addr, (registers[REG_ERR] & 2) != 0};
        fiber->clear_shadow();
        // As after a call: the stack pointer is 8 off the alignment.
        registers[REG_RSP] =
            static_cast<greg_t>(reinterpret_cast<std::uintptr_t>(fiber->top()) - 8);
        registers[REG_RIP] =
            static_cast<greg_t>(reinterpret_cast<std::uintptr_t>(&land_after_fault));
        return;
    }
#endif
    // The host's own fault, or a processor we cannot go on with: say what we know and let it end
    // the program.
    static_cast<void>(context);
    const std::string text =
        "cuda emulator: segmentation fault at " + describe_address(info->si_addr) + "\n";
    std::fputs(text.c_str(), stderr);
    signal(SIGSEGV, SIG_DFL);
}

/// Catches segmentation faults while kernels run. (Test frameworks have handlers of their own.)
class CatchFaults {
public:
    CatchFaults() {
        thread_local std::vector<char> stack;
        stack_t current{};
        sigaltstack(nullptr, &current);
        if ((current.ss_flags & SS_DISABLE) != 0) {
            stack.resize(64 << 10);
            stack_t own{};
            own.ss_sp = stack.data();
            own.ss_size = stack.size();
            sigaltstack(&own, nullptr);
        }
        struct sigaction action {};
        action.sa_sigaction = on_segmentation_fault;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK;
        sigaction(SIGSEGV, &action, &before_);
    }
    ~CatchFaults() { sigaction(SIGSEGV, &before_, nullptr); }
    CatchFaults(const CatchFaults&) = delete;
    CatchFaults& operator=(const CatchFaults&) = delete;

private:
    struct sigaction before_ {};
};

// The scheduler -----------------------------------------------------------------------------------

template <class F>
void Scheduler::fail(cudaError_t error, F&& what) {
    report(error, what() + ", " + where());
    failed_ = true;
    fiber_->suspend();
    __builtin_trap();  // a failed kernel's fibers start anew
}

void Scheduler::run(const Kernel& kernel) {
    const CatchFaults catch_faults;
    kernel_ = &kernel;
    failed_ = false;
    built_ins.block_dim = kernel.block;
    built_ins.grid_dim = kernel.grid;
    thread_count_ = std::size_t{kernel.block.x} * kernel.block.y * kernel.block.z;

    const std::size_t blocks = std::size_t{kernel.grid.x} * kernel.grid.y * kernel.grid.z;
    const Permutation order{blocks};
    for (std::size_t i = 0; i < blocks && !failed_; ++i) {
        const std::size_t block = order(i);
        built_ins.block_index = {static_cast<unsigned>(block % kernel.grid.x),
                                 static_cast<unsigned>(block / kernel.grid.x % kernel.grid.y),
                                 static_cast<unsigned>(block / kernel.grid.x / kernel.grid.y)};
        run_block();
    }
    if (!failed_) check_guards("after kernel " + name_of_kernel(kernel.function));
    kernel_ = nullptr;
}

void Scheduler::run_block() {
    shared_.begin_block(kernel_->shared_bytes);
    order_ = Permutation{thread_count_};
    started_ = 0;
    exited_ = 0;
    waiting_.clear();

    while (started_ < thread_count_ && !failed_) {
        if (idle_.empty()) {
            idle_.push_back(fibers_.emplace_back(std::make_unique<Fiber>(run_threads)).get());
        }
        Fiber* fiber = idle_.back();
        idle_.pop_back();
        resume(*fiber);
    }
    while (!waiting_.empty() && !failed_) {
        release_waiting();
        const Permutation order{ready_.size()};
        for (std::size_t i = 0; i < ready_.size() && !failed_; ++i) {
            thread_ = ready_[order(i)];
            threads_[thread_].state = State::running;
            built_ins.thread_index = threads_[thread_].index;
            resume(*threads_[thread_].fiber);
        }
    }
    if (failed_) {
        // Nobody will ever wake the threads that wait.
        idle_.clear();
        for (const auto& fiber : fibers_) {
            fiber->restart();
            idle_.push_back(fiber.get());
        }
        return;
    }
    if (const std::string damage = shared_.damage(); !damage.empty()) {
        failed_ = true;
        report(cudaErrorIllegalAddress, "out-of-bounds write in shared memory, " + damage +
                                            ", in kernel " + name_of_kernel(kernel_->function) +
                                            ", block " + text_of(built_ins.block_index));
    }
}

void Scheduler::resume(Fiber& fiber) {
    fiber_ = &fiber;
    fiber_is_idle_ = false;
    fiber.resume();
    fiber_ = nullptr;
    if (fiber_is_idle_) idle_.push_back(&fiber);
}

void Scheduler::run_threads(Fiber& fiber) {
    Scheduler& self = scheduler();
    for (;;) {
        while (self.start_next_thread()) {
            bool has_thrown = false;
            try {
                self.kernel_->body();
            } catch (...) {
                has_thrown = true;
            }
            if (has_thrown) {
                self.fail(cudaErrorLaunchFailure,
                          [] { return std::string("an exception left the kernel"); });
            }
            self.threads_[self.thread_].state = State::exited;
            ++self.exited_;
        }
        self.fiber_is_idle_ = true;
        fiber.suspend();
    }
}

bool Scheduler::start_next_thread() {
    if (started_ == thread_count_) return false;
    thread_ = static_cast<unsigned>(order_(started_++));
    const dim3 block = kernel_->block;
    const uint3 index =
        block.x == thread_count_
            ? uint3{thread_, 0, 0}
            : uint3{thread_ % block.x, thread_ / block.x % block.y, thread_ / block.x / block.y};
    threads_[thread_].index = index;
    threads_[thread_].state = State::running;
    threads_[thread_].fiber = fiber_;
    built_ins.thread_index = index;
    return true;
}

std::uint64_t Scheduler::wait(Operation operation, unsigned mask, std::uint64_t value, int lane,
                              int width, Site site) {
    Thread& thread = threads_[thread_];
    thread.operation = operation;
    thread.mask = mask;
    thread.value = value;
    thread.lane = lane;
    thread.width = width;
    thread.site = site;
    if (!waits_for_block(operation)) {
        if ((mask >> (thread_ % warp_size) & 1) == 0) {
            fail(cudaErrorLaunchFailure, [&] {
                return std::string(name_of(operation)) + " at " + text_of(site) + ": the mask " +
                       hexadecimal(mask) + " leaves out the caller";
            });
        }
        if (width < 1 || width > 32 || (width & (width - 1)) != 0) {
            fail(cudaErrorLaunchFailure, [&] {
                return std::string(name_of(operation)) + " at " + text_of(site) + ": the width " +
                       std::to_string(width) + " is no power of two up to 32";
            });
        }
    }
    thread.state = State::waiting;
    waiting_.push_back(thread_);
    thread.fiber->suspend();
    return thread.value;
}

void Scheduler::release_waiting() {
    if (release_warps() || release_block()) {
        waiting_.clear();
        ready_.clear();
        for (unsigned t = 0; t < thread_count_; ++t) {
            if (threads_[t].state == State::waiting) waiting_.push_back(t);
            if (threads_[t].state == State::ready) ready_.push_back(t);
        }
        return;
    }
    failed_ = true;
    report(cudaErrorLaunchTimeout, "deadlock or divergent barrier in kernel " +
                                       name_of_kernel(kernel_->function) + ", block " +
                                       text_of(built_ins.block_index) + ":" + who_waits());
}

// Completes each warp operation for which all lanes of its mask that have not exited are there.
bool Scheduler::release_warps() {
    bool has_released = false;
    for (const unsigned t : waiting_) {
        const Thread& thread = threads_[t];
        if (thread.state != State::waiting || waits_for_block(thread.operation)) continue;
        const std::size_t first = t / warp_size * warp_size;
        bool complete = true;
        for (unsigned lane = 0; lane < warp_size && first + lane < thread_count_; ++lane) {
            const Thread& other = threads_[first + lane];
            if ((thread.mask >> lane & 1) == 0 || other.state == State::exited) continue;
            complete = complete && other.state == State::waiting &&
                       other.operation == thread.operation && other.mask == thread.mask;
        }
        if (!complete) continue;
        exchange(first, thread.mask);
        has_released = true;
    }
    return has_released;
}

void Scheduler::exchange(std::size_t first, unsigned mask) {
    std::array<std::uint64_t, warp_size> given;
    given.fill(~std::uint64_t{0});  // what lanes that take no part give: undefined, so poison
    unsigned present = 0;
    unsigned votes = 0;
    for (unsigned lane = 0; lane < warp_size && first + lane < thread_count_; ++lane) {
        const Thread& thread = threads_[first + lane];
        if ((mask >> lane & 1) == 0 || thread.state == State::exited) continue;
        given[lane] = thread.value;
        present |= 1u << lane;
        if (thread.value != 0) votes |= 1u << lane;
    }
    for (unsigned lane = 0; lane < warp_size; ++lane) {
        if ((present >> lane & 1) == 0) continue;
        Thread& thread = threads_[first + lane];
        const int width = thread.width;
        const int self = static_cast<int>(lane);
        const int begin = self / width * width;  // of the lane's segment
        int source = self;
        switch (thread.operation) {
            case Operation::shfl:
                source = begin + (thread.lane & (width - 1));
                break;
            case Operation::shfl_up:
                if (self - thread.lane >= begin) source = self - thread.lane;
                break;
            case Operation::shfl_down:
                if (self + thread.lane < begin + width) source = self + thread.lane;
                break;
            case Operation::shfl_xor:
                // Segments further up are out of reach, those further down are not.
                if ((self ^ thread.lane) < begin + width) source = self ^ thread.lane;
                break;
            case Operation::ballot:
                thread.value = votes;
                break;
            case Operation::any:
                thread.value = votes != 0;
                break;
            case Operation::all:
                thread.value = votes == present;
                break;
            default:
                break;
        }
        if (thread.operation >= Operation::shfl && thread.operation <= Operation::shfl_xor) {
            thread.value = given[static_cast<std::size_t>(source)];
        }
        thread.state = State::ready;
    }
}

// Completes the barrier for which all threads that have not exited are there.
bool Scheduler::release_block() {
    if (waiting_.size() != thread_count_ - exited_) return false;
    const Thread& first = threads_[waiting_.front()];
    std::uint64_t count = 0;
    for (const unsigned t : waiting_) {
        const Thread& thread = threads_[t];
        if (!waits_for_block(thread.operation) || thread.operation != first.operation ||
            thread.site.line != first.site.line ||
            std::strcmp(thread.site.file, first.site.file) != 0) {
            return false;
        }
        count += thread.value;
    }
    std::uint64_t result = count;
    if (first.operation == Operation::syncthreads_and) result = count == waiting_.size();
    if (first.operation == Operation::syncthreads_or) result = count != 0;
    for (const unsigned t : waiting_) {
        threads_[t].value = result;
        threads_[t].state = State::ready;
    }
    return true;
}

std::string Scheduler::where() const {
    return "in kernel " + name_of_kernel(kernel_->function) + ", block " +
           text_of(built_ins.block_index) + ", thread " + text_of(built_ins.thread_index);
}

std::string Scheduler::who_waits() const {
    struct Group {
        std::string what;
        std::size_t count = 0;
        uint3 first{};
    };
    std::vector<Group> groups;
    std::vector<unsigned> sorted = waiting_;
    std::sort(sorted.begin(), sorted.end());
    for (const unsigned t : sorted) {
        const Thread& thread = threads_[t];
        std::string what = name_of(thread.operation);
        if (!waits_for_block(thread.operation)) what += ", mask " + hexadecimal(thread.mask) + ",";
        what += " at " + text_of(thread.site) + " in " + thread.site.function;
        const auto found = std::find_if(groups.begin(), groups.end(),
                                        [&](const Group& group) { return group.what == what; });
        if (found == groups.end()) {
            groups.push_back({what, 1, thread.index});
        } else {
            ++found->count;
        }
    }
    std::string text;
    for (const Group& group : groups) {
        text += "\n  " + std::to_string(group.count) + " threads, the first " +
                text_of(group.first) + ", wait in " + group.what;
    }
    return text + "\n  " + std::to_string(exited_) + " threads have exited";
}

void* Scheduler::shared(const void* key, std::size_t bytes, std::size_t alignment, Site site) {
    if (const SharedMemory::Array* array = shared_.find(key)) {
        if (array->bytes != bytes) {
            fail(cudaErrorLaunchFailure, [&] {
                return "the shared array at " + text_of(site) + " has " + std::to_string(bytes) +
                       " bytes here and " + std::to_string(array->bytes) + " elsewhere";
            });
        }
        return array->begin;
    }
    if (shared_.static_bytes() + bytes > static_shared_limit ||
        shared_.static_bytes() + bytes + kernel_->shared_bytes > shared_limit) {
        fail(cudaErrorLaunchOutOfResources, [&] {
            return "the shared array at " + text_of(site) +
                   " brings the block's static shared memory to " +
                   std::to_string(shared_.static_bytes() + bytes) + " bytes (at most " +
                   std::to_string(static_shared_limit) + ", and with the dynamic part " +
                   std::to_string(shared_limit) + ")";
        });
    }
    return shared_.add(key, bytes, alignment, "the array at " + text_of(site)).begin;
}

void* Scheduler::dynamic_shared(Site site) {
    if (const SharedMemory::Array* array = shared_.find(nullptr)) return array->begin;
    fail(cudaErrorLaunchFailure, [&] {
        return "dynamic shared memory is used at " + text_of(site) +
               ", but the launch asked for 0 bytes of it";
    });
}

void Scheduler::fail(const Fault& at) {
    if (fiber_->in_guard(at.address)) {
        fail(cudaErrorLaunchOutOfResources, [&] { return std::string("stack overflow"); });
    }
    fail(cudaErrorIllegalAddress, [&] {
        const bool freed = describe_address(at.address).ends_with("freed");
        return std::string(freed ? "use after free: " : "illegal address: ") +
               (at.is_write ? "write to " : "read of ") + describe_address(at.address);
    });
}

Scheduler& running_scheduler(const char* what, Site site) {
    if (scheduler().running_fiber() == nullptr) {
        throw std::logic_error(std::string(what) + " at " + text_of(site) +
                               " is called outside of a kernel");
    }
    return scheduler();
}

}  // namespace

int block_barrier(Operation operation, int predicate, Site site) {
    return static_cast<int>(running_scheduler(name_of(operation), site)
                                .wait(operation, 0, predicate != 0, 0, 32, site));
}

std::uint64_t warp_exchange(Operation operation, unsigned mask, std::uint64_t value, int lane,
                            int width, Site site) {
    return running_scheduler(name_of(operation), site)
        .wait(operation, mask, value, lane, width, site);
}

void trap(Site site) {
    running_scheduler("__trap", site).fail(cudaErrorLaunchFailure, [&] {
        return "__trap at " + text_of(site);
    });
}

void* shared(const void* key, std::size_t bytes, std::size_t alignment, Site site) {
    return running_scheduler("shared memory", site).shared(key, bytes, alignment, site);
}

void* dynamic_shared(Site site) {
    return running_scheduler("dynamic shared memory", site).dynamic_shared(site);
}

void run(const Kernel& kernel) {
    scheduler().run(kernel);
}

namespace {

std::map<const void*, std::size_t>& dynamic_shared_limits() {
    static auto& limits = *new std::map<const void*, std::size_t>;
    return limits;
}

}  // namespace

cudaError_t enqueue_kernel(const void* function, dim3 grid, dim3 block, std::size_t shared_bytes,
                           cudaStream_t stream, std::function<void()> body) {
    return call("launch", [&] {
        if (function == nullptr) return cudaErrorInvalidDeviceFunction;
        if (!is_stream(stream)) return cudaErrorInvalidResourceHandle;
        const bool grid_fits = grid.x >= 1 && grid.y >= 1 && grid.z >= 1 && grid.x <= 0x7fffffff &&
                               grid.y <= 65535 && grid.z <= 65535;
        const bool block_fits = block.x >= 1 && block.y >= 1 && block.z >= 1 && block.x <= 1024 &&
                                block.y <= 1024 && block.z <= 64 &&
                                std::size_t{block.x} * block.y * block.z <= largest_block;
        if (!grid_fits || !block_fits) return cudaErrorInvalidConfiguration;
        const auto limit = dynamic_shared_limits().find(function);
        if (shared_bytes >
            (limit == dynamic_shared_limits().end() ? static_shared_limit : limit->second)) {
            return cudaErrorInvalidValue;
        }
        return enqueue(stream, {"launch", [kernel = Kernel{function, grid, block, shared_bytes,
                                                           std::move(body)}] { run(kernel); }});
    });
}

}  // namespace emulator::detail

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute, int value) {
    using namespace emulator::detail;
    return call("cudaFuncSetAttribute", [&] {
        if (value < 0 || static_cast<std::size_t>(value) > shared_limit) {
            return cudaErrorInvalidValue;
        }
        dynamic_shared_limits()[kernel] = static_cast<std::size_t>(value);
        return cudaSuccess;
    });
}
