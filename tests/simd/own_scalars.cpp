#include <Eigen/Core>
#include <catch.hpp>
#include <cmath>
#include <limits>
#include <prefopt/simd/math.hpp>
#include <unsupported/Eigen/AutoDiff>
#include <vector>

// The functions on scalars that are no batches: against those of long double, and differentiated by Eigen.

namespace {

namespace math = prefopt::math;
using real = long double;
using dual = Eigen::AutoDiffScalar<Eigen::Matrix<real, 1, 1>>;

/// f of T within a few roundings of the formula, which is in long double, where `one` is as large as what cancels in it.
template <class T, class F, class Formula>
void check_scalar(F const& f, Formula const& formula, std::vector<double> const& points, real one) {
  for (double const x : points) {
    real const right = formula(static_cast<real>(static_cast<T>(x)));
    CAPTURE(x, right);
    CHECK(std::fabs(static_cast<real>(f(static_cast<T>(x))) - right) <=
          4 * std::numeric_limits<T>::epsilon() * (std::fabs(right) + one));
  }
}

/// And its derivative is the slope.
template <class F, class Formula, class Slope>
void check_with_slope(char const* name, F const& f, Formula const& formula, Slope const& slope,
                      std::vector<double> const& points, real one = 0) {
  CAPTURE(name);
  check_scalar<float>(f, formula, points, one);
  check_scalar<double>(f, formula, points, one);
  check_scalar<real>(f, formula, points, one);
  for (double const x : points) {
    dual const got = f(dual(static_cast<real>(x), 1, 0));
    real const value = formula(static_cast<real>(x)), right = slope(static_cast<real>(x));
    CAPTURE(x, value, right);
    // What cancels in 1 + x and e^x - 1 is 1.
    CHECK(std::fabs(got.value() - value) <= 4 * std::numeric_limits<real>::epsilon() * (std::fabs(value) + 1));
    CHECK(std::fabs(got.derivatives()[0] - right) <=
          16 * std::numeric_limits<real>::epsilon() * (std::fabs(right) + 1));
  }
}

std::vector<double> const below_zero{-40, -3.5, -1, -0.25, -1e-3}, up_to_one{1e-3, 0.25, 0.75, 1},
    any_number{-40, -3.5, -1, -0.25, 0.125, 0.75, 2, 30};

real own_exp(real x) { return std::exp(x); }
real own_sigmoid(real x) { return 1 / (1 + std::exp(-x)); }
real own_sigmoid_slope(real x) { return std::exp(-x) / ((1 + std::exp(-x)) * (1 + std::exp(-x))); }

}  // namespace

TEST_CASE("exponentials and logarithms of scalars that are no batches") {
  check_with_slope(
      "exp", [](auto x) { return math::exp(x); }, own_exp, own_exp, below_zero);
  check_with_slope(
      "exp_of_any", [](auto x) { return math::exp_of_any(x); }, own_exp, own_exp, any_number);
  check_with_slope(
      "expm1", [](auto x) { return math::expm1(x); }, [](real x) { return std::expm1(x); }, own_exp, below_zero);
  check_with_slope(
      "expm1_with_rest.value", [](auto x) { return math::expm1_with_rest(x).value; },
      [](real x) { return std::expm1(x); }, own_exp, any_number);
  check_with_slope(
      "expm1_with_rest.beyond_linear", [](auto x) { return math::expm1_with_rest(x).beyond_linear; },
      [](real x) { return std::expm1(x) - x; }, [](real x) { return std::expm1(x); }, any_number, 1);
  check_with_slope(
      "log1p", [](auto x) { return math::log1p(x); }, [](real x) { return std::log1p(x); },
      [](real x) { return 1 / (1 + x); }, up_to_one);
  check_with_slope(
      "log1p_unbounded", [](auto x) { return math::log1p_unbounded(x); }, [](real x) { return std::log1p(x); },
      [](real x) { return 1 / (1 + x); }, {1e-3, 1, 50});
  check_with_slope(
      "log", [](auto x) { return math::log(x); }, [](real x) { return std::log(x); }, [](real x) { return 1 / x; },
      {1e-3, 0.25, 0.75, 3, 1e4});
}

TEST_CASE("sigmoid, tanh and arctangent of scalars that are no batches") {
  check_with_slope(
      "softplus", [](auto x) { return math::logistic(x).softplus; }, [](real x) { return std::log1p(std::exp(x)); },
      own_sigmoid, any_number);
  check_with_slope(
      "softplus_negated", [](auto x) { return math::logistic(x).softplus_negated; },
      [](real x) { return std::log1p(std::exp(-x)); }, [](real x) { return -own_sigmoid(-x); }, any_number);
  check_with_slope(
      "sigmoid", [](auto x) { return math::logistic(x).sigmoid; }, own_sigmoid, own_sigmoid_slope, any_number);
  check_with_slope(
      "sigmoid_negated", [](auto x) { return math::logistic(x).sigmoid_negated; },
      [](real x) { return own_sigmoid(-x); }, [](real x) { return -own_sigmoid_slope(x); }, any_number);
  check_with_slope(
      "tanh", [](auto x) { return math::tanh(x).tanh; }, [](real x) { return std::tanh(x); },
      [](real x) { return 1 / (std::cosh(x) * std::cosh(x)); }, any_number);
  check_with_slope(
      "tanh's slope", [](auto x) { return math::tanh(x).slope; },
      [](real x) { return 1 / (std::cosh(x) * std::cosh(x)); },
      [](real x) { return -2 * std::tanh(x) / (std::cosh(x) * std::cosh(x)); }, any_number);
  check_with_slope(
      "arctangent", [](auto x) { return math::arctangent(x); }, [](real x) { return std::atan(x); },
      [](real x) { return 1 / (1 + x * x); }, up_to_one);
}

TEST_CASE("the normal distribution of scalars that are no batches") {
  auto const cdf = [](auto x) { return math::normal_cdf(x); };
  auto const formula = [](real x) { return std::erfc(-x / std::sqrt(real(2))) / 2; };
  check_scalar<float>(cdf, formula, any_number, 1);
  check_scalar<double>(cdf, formula, any_number, 1);
  CHECK(std::isnan(cdf(std::numeric_limits<double>::quiet_NaN())));
}
