#include <array>
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <limits>
#include <prefopt/simd/math.hpp>
#include <special_numbers.hpp>

#include "oracle/bits.hpp"

namespace {

namespace math = prefopt::math;
using oracle::same_bits;

/// f of one number in every lane; all lanes must agree.
template <class T, class F>
T in_all_lanes(F const& f, T x) {
  using V = xsimd::batch<T>;
  std::array<T, V::size> got{};
  f(V(x)).store_unaligned(got.data());
  for (T const value : got) REQUIRE(same_bits(value, got[0]));
  return got[0];
}

/// f of x in one lane among lanes of `other`, lane by lane.
template <class T, class F>
void check_lanes_apart(F const& f, T x, T other) {
  using V = xsimd::batch<T>;
  T const alone = in_all_lanes(f, x), beside = in_all_lanes(f, other);
  for (std::size_t lane = 0; lane < V::size; ++lane) {
    std::array<T, V::size> in{}, out{};
    in.fill(other);
    in[lane] = x;
    f(V::load_unaligned(in.data())).store_unaligned(out.data());
    for (std::size_t i = 0; i < V::size; ++i) CHECK(same_bits(out[i], i == lane ? alone : beside));
  }
}

template <class T>
T const tiny = std::numeric_limits<T>::denorm_min();
template <class T>
T const smallest_normal = std::numeric_limits<T>::min();

auto const exp_of = [](auto const& x) { return math::exp(x); };
auto const log1p_of = [](auto const& x) { return math::log1p(x); };
auto const log1p_unbounded_of = [](auto const& x) { return math::log1p_unbounded(x); };
auto const log_of = [](auto const& x) { return math::log(x); };
auto const sqrt_of = [](auto const& x) { return math::sqrt(x); };
auto const normal_cdf_of = [](auto const& x) { return math::normal_cdf(x); };
auto const softplus = [](auto const& x) { return math::logistic(x).softplus; };
auto const softplus_negated = [](auto const& x) { return math::logistic(x).softplus_negated; };
auto const sigmoid = [](auto const& x) { return math::logistic(x).sigmoid; };
auto const sigmoid_negated = [](auto const& x) { return math::logistic(x).sigmoid_negated; };

}  // namespace

TEMPLATE_TEST_CASE("exp has its exact special values", "", float, double) {
  using T = TestType;
  // Where exp(x) stops being a normal number, as the header says.
  T const edge = sizeof(T) == 4 ? static_cast<T>(-87.33654f) : static_cast<T>(-708.3964185322641);
  for (T const zero : {T(0), T(-0.0)}) CHECK(same_bits(in_all_lanes(exp_of, zero), T(1)));
  for (T const x : {-tiny<T>, -smallest_normal<T>, -std::numeric_limits<T>::epsilon() / 8}) {
    CHECK(same_bits(in_all_lanes(exp_of, x), T(1)));
  }
  for (T const x : {std::nextafter(edge, -infinity<T>), T(2) * edge, T(-1e4), T(-3e9), T(-1e20),
                    std::numeric_limits<T>::lowest(), -infinity<T>}) {
    CHECK(same_bits(in_all_lanes(exp_of, x), T(0)));
  }
  CHECK(in_all_lanes(exp_of, edge) >= smallest_normal<T>);
  CHECK(in_all_lanes(exp_of, edge) <= smallest_normal<T> * T(1.0001));
  CHECK(std::isnan(in_all_lanes(exp_of, not_a_number<T>)));
  CHECK(std::isnan(in_all_lanes(exp_of, -not_a_number<T>)));
  check_lanes_apart(exp_of, not_a_number<T>, T(-1));
  check_lanes_apart(exp_of, -infinity<T>, T(-1));
}

