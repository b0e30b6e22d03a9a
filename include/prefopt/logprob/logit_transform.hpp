#pragma once

#include <cmath>
#include <limits>
#include <prefopt/core/errors.hpp>
#include <prefopt/logprob/row_kernels.hpp>
#include <prefopt/simd/math.hpp>
#include <string>
#include <string_view>

namespace prefopt::inline PREFOPT_ABI {

/// What becomes of a model's logits x before the softmax, in this order: scaled, capped, divided by the temperature.
///     x'        soft_cap tanh(scale x / soft_cap) / temperature; without a cap scale x / temperature
///     all       log-probs, entropy, sums and hits are those of x'; gradients are by x, so with the slope of x' by x
///     special   -inf stays -inf, a token that cannot be, also under a cap; NaN and +inf make NaN of their row
///     computed  in the type that logits are computed in: x' is off by three roundings of x' - highest, and under a cap
///               by eight of soft_cap / temperature; a cap's slope by 17 roundings of scale / temperature
///     throws    std::invalid_argument: a member that is not as stated, or scale / temperature, soft_cap / temperature
///               or scale / soft_cap beyond 1e-12 to 1e12
/// Members that are not given leave the logits as they are, bit for bit.
struct logit_transform {
  double scale = 1;  ///< finite, > 0: Cohere's logit_scale, the inverse of Granite's logits_scaling
  /// > 0: Gemma's final_logit_softcapping. Infinity, not 0, is none.
  double soft_cap = std::numeric_limits<double>::infinity();
  double temperature = 1;  ///< finite, > 0: that of sampling
};

namespace detail {

using PREFOPT_KERNELS::row_transform;

/// Kernels multiply powers of factors, up to the third, in float.
inline constexpr double least_transform_factor = 1e-12;

inline row_transform checked_transform(std::string_view where, logit_transform const& given) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  auto const expect_factor = [&](char const* name, double value) {
    if (value > 0 && value < infinity) return;
    fail(where, std::string{name} + " is " + text(value) + ", expected a finite number > 0");
  };
  expect_factor("scale", given.scale);
  if (!(given.soft_cap > 0)) {
    fail(where, "soft_cap is " + text(given.soft_cap) + ", expected a number > 0, or infinity for none");
  }
  expect_factor("temperature", given.temperature);
  auto const expect_size = [&](char const* name, double value) {
    if (value >= least_transform_factor && value <= 1 / least_transform_factor) return;
    fail(where, std::string{name} + " is " + text(value) + ", expected a number from 1e-12 to 1e12");
  };
  double const slope = given.scale / given.temperature;
  expect_size("scale / temperature", slope);
  if (given.soft_cap == infinity) {
    if (slope == 1) return {};
    return {.kind = row_transform::kinds::scaled, .factor = slope};
  }
  row_transform const capped{.kind = row_transform::kinds::capped,
                             .factor = given.soft_cap / given.temperature,
                             .inner = given.scale / given.soft_cap};
  expect_size("soft_cap / temperature", capped.factor);
  expect_size("scale / soft_cap", capped.inner);
  return capped;
}

/// x' of one logit, in double.
inline double transformed(row_transform const& by, double x) noexcept {
  if (by.kind != row_transform::kinds::capped) return by.factor * x;
  return std::isinf(x) ? x : by.factor * math::tanh(by.inner * x).tanh;
}

/// The slope of x' by x.
inline double transform_slope(row_transform const& by, double x) noexcept {
  double const slope = by.factor * by.inner;
  return by.kind == row_transform::kinds::capped ? slope * math::tanh(by.inner * x).slope : slope;
}

}  // namespace detail
}  // namespace prefopt::inline PREFOPT_ABI
