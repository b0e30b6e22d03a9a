#pragma once

#include <prefopt/loss/plackett_luce.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// InfoNCE, the best against the rest: the first stage of plackett_luce, ADPO with a one-hot target.
///     L = log sum_i e^(s_i / tau) - s_best / tau
///     source    van den Oord, Li and Vinyals 2018, arXiv:1807.03748, eq. 4; arXiv:2510.18913, top-1 against the rest
/// The best is the first of those with the highest reward, or the first candidate.
struct info_nce {
  double tau = 1;  ///< > 0

  [[nodiscard]] constexpr plackett_luce composition() const noexcept {
    return {.beta = 1 / tau, .top_k = 1, .break_ties = true};
  }

  static constexpr loss_card card{"info_nce", "lse(s / tau) - s_best / tau", "arXiv:1807.03748, eq. 4"};
  template <class L = info_nce>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"tau", &L::tau, range::positive()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
