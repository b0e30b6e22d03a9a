#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/squared_to.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// RPO, reward-aware preference optimization, by the squared distance to the difference of the rewards.
///     h = (chosen - ref_chosen) - (rejected - ref_rejected)
///     L = (beta h - scale target)^2,  dL/dh = 2 beta (beta h - scale target)
///     special   h = +-inf gives +inf
///     source    NVIDIA 2024, arXiv:2406.11704; NeMo-Aligner
/// The column target holds the rewards' difference, a constant.
struct rpo_sq {
  double beta = 0.1;  ///< > 0
  double scale = 1;   ///< of the rewards' difference, > 0

  using score = anchored<sum>;
  static constexpr columns needs = columns::target;
  template <lane V>
  PREFOPT_INLINE squared_to<V> link(pair_row<V> const& row) const noexcept {
    return {V(math::constant<V>(scale) * row.target)};
  }
  [[nodiscard]] constexpr linear logit() const noexcept { return {.scale = beta}; }

  static constexpr loss_card card{"rpo_sq", "(beta h - scale target)^2", "arXiv:2406.11704"};
  template <class L = rpo_sq>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()}, parameter{"scale", &L::scale, range::positive()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
