#include <algorithm>
#include <bit>
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <prefopt/link/logistic.hpp>
#include <prefopt/simd/math.hpp>
#include <vector>

#include "oracle/bits.hpp"

// The accuracy table of prefopt::math: every function of the headers with a stated largest error, on batches of both
// types, against long double. The references are the textbook formulas, not the ones that the headers use.

namespace {

namespace math = prefopt::math;

template <class T>
using lanes = xsimd::batch<T>;

template <class T>
struct row {
  char const* name;
  lanes<T> (*function)(lanes<T> const&);
  long double (*exact)(long double);
  T low, high;
  double stated;             ///< largest error, from the header's comment
  bool is_absolute = false;  ///< the error is, instead of in ULP

  [[nodiscard]] double error(T got, long double right) const {
    return is_absolute ? static_cast<double>(std::fabs(static_cast<long double>(got) - right))
                       : oracle::ulp_error(got, right);
  }
};

/// The least x whose exp is a normal number: results below are flushed to 0, see special_values.cpp.
template <class T>
T const lowest = std::nextafter(static_cast<T>(std::log(static_cast<long double>(std::numeric_limits<T>::min()))),
                                T(0));

// log(1 + e^x). e^x overflows long double only where the 1 is lost anyway.
long double exact_softplus(long double x) {
  if (x > 11000) return x;
  return x > 0 ? std::log(1 + std::exp(x)) : std::log1p(std::exp(x));
}
long double exact_sigmoid(long double x) { return 1 / (1 + std::exp(-x)); }

long double exact_tanh_slope(long double x) { return 1 / (std::cosh(x) * std::cosh(x)); }

// exp(x) - 1 - x, by its series where that would cancel.
long double exact_rest(long double x) {
  if (std::fabs(x) > 0.5L) return std::expm1(x) - x;
  long double sum = 0, term = x;
  for (int n = 2; n < 30; ++n) sum += term *= x / n;
  return sum;
}

template <class T>
std::vector<row<T>> table() {
  using V = lanes<T>;
  using real = long double;
  T const low = lowest<T>, far = T(1e4), least = std::numeric_limits<T>::min(), most = std::numeric_limits<T>::max();
  auto const log1p_unbounded = [](V const& x) { return math::log1p_unbounded(x); };
  auto const exact_log1p = [](real x) { return std::log1p(x); };
  T const exp_highest = std::nextafter(static_cast<T>(std::log(static_cast<real>(most))), T(0));
  auto const exp_of_any = [](V const& x) { return math::exp_of_any(x); };
  auto const exact_exp = [](real x) { return std::exp(x); };
  auto const exp_minus_1 = [](V const& x) { return math::expm1_with_rest(x).value; };
  auto const exact_expm1 = [](real x) { return std::expm1(x); };
  auto const rest = [](V const& x) { return math::expm1_with_rest(x).beyond_linear; };
  auto const log = [](V const& x) { return math::log(x); };
  auto const exact_log = [](real x) { return std::log(x); };
  return {
      {"exp(x)", [](V const& x) { return math::exp(x); }, [](real x) { return std::exp(x); }, low, T(-0.0), 1.25},
      {"exp_of_any(x)", exp_of_any, exact_exp, low, exp_highest, 1.25},
      {"expm1(x)", [](V const& x) { return math::expm1(x); }, exact_expm1, -far, T(-0.0), 1.5},
      {"expm1_with_rest", exp_minus_1, exact_expm1, -far, exp_highest, 2.5},
      {"expm1_with_rest", exp_minus_1, exact_expm1, T(-1), T(1), 2.5},
      {"its rest", rest, exact_rest, -far, exp_highest, 12},
      {"its rest", rest, exact_rest, T(-1), T(1), 12},
      {"its rest", rest, exact_rest, T(-1e-3), T(1e-3), 12},
      {"log1p(x)", [](V const& x) { return math::log1p(x); }, [](real x) { return std::log1p(x); }, T(0), T(1), 1.5},
      {"log1p_unbounded", log1p_unbounded, exact_log1p, T(0), most, 2},
      {"log1p_unbounded", log1p_unbounded, exact_log1p, T(0.5), T(300), 2},
      {"log(x)", log, exact_log, least, most, 2},
      // Where it is small: from the fraction alone, with the change of the exponent at sqrt(2) and sqrt(1/2).
      {"log(x)", log, exact_log, T(0.6), T(1.6), 2},
      {"log(x)", log, exact_log, T(0.999), T(1.001), 2},
      {"sqrt(x)", [](V const& x) { return math::sqrt(x); }, [](real x) { return std::sqrt(x); }, T(0), most, 0.5},
      {"tanh(x)", [](V const& x) { return math::tanh(x).tanh; }, [](real x) { return std::tanh(x); }, -most, most, 3},
      {"tanh(x)", [](V const& x) { return math::tanh(x).tanh; }, [](real x) { return std::tanh(x); }, T(-20), T(20), 3},
      {"tanh'(x)", [](V const& x) { return math::tanh(x).slope; }, exact_tanh_slope, low / 2 + 1, -low / 2 - 1, 4.5},
      {"normal_cdf(x)", [](V const& x) { return math::normal_cdf(x); },
       [](real x) { return std::erfc(-x / std::sqrt(real(2))) / 2; }, T(-40), T(40), sizeof(T) == 4 ? 1e-7 : 4e-15,
       true},
      {"softplus(x)", [](V const& x) { return math::logistic(x).softplus; }, exact_softplus, low, far, 2.5},
      {"softplus(-x)", [](V const& x) { return math::logistic(x).softplus_negated; },
       [](real x) { return exact_softplus(-x); }, -far, -low, 2.5},
      {"sigma(x)", [](V const& x) { return math::logistic(x).sigmoid; }, exact_sigmoid, low, far, 3},
      {"sigma(-x)", [](V const& x) { return math::logistic(x).sigmoid_negated; },
       [](real x) { return exact_sigmoid(-x); }, -far, -low, 3},
      {"link value at z", [](V const& z) { return prefopt::logistic{}(z).value; },
       [](real z) { return exact_softplus(-z); }, -far, -low, 2.5},
      {"link slope at z", [](V const& z) { return prefopt::logistic{}(z).slope; },
       [](real z) { return -exact_sigmoid(-z); }, -far, -low, 3},
      {"link value at -z", [](V const& z) { return prefopt::logistic{}.at_both_signs(z).minus.value; }, exact_softplus,
       low, far, 2.5},
      {"link slope at -z", [](V const& z) { return prefopt::logistic{}.at_both_signs(z).minus.slope; },
       [](real z) { return -exact_sigmoid(z); }, low, far, 3},
  };
}

/// A number's place in the order of all numbers of T, and back: neighbours differ by 1.
template <class T>
std::int64_t place_of(T x) {
  auto const magnitude = static_cast<std::int64_t>(std::bit_cast<oracle::bits_of<T>>(std::fabs(x)));
  return std::signbit(x) ? -magnitude : magnitude;
}
template <class T>
T at_place(std::int64_t place) {
  T const magnitude = std::bit_cast<T>(static_cast<oracle::bits_of<T>>(place < 0 ? -place : place));
  return place < 0 ? -magnitude : magnitude;
}

/// Arguments in [low, high]: evenly spaced bit patterns, random bit patterns, random points of the whole range and of
/// its middle, where the functions bend, and both ends with their neighbours. A whole number of batches.
template <class T>
std::vector<T> arguments(T low, T high) {
  constexpr std::uint64_t steps = 200000;
  // The number of places may exceed what a signed integer holds.
  auto const first = static_cast<std::uint64_t>(place_of(low));
  std::uint64_t const places = static_cast<std::uint64_t>(place_of(high)) - first;
  auto const at = [&](std::uint64_t offset) { return at_place<T>(static_cast<std::int64_t>(first + offset)); };
  T const middle_low = std::max(low, T(-8)), middle_high = std::min(high, T(8));
  oracle::random_numbers random{20};
  auto const between = [&](T from, T to) {
    return std::clamp(static_cast<T>(random.uniform(static_cast<double>(from), static_cast<double>(to))), from, to);
  };
  std::vector<T> xs;
  for (std::uint64_t i = 0; i < steps; ++i) {
    xs.push_back(at(i * (places / steps)));
    xs.push_back(at(random.bits() % places));
    xs.push_back(between(low, high));
    for (int k = 0; k < 3; ++k) xs.push_back(between(middle_low, middle_high));
  }
  for (std::uint64_t i = 0; i < 64; ++i) {
    xs.push_back(at(i));
    xs.push_back(at(places - i));
  }
  return xs;
}

template <class T>
void check_accuracy(char const* type) {
  for (row<T> const& r : table<T>()) {
    auto const xs = arguments<T>(r.low, r.high);
    REQUIRE(xs.size() % lanes<T>::size == 0);
    std::vector<T> got(xs.size());
    for (std::size_t i = 0; i < xs.size(); i += lanes<T>::size) {
      r.function(lanes<T>::load_unaligned(&xs[i])).store_unaligned(&got[i]);
    }
    double worst = 0;
    std::size_t worst_at = 0;
    for (std::size_t i = 0; i < xs.size(); ++i) {
      double const error = r.error(got[i], r.exact(static_cast<long double>(xs[i])));
      if (!(error <= worst)) worst = error, worst_at = i;
    }
    std::printf("%-16s %-6s [%10.5g, %10.5g]  largest error %.4g %s at %.17g, stated %.3g\n", r.name, type,
                static_cast<double>(r.low), static_cast<double>(r.high), worst, r.is_absolute ? "absolute" : "ULP",
                static_cast<double>(xs[worst_at]), r.stated);
    CAPTURE(r.name, type, worst, xs[worst_at], got[worst_at], r.stated);
    CHECK(worst <= r.stated);
  }
}

}  // namespace

TEST_CASE("no function of prefopt::math is further off than its header states: float") {
  check_accuracy<float>("float");
}

TEST_CASE("no function of prefopt::math is further off than its header states: double") {
  check_accuracy<double>("double");
}
