#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/misread.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Reward modelling with labels that are wrong at known rates. `chosen` and `rejected` are rewards; `label` is what was
/// observed: 1 where chosen won, 0 where it lost.
///     d = chosen - rejected
///     L = -log((1 - rho1) sigma(d) + rho0 sigma(-d)) for the label 1, -log(rho1 sigma(d) + (1 - rho0) sigma(-d)) for 0
///     special   rho0 = rho1 = 0 is bradley_terry; else a wrong pair costs at most -log rho, its slope vanishes
///     source    the observation model of NBPO
/// Not cdpo: the mixture is inside the logarithm.
struct noise_mixture {
  double rho0 = 0.2;  ///< how often a pair that chosen lost is observed as won, in [0, 1)
  double rho1 = 0.1;  ///< how often a pair that chosen won is observed as lost, in [0, 1)

  using score = sum;
  static constexpr columns needs = columns::label;
  static constexpr column_rule rule{columns::label, allowed_values::binary};
  template <lane V>
  PREFOPT_INLINE misread<V> link(pair_row<V> const& row) const noexcept {
    return {row.label, rho0, rho1};
  }
  [[nodiscard]] static constexpr linear logit() noexcept { return {}; }

  static constexpr loss_card card{"noise_mixture", "-log((1 - rho1) sigma(d) + rho0 sigma(-d)) for the label 1",
                                  "NBPO"};
  template <class L = noise_mixture>
  static constexpr auto parameters() noexcept {
    constexpr range rate{.low = 0, .high = 1, .high_is_in = false};
    return std::tuple{parameter{"rho0", &L::rho0, rate}, parameter{"rho1", &L::rho1, rate}};
  }
  [[nodiscard]] constexpr char const* problem() const noexcept {
    return rho0 + rho1 < 1 ? nullptr : "rho0 + rho1 has to be below 1, or the labels say the opposite, or nothing";
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
