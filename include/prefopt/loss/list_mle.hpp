#pragma once

#include <prefopt/loss/plackett_luce.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// ListMLE: the name that learning to rank has for plackett_luce on raw scores.
///     source    Xia et al. 2008, "Listwise approach to learning to rank", eq. 8
struct list_mle {
  double top_k = 0;         ///< stages that count, 0 for all
  bool break_ties = false;  ///< equal rewards keep their order; otherwise they are an error

  [[nodiscard]] constexpr plackett_luce composition() const noexcept {
    return {.top_k = top_k, .break_ties = break_ties};
  }

  static constexpr loss_card card{"list_mle", "sum_k [lse(s_k..s_K) - s_k]", "Xia et al. 2008, eq. 8"};
  template <class L = list_mle>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"top_k", &L::top_k, range::whole()},
                      parameter{"break_ties", &L::break_ties, range::yes_or_no()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
