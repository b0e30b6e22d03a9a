#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/exponential_difference.hpp>
#include <prefopt/link/logistic.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// f-DPO with an alpha-divergence in the place of the reverse KL.
///     a = chosen - ref_chosen,  b = rejected - ref_rejected,  s(x) = (e^((alpha - 1) x) - 1) / (alpha - 1)
///     z = beta (s(a) - s(b)),  L = log(1 + e^-z)
///     dL/dchosen = -beta sigma(-z) s'(a),  dL/drejected = beta sigma(-z) s'(b),  s'(x) = e^((alpha - 1) x)
///     special   a = b gives log 2, exactly; z = +inf gives 0, z = -inf gives +inf; a slope is 0 where sigma is,
///               whatever s' is
///     source    Wang et al. 2023, arXiv:2309.16240, table 1
/// TRL's alpha; that of others is 1 - alpha. 0 is f_dpo_forward_kl.
struct f_dpo_alpha {
  double beta = 0.1;   ///< strength of the anchor, > 0
  double alpha = 0.5;  ///< 1 is dpo, bit for bit

  using score = anchored<sum>;
  [[nodiscard]] constexpr double reward_scale() const noexcept { return beta; }

  template <lane V>
  PREFOPT_INLINE pair_value<V> operator()(V const& a, V const& b) const noexcept {
    V const scale = math::constant<V>(beta);
    if (alpha == 1) {
      auto const at = logistic{}(V(scale * (a - b)));
      V const slope = scale * at.slope;
      return {at.value, slope, V(-slope)};
    }
    auto const u = detail::difference_of_exponentials(alpha - 1, a, b);
    auto const at = logistic{}(V(scale * u.value));
    V const slope = scale * at.slope;
    return {at.value, detail::damped(slope, u.by_a), detail::damped(slope, u.by_b)};
  }

  static constexpr loss_card card{"f_dpo_alpha",
                                  "softplus(-beta (s(a) - s(b))), s(x) = (e^((alpha-1) x) - 1)/(alpha-1)",
                                  "arXiv:2309.16240, table 1"};
  template <class L = f_dpo_alpha>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()}, parameter{"alpha", &L::alpha, range{}}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
