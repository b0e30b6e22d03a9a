#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/logistic.hpp>
#include <prefopt/link/row_scaled.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// MallowsPO: DPO with the margin scaled by how settled the prompt's answers are.
///     h = (chosen - ref_chosen) - (rejected - ref_rejected), z = beta scale h
///     L = log(1 + e^-z),  dL/dh = -beta scale sigma(-z),  dL/dscale = -beta h sigma(-z)
///     special   scale = 1 is dpo; scale = 0 gives log 2; h = +inf gives 0, h = -inf gives +inf
///     source    Chen et al. 2024, arXiv:2405.14953
/// The authors' scale is -0.29 log H, H the reference's entropy per token over log(vocabulary), averaged over the two
/// completions.
struct mallows_dpo {
  double beta = 0.1;  ///< > 0

  template <lane V>
  struct scale_gradient {
    V d_scale;
  };

  using score = anchored<sum>;
  static constexpr columns needs = columns::scale;
  [[nodiscard]] static constexpr logistic link() noexcept { return {}; }
  template <lane V>
  PREFOPT_INLINE row_scaled<V> logit(pair_row<V> const& row) const noexcept {
    return {V(math::constant<V>(beta) * row.scale)};
  }
  template <lane V>
  PREFOPT_INLINE scale_gradient<V> gradients(pair_row<V> const&, V const& u, V const& slope) const noexcept {
    V const zero = math::constant<V>(0);
    return {V(math::select(slope == zero, zero, V(V(math::constant<V>(beta) * slope) * u)))};
  }
  [[nodiscard]] constexpr double reward_scale() const noexcept { return beta; }

  static constexpr loss_card card{"mallows_dpo", "softplus(-beta scale h)", "arXiv:2405.14953"};
  template <class L = mallows_dpo>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
