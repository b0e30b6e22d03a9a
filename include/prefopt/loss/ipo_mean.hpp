#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/squared.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/length_mean.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// IPO on length means: the form of most trainers. Its values differ from `ipo`'s by orders of magnitude.
///     h = (chosen - ref_chosen) / chosen_length - (rejected - ref_rejected) / rejected_length
///     L = (h - 1 / (2 tau))^2,  dL/dchosen = 2 (h - 1 / (2 tau)) / chosen_length
///     special   h = +-inf gives +inf
///     source    arXiv:2310.12036, eq. 17, with the authors' later advice to average
struct ipo_mean {
  double tau = 0.1;  ///< strength of the anchor, > 0 (other libraries call it beta)

  using score = anchored<length_mean>;
  static constexpr bool fuses = true;
  [[nodiscard]] constexpr squared link() const noexcept { return {.target = 1 / (2 * tau)}; }
  [[nodiscard]] static constexpr linear logit() noexcept { return {}; }
  [[nodiscard]] constexpr double reward_scale() const noexcept { return tau; }

  static constexpr loss_card card{"ipo_mean", "(mean h - 1/(2 tau))^2", "arXiv:2310.12036, eq. 17, on length means"};
  template <class L = ipo_mean>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"tau", &L::tau, range::positive()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
