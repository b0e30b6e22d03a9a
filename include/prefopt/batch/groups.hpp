#pragma once

#include <cstdint>
#include <prefopt/view/column.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Groups of candidates, of any sizes, one behind the other: group g is [offsets[g], offsets[g + 1]) of every column.
/// Log-probs are sums over the candidate's tokens, natural logarithm. T is the type computed in: float or double.
/// A column that the loss needs and does not get, or gets and does not read, is an error.
template <class T>
struct list_batch {
  column<T> logp{};      ///< log pi(y_i | x)
  column<T> ref_logp{};  ///< the same under the reference policy
  column<T> length{};    ///< tokens in the candidate, >= 0
  column<T> reward{};    ///< larger is better; orders the candidates. Not given: they come best first
  column<T> target{};    ///< >= 0: the probability that the candidate should have
  /// >= 0; multiplies the group's loss and gradient. One a group, or, if that is another number, one a
  /// candidate and the same throughout a group.
  column<T> weight{};
  column<std::int64_t> offsets{};  ///< groups + 1 entries: the first 0, never falling, the last the size of logp
};

/// Where results go, or left empty.
template <class T>
struct list_outputs {
  output<T> loss{};    ///< one a group: its own loss times its weight, never reduced
  output<T> d_logp{};  ///< one a candidate: gradient of the reduced loss by logp
};

}  // namespace prefopt::inline PREFOPT_ABI
