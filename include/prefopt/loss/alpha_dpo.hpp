#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/logistic.hpp>
#include <prefopt/score/length_mean.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// alpha-DPO: SimPO with a target margin of each pair's own, larger where the policy has moved from the reference.
///     u = mean log-prob of chosen - of rejected,  h = u - the same of the reference
///     L = log(1 + e^-(beta u - gamma - alpha beta (h - mean) / deviation)),  dL/du = -beta sigma(-z)
///     constant  h is held constant by the gradient, and so are mean and deviation: of h, kept by an exponential_mean
///               between steps and brought up to date before the loss
///     special   alpha = 0 is simpo; otherwise an infinite log-prob of the policy gives NaN
///     source    Wu et al. 2024, arXiv:2410.10148
struct alpha_dpo {
  double beta = 2.5;     ///< > 0; usual 2.5 to 10
  double gamma = 1.5;    ///< target margin, >= 0, in units of beta u
  double alpha = 0.1;    ///< >= 0; usual 0.05 to 0.2
  double mean = 0;       ///< of h
  double deviation = 1;  ///< of h, > 0

  using score = length_mean;
  static constexpr columns needs = length_mean::needs | columns::reference;
  [[nodiscard]] static constexpr logistic link() noexcept { return {}; }
  [[nodiscard]] constexpr double reward_scale() const noexcept { return beta; }

  template <lane V>
  PREFOPT_INLINE row_affine<V> logit(pair_row<V> const& row) const noexcept {
    V const chosen = moved(row.chosen), rejected = moved(row.rejected);
    V const further =
        math::constant<V>(alpha == 0 ? 0 : alpha * beta / deviation) * (V(chosen - rejected) - math::constant<V>(mean));
    V const target = math::constant<V>(gamma);
    return {math::constant<V>(beta), alpha == 0 ? target : V(target + further)};
  }

  static constexpr loss_card card{"alpha_dpo", "softplus(gamma + alpha beta (mean h - mean) / deviation - beta mean u)",
                                  "arXiv:2410.10148"};
  template <class L = alpha_dpo>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()},
                      parameter{"gamma", &L::gamma, range::non_negative()},
                      parameter{"alpha", &L::alpha, range::non_negative()}, parameter{"mean", &L::mean, range{}},
                      parameter{"deviation", &L::deviation, range::positive()}};
  }

 private:
  /// How far the policy's mean log-prob is from the reference's.
  template <lane V>
  PREFOPT_INLINE static V moved(completion<V> const& c) noexcept {
    return length_mean{}(completion<V>{V(c.log_prob - c.reference), math::constant<V>(0), c.length}).value;
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
