#include "fiber.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <new>

#if defined(__has_feature)
    #if __has_feature(address_sanitizer)
        #define TYPENET_EMULATOR_ASAN 1
    #endif
    #if __has_feature(thread_sanitizer)
        #define TYPENET_EMULATOR_TSAN 1
    #endif
#endif
#if defined(__SANITIZE_ADDRESS__)
    #define TYPENET_EMULATOR_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
    #define TYPENET_EMULATOR_TSAN 1
#endif

#ifdef TYPENET_EMULATOR_ASAN
    #include <sanitizer/asan_interface.h>
    #include <sanitizer/common_interface_defs.h>
#endif
#ifdef TYPENET_EMULATOR_TSAN
    #include <sanitizer/tsan_interface.h>
#endif

#if !TYPENET_EMULATOR_UCONTEXT
// Saves the registers that a call preserves (System V ABI, x86-64) and the stack pointer in *from,
// and loads those saved in `to`. Unlike swapcontext it leaves the signal mask alone, which costs a
// system call each time.
extern "C" void typenet_emulator_switch(void** from, void* to);
asm(R"(
.text
.globl typenet_emulator_switch
.hidden typenet_emulator_switch
.type typenet_emulator_switch, @function
typenet_emulator_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size typenet_emulator_switch, .-typenet_emulator_switch
)");
#endif

namespace emulator::detail {

namespace {

Fiber* starting = nullptr;  // the one resumed last: enter() has no argument

std::size_t page_bytes() {
    static const auto bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    return bytes;
}

#ifdef TYPENET_EMULATOR_ASAN
constexpr std::size_t stack_bytes = 256 << 10;
#else
constexpr std::size_t stack_bytes = 64 << 10;
#endif

}  // namespace

Fiber::Fiber(void (*entry)(Fiber&)) : entry_(entry), size_(page_bytes() + stack_bytes) {
    void* memory = mmap(nullptr, size_, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc{};
    memory_ = static_cast<std::byte*>(memory);
    mprotect(memory_, page_bytes(), PROT_NONE);
    static std::size_t count = 0;
    colour_ = count++ % 32 * 192;
    restart();
}

Fiber::~Fiber() {
#ifdef TYPENET_EMULATOR_TSAN
    __tsan_destroy_fiber(own_shadow_);
#endif
    munmap(memory_, size_);
}

void Fiber::clear_shadow() {
#ifdef TYPENET_EMULATOR_ASAN
    ASAN_UNPOISON_MEMORY_REGION(memory_ + page_bytes(), size_ - page_bytes());
    own_shadow_ = nullptr;
#endif
}

void Fiber::restart() {
    clear_shadow();
#ifdef TYPENET_EMULATOR_TSAN
    if (own_shadow_ != nullptr) __tsan_destroy_fiber(own_shadow_);
    own_shadow_ = __tsan_create_fiber(0);
#endif
#if TYPENET_EMULATOR_UCONTEXT
    getcontext(&own_);
    own_.uc_stack.ss_sp = memory_ + page_bytes();
    own_.uc_stack.ss_size = size_ - page_bytes() - colour_;
    own_.uc_link = nullptr;
    makecontext(&own_, &Fiber::enter, 0);
#else
    // As if enter() had been called and had saved six registers: the stack is aligned for a call.
    auto* slots = reinterpret_cast<void**>(top());
    slots[-1] = nullptr;  // where enter() would return to
    slots[-2] = reinterpret_cast<void*>(&Fiber::enter);
    for (int i = 3; i <= 8; ++i) slots[-i] = nullptr;
    own_ = slots - 8;
#endif
}

bool Fiber::in_guard(const void* address) const {
    return address >= memory_ && address < memory_ + page_bytes();
}

void Fiber::enter() {
    Fiber& self = *starting;
#ifdef TYPENET_EMULATOR_ASAN
    __sanitizer_finish_switch_fiber(nullptr, &self.resumer_stack_, &self.resumer_stack_size_);
#endif
    self.entry_(self);
    __builtin_trap();
}

void Fiber::resume() {
    starting = this;
#ifdef TYPENET_EMULATOR_ASAN
    __sanitizer_start_switch_fiber(&resumer_shadow_, memory_ + page_bytes(), size_ - page_bytes());
#endif
#ifdef TYPENET_EMULATOR_TSAN
    resumer_shadow_ = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(own_shadow_, 0);
#endif
#if TYPENET_EMULATOR_UCONTEXT
    swapcontext(&resumer_, &own_);
#else
    typenet_emulator_switch(&resumer_, own_);
#endif
#ifdef TYPENET_EMULATOR_ASAN
    __sanitizer_finish_switch_fiber(resumer_shadow_, nullptr, nullptr);
#endif
}

void Fiber::suspend() {
#ifdef TYPENET_EMULATOR_ASAN
    __sanitizer_start_switch_fiber(&own_shadow_, resumer_stack_, resumer_stack_size_);
#endif
#ifdef TYPENET_EMULATOR_TSAN
    __tsan_switch_to_fiber(resumer_shadow_, 0);
#endif
#if TYPENET_EMULATOR_UCONTEXT
    swapcontext(&own_, &resumer_);
#else
    typenet_emulator_switch(&own_, resumer_);
#endif
#ifdef TYPENET_EMULATOR_ASAN
    __sanitizer_finish_switch_fiber(own_shadow_, &resumer_stack_, &resumer_stack_size_);
#endif
}

}  // namespace emulator::detail
