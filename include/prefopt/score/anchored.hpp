#pragma once

#include <prefopt/score/score.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// A score of the log-ratio log_prob - reference. The difference is formed before anything else: it is small where the
/// log-probs are not.
template <score S>
struct anchored {
  static constexpr columns needs = S::needs | columns::reference;
  static constexpr bool keeps_non_finite = detail::keeps_non_finite<S>(columns::none);

  template <lane V>
  PREFOPT_INLINE scored<V> operator()(completion<V> const& c) const noexcept {
    return S{}(completion<V>{V(c.log_prob - c.reference), math::constant<V>(0), c.length});
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
