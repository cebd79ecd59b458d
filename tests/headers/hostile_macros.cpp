// All headers of typenet under macros that other headers are known to define. The libraries that
// typenet builds on come before the macros: they are not under test here.
#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <bitset>
#include <boost/hana.hpp>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cmath>
#include <complex>
#include <concepts>
#include <condition_variable>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <initializer_list>
#include <iomanip>
#include <iostream>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <numbers>
#include <numeric>
#include <optional>
#include <ostream>
#include <queue>
#include <random>
#include <ranges>
#include <semaphore>
#include <set>
#include <span>
#include <sstream>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>
#if defined(__x86_64__)
    #include <immintrin.h>
#endif
#if __has_include(<unistd.h>)
    #include <dirent.h>
    #include <fcntl.h>
    #include <pthread.h>
    #include <sched.h>
    #include <sys/mman.h>
    #include <sys/stat.h>
    #include <termios.h>
    #include <unistd.h>
#endif

// clang-format off
// C's <complex.h>
#undef I
#define I            typenet_hostile_macro_I
#define complex      typenet_hostile_macro_complex
#define imaginary    typenet_hostile_macro_imaginary
// POSIX <termios.h>: the baud rates
#undef B0
#undef B50
#undef B110
#define B0           typenet_hostile_macro_B0
#define B50          typenet_hostile_macro_B50
#define B110         typenet_hostile_macro_B110
// Windows, unless NOMINMAX is set, and old programs
#define min(a, b)    typenet_hostile_macro_min
#define max(a, b)    typenet_hostile_macro_max
// Windows
#define small        typenet_hostile_macro_small
#define near         typenet_hostile_macro_near
#define far          typenet_hostile_macro_far
#define interface    typenet_hostile_macro_interface
#define IN           typenet_hostile_macro_IN
#define OUT          typenet_hostile_macro_OUT
#define CONST        typenet_hostile_macro_CONST
#define ERROR        typenet_hostile_macro_ERROR
#define DELETE       typenet_hostile_macro_DELETE
// X11
#define Bool         typenet_hostile_macro_Bool
#define None         typenet_hostile_macro_None
#define Status       typenet_hostile_macro_Status
#define Success      typenet_hostile_macro_Success
#define Always       typenet_hostile_macro_Always
#define True         typenet_hostile_macro_True
#define False        typenet_hostile_macro_False
// BSD <sys/param.h>, old glibc <sys/sysmacros.h>, Linux
#define major        typenet_hostile_macro_major
#define minor        typenet_hostile_macro_minor
#define linux        typenet_hostile_macro_linux
#define unix         typenet_hostile_macro_unix
// glog, test frameworks, PyTorch, habit
#undef CHECK
#undef DEBUG
#define CHECK(x)     typenet_hostile_macro_CHECK
#define REQUIRE(x)   typenet_hostile_macro_REQUIRE
#define LOG(x)       typenet_hostile_macro_LOG
#define FAIL(x)      typenet_hostile_macro_FAIL
#define AT_ERROR(x)  typenet_hostile_macro_AT_ERROR
#define DEBUG        typenet_hostile_macro_DEBUG
#define VERSION      typenet_hostile_macro_VERSION
#define PI           typenet_hostile_macro_PI
#define ABS(x)       typenet_hostile_macro_ABS
#define MIN(a, b)    typenet_hostile_macro_MIN
#define MAX(a, b)    typenet_hostile_macro_MAX
// Sizes, as programs name them
#define N            typenet_hostile_macro_N
#define M            typenet_hostile_macro_M
#define H            typenet_hostile_macro_H
#define W            typenet_hostile_macro_W
#define C            typenet_hostile_macro_C
#define F            typenet_hostile_macro_F
// clang-format on

#include "all_headers.hpp"
