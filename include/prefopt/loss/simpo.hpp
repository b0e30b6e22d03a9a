#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/logistic.hpp>
#include <prefopt/score/length_mean.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// SimPO: a reward per token, no reference, a target margin.
///     u = chosen / chosen_length - rejected / rejected_length
///     L = log(1 + e^-(beta u - gamma)),  dL/dchosen = -beta sigma(gamma - beta u) / chosen_length
///     special   u = +inf gives 0, u = -inf gives +inf
///     source    Meng et al. 2024, arXiv:2405.14734, eq. 6
struct simpo {
  double beta = 2;   ///< > 0; usual 2 to 10
  double gamma = 1;  ///< target margin, >= 0, in units of beta u (absolute, as in the paper's equation)

  /// The authors' code and configurations give gamma / beta.
  [[nodiscard]] static constexpr simpo with_ratio(double beta, double gamma_beta_ratio) noexcept {
    return {.beta = beta, .gamma = gamma_beta_ratio * beta};
  }

  using score = length_mean;
  static constexpr bool fuses = true;
  [[nodiscard]] static constexpr logistic link() noexcept { return {}; }
  [[nodiscard]] constexpr affine logit() const noexcept { return {.scale = beta, .offset = gamma}; }

  static constexpr loss_card card{"simpo", "softplus(gamma - beta mean u)", "arXiv:2405.14734, eq. 6"};
  template <class L = simpo>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()},
                      parameter{"gamma", &L::gamma, range::non_negative()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
