#pragma once

#include <prefopt/batch/columns.hpp>
#include <prefopt/simd/lanes.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// One completion, lane by lane.
template <lane V>
struct completion {
  V log_prob;   ///< sum over its tokens
  V reference;  ///< the same under the reference policy; 0 if the score does not read it
  V length;     ///< number of tokens; 1 if the score does not read it
};

/// A score and its derivative by log_prob, which is a constant of the completion: every score is linear.
template <lane V>
struct scored {
  V value, slope;
};

/// A score: one number per completion, linear in its log-prob, and the columns that it reads. If it has a constant
/// keeps_non_finite = true, it is a NaN or an infinity wherever the log-prob or the reference is.
template <class S, class V = double>
concept score = requires(S const s, completion<V> const c) {
  { S::needs } -> std::convertible_to<columns>;
  { s(c) } -> std::same_as<scored<V>>;
  requires noexcept(s(c));
};

namespace detail {

/// Whether a NaN or an infinity of a column of this kind, none for log-probs, is seen in the score.
template <class S>
constexpr bool keeps_non_finite(columns kind) noexcept {
  if constexpr (requires { S::keeps_non_finite; }) {
    return S::keeps_non_finite && (kind == columns::none || (kind == columns::reference && contains(S::needs, kind)));
  } else {
    return false;
  }
}

}  // namespace detail
}  // namespace prefopt::inline PREFOPT_ABI
