#pragma once

#include <cmath>
#include <prefopt/surrogate/ppo_clip.hpp>

namespace prefopt::inline PREFOPT_ABI::surrogate {

/// Clip-Cov: PPO's clipped surrogate without a few tokens, drawn from those whose covariance would cost much entropy.
///     cov = (A - mean A) (l - mean l) over the counted tokens of this call
///     S = ppo_clip, and 0 for max(1, floor(share n)) tokens drawn at random from those that are not clipped and have cov
///         in (lowest_covariance, highest_covariance)
/// The draw depends on the batch alone: the same call picks the same tokens. Of several ranks each picks its own.
///     source    Cui et al. 2025, arXiv:2505.22617; verl's `clip_cov`
struct clip_cov {
  double low = 0.2;     ///< in [0, 1]
  double high = 0.2;    ///< >= 0
  double share = 2e-4;  ///< share of the counted tokens, in (0, 1]
  double lowest_covariance = 1, highest_covariance = 5;

  static constexpr columns needs = columns::old_policy;
  static constexpr token_selection selects = token_selection::between_covariances;
  [[nodiscard]] double selected_share() const noexcept { return share; }
  [[nodiscard]] bool may_select(double covariance, double advantage, double log_ratio) const noexcept {
    double const ratio = std::exp(log_ratio);
    bool const is_clipped = advantage > 0 ? ratio > 1 + high : advantage < 0 && ratio < 1 - low;
    return !is_clipped && covariance > lowest_covariance && covariance < highest_covariance;
  }

  template <lane V>
  PREFOPT_INLINE token_value<V> operator()(token_row<V> const& row) const noexcept {
    V const zero = math::constant<V>(0);
    auto const at = ppo_clip{.low = low, .high = high}(row);
    auto const is_out = row.selected > zero;
    return {math::select(is_out, zero, at.value), math::select(is_out, zero, at.slope), at.below, at.above};
  }

  [[nodiscard]] constexpr char const* problem() const noexcept {
    return lowest_covariance <= highest_covariance
               ? nullptr
               : "lowest_covariance is above highest_covariance, expected it not to be";
  }
  static constexpr loss_card card{"clip_cov", "ppo_clip, 0 for some tokens of high covariance", "arXiv:2505.22617"};
  template <class L = clip_cov>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"low", &L::low, range{.low = 0, .high = 1}},
                      parameter{"high", &L::high, range::non_negative()},
                      parameter{"share", &L::share, range{.low = 0, .high = 1, .low_is_in = false}},
                      parameter{"lowest_covariance", &L::lowest_covariance, range{}},
                      parameter{"highest_covariance", &L::highest_covariance, range{}}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI::surrogate
