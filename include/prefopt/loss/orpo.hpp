#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/score/length_mean.hpp>
#include <prefopt/simd/math.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// ORPO, odds ratio preference optimization: supervised fine-tuning with a penalty on the odds of rejected, and no
/// reference.
///     a = chosen / chosen_length,  b = rejected / rejected_length,  odds(x) = e^x / (1 - e^x)
///     L = beta log(1 + odds(b) / odds(a)) - sft a
///     dL/dchosen = -(beta odds(b) / (odds(a) + odds(b)) / (1 - e^a) + sft) / chosen_length
///     dL/drejected = beta odds(a) / (odds(a) + odds(b)) / (1 - e^b) / rejected_length
///     special   a = 0 gives 0 in the first term, with slope -beta odds(b); b = 0 gives +inf; both give NaN
///     source    Hong et al. 2024, arXiv:2403.07691, eq. 4 to 7
/// A probability has odds: log-probs above 0 and completions without tokens are refused. A log-prob below the smallest
/// normal number is taken for 0.
struct orpo {
  double beta = 0.1;  ///< the paper's lambda, weight of the odds ratio, > 0
  double sft = 1;     ///< weight of the chosen completion's mean negative log-likelihood, >= 0

  using score = length_mean;
  static constexpr column_rule rule{columns::none, allowed_values::log_prob};
  static constexpr bool refuses_empty = true;
  [[nodiscard]] constexpr double reward_scale() const noexcept { return beta; }

  template <lane V>
  PREFOPT_INLINE pair_value<V> operator()(V const& a, V const& b) const noexcept {
    V const zero = math::constant<V>(0), scale = math::constant<V>(beta), weight = math::constant<V>(sft), u = a - b;
    // 1 - e^a and 1 - e^b, and never -0. The logarithm of their quotient is small where a is next to b; two logarithms
    // are not.
    V const not_a = zero - math::expm1(a), not_b = zero - math::expm1(b);
    V const log_odds = u + math::log(math::divide(not_b, not_a));
    // (1 - e^a) (1 + odds(a) / odds(b)): the slopes without a product of 0 and infinity at a = 0.
    V const total = math::fma(math::exp_of_any(u), not_b, not_a);
    V const value = scale * math::logistic(log_odds).softplus_negated;
    V const d_chosen = math::divide(V(-scale), total);
    V const d_rejected = math::divide(V(scale * math::divide(not_a, total)), not_b);
    if (sft == 0) return {value, d_chosen, d_rejected};
    return {V(value - weight * a), V(d_chosen - weight), d_rejected};
  }

  static constexpr loss_card card{"orpo", "beta softplus(-log(odds(a) / odds(b))) - sft a, a, b = means",
                                  "arXiv:2403.07691, eq. 4-7"};
  template <class L = orpo>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()}, parameter{"sft", &L::sft, range::non_negative()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