TEMPLATE_TEST_CASE("log1p has its exact special values", "", float, double) {
  using T = TestType;
  // log(1 + x) is x to within x^2 / 2.
  for (T const x : {T(0), tiny<T>, T(7) * tiny<T>, smallest_normal<T> / 2, smallest_normal<T>,
                    std::numeric_limits<T>::epsilon() / 8}) {
    CHECK(same_bits(in_all_lanes(log1p_of, x), x));
  }
  CHECK(std::isnan(in_all_lanes(log1p_of, not_a_number<T>)));
  check_lanes_apart(log1p_of, not_a_number<T>, T(0.5));
}

TEMPLATE_TEST_CASE("log1p_unbounded has its exact special values, and is log1p up to 1", "", float, double) {
  using T = TestType;
  for (T const x : {T(0), tiny<T>, smallest_normal<T>, std::numeric_limits<T>::epsilon() / 8, infinity<T>}) {
    CHECK(same_bits(in_all_lanes(log1p_unbounded_of, x), x));
  }
  for (T x = T(1); x > smallest_normal<T>; x *= T(0.71)) {
    CHECK(same_bits(in_all_lanes(log1p_unbounded_of, x), in_all_lanes(log1p_of, x)));
  }
  T const largest = std::numeric_limits<T>::max();
  CHECK(oracle::ulp_error(in_all_lanes(log1p_unbounded_of, largest), std::log(static_cast<long double>(largest))) <= 2);
  CHECK(std::isnan(in_all_lanes(log1p_unbounded_of, not_a_number<T>)));
  check_lanes_apart(log1p_unbounded_of, not_a_number<T>, T(1e5));
  check_lanes_apart(log1p_unbounded_of, infinity<T>, T(0.5));
}

TEMPLATE_TEST_CASE("log has its exact special values", "", float, double) {
  using T = TestType;
  CHECK(same_bits(in_all_lanes(log_of, T(1)), T(0)));
  for (T const x : {T(0), T(-0.0), tiny<T>, std::nextafter(smallest_normal<T>, T(0))}) {
    CHECK(same_bits(in_all_lanes(log_of, x), -infinity<T>));
  }
  CHECK(same_bits(in_all_lanes(log_of, infinity<T>), infinity<T>));
  for (T const x : {-tiny<T>, -smallest_normal<T>, T(-1), -std::numeric_limits<T>::max(), -infinity<T>}) {
    CAPTURE(x);
    CHECK(std::isnan(in_all_lanes(log_of, x)));
  }
  CHECK(std::isnan(in_all_lanes(log_of, not_a_number<T>)));
  CHECK(std::isnan(in_all_lanes(log_of, -not_a_number<T>)));
  for (int exponent = std::numeric_limits<T>::min_exponent; exponent < std::numeric_limits<T>::max_exponent;
       ++exponent) {
    CHECK(oracle::ulp_error(in_all_lanes(log_of, std::ldexp(T(1), exponent)), exponent * 0.693147180559945309417L) <=
          2);
  }
  check_lanes_apart(log_of, not_a_number<T>, T(2));
  check_lanes_apart(log_of, T(0), T(3));
}

TEMPLATE_TEST_CASE("sqrt and normal_cdf have their exact special values", "", float, double) {
  using T = TestType;
  for (T const x : {T(0), T(1), infinity<T>}) CHECK(same_bits(in_all_lanes(sqrt_of, x), x));
  CHECK(in_all_lanes(sqrt_of, T(2.25)) == T(1.5));
  CHECK(std::isnan(in_all_lanes(sqrt_of, T(-1))));
  CHECK(std::isnan(in_all_lanes(sqrt_of, not_a_number<T>)));
  check_lanes_apart(sqrt_of, not_a_number<T>, T(2));

  for (T const x : {T(0), T(-0.0), tiny<T>, -tiny<T>}) CHECK(in_all_lanes(normal_cdf_of, x) == T(0.5));
  for (T const x : {T(40), T(1e6), std::numeric_limits<T>::max(), infinity<T>}) {
    CAPTURE(x);
    CHECK(same_bits(in_all_lanes(normal_cdf_of, x), T(1)));
    CHECK(same_bits(in_all_lanes(normal_cdf_of, T(-x)), T(0)));
  }
  CHECK(std::isnan(in_all_lanes(normal_cdf_of, not_a_number<T>)));
  check_lanes_apart(normal_cdf_of, not_a_number<T>, T(0.5));
  check_lanes_apart(normal_cdf_of, infinity<T>, T(-0.5));
}

