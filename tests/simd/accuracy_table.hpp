#pragma once

#include <cmath>
#include <limits>
#include <prefopt/link/bounded.hpp>
#include <prefopt/link/cauchy.hpp>
#include <prefopt/link/discovered.hpp>
#include <prefopt/link/focused.hpp>
#include <prefopt/link/logistic.hpp>
#include <prefopt/link/misread.hpp>
#include <prefopt/logprob/row_exp.hpp>
#include <prefopt/logprob/row_tanh.hpp>
#include <prefopt/simd/math.hpp>
#include <vector>

#include "oracle/bits.hpp"

// The accuracy table of prefopt::math and of the links: every function of the headers with a stated largest error, on
// batches of both types, and its textbook formula, which is not the one that the header uses.

namespace accuracy {

namespace math = prefopt::math;
using oracle::real;

template <class T>
using lanes = xsimd::batch<T>;

/// In double it is exact enough for a float, and many times as fast.
struct formula {
  template <class Formula>
  formula(Formula written) : in_long_double{written}, in_double{written} {}

  real (*in_long_double)(real);
  double (*in_double)(double);
};

template <class T>
struct row {
  char const* name;
  lanes<T> (*function)(lanes<T> const&);
  formula exact;
  T low, high;
  double stated;             ///< largest error, from the header's comment
  bool is_absolute = false;  ///< the error is, instead of in ULP
};

/// The least x whose exp is a normal number: results below are flushed to 0, see special_values.cpp.
template <class T>
T const lowest = std::nextafter(static_cast<T>(std::log(static_cast<real>(std::numeric_limits<T>::min()))), T(0));

// log(1 + e^x); e^x overflows only where the 1 is lost anyway.
constexpr auto exact_softplus = [](auto x) {
  if (x > 100) return x;
  return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
};
constexpr auto exact_sigmoid = [](auto x) { return 1 / (1 + std::exp(-x)); };

// exp(x) - 1 - x, by its series where that would cancel.
constexpr auto exact_rest = [](auto x) {
  using number = decltype(x);
  if (std::fabs(x) > number(0.5)) return std::expm1(x) - x;
  number sum = 0, term = x;
  for (int n = 2; n < 30; ++n) sum += term *= x / number(n);
  return sum;
};

/// P of a preference under the Cauchy distribution, and what it lacks to 1.
template <class Number>
Number cauchy_tail(Number z) {
  Number const pi = std::acos(Number(-1));
  return z > 0 ? std::atan(1 / z) / pi : z == 0 ? Number(0.5) : 1 - std::atan(-1 / z) / pi;
}

template <class T>
std::vector<row<T>> table_of_math() {
  using V = lanes<T>;
  T const low = lowest<T>, far = T(1e4), least = std::numeric_limits<T>::min(), most = std::numeric_limits<T>::max();
  T const exp_highest = std::nextafter(static_cast<T>(std::log(static_cast<real>(most))), T(0));
  auto const log1p_unbounded = [](V const& x) { return math::log1p_unbounded(x); };
  auto const exact_log1p = [](auto x) { return std::log1p(x); };
  auto const exp_of_any = [](V const& x) { return math::exp_of_any(x); };
  auto const exact_exp = [](auto x) { return std::exp(x); };
  auto const exp_minus_1 = [](V const& x) { return math::expm1_with_rest(x).value; };
  auto const exact_expm1 = [](auto x) { return std::expm1(x); };
  auto const rest = [](V const& x) { return math::expm1_with_rest(x).beyond_linear; };
  auto const log = [](V const& x) { return math::log(x); };
  auto const exact_log = [](auto x) { return std::log(x); };
  auto const exact_tanh = [](auto x) { return std::tanh(x); };
  auto const exact_tanh_slope = [](auto x) { return 1 / (std::cosh(x) * std::cosh(x)); };
  auto const exact_normal_cdf = [](auto x) { return std::erfc(-x / std::sqrt(decltype(x)(2))) / 2; };
  auto const softplus_negated = [](auto x) { return exact_softplus(-x); };
  auto const sigmoid_negated = [](auto x) { return exact_sigmoid(-x); };
  return {
      {"exp(x)", [](V const& x) { return math::exp(x); }, exact_exp, low, T(-0.0), 1.3},
      {"exp_of_any(x)", exp_of_any, exact_exp, low, exp_highest, 1.3},
      {"expm1(x)", [](V const& x) { return math::expm1(x); }, exact_expm1, -far, T(-0.0), 1.3},
      {"expm1_with_rest", exp_minus_1, exact_expm1, -far, exp_highest, 2.5},
      {"expm1_with_rest", exp_minus_1, exact_expm1, T(-1), T(1), 2.5},
      {"its rest", rest, exact_rest, -far, exp_highest, 10},
      {"its rest", rest, exact_rest, T(-1), T(1), 10},
      {"its rest", rest, exact_rest, T(-1e-3), T(1e-3), 10},
      {"log1p(x)", [](V const& x) { return math::log1p(x); }, exact_log1p, T(0), T(1), 1.4},
      {"log1p_unbounded", log1p_unbounded, exact_log1p, T(0), most, 1.9},
      {"log1p_unbounded", log1p_unbounded, exact_log1p, T(0.5), T(300), 1.9},
      {"log(x)", log, exact_log, least, most, 1.4},
      // Where it is small: from the fraction alone, with the change of the exponent at sqrt(2) and sqrt(1/2).
      {"log(x)", log, exact_log, T(0.6), T(1.6), 1.4},
      {"log(x)", log, exact_log, T(0.999), T(1.001), 1.4},
      {"sqrt(x)", [](V const& x) { return math::sqrt(x); }, [](auto x) { return std::sqrt(x); }, T(0), most, 0.5},
      {"arctangent(x)", [](V const& x) { return math::arctangent(x); }, [](auto x) { return std::atan(x); }, T(0), T(1),
       1.9},
      {"tanh(x)", [](V const& x) { return math::tanh(x).tanh; }, exact_tanh, -most, most, 3.3},
      {"tanh(x)", [](V const& x) { return math::tanh(x).tanh; }, exact_tanh, T(-20), T(20), 3.3},
      {"tanh'(x)", [](V const& x) { return math::tanh(x).slope; }, exact_tanh_slope, low / 2 + 1, -low / 2 - 1, 4.8},
      {"normal_cdf(x)", [](V const& x) { return math::normal_cdf(x); }, exact_normal_cdf, T(-40), T(40),
       sizeof(T) == 4 ? 1e-7 : 4e-15, true},
      {"softplus(x)", [](V const& x) { return math::logistic(x).softplus; }, exact_softplus, low, far, 2.3},
      {"softplus(-x)", [](V const& x) { return math::logistic(x).softplus_negated; }, softplus_negated, -far, -low,
       2.3},
      {"sigma(x)", [](V const& x) { return math::logistic(x).sigmoid; }, exact_sigmoid, low, far, 3},
      {"sigma(-x)", [](V const& x) { return math::logistic(x).sigmoid_negated; }, sigmoid_negated, -far, -low, 3},
  };
}

template <class T>
std::vector<row<T>> table_of_links() {
  using namespace prefopt;
  using V = lanes<T>;
  T const low = lowest<T>, far = T(1e4);
  // From there on the value of cauchy is that of infinity.
  T const farthest = 1 / std::numeric_limits<T>::min();
  // From there on the slope of cauchy is below the normal numbers.
  T const largest_square = 1 / std::sqrt(8 * std::numeric_limits<T>::min());
  auto const softplus_negated = [](auto z) { return exact_softplus(-z); };
  auto const logistic_slope = [](auto z) { return -exact_sigmoid(-z); };
  auto const logistic_slope_at_minus = [](auto z) { return -exact_sigmoid(z); };
  auto const bounded_value = [](auto z) { return exact_sigmoid(-z); };
  auto const bounded_slope = [](auto z) { return -exact_sigmoid(-z) * exact_sigmoid(z); };
  auto const cauchy_value = [](auto z) { return z > 0 ? -std::log1p(-cauchy_tail(z)) : -std::log(cauchy_tail(-z)); };
  auto const cauchy_slope = [](auto z) {
    auto const pi = std::acos(decltype(z)(-1));
    return -1 / (pi * (1 + z * z) * cauchy_tail(-z));
  };
  auto const on_wrong_value = [](auto z) {
    auto const weight = z > 0 ? 4 * exact_sigmoid(-z) * exact_sigmoid(-z) : 1;
    return weight * exact_softplus(-z);
  };
  auto const on_wrong_slope = [](auto z) {
    if (z <= 0) return -exact_sigmoid(-z);
    auto const weight = 4 * exact_sigmoid(-z) * exact_sigmoid(-z);
    return -weight * (2 * exact_sigmoid(z) * exact_softplus(-z) + exact_sigmoid(-z));
  };
  auto const on_right_value = [](auto z) {
    return std::exp(decltype(z)(-0.05) * exact_softplus(-z)) * exact_softplus(-z);
  };
  // The label 1 with the rates 1/4 and 1/8: numbers that no type rounds.
  auto const misread_value = [](auto z) {
    using number = decltype(z);
    return -std::log(number(0.875) * exact_sigmoid(z) + number(0.25) * exact_sigmoid(-z));
  };
  auto const misread_slope = [](auto z) {
    using number = decltype(z);
    return -number(0.625) * exact_sigmoid(z) * exact_sigmoid(-z) /
           (number(0.875) * exact_sigmoid(z) + number(0.25) * exact_sigmoid(-z));
  };
  return {
      {"logistic", [](V const& z) { return logistic{}(z).value; }, softplus_negated, -far, -low, 2.3},
      {"logistic'", [](V const& z) { return logistic{}(z).slope; }, logistic_slope, -far, -low, 3},
      {"logistic at -z", [](V const& z) { return logistic{}.at_both_signs(z).minus.value; }, exact_softplus, low, far,
       2.3},
      {"logistic' at -z", [](V const& z) { return logistic{}.at_both_signs(z).minus.slope; }, logistic_slope_at_minus,
       low, far, 3},
      {"bounded", [](V const& z) { return bounded{}(z).value; }, bounded_value, -far, -low, 3},
      {"bounded'", [](V const& z) { return bounded{}(z).slope; }, bounded_slope, low, -low, 5.4},
      {"cauchy", [](V const& z) { return cauchy{}(z).value; }, cauchy_value, -farthest, farthest, 4.1},
      {"cauchy'", [](V const& z) { return cauchy{}(z).slope; }, cauchy_slope, -largest_square, largest_square, 5.7},
      {"focused_on_right", [](V const& z) { return focused_on_right{}(z).value; }, on_right_value, T(-100), -low, 9},
      {"focused_on_wrong", [](V const& z) { return focused_on_wrong{}(z).value; }, on_wrong_value, -far, T(0), 2.5},
      {"focused_on_wrong", [](V const& z) { return focused_on_wrong{}(z).value; }, on_wrong_value, T(0), T(4), 15},
      {"focused_on_wrong'", [](V const& z) { return focused_on_wrong{}(z).slope; }, on_wrong_slope, -far, T(0), 3},
      {"focused_on_wrong'", [](V const& z) { return focused_on_wrong{}(z).slope; }, on_wrong_slope, T(0), T(4), 15},
      {"misread",
       [](V const& z) {
         return misread<V>{V(T(1)), 0.25, 0.125}(z).value;
       },
       misread_value, -far, far, 3.4},
      {"misread'",
       [](V const& z) {
         return misread<V>{V(T(1)), 0.25, 0.125}(z).slope;
       },
       misread_slope, low, -low, 5.1},
  };
}

/// What rows of logits are made of.
template <class T>
std::vector<row<T>> table_of_rows() {
  using namespace prefopt::detail;
  using V = lanes<T>;
  T const low = lowest<T>, most = std::numeric_limits<T>::max();
  auto const exp = [](V const& t) { return row_exp<V, false>{1, lowest<T>}(t).value(); };
  // A factor whose reciprocal times ln(2) / 16 is as far from a float as one can be.
  auto const scaled_exp = [](V const& off) { return row_exp<V, true>{0x1.622512p+0, lowest<T>}(off).value(); };
  auto const exact_exp = [](auto t) { return std::exp(t); };
  auto const exact_scaled_exp = [](auto off) { return std::exp(off * decltype(off)(0x1.622512p+0)); };
  auto const tanh = [](V const& x) { return row_tanh<V>{1}(x); };
  auto const scaled_tanh = [](V const& x) { return row_tanh<V>{0.0625}(x); };
  // Of factors like these none is small.
  auto const far_scaled_tanh = [](V const& x) { return row_tanh<V>{0x1p-12}(x); };
  auto const exact_tanh = [](auto x) { return std::tanh(x); };
  auto const exact_scaled_tanh = [](auto x) { return std::tanh(x / 16); };
  auto const exact_far_scaled_tanh = [](auto x) { return std::tanh(x / 4096); };
  // A rounding of t is |t| / 2 ULP of a power of two, and |t| ULP of what is next below it.
  double const ulps = sizeof(T) == 8 ? 1.3 : 1.1, of_t = sizeof(T) == 8 ? 0 : 0.05;
  auto const stated = [=](double t) { return ulps + of_t * t; };
  auto const stated_scaled = [=](double t) { return ulps + (has_lane_table<V> ? 1 : 1 + of_t) * t; };
  double const stated_tanh = has_lane_table<V> ? 1.4 : 3.3;
  return {
      {"exp of rows", exp, exact_exp, low, T(-16), stated(88)},
      {"exp of rows", exp, exact_exp, T(-16), T(-1), stated(16)},
      {"exp of rows", exp, exact_exp, T(-1), T(1), stated(1)},
      {"exp of rows", exp, exact_exp, T(1), T(80), stated(80)},
      {"exp of scaled rows", scaled_exp, exact_scaled_exp, T(-60), T(-12), stated_scaled(83)},
      {"exp of scaled rows", scaled_exp, exact_scaled_exp, T(-12), T(-1), stated_scaled(16.6)},
      {"exp of scaled rows", scaled_exp, exact_scaled_exp, T(-1), T(1), stated_scaled(1.4)},
      {"tanh of rows", tanh, exact_tanh, -most, most, stated_tanh},
      {"tanh of rows", tanh, exact_tanh, T(-20), T(20), stated_tanh},
      {"tanh of scaled rows", scaled_tanh, exact_scaled_tanh, -most, most, stated_tanh},
      {"tanh of scaled rows", scaled_tanh, exact_scaled_tanh, T(-320), T(320), stated_tanh},
      {"tanh of far scaled rows", far_scaled_tanh, exact_far_scaled_tanh, -most, most, stated_tanh},
      {"tanh of far scaled rows", far_scaled_tanh, exact_far_scaled_tanh, T(-81920), T(81920), stated_tanh},
  };
}

template <class T>
std::vector<row<T>> table() {
  auto all = table_of_math<T>();
  for (auto const& link : table_of_links<T>()) all.push_back(link);
  for (auto const& of_row : table_of_rows<T>()) all.push_back(of_row);
  return all;
}

}  // namespace accuracy
