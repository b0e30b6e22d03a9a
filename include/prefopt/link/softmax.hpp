#pragma once

#include <array>
#include <prefopt/group/candidates.hpp>
#include <prefopt/simd/math.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// The softmax of a group's logits z, p_i = e^(z_i - highest) / (1 + rest), with log sum e^z = highest + log(1 + rest).
/// `rest` leaves the highest out, so that nothing small is lost beside its 1.
template <lane V>
struct softmax_parts {
  highest_of<V> top;
  V rest, inverse_total;

  /// log sum e^z - highest
  [[nodiscard]] PREFOPT_INLINE V log_total() const noexcept { return math::log1p_unbounded(rest); }
};

/// Of z = logit(candidate); keeps every candidate's e^(z - highest) in slot I.
template <std::size_t I, class Group, class Logit>
PREFOPT_INLINE softmax_parts<typename Group::lane_type> softmax(Group const& group, Logit const& logit) noexcept {
  using V = typename Group::lane_type;
  auto const top = group.highest(logit);
  V const rest = group.sum([&](auto const& c) PREFOPT_INLINE_LAMBDA {
    V const e = math::exp(V(logit(c) - top.value));
    c.template keep<I>(e);
    return V(math::select(c.number() == top.number, math::constant<V>(0), e));
  });
  V const one = math::constant<V>(1);
  return {top, rest, math::divide(one, V(one + rest))};
}

/// Cross-entropy between a target q and p = softmax(scale * score): sum_i q_i (log sum e^z - z_i).
///     input     q_i = kept<0>() * target_scale; mass = sum of q
///     gradient  scale (mass p_i - q_i), set on every candidate
///     special   a candidate with q = 0 and score -inf counts as 0; q > 0 there gives +inf and the gradient -scale q
/// No term cancels another: the value keeps its relative accuracy down to the smallest numbers, and so does the
/// gradient where p or q is 0 or 1.
template <class Group>
PREFOPT_INLINE typename Group::lane_type cross_entropy(Group const& group, typename Group::lane_type const& scale,
                                                       typename Group::lane_type const& target_scale,
                                                       typename Group::lane_type const& mass) noexcept {
  using V = typename Group::lane_type;
  V const zero = math::constant<V>(0), one = math::constant<V>(1);
  auto const top = group.highest([](auto const& c) PREFOPT_INLINE_LAMBDA { return c.score(); });
  std::array<V, 3> const sums = group.sum([&](auto const& c) PREFOPT_INLINE_LAMBDA {
    V const score = c.score();
    auto const is_top = c.number() == top.number;
    // 0 from itself, at -inf too, but not NaN's.
    V const distance = math::select(is_top & (score == score), zero, V((top.value - score) * scale));
    V const e = math::exp(V(-distance));
    V const q = c.template kept<0>() * target_scale;
    c.set_gradient(e);
    return std::array<V, 3>{math::select(is_top, zero, e), math::select(q == zero, zero, V(q * distance)),
                            math::select(is_top, zero, q)};
  });
  V const rest = sums[0], below = sums[1], other_targets = sums[2];
  V const p_scale = math::divide(mass, V(one + rest));
  // The highest one's p and q may both be next to the mass; what they lack is not.
  V const top_gradient = other_targets - rest * p_scale;
  group.for_each([&](auto const& c) PREFOPT_INLINE_LAMBDA {
    V const q = c.template kept<0>() * target_scale;
    V const difference = c.gradient() * p_scale - q, score = c.score();
    V const by_logit = math::select(c.number() == top.number, top_gradient, difference);
    c.set_gradient(V(math::select(score == score, V(scale * by_logit), score)));
  });
  return V(mass * math::log1p_unbounded(rest) + below);
}

}  // namespace prefopt::inline PREFOPT_ABI
