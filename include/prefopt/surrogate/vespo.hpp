#pragma once

#include <prefopt/contract/token_surrogate.hpp>

namespace prefopt::inline PREFOPT_ABI::surrogate {

/// VESPO: a gamma-shaped weight of the whole sequence's ratio.
///     W = clip(sum over the counted tokens of clip(l - o, -20, 20) + log max(correction, 1e-8), log 1e-8, 20)
///     phi = exp(lambda + k W - lambda e^W), held constant, k and lambda by the sign of A;  S = -phi A l,  dS/dl = -phi A
///               (of a correction by the sequence: once a token, too; one by the token is meant)
///     special   phi is 0 from W of about 5.5 on; phi A = 0 gives 0, whatever l
///     source    arXiv:2602.10693; TRL's `vespo`
struct vespo {
  double k_pos = 2, lambda_pos = 3;  ///< A >= 0; both >= 0
  double k_neg = 3, lambda_neg = 2;  ///< A < 0; both >= 0

  static constexpr columns needs = columns::old_policy;
  static constexpr surrogate_slope slope = surrogate_slope::by_log_prob;
  static constexpr bool takes_correction = true;

  template <lane V>
  PREFOPT_INLINE value_slope<V> statistic(token_row<V> const& row) const noexcept {
    V const most = math::constant<V>(20), least = math::constant<V>(1e-8);
    V const ratio = math::limited(row.log_ratio, V(-most), most);
    return {V(ratio + math::log(math::select(row.correction < least, least, row.correction))), math::constant<V>(1)};
  }
  template <lane V>
  PREFOPT_INLINE token_value<V> operator()(token_row<V> const& row) const noexcept {
    auto const is_bad = row.advantage < math::constant<V>(0);
    V const k = math::select(is_bad, math::constant<V>(k_neg), math::constant<V>(k_pos)),
            lambda = math::select(is_bad, math::constant<V>(lambda_neg), math::constant<V>(lambda_pos)),
            lowest = math::constant<V>(-18.420680743952367), highest = math::constant<V>(20);
    V const w = math::limited(row.sequence, lowest, highest);
    V const weight =
        -math::vanishing(row.advantage, math::exp_of_any(V(lambda + k * w - lambda * math::exp_of_any(w))));
    return {math::vanishing(weight, row.log_prob), weight, math::indicator<V>(row.sequence < lowest),
            math::indicator<V>(row.sequence > highest)};
  }

  static constexpr loss_card card{"vespo", "-phi A l, phi = exp(lambda + k W - lambda e^W) held constant",
                                  "arXiv:2602.10693"};
  template <class L = vespo>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"k_pos", &L::k_pos, range::non_negative()},
                      parameter{"lambda_pos", &L::lambda_pos, range::non_negative()},
                      parameter{"k_neg", &L::k_neg, range::non_negative()},
                      parameter{"lambda_neg", &L::lambda_neg, range::non_negative()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI::surrogate
