// Stands in for the tests' support/catch.hpp where nvcc compiles them: as much of Catch2 as the
// tests of the CUDA backend use, and nothing that a compiler for device code would trip over.
#pragma once

#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace gpu_test {

struct TestCase {
    const char* name;
    void (*run)();
};
std::vector<TestCase>& test_cases();

struct Registration {
    Registration(const char* name, void (*run)()) { test_cases().push_back({name, run}); }
};

/// What ends a test case.
struct Abandoned {};

/// Counts a check; prints one that fails, with the notes in scope.
void record(bool holds, const char* file, int line, const char* expression);

/// What failures within its scope say as well.
class Note {
public:
    explicit Note(std::string text);
    ~Note();
    Note(const Note&) = delete;
    Note& operator=(const Note&) = delete;
};

}  // namespace gpu_test

#define GPU_TEST_JOINED(a, b) a##b
#define GPU_TEST_NAMED(a, b) GPU_TEST_JOINED(a, b)
#define GPU_TEST_CASE(function, name)                                                              \
    static void function();                                                                        \
    static const ::gpu_test::Registration GPU_TEST_NAMED(function, _registration){name, function}; \
    static void function()

#define TEST_CASE(name) GPU_TEST_CASE(GPU_TEST_NAMED(test_case_, __COUNTER__), name)
#define INFO(...)                                                                    \
    const ::gpu_test::Note GPU_TEST_NAMED(note_, __LINE__) {                         \
        static_cast<std::ostringstream&&>(std::ostringstream{} << __VA_ARGS__).str() \
    }
#define CHECK(...) ::gpu_test::record(bool(__VA_ARGS__), __FILE__, __LINE__, #__VA_ARGS__)
#define REQUIRE(...)                                                 \
    do {                                                             \
        const bool holds = bool(__VA_ARGS__);                        \
        ::gpu_test::record(holds, __FILE__, __LINE__, #__VA_ARGS__); \
        if (!holds) throw ::gpu_test::Abandoned{};                   \
    } while (false)
#define CHECK_THROWS_AS(expression, exception)                                             \
    do {                                                                                   \
        bool thrown = false;                                                               \
        try {                                                                              \
            static_cast<void>(expression);                                                 \
        } catch (const exception&) {                                                       \
            thrown = true;                                                                 \
        }                                                                                  \
        ::gpu_test::record(thrown, __FILE__, __LINE__, #expression " throws " #exception); \
    } while (false)
