#include <algorithm>
#include <bit>
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "oracle/bits.hpp"
#include "simd/accuracy_table.hpp"

// Every row of the accuracy table against long double, at some millions of points.

namespace {

using namespace accuracy;

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
  T const middle_low = std::clamp(T(-8), low, high), middle_high = std::clamp(T(8), low, high);
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
double error_of(row<T> const& r, T got, real right) {
  return r.is_absolute ? static_cast<double>(std::fabs(static_cast<real>(got) - right)) : oracle::ulp_error(got, right);
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
      double const error = error_of(r, got[i], r.exact.in_long_double(static_cast<real>(xs[i])));
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
