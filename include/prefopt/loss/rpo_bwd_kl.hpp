#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/kl_from_target.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// RPO, reward-aware preference optimization, by the divergence from the rewards' preference to the policy's.
///     h = (chosen - ref_chosen) - (rejected - ref_rejected), p = sigma(t), t = scale target
///     L = p log(p / sigma(beta h)) + (1 - p) log((1 - p) / sigma(-beta h)),  dL/dh = beta (sigma(beta h) - p)
///     special   beta h = t gives 0; h = +-inf gives +inf
///     source    NVIDIA 2024, arXiv:2406.11704; NeMo-Aligner
/// cDPO with epsilon = sigma(-t) in each pair, less the entropy of it; dpo as t grows.
/// The column target holds the rewards' difference, a constant.
struct rpo_bwd_kl {
  double beta = 0.1;  ///< > 0
  double scale = 1;   ///< of the rewards' difference, > 0

  using score = anchored<sum>;
  static constexpr columns needs = columns::target;
  template <lane V>
  PREFOPT_INLINE kl_from_target<V> link(pair_row<V> const& row) const noexcept {
    return {V(math::constant<V>(scale) * row.target)};
  }
  [[nodiscard]] constexpr linear logit() const noexcept { return {.scale = beta}; }

  static constexpr loss_card card{"rpo_bwd_kl", "KL(sigma(scale target) || sigma(beta h))", "arXiv:2406.11704"};
  template <class L = rpo_bwd_kl>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()}, parameter{"scale", &L::scale, range::positive()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
