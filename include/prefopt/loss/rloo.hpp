#pragma once

#include <prefopt/surrogate/reinforce.hpp>
#include <prefopt/token/advantages.hpp>
#include <prefopt/token/policy_gradient.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// RLOO, REINFORCE leave-one-out: the log-prob of the whole completion, with the mean reward of the other samples as the
/// baseline. The KL belongs into the reward.
///     S = -A l; mean over the sequences of their sums
///     source    Ahmadian et al. 2024, arXiv:2402.14740; TRL clips the sequence's ratio: surrogate::sequence_clip
struct rloo {
  static constexpr advantage_mode advantages = advantage_mode::leave_one_out;
  [[nodiscard]] constexpr policy_gradient<surrogate::reinforce> composition() const noexcept {
    return {.aggregation = {.mode = aggregation_mode::sequence_mean_of_sums}};
  }

  static constexpr loss_card card{"rloo", "-A l, mean of sums, leave_one_out", "arXiv:2402.14740"};
};

}  // namespace prefopt::inline PREFOPT_ABI
