#pragma once

#include <prefopt/contract/unpaired_loss.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// DRO, direct reward optimization, its policy's part: an advantage and a quadratic tie to the reference.
///     L = -target logp + beta / 2 a^2,  dL/dlogp = -target + beta a,  a = logp - ref_logp
///     target    the advantage: reward - V, held constant
///     special   a = +-inf gives +inf unless beta is 0
///     source    Richemond et al. 2024, arXiv:2405.19107; verl's core_algos.py
/// Its value's part is score_regression with beta 1 over the target reward - V.
struct dro {
  double beta = 0.1;  ///< >= 0

  using score = anchored<sum>;
  static constexpr columns needs = anchored<sum>::needs | columns::target;
  [[nodiscard]] constexpr double reward_scale() const noexcept { return beta == 0 ? 1 : beta; }

  template <lane V>
  PREFOPT_INLINE value_slope<V> operator()(unpaired_row<V> const& row, V const& a) const noexcept {
    V const zero = math::constant<V>(0), scale = math::constant<V>(beta);
    // Without one of the terms, an infinite log-prob must not become 0 * inf.
    V const gain = math::select(row.target == zero, zero, V(row.target * row.completion.log_prob));
    V const pull = beta == 0 ? zero : V(scale * a);
    return {V(math::constant<V>(0.5) * (beta == 0 ? zero : V(pull * a)) - gain), V(pull - row.target)};
  }

  static constexpr loss_card card{"dro", "-target logp + beta/2 a^2", "arXiv:2405.19107"};
  template <class L = dro>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::non_negative()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