TEMPLATE_TEST_CASE("softplus and sigma have their exact limits", "", float, double) {
  using T = TestType;
  for (T const x : {T(1e4), T(1e30), std::numeric_limits<T>::max(), infinity<T>}) {
    CAPTURE(x);
    CHECK(same_bits(in_all_lanes(softplus, x), x));
    CHECK(same_bits(in_all_lanes(softplus, T(-x)), T(0)));
    CHECK(same_bits(in_all_lanes(softplus_negated, x), T(0)));
    CHECK(same_bits(in_all_lanes(softplus_negated, T(-x)), x));
    CHECK(same_bits(in_all_lanes(sigmoid, x), T(1)));
    CHECK(same_bits(in_all_lanes(sigmoid, T(-x)), T(0)));
    CHECK(same_bits(in_all_lanes(sigmoid_negated, x), T(0)));
    CHECK(same_bits(in_all_lanes(sigmoid_negated, T(-x)), T(1)));
  }
  long double const log2 = 0.693147180559945309417L;
  for (T const x : {T(0), T(-0.0), tiny<T>, -tiny<T>, smallest_normal<T>, -smallest_normal<T>}) {
    CAPTURE(x);
    CHECK(oracle::ulp_error(in_all_lanes(softplus, x), log2) <= 2.5);
    CHECK(oracle::ulp_error(in_all_lanes(softplus_negated, x), log2) <= 2.5);
    CHECK(same_bits(in_all_lanes(sigmoid, x), T(0.5)));
    CHECK(same_bits(in_all_lanes(sigmoid_negated, x), T(0.5)));
  }
  for (auto const& check : {not_a_number<T>, -not_a_number<T>}) {
    CHECK(std::isnan(in_all_lanes(softplus, check)));
    CHECK(std::isnan(in_all_lanes(softplus_negated, check)));
    CHECK(std::isnan(in_all_lanes(sigmoid, check)));
    CHECK(std::isnan(in_all_lanes(sigmoid_negated, check)));
  }
  check_lanes_apart(softplus, not_a_number<T>, T(1));
  check_lanes_apart(sigmoid, -infinity<T>, T(1));
}

TEMPLATE_TEST_CASE("softplus and sigma keep their order and their sum", "", float, double) {
  using T = TestType;
  T const epsilon = std::numeric_limits<T>::epsilon();
  oracle::random_numbers random{21};
  for (int i = 0; i < 20000; ++i) {
    T const x = static_cast<T>(random.uniform(-60, 60));
    using V = xsimd::batch<T>;
    auto const parts = math::logistic(V(x)), mirrored = math::logistic(V(-x));
    // The two signs share one exp: exchanging them changes no bit.
    CHECK(same_bits(parts.softplus.get(0), mirrored.softplus_negated.get(0)));
    CHECK(same_bits(parts.sigmoid.get(0), mirrored.sigmoid_negated.get(0)));
    CHECK(std::fabs(parts.sigmoid.get(0) + parts.sigmoid_negated.get(0) - 1) <= 2 * epsilon);
    CHECK(std::fabs(parts.softplus.get(0) - parts.softplus_negated.get(0) - x) <= 2 * epsilon * (std::fabs(x) + 1));
  }
}

