#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/logistic.hpp>
#include <prefopt/link/mixed.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Unpaired AOT: the chosen completions' log-ratios, sorted, each against the rejected one of the same rank.
///     u_k = (chosen - ref_chosen)_(k) - (rejected - ref_rejected)_(k),  z = beta u
///     L_k = (1 - epsilon) log(1 + e^-z) + epsilon log(1 + e^z)
///     outputs   loss[k] belongs to rank k, ascending; gradients and rewards go to the completions that they are of.
///               Among equal ones the order is the batch's
///     refuses   weights, and skipping: what a rank is compared with is the whole batch. Each process sorts its own
///     source    Melnyk et al. 2024, arXiv:2406.05882; TRL's dpo_trainer.py, where it was aot_pair before 0.29
struct aot_unpaired {
  double beta = 0.1;   ///< > 0
  double epsilon = 0;  ///< label smoothing, in [0, 0.5)

  using score = anchored<sum>;
  static constexpr rank_matching matches = rank_matching::of_sides;
  [[nodiscard]] constexpr auto link() const noexcept { return mixed{logistic{}, 1 - epsilon, epsilon}; }
  [[nodiscard]] constexpr linear logit() const noexcept { return {.scale = beta}; }

  static constexpr loss_card card{"aot_unpaired", "softplus(-beta u) smoothed, u by rank: chosen against rejected",
                                  "arXiv:2406.05882"};
  template <class L = aot_unpaired>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()},
                      parameter{"epsilon", &L::epsilon, range{.low = 0, .high = 0.5, .high_is_in = false}}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
