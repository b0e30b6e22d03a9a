#pragma once

#include <prefopt/contract/unpaired_loss.hpp>
#include <prefopt/link/misread.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// NBPO's observation model for single completions: a classifier whose labels are wrong at known rates. `logp` is the
/// logit that the completion is good, `label` what was observed.
///     L = -log((1 - rho1) sigma(s) + rho0 sigma(-s)) for the label 1, -log(rho1 sigma(s) + (1 - rho0) sigma(-s)) for 0
///     special   rho0 = rho1 = 0 is binary_cross_entropy; else a wrong label costs at most -log rho, its slope vanishes
///     source    the observation model of NBPO; noise_mixture is the same of pairs
struct nbpo {
  double rho0 = 0.2;  ///< how often a bad completion is observed as good, in [0, 1)
  double rho1 = 0.1;  ///< how often a good completion is observed as bad, in [0, 1)

  using score = sum;
  static constexpr columns needs = columns::label;
  static constexpr column_rule rule{columns::label, allowed_values::binary};

  template <lane V>
  PREFOPT_INLINE value_slope<V> operator()(unpaired_row<V> const& row, V const& s) const noexcept {
    return misread<V>{row.label, rho0, rho1}(s);
  }

  static constexpr loss_card card{"nbpo", "-log((1 - rho1) sigma(s) + rho0 sigma(-s)) for the label 1", "NBPO"};
  template <class L = nbpo>
  static constexpr auto parameters() noexcept {
    constexpr range rate{.low = 0, .high = 1, .high_is_in = false};
    return std::tuple{parameter{"rho0", &L::rho0, rate}, parameter{"rho1", &L::rho1, rate}};
  }
  [[nodiscard]] constexpr char const* problem() const noexcept {
    return rho0 + rho1 < 1 ? nullptr : "rho0 + rho1 has to be below 1, or the labels say the opposite, or nothing";
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
