// The few functions of <cmath> that layers need, also inside constant expressions.
//
// At run time they are the standard library's. While the compiler evaluates, they are series that
// agree with it to a few units in the last place of a double.
#pragma once

#include <cmath>
#include <limits>
#include <type_traits>

namespace typenet::reference {

namespace detail {

inline constexpr double ln2 = 0.693147180559945309417232121458176568;

constexpr double exp_series(double x) {
    if (x != x) return x;
    if (x > 709.78) return std::numeric_limits<double>::infinity();
    if (x < -708.39) return 0;  // where subnormal results would begin
    // x = halvings * ln 2 + rest with |rest| <= ln 2 / 2
    const int halvings = static_cast<int>(x / ln2 + (x < 0 ? -0.5 : 0.5));
    const double rest = x - halvings * ln2;
    double term = 1;
    double sum = 1;
    for (int n = 1; n <= 18; ++n) {
        term *= rest / n;
        sum += term;
    }
    for (int n = 0; n < halvings; ++n) sum *= 2;
    for (int n = 0; n > halvings; --n) sum /= 2;
    return sum;
}

constexpr double log_series(double x) {
    if (x != x || x < 0) return std::numeric_limits<double>::quiet_NaN();
    if (x == 0) return -std::numeric_limits<double>::infinity();
    if (x == std::numeric_limits<double>::infinity()) return x;
    // x = mantissa * 2^exponent with the mantissa around 1
    int exponent = 0;
    for (; x > 1.4142135623730951; x /= 2) ++exponent;
    for (; x < 0.7071067811865476; x *= 2) --exponent;
    // log x = 2 artanh s
    const double s = (x - 1) / (x + 1);
    double power = s;
    double sum = 0;
    for (int n = 1; n <= 41; n += 2) {
        sum += power / n;
        power *= s * s;
    }
    return 2 * sum + exponent * ln2;
}

constexpr double sqrt_newton(double x) {
    if (x != x || x < 0) return std::numeric_limits<double>::quiet_NaN();
    if (x == 0 || x == std::numeric_limits<double>::infinity()) return x;
    // From above, Newton's iteration falls until it has arrived.
    double root = x > 1 ? x : 1;
    for (double next = (root + x / root) / 2; next < root; next = (root + x / root) / 2)
        root = next;
    return root;
}

}  // namespace detail

template <class T>
constexpr T exp(T x) {
    if (std::is_constant_evaluated()) return static_cast<T>(detail::exp_series(x));
    return std::exp(x);
}

template <class T>
constexpr T log(T x) {
    if (std::is_constant_evaluated()) return static_cast<T>(detail::log_series(x));
    return std::log(x);
}

/// x^y for x > 0.
template <class T>
constexpr T pow(T x, T y) {
    if (std::is_constant_evaluated())
        return static_cast<T>(detail::exp_series(y * detail::log_series(x)));
    return std::pow(x, y);
}

template <class T>
constexpr T sqrt(T x) {
    if (std::is_constant_evaluated()) return static_cast<T>(detail::sqrt_newton(x));
    return std::sqrt(x);
}

}  // namespace typenet::reference
