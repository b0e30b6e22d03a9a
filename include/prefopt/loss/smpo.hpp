#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/logistic.hpp>
#include <prefopt/link/row_scaled.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// SmPO-Diffusion: Diffusion-DPO with the margin scaled by how sure the pair's label is. `chosen` and `rejected` are
/// errors of the noise prediction, smaller is better.
///     e = (chosen - ref_chosen) - (rejected - ref_rejected), z = -beta / 2 (2 label - 1) scale e
///     L = log(1 + e^-z),  dL/de = beta / 2 (2 label - 1) scale sigma(-z)
///     special   label = 1/2 gives log 2 and no gradient; label < 1/2 is the pair swapped
///     source    SmPO-Diffusion, smoothed preference optimization; its code
struct smpo {
  double beta = 5000;  ///< > 0
  double scale = 10;   ///< > 0

  using score = anchored<sum>;
  static constexpr columns needs = columns::label;
  [[nodiscard]] static constexpr logistic link() noexcept { return {}; }
  template <lane V>
  PREFOPT_INLINE row_scaled<V> logit(pair_row<V> const& row) const noexcept {
    V const lean = V(row.label + row.label) - math::constant<V>(1);
    return {V(math::constant<V>(reward_scale()) * lean)};
  }
  /// The reward of a smaller error is larger.
  [[nodiscard]] constexpr double reward_scale() const noexcept { return -0.5 * beta * scale; }

  static constexpr loss_card card{"smpo", "softplus(beta/2 scale (2 label - 1) e), e a difference of errors",
                                  "SmPO-Diffusion"};
  template <class L = smpo>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()}, parameter{"scale", &L::scale, range::positive()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
