// The 16-bit types: every one of their values, and floats of every exponent around every rounding boundary, against a
// conversion by arithmetic and against Eigen's.
#include <Eigen/Core>
#include <algorithm>
#include <bit>
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <prefopt/simd/half.hpp>
#include <prefopt/view/row_major.hpp>
#include <type_traits>
#include <vector>

#include "oracle/bits.hpp"

namespace host {

/// A 16-bit type of somebody else's, known by its digits alone.
struct brain {
  std::uint16_t bits;
};

}  // namespace host

template <>
class std::numeric_limits<host::brain> {
 public:
  static constexpr bool is_specialized = true;
  static constexpr int digits = 8;
};

namespace {

using prefopt::bfloat16;
using prefopt::float16;

/// A format: fraction bits, exponent bits. Its numbers are integers times powers of two.
template <class U>
struct format;
template <>
struct format<bfloat16> {
  static constexpr int fraction = 7, least_exponent = -126, most_exponent = 127;
  using eigen = Eigen::bfloat16;
};
template <>
struct format<float16> {
  static constexpr int fraction = 10, least_exponent = -14, most_exponent = 15;
  using eigen = Eigen::half;
};

/// The number that the bits mean, from the definition of the format.
template <class U>
double meaning(std::uint16_t bits) {
  using f = format<U>;
  int const fraction = bits & ((1 << f::fraction) - 1), biased = (bits & 0x7fff) >> f::fraction;
  double const sign = bits & 0x8000 ? -1 : 1;
  if (biased == f::most_exponent - f::least_exponent + 2) {
    return fraction == 0 ? sign * INFINITY : std::numeric_limits<double>::quiet_NaN();
  }
  int const exponent = std::max(biased, 1) - 1 + f::least_exponent;
  return sign * std::ldexp(fraction + (biased == 0 ? 0 : 1 << f::fraction), exponent - f::fraction);
}

/// The bits of the number nearest to x, ties to even: by scaling to an integer, which nearbyint rounds.
template <class U>
std::uint16_t nearest(float x) {
  using f = format<U>;
  std::uint32_t const sign = std::signbit(x) ? 0x8000 : 0;
  double const size = std::fabs(static_cast<double>(x));
  std::uint32_t const infinity = static_cast<std::uint32_t>(f::most_exponent - f::least_exponent + 2) << f::fraction;
  if (size == 0) return static_cast<std::uint16_t>(sign);
  if (std::isinf(size)) return static_cast<std::uint16_t>(sign | infinity);
  int const exponent = std::max(std::ilogb(size), f::least_exponent);
  // In units of the spacing at that exponent; 2 << fraction of them is the next exponent.
  auto const units = static_cast<std::uint32_t>(std::nearbyint(std::ldexp(size, f::fraction - exponent)));
  std::uint32_t const bits = (static_cast<std::uint32_t>(exponent - f::least_exponent) << f::fraction) + units;
  return static_cast<std::uint16_t>(sign | std::min(bits, infinity));
}

bool same_float(float a, float b) { return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b); }

template <class U>
bool is_nan(std::uint16_t bits) {
  return std::isnan(meaning<U>(bits));
}

template <class U>
U of_bits(std::uint16_t bits) {
  U value;
  value.bits = bits;
  return value;
}

template <class U>
std::vector<U> every_value() {
  std::vector<U> all(65536);
  for (std::size_t i = 0; i < all.size(); ++i) all[i].bits = static_cast<std::uint16_t>(i);
  return all;
}

