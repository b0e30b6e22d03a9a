#pragma once

#include <prefopt/loss/adpo.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// ListNet, top one: adpo by the name that learning to rank has for it.
///     L = CE(softmax(reward / beta_reward) or target, softmax(s))
///     source    Cao et al. 2007, "Learning to rank: from pairwise approach to listwise approach", sec. 4.3
struct list_net {
  double beta_reward = 1;  ///< > 0

  [[nodiscard]] constexpr adpo composition() const noexcept { return {.tau = 1, .beta_reward = beta_reward}; }

  static constexpr loss_card card{"list_net", "CE(softmax(reward / beta_reward), softmax(s))",
                                  "Cao et al. 2007, sec. 4.3"};
  template <class L = list_net>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta_reward", &L::beta_reward, range::positive()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
