#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/exponential_difference.hpp>
#include <prefopt/link/logistic.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/sum.hpp>
#include <prefopt/simd/math.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// f-DPO with the Jensen-Shannon divergence in the place of the reverse KL.
///     a = chosen - ref_chosen,  b = rejected - ref_rejected,  s(x) = log sigma(x)
///     z = beta (s(a) - s(b)),  L = log(1 + e^-z)
///     dL/dchosen = -beta sigma(-z) sigma(-a),  dL/drejected = beta sigma(-z) sigma(-b)
///     special   a = b gives log 2, exactly; b = -inf gives 0, a = -inf gives +inf
///     source    Wang et al. 2023, arXiv:2309.16240, table 1
struct f_dpo_js {
  double beta = 0.1;  ///< strength of the anchor, > 0

  using score = anchored<sum>;
  [[nodiscard]] constexpr double reward_scale() const noexcept { return beta; }

  template <lane V>
  PREFOPT_INLINE pair_value<V> operator()(V const& a, V const& b) const noexcept {
    V const zero = math::constant<V>(0), scale = math::constant<V>(beta);
    auto const of_a = math::logistic(a), of_b = math::logistic(b);
    // log sigma(x) = min(x, 0) - log(1 + e^-|x|), term by term: what is large in both cancels exactly.
    V const far = math::positive_part(V(-b)) - math::positive_part(V(-a));
    V const near = math::select(b > zero, of_b.softplus_negated, of_b.softplus) -
                   math::select(a > zero, of_a.softplus_negated, of_a.softplus);
    auto const at = logistic{}(V(scale * detail::zero_if_equal(a, b, V(far + near))));
    V const slope = scale * at.slope;
    return {at.value, V(slope * of_a.sigmoid_negated), V(-(slope * of_b.sigmoid_negated))};
  }

  static constexpr loss_card card{"f_dpo_js", "softplus(-beta (log sigma(a) - log sigma(b)))",
                                  "arXiv:2309.16240, table 1"};
  template <class L = f_dpo_js>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
