#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/rectified_at.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// SLiC-HF, sequence likelihood calibration: a hinge on the log-probs themselves, plus the chosen completion's
/// likelihood. `hinge` is the form relative to a reference.
///     L = max(0, delta - (chosen - rejected)) - sft chosen
///     dL/dchosen = -[chosen - rejected < delta] - sft,  dL/drejected = [chosen - rejected < delta]
///     special   chosen - rejected = +inf gives 0, -inf gives +inf in the first term; the kink takes slope 0
///     source    Zhao et al. 2023, arXiv:2305.10425, eq. 1 and 2
/// The likelihood term is on the token sum. The paper takes that of the supervised target, which may be a third
/// completion.
struct slic {
  double delta = 1;  ///< margin of log-probs, > 0
  double sft = 0.1;  ///< weight of -log pi(chosen), >= 0

  using score = sum;
  [[nodiscard]] constexpr rectified_at link() const noexcept { return {.target = delta}; }
  [[nodiscard]] static constexpr linear logit() noexcept { return {}; }

  template <lane V>
  PREFOPT_INLINE pair_value<V> rest(V const& a, V const&) const noexcept {
    V const zero = math::constant<V>(0), weight = math::constant<V>(sft);
    // Without the term, a chosen log-prob of -inf must not become 0 * inf.
    return {sft == 0 ? zero : V(-(weight * a)), V(-weight), zero};
  }

  static constexpr loss_card card{"slic", "max(0, delta - (chosen - rejected)) - sft chosen", "arXiv:2305.10425"};
  template <class L = slic>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"delta", &L::delta, range::positive()},
                      parameter{"sft", &L::sft, range::non_negative()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
