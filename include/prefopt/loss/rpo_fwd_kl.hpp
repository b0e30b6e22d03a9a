#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/kl_to_target.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// RPO, reward-aware preference optimization, by the divergence from the policy's preference to the rewards'.
///     h = (chosen - ref_chosen) - (rejected - ref_rejected), q = sigma(beta h), t = scale target
///     L = q log(q / sigma(t)) + (1 - q) log((1 - q) / sigma(-t)),  dL/dh = beta q (1 - q) (beta h - t)
///     special   beta h = t gives 0; h = +inf gives log(1 + e^-t), h = -inf gives log(1 + e^t), slope 0 at both
///     source    NVIDIA 2024, arXiv:2406.11704; NeMo-Aligner
/// exo_pair with log((1 - epsilon) / epsilon) = t in each pair.
/// The column target holds the rewards' difference, a constant.
struct rpo_fwd_kl {
  double beta = 0.1;  ///< > 0
  double scale = 1;   ///< of the rewards' difference, > 0

  using score = anchored<sum>;
  static constexpr columns needs = columns::target;
  template <lane V>
  PREFOPT_INLINE kl_to_target<V> link(pair_row<V> const& row) const noexcept {
    V const target = math::constant<V>(scale) * row.target;
    auto const wanted = math::logistic(target);
    return {V(-wanted.softplus_negated), V(-wanted.softplus), target};
  }
  [[nodiscard]] constexpr linear logit() const noexcept { return {.scale = beta}; }

  static constexpr loss_card card{"rpo_fwd_kl", "KL(sigma(beta h) || sigma(scale target))", "arXiv:2406.11704"};
  template <class L = rpo_fwd_kl>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()}, parameter{"scale", &L::scale, range::positive()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
