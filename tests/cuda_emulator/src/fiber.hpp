// Stackful coroutines: each has its own guarded stack, and control goes back and forth between it
// and the thread that resumes it.
#pragma once

#include <cstddef>

#if !defined(__x86_64__) || defined(TYPENET_EMULATOR_UCONTEXT)
    #define TYPENET_EMULATOR_UCONTEXT 1
    #include <ucontext.h>
#else
    #define TYPENET_EMULATOR_UCONTEXT 0
#endif

namespace emulator::detail {

class Fiber {
public:
    /// `entry` never returns.
    explicit Fiber(void (*entry)(Fiber&));
    ~Fiber();
    Fiber(const Fiber&) = delete;
    Fiber& operator=(const Fiber&) = delete;

    /// Runs the fiber until it suspends itself.
    void resume();
    /// Called on the fiber: goes back to who resumed it.
    void suspend();
    /// Forgets what the fiber was doing: when it is resumed next, it enters anew.
    void restart();
    /// Tells the address sanitizer that nothing on the stack is in use.
    void clear_shadow();

    /// Whether an address is in the page below the stack, where an overflow ends up.
    bool in_guard(const void* address) const;
    /// The highest address of the stack, aligned to 16 bytes.
    std::byte* top() const { return memory_ + size_ - colour_; }

private:
    static void enter();

    void (*entry_)(Fiber&);
    std::byte* memory_ = nullptr;
    std::size_t size_ = 0;
    std::size_t colour_ = 0;  // bytes left out, so that not all stacks meet in the same cache lines
#if TYPENET_EMULATOR_UCONTEXT
    ucontext_t own_{};
    ucontext_t resumer_{};
#else
    void* own_ = nullptr;  // the saved stack pointers
    void* resumer_ = nullptr;
#endif
    // What the sanitizers want to know.
    [[maybe_unused]] void* own_shadow_ = nullptr;
    [[maybe_unused]] void* resumer_shadow_ = nullptr;
    [[maybe_unused]] const void* resumer_stack_ = nullptr;
    [[maybe_unused]] std::size_t resumer_stack_size_ = 0;
};

}  // namespace emulator::detail
