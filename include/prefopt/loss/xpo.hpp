#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/logistic.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/sum.hpp>
#include <prefopt/simd/math.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// XPO, exploratory preference optimization: DPO with a bonus for leaving what the reference says. Reads `chosen_sign`
/// and `rejected_sign`: 1 for the completion that was sampled from the reference, 0 for the other.
///     h = (chosen - ref_chosen) - (rejected - ref_rejected)
///     L = log(1 + e^(-beta h)) + alpha (chosen_sign chosen + rejected_sign rejected)
///     dL/dchosen = -beta sigma(-beta h) + alpha chosen_sign,  dL/drejected = beta sigma(-beta h) + alpha rejected_sign
///     special   h = +inf gives 0, h = -inf gives +inf in the first term
///     source    Xie et al. 2024, arXiv:2405.21046, algorithm 1; TRL, xpo_trainer.py
/// The bonus is on the policy's own log-prob: such samples become less likely.
struct xpo {
  double beta = 0.1;    ///< strength of the anchor, > 0
  double alpha = 1e-5;  ///< weight of the bonus, >= 0

  using score = anchored<sum>;
  static constexpr columns needs = columns::sign;
  [[nodiscard]] static constexpr logistic link() noexcept { return {}; }
  [[nodiscard]] constexpr linear logit() const noexcept { return {.scale = beta}; }

  template <lane V>
  PREFOPT_INLINE pair_value<V> rest(pair_row<V> const& row, V const&, V const&) const noexcept {
    auto const chosen = bonus(row.chosen_sign, row.chosen.log_prob),
               rejected = bonus(row.rejected_sign, row.rejected.log_prob);
    return {V(chosen.value + rejected.value), math::or_nan_of(chosen.slope, row.rejected_sign),
            math::or_nan_of(rejected.slope, row.chosen_sign)};
  }

  static constexpr loss_card card{"xpo", "softplus(-beta h) + alpha (log-prob of the reference's sample)",
                                  "arXiv:2405.21046, algorithm 1"};
  template <class L = xpo>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()},
                      parameter{"alpha", &L::alpha, range::non_negative()}};
  }

 private:
  // The score's slope by the log-prob is 1: a derivative by the one is one by the other.
  template <lane V>
  PREFOPT_INLINE value_slope<V> bonus(V const& is_sample, V const& log_prob) const noexcept {
    V const zero = math::constant<V>(0), weight = math::constant<V>(alpha) * is_sample;
    return {math::select(weight == zero, zero, V(weight * log_prob)), weight};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
