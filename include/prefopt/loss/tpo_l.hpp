#pragma once

#include <prefopt/contract/gold_likelihood.hpp>
#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/logistic.hpp>
#include <prefopt/score/length_mean.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// TPO-L, the length-normalized form of tpo: SimPO beside a third, demonstrated completion, whose log-prob per token is
/// the column `gold`.
///     u = chosen / chosen_length - rejected / rejected_length
///     L = log(1 + e^-(beta u - gamma)) - sft gold,  dL/dgold = -sft
///     special   u = +inf gives 0, u = -inf gives +inf in the first term
///     source    Saeidi et al. 2024, arXiv:2405.16681; TRL, tpo_trainer.py
struct tpo_l {
  double beta = 2;     ///< > 0
  double gamma = 0.5;  ///< target margin, >= 0, in units of beta u
  double sft = 1;      ///< weight of the demonstration, >= 0

  using score = length_mean;
  static constexpr columns needs = columns::gold;
  [[nodiscard]] static constexpr logistic link() noexcept { return {}; }
  [[nodiscard]] constexpr affine logit() const noexcept { return {.scale = beta, .offset = gamma}; }

  template <lane V>
  PREFOPT_INLINE auto rest(pair_row<V> const& row, V const& a, V const& b) const noexcept {
    return detail::gold_likelihood(sft, row.gold, a, b);
  }

  static constexpr loss_card card{"tpo_l", "softplus(gamma - beta mean u) - sft gold", "arXiv:2405.16681"};
  template <class L = tpo_l>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()},
                      parameter{"gamma", &L::gamma, range::non_negative()},
                      parameter{"sft", &L::sft, range::non_negative()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