TEMPLATE_TEST_CASE("the scalar functions agree with the lanes", "", float, double) {
  using T = TestType;
  using V = xsimd::batch<T>;
  oracle::random_numbers random{22};
  for (int i = 0; i < 20000; ++i) {
    T const x = static_cast<T>(random.uniform(-60, 60));
    auto const alone = math::logistic(x);
    auto const lanes = math::logistic(V(x));
    CHECK(oracle::ulp_error(alone.softplus, lanes.softplus.get(0)) <= 5);
    CHECK(oracle::ulp_error(alone.softplus_negated, lanes.softplus_negated.get(0)) <= 5);
    CHECK(oracle::ulp_error(alone.sigmoid, lanes.sigmoid.get(0)) <= 5);
    CHECK(oracle::ulp_error(alone.sigmoid_negated, lanes.sigmoid_negated.get(0)) <= 5);
    T const positive = static_cast<T>(random.spread(1e-30, 1e30));
    CHECK(oracle::ulp_error(math::log(positive), math::log(V(positive)).get(0)) <= 4);
    CHECK(oracle::ulp_error(math::log1p_unbounded(positive), math::log1p_unbounded(V(positive)).get(0)) <= 4);
    CHECK(same_bits(math::sqrt(positive), math::sqrt(V(positive)).get(0)));
    CHECK(std::fabs(math::normal_cdf(x) - math::normal_cdf(V(x)).get(0)) <= T(sizeof(T) == 4 ? 2e-7 : 5e-15));
  }
}

TEMPLATE_TEST_CASE("the vocabulary of lanes treats zeros, infinities and NaN as its comments say", "", float, double) {
  using T = TestType;
  auto const abs = [](auto const& x) { return math::abs(x); };
  auto const positive_part = [](auto const& x) { return math::positive_part(x); };
  CHECK(same_bits(in_all_lanes(abs, T(-2)), T(2)));
  CHECK(same_bits(in_all_lanes(abs, -infinity<T>), infinity<T>));
  CHECK(same_bits(in_all_lanes(abs, -tiny<T>), tiny<T>));
  CHECK(std::isnan(in_all_lanes(abs, not_a_number<T>)));
  CHECK(in_all_lanes(positive_part, T(-2)) == 0);
  CHECK(in_all_lanes(positive_part, T(2)) == 2);
  CHECK(in_all_lanes(positive_part, tiny<T>) == tiny<T>);
  CHECK(in_all_lanes(positive_part, infinity<T>) == infinity<T>);
  CHECK(in_all_lanes(positive_part, -infinity<T>) == 0);
  CHECK(in_all_lanes(positive_part, not_a_number<T>) == 0);
  CHECK(math::abs(T(-2)) == 2);
  CHECK(std::isnan(math::abs(not_a_number<T>)));
  CHECK(math::positive_part(not_a_number<T>) == 0);
  CHECK(math::constant<T>(0.1) == static_cast<T>(0.1));
  CHECK(math::constant<xsimd::batch<T>>(0.1).get(0) == static_cast<T>(0.1));
  CHECK(math::fma(T(2), T(3), T(4)) == 10);
  CHECK(math::fma(xsimd::batch<T>(T(2)), xsimd::batch<T>(T(3)), xsimd::batch<T>(T(4))).get(0) == 10);
}

