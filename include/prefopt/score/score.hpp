#pragma once

#include <prefopt/simd/lanes.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// The columns of a batch, beyond log-probs and weights, that a score or a loss reads.
enum class columns : unsigned {
  none = 0,
  reference = 1,
  length = 2,
  margin = 4,
  label = 8,
  reliability = 16,
  reward = 32,
  target = 64
};

constexpr columns operator|(columns a, columns b) noexcept {
  return static_cast<columns>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
constexpr columns operator&(columns a, columns b) noexcept {
  return static_cast<columns>(static_cast<unsigned>(a) & static_cast<unsigned>(b));
}
constexpr bool contains(columns set, columns subset) noexcept { return (set & subset) == subset; }

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

/// A score: one number per completion, linear in its log-prob, and the columns that it reads.
template <class S, class V = double>
concept score = requires(S const s, completion<V> const c) {
  { S::needs } -> std::convertible_to<columns>;
  { s(c) }
  noexcept->std::same_as<scored<V>>;
};

}  // namespace prefopt::inline PREFOPT_ABI
