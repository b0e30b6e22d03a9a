#pragma once

#include <limits>
#include <prefopt/contract/token_surrogate.hpp>
#include <prefopt/token/aggregation.hpp>
#include <prefopt/token/kl_penalty.hpp>
#include <prefopt/token/sampler_correction.hpp>
#include <type_traits>

namespace prefopt::inline PREFOPT_ABI {

/// A policy-gradient loss: any surrogate, KL estimator, correction and aggregation together.
///     L = sum over the counted tokens of factor (correction * S + coefficient * K - entropy_coefficient * H)
/// S is the surrogate of the token, K the KL penalty, H the entropy column, factor the aggregation's.
template <class Surrogate>
struct policy_gradient {
  Surrogate surrogate{};
  kl_penalty kl{};
  sampler_correction correction{};
  prefopt::aggregation aggregation{};
  double entropy_coefficient = 0;  ///< finite; > 0 rewards entropy
  /// log_prob - old_log_prob is limited to [-log_ratio_limit, log_ratio_limit], without a gradient outside where the
  /// surrogate's is by the ratio. > 0; infinity: no limit.
  double log_ratio_limit = std::numeric_limits<double>::infinity();
};

namespace detail {

/// All of it but the surrogate.
struct token_terms {
  kl_penalty kl;
  sampler_correction correction;
  prefopt::aggregation aggregation;
  double entropy_coefficient, log_ratio_limit;
};

template <class>
inline constexpr bool is_policy_gradient = false;
template <class Surrogate>
inline constexpr bool is_policy_gradient<policy_gradient<Surrogate>> = true;

template <class Surrogate>
token_terms terms_of(policy_gradient<Surrogate> const& loss) noexcept {
  return {loss.kl, loss.correction, loss.aggregation, loss.entropy_coefficient, loss.log_ratio_limit};
}

}  // namespace detail

/// A policy_gradient, or a preset, which is one by its composition().
template <class L>
concept token_loss = detail::is_policy_gradient<detail::resolved<L>>;

}  // namespace prefopt::inline PREFOPT_ABI