TEMPLATE_TEST_CASE("exp_of_any and expm1_with_rest have their exact special values", "", float, double) {
  using T = TestType;
  T const inf = infinity<T>, over = std::nextafter(static_cast<T>(std::log(std::numeric_limits<T>::max())), inf);
  auto const exp_of_any = [](auto const& x) { return math::exp_of_any(x); };
  auto const value = [](auto const& x) { return math::expm1_with_rest(x).value; };
  auto const rest = [](auto const& x) { return math::expm1_with_rest(x).beyond_linear; };
  CHECK(in_all_lanes(exp_of_any, T(0)) == 1);
  CHECK(in_all_lanes(exp_of_any, -inf) == 0);
  CHECK(in_all_lanes(value, -inf) == -1);
  CHECK(in_all_lanes(rest, -inf) == inf);
  CHECK(in_all_lanes(value, T(-1e4)) == -1);
  CHECK(in_all_lanes(rest, T(-1e4)) == T(9999));
  for (T const x : {T(0), T(-0.0)}) {
    CHECK(in_all_lanes(value, x) == 0);
    CHECK(in_all_lanes(rest, x) == 0);
  }
  for (auto const x : {over, T(1e4), std::numeric_limits<T>::max(), inf}) {
    CAPTURE(x);
    CHECK(in_all_lanes(exp_of_any, x) == inf);
    CHECK(in_all_lanes(value, x) == inf);
    CHECK(in_all_lanes(rest, x) == inf);
  }
  CHECK(std::isnan(in_all_lanes(exp_of_any, not_a_number<T>)));
  CHECK(std::isnan(in_all_lanes(value, not_a_number<T>)));
  CHECK(std::isnan(in_all_lanes(rest, not_a_number<T>)));
  for (T const x : {T(0.3), T(-2), not_a_number<T>, inf, -inf}) {
    check_lanes_apart(exp_of_any, x, T(1));
    check_lanes_apart(value, x, T(1));
    check_lanes_apart(rest, x, T(1));
  }
}

TEMPLATE_TEST_CASE("products and sums that leave out what is next to them", "", float, double) {
  using T = TestType;
  using V = xsimd::batch<T>;
  T const inf = infinity<T>, nan = not_a_number<T>;
  auto const vanishing = [](T factor, T x) {
    return in_all_lanes([=](V const& y) { return math::vanishing(V(factor), y); }, x);
  };
  for (T const x : {inf, -inf, nan, T(3)}) {
    CHECK(vanishing(T(0), x) == 0);
    CHECK(vanishing(T(-0.0), x) == 0);
  }
  CHECK(vanishing(T(2), inf) == inf);
  CHECK(std::isnan(vanishing(inf, T(0))));
  auto const dominated = [](T x, T y) {
    return in_all_lanes([=](V const& z) { return math::dominated_sum(V(x), z); }, y);
  };
  CHECK(dominated(inf, -inf) == inf);
  CHECK(dominated(-inf, inf) == -inf);
  CHECK(dominated(T(1), -inf) == -inf);
  CHECK(dominated(T(1), T(2)) == 3);
  CHECK(std::isnan(dominated(inf, nan)));
  CHECK(std::isnan(dominated(nan, T(1))));
  auto const limited = [](T x) {
    return in_all_lanes([](V const& y) { return math::limited(y, V(T(-1)), V(T(2))); }, x);
  };
  CHECK(limited(-inf) == -1);
  CHECK(limited(T(-1)) == -1);
  CHECK(limited(T(0.5)) == T(0.5));
  CHECK(limited(inf) == 2);
  CHECK(std::isnan(limited(nan)));
}

TEMPLATE_TEST_CASE("or_nan_of is its number, or NaN where another is", "", float, double) {
  using T = TestType;
  using V = xsimd::batch<T>;
  T const inf = infinity<T>, nan = not_a_number<T>;
  auto const or_nan_of = [](T x, T y, T z) {
    return in_all_lanes([=](V const& w) { return math::or_nan_of(V(x), V(y), w); }, z);
  };
  for (T const x : {T(3), T(-0.0), inf}) {
    CHECK(same_bits(or_nan_of(x, T(7), T(5)), x));
    CHECK(same_bits(or_nan_of(x, -inf, T(0)), x));
    CHECK(std::isnan(or_nan_of(x, nan, T(1))));
    CHECK(std::isnan(or_nan_of(x, T(1), nan)));
    CHECK(same_bits(math::or_nan_of(x, T(7)), x));
    CHECK(std::isnan(math::or_nan_of(x, nan)));
  }
  CHECK(std::isnan(or_nan_of(nan, T(1), T(1))));
}
