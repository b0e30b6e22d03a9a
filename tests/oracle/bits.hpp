#pragma once

#include <bit>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <random>
#include <type_traits>

namespace oracle {

/// What the oracles compute in.
using real = long double;

template <class T>
using bits_of = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

/// Same bits; a NaN is the same as any NaN.
template <std::floating_point T>
bool same_bits(T x, T y) {
  return (std::isnan(x) && std::isnan(y)) || std::bit_cast<bits_of<T>>(x) == std::bit_cast<bits_of<T>>(y);
}

/// |got - exact| in units of the spacing of T's numbers around exact.
template <std::floating_point T>
double ulp_error(T got, long double exact) {
  int const exponent = exact == 0 ? std::numeric_limits<T>::min_exponent
                                  : std::max(std::ilogb(exact) + 1, std::numeric_limits<T>::min_exponent);
  return static_cast<double>(
      std::fabs(std::ldexp(static_cast<long double>(got) - exact, std::numeric_limits<T>::digits - exponent)));
}

/// Numbers that are the same on every machine: the distributions of <random> are not.
class random_numbers {
 public:
  explicit random_numbers(std::uint64_t seed) : engine_{seed} {}

  std::uint64_t bits() { return engine_(); }
  /// In [0, 1).
  double uniform() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  double normal() { return std::sqrt(-2 * std::log(1 - uniform())) * std::cos(2 * 3.14159265358979323846 * uniform()); }
  bool chance(double probability) { return uniform() < probability; }
  /// low * (high / low)^uniform.
  double spread(double low, double high) { return low * std::pow(high / low, uniform()); }

 private:
  std::mt19937_64 engine_;
};

}  // namespace oracle
