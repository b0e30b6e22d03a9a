#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/bounded.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// APO-down, anchored preference optimization for a policy that is better than the data: both are to become less
/// likely, rejected more so.
///     L = sigma(beta a) + sigma(-beta (a - b))
///     a = chosen - ref_chosen,  b = rejected - ref_rejected
///     dL/dchosen = beta (sigma(beta a) sigma(-beta a) - sigma(z) sigma(-z)),  dL/drejected = beta sigma(z) sigma(-z),
///     z = beta (a - b)
///     special   between 0 and 2; b = 0 gives 1, with dL/dchosen = 0; at the ends every slope is 0
///     source    D'Oosterlinck et al. 2024, arXiv:2408.06266, eq. 8
struct apo_down {
  double beta = 0.1;  ///< strength of the anchor, > 0

  using score = anchored<sum>;
  [[nodiscard]] constexpr double reward_scale() const noexcept { return beta; }

  template <lane V>
  PREFOPT_INLINE pair_value<V> operator()(V const& a, V const& b) const noexcept {
    V const scale = math::constant<V>(beta);
    auto const down = bounded{}(V(-(scale * a))), apart = bounded{}(V(scale * (a - b)));
    return {V(down.value + apart.value), V(scale * (apart.slope - down.slope)), V(-(scale * apart.slope))};
  }

  static constexpr loss_card card{"apo_down", "sigma(beta a) + sigma(-beta (a - b))", "arXiv:2408.06266, eq. 8"};
  template <class L = apo_down>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
