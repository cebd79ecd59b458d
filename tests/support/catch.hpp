// Catch2, version 2 (one header, as in Debian 12) or version 3, under the same names.
//
// Tests include this header alone and keep to what both versions know: TEST_CASE, SECTION,
// REQUIRE..., CHECK..., TEMPLATE_TEST_CASE, GENERATE, INFO, CAPTURE, Approx, WithinAbs, WithinRel
// and WithinULP. Text is matched with ContainsText, since the versions name that matcher
// differently.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
    #include <catch2/catch_all.hpp>
using Catch::Approx;
namespace typenet_test {
inline auto ContainsText(const std::string& text) {
    return Catch::Matchers::ContainsSubstring(text);
}
}  // namespace typenet_test
#else
    #define CATCH_CONFIG_ENABLE_BENCHMARKING
    #include <catch2/catch.hpp>
namespace typenet_test {
inline auto ContainsText(const std::string& text) {
    return Catch::Matchers::Contains(text);
}
}  // namespace typenet_test
#endif

using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;
using Catch::Matchers::WithinULP;
using typenet_test::ContainsText;

/// Leaves the test case with a warning that says what this machine lacks. SKIP() exists in Catch2
/// 3.3 and later only.
#define TYPENET_SKIP(reason)         \
    do {                             \
        WARN("skipped: " << reason); \
        return;                      \
    } while (false)
