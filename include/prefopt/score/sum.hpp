#pragma once

#include <prefopt/score/score.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// The completion's log-prob: the sum over its tokens. An empty completion has score 0.
struct sum {
  static constexpr columns needs = columns::none;
  static constexpr bool keeps_non_finite = true;

  template <lane V>
  PREFOPT_INLINE scored<V> operator()(completion<V> const& c) const noexcept {
    return {c.log_prob, math::constant<V>(1)};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
