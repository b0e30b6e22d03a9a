#pragma once

#include <prefopt/contract/token_surrogate.hpp>

namespace prefopt::inline PREFOPT_ABI::surrogate {

/// The plain ratio as long as the token's probability has not moved too far where A wants it, and a square that holds the
/// log-prob: prime-rl's default, whose old policy is the sampler. Or, with both_sides, has not moved too far at all.
///     S = -A exp(l - o), if A > 0: e^l - e^o <= high, else e^l - e^o >= -low; else 0;  + kl_tau (l - o)^2 on every token
///     both_sides: if -low <= e^l - e^o <= high, whatever A
///     dS/dl = -A exp(l - o) where it is kept, + 2 kl_tau (l - o)
///     source    prime-rl, trainer/rl/loss.py; its `ipo` is {.low = 0.1, .high = 0.1, .both_sides = true}
struct masked_ratio {
  double low = 0.2, high = 0.2;  ///< in [0, 1]
  double kl_tau = 1e-3;          ///< >= 0
  bool both_sides = false;

  static constexpr columns needs = columns::old_policy;

  template <lane V>
  PREFOPT_INLINE token_value<V> operator()(token_row<V> const& row) const noexcept {
    V const zero = math::constant<V>(0);
    V const moved = math::exp_of_any(row.log_prob) - math::exp_of_any(row.old_log_prob);
    auto const is_good = row.advantage > zero;
    V const up = math::indicator<V>(moved > math::constant<V>(high)),
            down = math::indicator<V>(moved < -math::constant<V>(low));
    V const above = both_sides ? up : math::select(is_good, up, zero),
            below = both_sides ? down : math::select(is_good, zero, down);
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
                      parameter{"kl_tau", &L::kl_tau, range::non_negative()},
                      parameter{"both_sides", &L::both_sides, range::yes_or_no()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI::surrogate
