#pragma once

#include <limits>
#include <prefopt/core/abi.hpp>
#include <prefopt/core/errors.hpp>
#include <span>
#include <string>
#include <string_view>

namespace prefopt::inline PREFOPT_ABI {

/// Estimates of KL(policy | reference) from one token, d = log_prob - ref_log_prob, r = exp(log_prob - old_log_prob).
enum class kl_estimator : unsigned char {
  none,
  k1,            ///< d; slope 1
  k2,            ///< d^2 / 2; slope d, of these the one whose gradient has no bias on-policy
  k3,            ///< e^-d - 1 + d; slope 1 - e^-d
  abs,           ///< |d|; slope sgn d
  k1_straight,   ///< the value of k1, the slope of k2
  k3_straight,   ///< the value of k3, the slope of k2
  k1_corrected,  ///< r k1; slope r (d + 1)
  k3_corrected,  ///< r k3; slope r d
  /// -g d, g = sigmoid(-5 d) held constant; slope -g: SDAR, distillation beside any surrogate, the teacher as the reference
  sdar
};

/// How far from the reference costs: coefficient * estimate at every counted token.
/// Estimators after Schulman, "Approximating KL divergence".
struct kl_penalty {
  kl_estimator estimator = kl_estimator::none;
  double coefficient = 0;  ///< finite, >= 0
  /// d in [-log_ratio_limit, log_ratio_limit] and the value likewise; no gradient outside. Both > 0; infinity: none.
  double log_ratio_limit = std::numeric_limits<double>::infinity();
  double value_limit = std::numeric_limits<double>::infinity();
  /// The sampler's correction multiplies the penalty, too.
  bool is_corrected = false;
};

namespace detail {

inline constexpr std::string_view kl_estimator_names[]{
    "none", "k1", "k2", "k3", "abs", "k1_straight", "k3_straight", "k1_corrected", "k3_corrected", "sdar"};

constexpr bool uses_ratio(kl_estimator estimator) noexcept {
  return estimator == kl_estimator::k1_corrected || estimator == kl_estimator::k3_corrected;
}

inline void check_penalty(std::string_view where, kl_penalty const& kl) {
  auto const expect = [&](bool holds, std::string_view name, double got, std::string_view expected) {
    if (!holds) fail(where, {name, " is ", text(got), ", expected ", expected});
  };
  expect(kl.coefficient >= 0 && kl.coefficient < std::numeric_limits<double>::infinity(), "kl.coefficient",
         kl.coefficient, "a finite number >= 0");
  expect(kl.log_ratio_limit > 0, "kl.log_ratio_limit", kl.log_ratio_limit, "a number > 0");
  expect(kl.value_limit > 0, "kl.value_limit", kl.value_limit, "a number > 0");
  if (kl.estimator == kl_estimator::none && kl.coefficient != 0) {
    fail(where, "kl.coefficient is " + text(kl.coefficient) + ", but kl.estimator is none");
  }
}

/// The value of that name among those of an enumeration, in order; an error lists them.
template <class Enumeration>
Enumeration enumerator_of(std::string_view name, std::span<std::string_view const> names, std::string_view what,
                          std::string_view where = "make_token_loss") {
  std::string known;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return static_cast<Enumeration>(i);
    known.append(known.empty() ? "" : ", ").append(names[i]);
  }
  fail(where, {"there is no ", what, " \"", name, "\", known are ", known});
}

}  // namespace detail

/// "k3" and so on.
constexpr std::string_view name_of(kl_estimator estimator) noexcept {
  return detail::kl_estimator_names[static_cast<std::size_t>(estimator)];
}
inline kl_estimator kl_estimator_of(std::string_view name) {
  return detail::enumerator_of<kl_estimator>(name, detail::kl_estimator_names, "KL estimator");
}

}  // namespace prefopt::inline PREFOPT_ABI