/// Floats at, halfway between and beside all values of U, of both signs; around overflow; of every exponent; NaN.
template <class U>
std::vector<float> floats() {
  std::vector<float> xs;
  auto const with_neighbours = [&](float x) {
    for (float const y : {std::nextafter(x, -INFINITY), x, std::nextafter(x, INFINITY)}) {
      xs.push_back(y);
      xs.push_back(-y);
    }
  };
  for (std::uint32_t i = 0; i < 0x7fff; ++i) {
    double const here = meaning<U>(static_cast<std::uint16_t>(i)), next = meaning<U>(static_cast<std::uint16_t>(i + 1));
    if (!std::isfinite(here)) continue;
    with_neighbours(static_cast<float>(here));
    // Where infinity begins is as far above the largest number as one more would be.
    double const above = std::isfinite(next) ? next : 2 * here - meaning<U>(static_cast<std::uint16_t>(i - 1));
    with_neighbours(static_cast<float>(here / 2 + above / 2));
  }
  oracle::random_numbers random{3};
  for (std::uint32_t exponent = 0; exponent < 256; ++exponent) {
    for (std::uint32_t const fraction : {0x0U, 0x1U, 0x7fffffU, 0x400000U, 0x7fffU, 0x8000U, 0x8001U, 0x18000U, 0xfffU,
                                         0x1000U, 0x1001U, 0x3000U, 0x2fffU}) {
      for (std::uint32_t const sign : {0U, 0x80000000U}) {
        xs.push_back(std::bit_cast<float>(sign | exponent << 23 | fraction));
      }
    }
    for (int k = 0; k < 400; ++k) {
      auto const rest = static_cast<std::uint32_t>(random.bits());
      xs.push_back(std::bit_cast<float>((rest & 0x807fffff) | exponent << 23));
    }
  }
  xs.resize(xs.size() / 16 * 16);
  return xs;
}

}  // namespace

TEMPLATE_TEST_CASE("every 16-bit value becomes the float that it means, and itself again", "", bfloat16, float16) {
  using U = TestType;
  using eigen = typename format<U>::eigen;
  std::size_t wrong = 0, changed = 0, unlike_eigen = 0;
  for (U const value : every_value<U>()) {
    auto const got = static_cast<float>(value);
    double const right = meaning<U>(value.bits);
    wrong += std::isnan(right) ? !std::isnan(got) : !same_float(got, static_cast<float>(right));
    changed += std::isnan(right) ? !is_nan<U>(U{got}.bits) : U{got}.bits != value.bits;
    auto const theirs = static_cast<float>(std::bit_cast<eigen>(value));
    unlike_eigen += std::isnan(right) ? !std::isnan(theirs) : !same_float(got, theirs);
    // The sign of a NaN stays, too.
    if (std::signbit(got) != ((value.bits & 0x8000) != 0)) ++wrong;
  }
  CHECK(wrong == 0);
  CHECK(changed == 0);
  CHECK(unlike_eigen == 0);
}

TEMPLATE_TEST_CASE("a float becomes the nearest 16-bit value, ties to even", "", bfloat16, float16) {
  using U = TestType;
  using eigen = typename format<U>::eigen;
  std::size_t wrong = 0, unlike_eigen = 0;
  float first_wrong = 0;
  for (float const x : floats<U>()) {
    std::uint16_t const got = U{x}.bits;
    bool const right =
        std::isnan(x) ? is_nan<U>(got) && std::signbit(x) == ((got & 0x8000) != 0) : got == nearest<U>(x);
    if (!right && wrong++ == 0) first_wrong = x;
    // Eigen, too, keeps subnormal numbers and rounds to even.
    if (!std::isnan(x)) unlike_eigen += std::bit_cast<std::uint16_t>(eigen{x}) != got;
  }
  CAPTURE(std::bit_cast<std::uint32_t>(first_wrong), nearest<U>(first_wrong), U{first_wrong}.bits);
  CHECK(wrong == 0);
  CHECK(unlike_eigen == 0);
}

TEST_CASE("the limits of the 16-bit types") {
  CHECK(float16{65519.996F}.bits == 0x7bff);  // 65504
  CHECK(float16{65520.0F}.bits == 0x7c00);
  CHECK(float16{-65520.0F}.bits == 0xfc00);
  CHECK(float16{0x1p-24F}.bits == 1);
  CHECK(float16{0x1p-25F}.bits == 0);
  CHECK(float16{0x1.000002p-25F}.bits == 1);
  CHECK(float16{0x1.8p-24F}.bits == 2);
  CHECK(float16{-0.0F}.bits == 0x8000);
  CHECK(bfloat16{std::numeric_limits<float>::max()}.bits == 0x7f80);
  CHECK(bfloat16{0x1.fep127F}.bits == 0x7f7f);
  CHECK(bfloat16{0x1p-133F}.bits == 1);
  CHECK(bfloat16{0x1p-134F}.bits == 0);
  CHECK(bfloat16{1.00390625F}.bits == 0x3f80);
  CHECK(bfloat16{1.01171875F}.bits == 0x3f82);
  // A NaN whose upper bits are all 0 must not become infinity.
  CHECK(bfloat16{std::bit_cast<float>(0x7f800001U)}.bits == 0x7fc0);
  CHECK(float16{std::bit_cast<float>(0xff800001U)}.bits == 0xfe00);
  STATIC_REQUIRE(bfloat16{}.bits == 0);
  STATIC_REQUIRE(static_cast<float>(float16{1.5F}) == 1.5F);
}

