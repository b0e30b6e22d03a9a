#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/logistic.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Cal-DPO: DPO whose implicit rewards are brought to the scale of +-1/2.
///     a = chosen - ref_chosen,  b = rejected - ref_rejected
///     L = log(1 + e^-(a - b)) + calibration ((a - 1 / (2 beta))^2 + (b + 1 / (2 beta))^2)
///     dL/dchosen = -sigma(b - a) + 2 calibration (a - 1 / (2 beta))
///     dL/drejected = sigma(b - a) + 2 calibration (b + 1 / (2 beta))
///     special   +-inf gives +inf; calibration 0 is dpo with beta 1
///     source    Xiao et al. 2024, arXiv:2412.14516
/// There is no beta in the logistic term.
struct cal_dpo {
  double beta = 1e-3;        ///< 1 / scale of the log-ratios, > 0
  double calibration = 0.5;  ///< weight of the squares, >= 0; 1 in the paper

  using score = anchored<sum>;
  [[nodiscard]] static constexpr logistic link() noexcept { return {}; }
  [[nodiscard]] static constexpr linear logit() noexcept { return {}; }
  [[nodiscard]] constexpr double reward_scale() const noexcept { return beta; }

  template <lane V>
  PREFOPT_INLINE pair_value<V> rest(V const& a, V const& b) const noexcept {
    V const zero = math::constant<V>(0), weight = math::constant<V>(calibration),
            target = math::constant<V>(1 / (2 * beta));
    if (calibration == 0) return {zero, zero, zero};
    V const above = a - target, below = b + target, up = weight * above, down = weight * below;
    return {V(up * above + down * below), V(up + up), V(down + down)};
  }

  static constexpr loss_card card{"cal_dpo", "softplus(-h) + calibration ((a - 1/(2 beta))^2 + (b + 1/(2 beta))^2)",
                                  "arXiv:2412.14516"};
  template <class L = cal_dpo>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()},
                      parameter{"calibration", &L::calibration, range::non_negative()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
