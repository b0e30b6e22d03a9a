#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/logistic.hpp>
#include <prefopt/score/sum.hpp>
#include <prefopt/simd/math.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// The cost model of Safe RLHF: `chosen` and `rejected` are costs, and **chosen is the more harmful completion**. Reads
/// `chosen_sign` and `rejected_sign`: 1 for a completion that is harmful, -1 for one that is not.
///     L = log(1 + e^(rejected - chosen)) + scale (log(1 + e^(-s chosen)) + log(1 + e^(-s' rejected)))
///         + regularization (chosen^2 + rejected^2) / 2
///     dL/dchosen = -sigma(rejected - chosen) - scale s sigma(-s chosen) + regularization chosen
///     special   an end of the right sign gives 0 in its term, of the wrong one +inf
///     source    Dai et al. 2023, arXiv:2310.12773, eq. 6; align-anything, cost_model.py
/// A sign may be any number: align-anything's are -(rate of harmlessness).
struct cost_model {
  double scale = 1;           ///< weight of the signs, >= 0
  double regularization = 0;  ///< weight that keeps the costs around 0, >= 0

  using score = sum;
  static constexpr columns needs = columns::sign;
  [[nodiscard]] static constexpr logistic link() noexcept { return {}; }
  [[nodiscard]] static constexpr linear logit() noexcept { return {}; }

  template <lane V>
  PREFOPT_INLINE pair_value<V> rest(pair_row<V> const& row, V const& a, V const& b) const noexcept {
    auto const of_a = of_cost(row.chosen_sign, a), of_b = of_cost(row.rejected_sign, b);
    V const nothing = math::or_nan_of(math::constant<V>(0), row.chosen_sign, row.rejected_sign);
    return {V(of_a.value + of_b.value + nothing), V(of_a.slope + nothing), V(of_b.slope + nothing)};
  }

  static constexpr loss_card card{"cost_model",
                                  "softplus(rejected - chosen) + scale (softplus(-s chosen) + softplus(-s' rejected)) "
                                  "+ regularization (chosen^2 + rejected^2) / 2",
                                  "arXiv:2310.12773, eq. 6"};
  template <class L = cost_model>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"scale", &L::scale, range::non_negative()},
                      parameter{"regularization", &L::regularization, range::non_negative()}};
  }

 private:
  template <lane V>
  PREFOPT_INLINE value_slope<V> of_cost(V const& sign, V const& cost) const noexcept {
    V const zero = math::constant<V>(0), weight = math::constant<V>(scale);
    value_slope<V> sum{zero, zero};
    // A weight or a sign of 0 leaves nothing of an infinite cost.
    if (scale != 0) {
      auto const at = logistic{}(V(math::select(sign == zero, zero, V(sign * cost))));
      sum = {V(weight * at.value), V(weight * (sign * at.slope))};
    }
    if (regularization != 0) {
      V const pull = math::constant<V>(regularization) * cost;
      sum = {V(sum.value + math::constant<V>(0.5) * (pull * cost)), V(sum.slope + pull)};
    }
    return sum;
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
