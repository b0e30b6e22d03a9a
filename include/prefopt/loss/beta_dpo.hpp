#pragma once

#include <array>
#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/logistic.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// beta-DPO: DPO whose beta follows the batch: larger where the pairs are already far apart.
///     beta' = max(lowest, beta (1 + a (mean h - offset)))
///     L = log(1 + e^(-beta' h)),  dL/dh = -beta' sigma(-beta' h)
///     mean h    over the counted pairs of all ranks, without weights; held constant by the gradient
///     offset    the running mean of mean h, kept by an exponential_mean between steps
///     special   a = 0 is dpo; implicit rewards are reported with beta; a NaN margin, or one of +inf and one of
///               -inf, makes all of the batch NaN
///     source    Wu et al. 2024, arXiv:2407.08639. Its filter draws pairs before: that is the data's
struct beta_dpo {
  double beta = 0.1;     ///< > 0
  double a = 0.6;        ///< how much beta follows the batch, >= 0
  double offset = 0;     ///< the mean margin at which beta' is beta
  double lowest = 1e-3;  ///< the least beta', > 0

  using score = anchored<sum>;
  [[nodiscard]] static constexpr logistic link() noexcept { return {}; }
  [[nodiscard]] constexpr linear logit() const noexcept { return {.scale = beta}; }

  template <lane V>
  PREFOPT_INLINE std::array<V, 1> observe(pair_row<V> const&, V const& chosen, V const& rejected) const noexcept {
    return {V(chosen - rejected)};
  }
  [[nodiscard]] beta_dpo observed(std::array<double, 1> const& sums, double count) const noexcept {
    beta_dpo own = *this;
    if (count > 0) {
      double const wanted = beta * (1 + a * (sums[0] / count - offset));
      // Written so that a mean that is NaN stays NaN.
      own.beta = wanted < lowest ? lowest : wanted;
    }
    return own;
  }

  static constexpr loss_card card{"beta_dpo", "softplus(-beta' h), beta' = max(lowest, beta (1 + a (mean h - offset)))",
                                  "arXiv:2407.08639"};
  template <class L = beta_dpo>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()}, parameter{"a", &L::a, range::non_negative()},
                      parameter{"offset", &L::offset, range{}}, parameter{"lowest", &L::lowest, range::positive()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
