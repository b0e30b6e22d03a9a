#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/logistic.hpp>
#include <prefopt/link/mixed.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// AOT, alignment by optimal transport: the batch's policy margins, sorted, each against the reference margin of the same
/// rank.
///     u_k = (chosen - rejected)_(k) - (ref_chosen - ref_rejected)_(k),  z = beta u
///     L_k = (1 - epsilon) log(1 + e^-z) + epsilon log(1 + e^z)
///     outputs   loss[k] belongs to rank k, ascending; gradients and rewards go to the pairs whose log-probs they are of.
///               Among equal margins the order is the batch's
///     refuses   weights, and skipping: what a rank is compared with is the whole batch. Each process sorts its own
///     source    Melnyk et al. 2024, arXiv:2406.05882; TRL's dpo_trainer.py
struct aot {
  double beta = 0.1;   ///< > 0
  double epsilon = 0;  ///< label smoothing, in [0, 0.5)

  using score = anchored<sum>;
  static constexpr rank_matching matches = rank_matching::of_references;
  [[nodiscard]] constexpr double reward_scale() const noexcept { return beta; }

  template <lane V>
  PREFOPT_INLINE pair_value<V> operator()(pair_row<V> const& row, V const&, V const&) const noexcept {
    // Log-probs of the policy and of the reference are of different pairs: their differences are not small.
    V const scale = math::constant<V>(beta), policy = row.chosen.log_prob - row.rejected.log_prob,
            reference = row.chosen.reference - row.rejected.reference;
    auto const at = mixed{logistic{}, 1 - epsilon, epsilon}(V(scale * (policy - reference)));
    V const slope = scale * at.slope;
    return {at.value, slope, V(-slope)};
  }

  static constexpr loss_card card{
      "aot", "softplus(-beta u) smoothed, u by rank: policy margins against the reference's", "arXiv:2406.05882"};
  template <class L = aot>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()},
                      parameter{"epsilon", &L::epsilon, range{.low = 0, .high = 0.5, .high_is_in = false}}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
