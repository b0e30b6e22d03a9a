#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <prefopt/core/errors.hpp>
#include <prefopt/token/check_mask.hpp>
#include <prefopt/token/kl_penalty.hpp>
#include <prefopt/view/column.hpp>
#include <prefopt/view/offsets.hpp>
#include <string_view>
#include <type_traits>

namespace prefopt::inline PREFOPT_ABI {
namespace detail {

/// e^-d - 1 + d, by its series where that would cancel.
inline double third_estimate(double d) noexcept {
  if (std::isinf(d)) return std::fabs(d);
  if (!(std::fabs(d) < 0.125)) return std::expm1(-d) + d;
  double sum = 0;
  for (int n = 14; n >= 2; --n) sum = 1 - d / (n + 1) * sum;
  return sum * d * d / 2;
}

/// The value of the estimate at a token whose policy is the one that sampled it: a ratio of 1.
inline double estimate_kl(kl_estimator estimator, double d) noexcept {
  switch (estimator) {
    case kl_estimator::none:
      break;
    case kl_estimator::k1:
    case kl_estimator::k1_straight:
    case kl_estimator::k1_corrected:
      return d;
    case kl_estimator::k2:
      return d * d / 2;
    case kl_estimator::k3:
    case kl_estimator::k3_straight:
    case kl_estimator::k3_corrected:
      return third_estimate(d);
    case kl_estimator::abs:
      return std::fabs(d);
    case kl_estimator::sdar: {
      double const gate = 1 / (1 + std::exp(5 * d));
      return gate == 0 ? 0 : -gate * d;
    }
  }
  return 0;
}

}  // namespace detail

/// Rewards of tokens for a loop that has the KL in the reward, and not in the loss: -coefficient K at every counted token,
/// K the penalty's estimate between the policy that sampled and the reference, and the sequence's own reward at its last
/// counted token. What follows is `discounted_advantages`, or a sum a sequence.
///     reward      one a sequence; of a sequence without a counted token nothing is left
///     log_prob    of the policy that sampled: the old one
///     special     a token that the mask leaves out gets 0, whatever stands there; a coefficient of 0 reads no KL
///     computed    in double; over the log-probs, in place, too
///     throws      std::invalid_argument, before anything is written: sizes that differ, offsets that fall or do not span the
///                 tokens, a mask other than 0 and 1, a penalty out of its range, or a corrected one
///     source      OpenRLHF: k1, 0.01, within 10; TRL's RLOO: k1, 0.05; verl's use_kl_in_reward
template <class T>
void kl_rewards(std::type_identity_t<column<T>> const& reward, column<T> const& log_prob,
                std::type_identity_t<column<T>> const& ref_log_prob, std::type_identity_t<column<T>> const& mask,
                column<std::int64_t> const& offsets, std::type_identity_t<output<T>> const& token_reward,
                kl_penalty const& penalty) {
  using detail::fail, detail::text, detail::elements;
  constexpr std::string_view where = "kl_rewards";
  std::size_t const n = log_prob.size();
  detail::check_offsets(where, offsets, n, [](std::size_t, std::size_t) {}, {"offsets", "sequence", "log_prob"});
  std::size_t const sequences = offsets.size() - 1;
  auto const expect_size = [&](std::string_view name, std::size_t size) {
    if (size != n) fail(where, {name, " has ", elements(size), ", log_prob has ", text(n)});
  };
  expect_size("ref_log_prob", ref_log_prob.size());
  if (!mask.empty()) expect_size("mask", mask.size());
  expect_size("output token_reward", token_reward.size());
  if (reward.size() != sequences)
    fail(where, {"reward has ", elements(reward.size()), ", there are ", text(sequences), " sequences"});
  detail::check_mask(where, mask);
  detail::check_penalty(where, penalty);
  if (penalty.is_corrected) fail(where, "penalty.is_corrected is set, but a reward has no correction");
  for (std::size_t s = 0; s < sequences; ++s) {
    auto const begin = static_cast<std::size_t>(offsets[s]);
    bool is_last = true;
    for (auto i = static_cast<std::size_t>(offsets[s + 1]); i-- > begin;) {
      double value = 0;
      if (mask.empty() || mask[i] != 0) {
        double const d = std::clamp(static_cast<double>(log_prob[i]) - static_cast<double>(ref_log_prob[i]),
                                    -penalty.log_ratio_limit, penalty.log_ratio_limit);
        double const estimate =
            std::clamp(detail::estimate_kl(penalty.estimator, d), -penalty.value_limit, penalty.value_limit);
        if (penalty.coefficient != 0) value = -penalty.coefficient * estimate;
        if (is_last) value += static_cast<double>(reward[s]);
        is_last = false;
      }
      detail::put(token_reward, i, value);
    }
  }
}

}  // namespace prefopt::inline PREFOPT_ABI
