#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/logistic.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// TDPO, token-level DPO: the sequences' divergences from the reference are part of the margin.
///     h = (chosen - ref_chosen) - (rejected - ref_rejected), k = 1 in version 1, alpha in version 2
///     z = beta (h - k (rejected_kl - chosen_kl)),  L = log(1 + e^-z),  dL/dh = -beta sigma(-z)
///     dL/dchosen_kl = -beta k sigma(-z), in version 2 a constant: 0;  dL/drejected_kl = beta k sigma(-z)
///     special   equal divergences are dpo; h = +inf gives 0, h = -inf gives +inf
///     source    Zeng et al. 2024, arXiv:2404.11999
/// The columns hold sum over the completion's tokens of KL(reference || policy), of the whole vocabulary.
struct tdpo {
  double beta = 0.1;   ///< > 0
  double alpha = 0.5;  ///< >= 0; of version 2
  double version = 2;  ///< 1 or 2

  template <lane V>
  struct kl_gradients {
    V d_chosen_kl, d_rejected_kl;
  };

  using score = anchored<sum>;
  static constexpr columns needs = columns::kl;
  [[nodiscard]] static constexpr logistic link() noexcept { return {}; }
  template <lane V>
  PREFOPT_INLINE row_affine<V> logit(pair_row<V> const& row) const noexcept {
    return {math::constant<V>(beta), V(math::constant<V>(beta * share()) * V(row.rejected_kl - row.chosen_kl))};
  }
  template <lane V>
  PREFOPT_INLINE kl_gradients<V> gradients(pair_row<V> const&, V const&, V const& slope) const noexcept {
    V const by_chosen = math::constant<V>(beta * share()) * slope;
    return {version == 1 ? by_chosen : math::constant<V>(0), V(-by_chosen)};
  }
  [[nodiscard]] constexpr double reward_scale() const noexcept { return beta; }

  static constexpr loss_card card{
      "tdpo", "softplus(-beta (h - k (rejected_kl - chosen_kl))), k = alpha, 1 in version 1", "arXiv:2404.11999"};
  template <class L = tdpo>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()},
                      parameter{"alpha", &L::alpha, range::non_negative()},
                      parameter{"version", &L::version, range{.low = 1, .high = 2, .is_whole = true}}};
  }

 private:
  [[nodiscard]] constexpr double share() const noexcept { return version == 1 ? 1 : alpha; }
};

}  // namespace prefopt::inline PREFOPT_ABI