TEMPLATE_TEST_CASE("lanes convert as single numbers do, bit for bit, wherever they lie", "", bfloat16, float16,
                   Eigen::bfloat16, Eigen::half) {
  using U = TestType;
  using own = prefopt::detail::storage_of<U>;
  using V = xsimd::batch<float>;
  auto const values = every_value<own>();
  // One element further than any boundary, so that nothing is aligned.
  std::vector<U> storage(values.size() + 1);
  U* const stored = storage.data() + 1;
  std::copy_n(reinterpret_cast<char const*>(values.data()), 2 * values.size(), reinterpret_cast<char*>(stored));
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < values.size(); i += V::size) {
    float got[V::size];
    prefopt::detail::load_lanes<V>(stored + i).store_unaligned(got);
    for (std::size_t lane = 0; lane < V::size; ++lane) {
      wrong += !same_float(got[lane], static_cast<float>(values[i + lane]));
      wrong += !same_float(got[lane], prefopt::detail::load_number(stored + i + lane));
    }
  }
  CHECK(wrong == 0);

  auto const xs = floats<own>();
  for (std::size_t i = 0; i < xs.size(); i += V::size) {
    std::vector<U> lanes(V::size + 2, std::bit_cast<U>(std::uint16_t{0x1234}));
    prefopt::detail::store_lanes(V::load_unaligned(&xs[i]), lanes.data() + 1);
    for (std::size_t lane = 0; lane < V::size; ++lane) {
      auto const got = std::bit_cast<std::uint16_t>(lanes[lane + 1]);
      U alone;
      prefopt::detail::store_number(xs[i + lane], &alone);
      wrong += got != own{xs[i + lane]}.bits;
      wrong += got != std::bit_cast<std::uint16_t>(alone);
    }
    wrong +=
        std::bit_cast<std::uint16_t>(lanes.front()) != 0x1234 || std::bit_cast<std::uint16_t>(lanes.back()) != 0x1234;
  }
  CHECK(wrong == 0);
}

TEST_CASE("16-bit types of hosts are known by their digits") {
  using namespace prefopt::detail;
  STATIC_REQUIRE(std::same_as<storage_of<Eigen::bfloat16>, bfloat16>);
  STATIC_REQUIRE(std::same_as<storage_of<Eigen::half>, float16>);
  STATIC_REQUIRE(std::same_as<storage_of<host::brain>, bfloat16>);
  STATIC_REQUIRE(std::same_as<storage_of<bfloat16>, bfloat16>);
  STATIC_REQUIRE(std::same_as<storage_of<float16>, float16>);
  STATIC_REQUIRE(std::same_as<computed_of<Eigen::half>, float>);
  STATIC_REQUIRE(std::same_as<computed_of<float>, float>);
  STATIC_REQUIRE(std::same_as<computed_of<double>, double>);
  STATIC_REQUIRE_FALSE(stored_number<std::int16_t>);
  STATIC_REQUIRE_FALSE(stored_number<std::uint16_t>);
  STATIC_REQUIRE_FALSE(stored_number<std::int8_t>);
  STATIC_REQUIRE_FALSE(stored_number<long double>);
  host::brain const brain{0xc040};
  CHECK(load_number(&brain) == -3.0F);
  Eigen::half half;
  store_number(0.1F, &half);
  CHECK(half == Eigen::half{0.1F});

  Eigen::Matrix<Eigen::bfloat16, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> dense(3, 5);
  prefopt::row_major const rows{dense};
  STATIC_REQUIRE(std::same_as<decltype(rows), prefopt::row_major<Eigen::bfloat16> const>);
  CHECK(rows.data() == dense.data());
  CHECK(rows.rows() == 3);
  CHECK(rows.columns() == 5);
  CHECK(rows.stride() == 5);
}
