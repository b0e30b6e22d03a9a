#pragma once

#include <prefopt/contract/gold_likelihood.hpp>
#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/logistic.hpp>
#include <prefopt/link/mixed.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// TPO, triple preference optimization: CPO beside a third, demonstrated completion, whose log-prob per token is the
/// column `gold`.
///     z = beta (chosen - rejected)
///     L = (1 - epsilon) log(1 + e^-z) + epsilon log(1 + e^z) - sft gold,  dL/dgold = -sft
///     special   without epsilon z = +inf gives 0, z = -inf gives +inf in the first terms
///     source    Saeidi et al. 2024, arXiv:2405.16681; epsilon: TRL, tpo_trainer.py
struct tpo {
  double beta = 0.01;  ///< > 0
  double epsilon = 0;  ///< label smoothing, in [0, 0.5]
  double sft = 1;      ///< weight of the demonstration, >= 0

  using score = sum;
  static constexpr columns needs = columns::gold;
  [[nodiscard]] constexpr auto link() const noexcept { return mixed{logistic{}, 1 - epsilon, epsilon}; }
  [[nodiscard]] constexpr linear logit() const noexcept { return {.scale = beta}; }

  template <lane V>
  PREFOPT_INLINE auto rest(pair_row<V> const& row, V const& a, V const& b) const noexcept {
    return detail::gold_likelihood(sft, row.gold, a, b);
  }

  static constexpr loss_card card{
      "tpo", "(1 - epsilon) softplus(-z) + epsilon softplus(z) - sft gold, z = beta (chosen - rejected)",
      "arXiv:2405.16681"};
  template <class L = tpo>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()},
                      parameter{"epsilon", &L::epsilon, range{.low = 0, .high = 0.5}},
                      parameter{"sft", &L::sft, range::non_negative()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
