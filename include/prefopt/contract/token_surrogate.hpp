#pragma once

#include <cstddef>
#include <limits>
#include <prefopt/batch/tokens.hpp>
#include <prefopt/contract/loss_facts.hpp>
#include <prefopt/contract/loss_parameters.hpp>
#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/core/parameter.hpp>
#include <prefopt/simd/math.hpp>

// A surrogate: what a policy-gradient loss does at one token. A noexcept call operator on a token_row<V> returns a
// token_value<V>.
// What it names further, all optional:
//
//   needs                        columns::old_policy, if it compares with the old policy
//   slope                        a surrogate_slope: what the slope is by; by_log_ratio if not said
//   statistic(row)               something of each counted token, with its slope by the log-ratio, that is added up over the
//                                sequence: row.sequence in the call operator
//   takes_mean = true            or averaged
//   takes_exp = true             and row.sequence is the exponential of that: one a sequence, not one a token
//   decay()                      then row.sequence is the sum over this and the later tokens, each token later times decay
//   takes_correction = true      row.correction is the sampler's correction, which is then not multiplied with the value
//   selects                      a token_selection: tokens that the whole batch picks, 1 in row.selected
//   selected_share(), may_select(covariance, advantage, log_ratio)
//                                of these, how many of the counted tokens; which of them can be
//   ratio(row)                   what the report calls the ratio, if it is not the token's
//   parameters(), card           as of any loss

namespace prefopt::inline PREFOPT_ABI {

/// What the slope of a surrogate is by.
enum class surrogate_slope : unsigned char {
  by_log_prob,   ///< the token's own log-prob: a limit of the log-ratio does not touch it
  by_log_ratio,  ///< log_prob - old_log_prob: 0 where that is limited
  /// the statistic of the sequence, and so by every token of it; value and slope then depend on advantage and sequence
  /// alone
  by_sequence
};

/// Which tokens a surrogate treats apart, by cov = (A - mean A) (log_prob - mean log_prob) over the counted tokens.
enum class token_selection : unsigned char {
  none,
  largest_covariance,  ///< the share with the largest ones
  between_covariances  ///< a share at random of those that lie in an interval and are not clipped
};

/// A token lane by lane. Without the column of the old policy the ratio is 1.
template <lane V>
struct token_row {
  V log_prob, old_log_prob;
  V log_ratio;  ///< log_prob - old_log_prob, limited if the loss says so
  V advantage;
  V sequence;    ///< the surrogate's statistic, or its exponential
  V correction;  ///< the sampler's, where the surrogate takes it
  V selected;    ///< 1 or 0

  PREFOPT_INLINE token_row(V const& of_log_prob, V const& of_old, V const& of_log_ratio, V const& of_advantage,
                           V const& of_sequence, V const& of_correction, V const& is_selected) noexcept
      : log_prob(math::copy(of_log_prob)),
        old_log_prob(math::copy(of_old)),
        log_ratio(math::copy(of_log_ratio)),
        advantage(math::copy(of_advantage)),
        sequence(math::copy(of_sequence)),
        correction(math::copy(of_correction)),
        selected(math::copy(is_selected)) {}

  [[nodiscard]] PREFOPT_INLINE V ratio() const noexcept { return math::exp_of_any(log_ratio); }
};

/// A surrogate's value, its slope, and whether the ratio was clipped below or above: 1 or 0.
template <lane V>
struct token_value {
  V value, slope, below, above;

  PREFOPT_INLINE constexpr token_value(V const& of_value, V const& of_slope) noexcept
      : token_value{of_value, of_slope, math::constant<V>(0), math::constant<V>(0)} {}
  PREFOPT_INLINE constexpr token_value(V const& of_value, V const& of_slope, V const& is_below,
                                       V const& is_above) noexcept
      : value(math::copy(of_value)),
        slope(math::copy(of_slope)),
        below(math::copy(is_below)),
        above(math::copy(is_above)) {}
};

/// max(-A ratio, -A clip(ratio, lowest, highest)) and its slope by the logarithm of the ratio: -A ratio at the bounds and
/// inside, and where the clipped value is not the larger one; else 0.
template <lane V>
PREFOPT_INLINE token_value<V> clipped_surrogate(V const& advantage, V const& ratio, V const& lowest,
                                                V const& highest) noexcept {
  V const zero = math::constant<V>(0);
  auto const below = (advantage < zero) & (ratio < lowest), above = (advantage > zero) & (ratio > highest);
  V const used = math::select(below, lowest, math::select(above, highest, ratio));
  V const value = math::vanishing(V(-advantage), used);
  return {value, math::select(below | above, zero, value), math::indicator<V>(below), math::indicator<V>(above)};
}

namespace detail {

template <class L, class V>
concept calls_with_token = requires(L const surrogate, token_row<V> const row) {
  { surrogate(row) }
  noexcept->std::same_as<token_value<V>>;
};

template <class L>
concept has_statistic = requires(L const surrogate, token_row<float> const row) {
  { surrogate.statistic(row) }
  noexcept->std::same_as<value_slope<float>>;
};

template <class L, class V>
PREFOPT_INLINE V ratio_of(L const& surrogate, token_row<V> const& row) noexcept {
  if constexpr (requires { surrogate.ratio(row); }) {
    return surrogate.ratio(row);
  } else {
    return row.ratio();
  }
}

template <class L>
constexpr surrogate_slope slope_of() noexcept {
  if constexpr (requires { L::slope; }) return L::slope;
  return surrogate_slope::by_log_ratio;
}

template <class L>
constexpr bool takes_mean() noexcept {
  if constexpr (requires { L::takes_mean; }) return L::takes_mean;
  return false;
}

template <class L>
constexpr bool takes_exp() noexcept {
  if constexpr (requires { L::takes_exp; }) return L::takes_exp;
  return false;
}

template <class L>
constexpr bool takes_correction() noexcept {
  if constexpr (requires { L::takes_correction; }) return L::takes_correction;
  return false;
}

template <class L>
constexpr token_selection selection_of() noexcept {
  if constexpr (requires { L::selects; }) return L::selects;
  return token_selection::none;
}

}  // namespace detail

/// What a policy-gradient loss does at one token.
template <class L>
concept token_surrogate = detail::calls_with_token<L, float> && detail::calls_with_token<L, double> &&
    detail::calls_with_token<L, xsimd::batch<float>> && detail::calls_with_token<L, xsimd::batch<double>>;

}  // namespace prefopt::inline PREFOPT_ABI
