#pragma once

#include <algorithm>
#include <array>
#include <prefopt/contract/unpaired_loss.hpp>
#include <prefopt/link/bounded.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// KTO, Kahneman-Tversky optimization: single completions, good or bad, valued as people value gains and losses.
///     z = beta (a - kl),  a = logp - ref_logp
///     L = desirable_weight sigma(-z) if desirable, undesirable_weight sigma(z) if not; between, by the label
///     kl        the parameter; or, if the batch has kl_logp and ref_kl_logp (completions of other prompts), the mean of
///               their differences over the counted completions of all ranks, at least the parameter; held constant by
///               the gradient
///     special   a = +-inf gives 0 or the weight; the slope vanishes at both ends: an example far on the wrong side is
///               given up
///     source    Ethayarajh et al. 2024, arXiv:2402.01306, eq. 8; the estimate of kl: TRL's kto_trainer.py
/// The paper recommends desirable_weight n_desirable / (undesirable_weight n_undesirable) in [1, 4/3].
struct kto {
  double beta = 0.1;  ///< > 0
  double kl = 0;      ///< the reference point, or the least that the batch's may be, >= 0
  double desirable_weight = 1, undesirable_weight = 1;  ///< > 0

  using score = anchored<sum>;
  static constexpr columns needs = anchored<sum>::needs | columns::label, takes = columns::kl,
                           observed_from = columns::kl;
  [[nodiscard]] constexpr double reward_scale() const noexcept { return beta; }

  template <lane V>
  PREFOPT_INLINE value_slope<V> operator()(unpaired_row<V> const& row, V const& a) const noexcept {
    V const scale = math::constant<V>(beta), other = math::constant<V>(1) - row.label;
    auto const at =
        bounded{}.mixed(V(math::constant<V>(desirable_weight) * row.label),
                        V(math::constant<V>(undesirable_weight) * other), V(scale * (a - math::constant<V>(kl))));
    return {at.value, V(scale * at.slope)};
  }

  template <lane V>
  PREFOPT_INLINE std::array<V, 1> observe(unpaired_row<V> const& row, V const&) const noexcept {
    return {row.kl};
  }
  /// Without the columns, the sum is 0 and the parameter stays.
  [[nodiscard]] kto observed(std::array<double, 1> const& sums, double count) const noexcept {
    kto own = *this;
    own.kl = std::max(kl, count > 0 ? sums[0] / count : 0);
    return own;
  }

  static constexpr loss_card card{"kto", "weight sigma(-+ beta (a - kl))", "arXiv:2402.01306, eq. 8"};
  template <class L = kto>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()}, parameter{"kl", &L::kl, range::non_negative()},
                      parameter{"desirable_weight", &L::desirable_weight, range::positive()},
                      parameter{"undesirable_weight", &L::undesirable_weight, range::positive()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
