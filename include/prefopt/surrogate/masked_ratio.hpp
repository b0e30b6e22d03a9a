#pragma once

#include <prefopt/contract/token_surrogate.hpp>

namespace prefopt::inline PREFOPT_ABI::surrogate {

/// The plain ratio as long as the token's probability has not moved too far where A wants it, and a square that holds the
/// log-prob: prime-rl's default, whose old policy is the sampler.
///     S = -A exp(l - o), if A > 0: e^l - e^o <= high, else e^l - e^o >= -low; else 0;  + kl_tau (l - o)^2 on every token
///     dS/dl = -A exp(l - o) where it is kept, + 2 kl_tau (l - o)
///     source    prime-rl, trainer/rl/loss.py
struct masked_ratio {
  double low = 0.2, high = 0.2;  ///< in [0, 1]
  double kl_tau = 1e-3;          ///< >= 0

  static constexpr columns needs = columns::old_policy;

  template <lane V>
  PREFOPT_INLINE token_value<V> operator()(token_row<V> const& row) const noexcept {
    V const zero = math::constant<V>(0);
    V const moved = math::exp_of_any(row.log_prob) - math::exp_of_any(row.old_log_prob);
    auto const is_good = row.advantage > zero;
    V const above = math::select(is_good, math::indicator<V>(moved > math::constant<V>(high)), zero),
            below = math::select(is_good, zero, math::indicator<V>(moved < -math::constant<V>(low)));
    V const kept = math::select(above + below > zero, zero, math::vanishing(V(-row.advantage), row.ratio()));
    V const pull = math::vanishing(math::constant<V>(kl_tau), row.log_ratio);
    return {math::dominated_sum(kept, math::vanishing(pull, row.log_ratio)), math::dominated_sum(kept, V(pull + pull)),
            below, above};
  }

  static constexpr loss_card card{"masked_ratio", "-A r while e^l is within low and high of e^o, + kl_tau (l - o)^2",
                                  "prime-rl"};
  template <class L = masked_ratio>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"low", &L::low, range{.low = 0, .high = 1}},
                      parameter{"high", &L::high, range{.low = 0, .high = 1}},
                      parameter{"kl_tau", &L::kl_tau, range::non_negative()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI::surrogate
