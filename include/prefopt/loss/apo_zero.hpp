#pragma once

#include <prefopt/contract/separable.hpp>
#include <prefopt/link/bounded.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// APO-zero, anchored preference optimization for a policy that is worse than the data: chosen is to become more
/// likely, rejected less.
///     L = sigma(-beta a) + sigma(beta b)
///     a = chosen - ref_chosen,  b = rejected - ref_rejected
///     dL/dchosen = -beta sigma(beta a) sigma(-beta a),  dL/drejected = beta sigma(beta b) sigma(-beta b)
///     special   between 0 and 2; a = b = 0 gives 1; at the ends every slope is 0
///     source    D'Oosterlinck et al. 2024, arXiv:2408.06266, eq. 7
struct apo_zero {
  double beta = 0.1;  ///< strength of the anchor, > 0

  using score = anchored<sum>;
  [[nodiscard]] constexpr double reward_scale() const noexcept { return beta; }

  template <lane V>
  PREFOPT_INLINE pair_value<V> operator()(V const& a, V const& b) const noexcept {
    V const scale = math::constant<V>(beta);
    auto const up = bounded{}(V(scale * a)), down = bounded{}(V(-(scale * b)));
    return detail::separable(a, b, value_slope<V>{up.value, V(scale * up.slope)},
                             value_slope<V>{down.value, V(-(scale * down.slope))});
  }

  static constexpr loss_card card{"apo_zero", "sigma(-beta a) + sigma(beta b)", "arXiv:2408.06266, eq. 7"};
  template <class L = apo_zero>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
