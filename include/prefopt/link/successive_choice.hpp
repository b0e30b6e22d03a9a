#pragma once

#include <limits>
#include <optional>
#include <prefopt/group/candidates.hpp>
#include <prefopt/simd/math.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// The Plackett-Luce model: the best candidate is chosen from all, the next from those that are left, and so on.
///     value     sum over k < stages of log(sum_{i >= k} e^(z_i) [+ e^floor]) - z_k, z = scale * score
///     gradient  scale (sum over k <= min(j, stages - 1) of p_kj - [j < stages]), p_kj = e^(z_j) / sum_{i >= k} e^(z_i)
///               [+ e^floor], set on every candidate
///     special   z_k = -inf in a stage gives +inf with gradient -scale; a stage of nothing but -inf gives NaN
/// O(K): a running log-sum-exp from the last candidate to the first and a running sum of the gradient's terms back.
/// Every exponential is of a number <= 0, and nothing cancels: tiny losses keep their relative accuracy.
template <class Group>
PREFOPT_INLINE typename Group::lane_type successive_choice(Group const& group, double scale, std::size_t stages,
                                                           std::optional<double> floor = {}) noexcept {
  using V = typename Group::lane_type;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  constexpr std::size_t gap = 0, decay = 1;
  // Beyond the last stage, but for the last candidate, which is set below.
  bool const has_idle = !floor && stages + 1 < group.size();
  // How far each candidate is above the highest of those behind it.
  group.from_last(floor.value_or(-infinity), [&]<class S>(S const& highest, auto const& c) PREFOPT_INLINE_LAMBDA {
    S const z = math::constant<S>(scale) * c.score(), none = math::constant<S>(-infinity);
    S above = z - highest;
    if (has_idle) {
      // Between candidates of -inf there is no choice; nor need there be where no stage counts.
      auto const is_idle =
          (highest == none) & (z == none) & !(c.number() < math::constant<S>(static_cast<double>(stages)));
      above = math::select(is_idle, math::constant<S>(infinity), above);
    }
    c.template keep<gap>(above);
    return S(math::select(z > highest, z, highest));
  });
  if (!floor) {
    // Nobody is behind the last: it is chosen for certain, if it is a number.
    auto const last = group.at(group.size() - 1);
    V const score = last.score();
    last.template keep<gap>(V(math::select(score == score, math::constant<V>(infinity), score)));
  }
  group.for_each([&](auto const& c) PREFOPT_INLINE_LAMBDA {
    c.template keep<decay>(math::exp(V(-math::abs(c.template kept<gap>()))));
  });
  // The sum of those behind, relative to the highest of all that are left.
  group.from_last(floor ? 1.0 : 0.0, [&]<class S>(S const& total, auto const& c) PREFOPT_INLINE_LAMBDA {
    S const e = c.template kept<decay>(), one = math::constant<S>(1);
    auto const leads = c.template kept<gap>() > math::constant<S>(0);
    S const behind = math::select(leads, S(e * total), total);
    c.set_gradient(behind);
    return S(behind + math::select(leads, one, e));
  });
  V const count = math::constant<V>(static_cast<double>(stages)), zero = math::constant<V>(0),
          one = math::constant<V>(1);
  V const value = group.sum([&](auto const& c) PREFOPT_INLINE_LAMBDA {
    V const x = c.template kept<gap>(), e = c.template kept<decay>(), behind = c.gradient();
    auto const leads = x > zero;
    V const own = math::select(leads, one, e);
    V const inverse = math::divide(one, V(behind + own));
    // Chosen at this stage, or not: the second is not 1 minus the first.
    c.template keep<gap>(V(own * inverse));
    c.template keep<decay>(V(behind * inverse));
    V const beyond_one = math::select(leads, behind, V((behind - one) + e));
    V const term = math::log1p_unbounded(beyond_one) + math::positive_part(V(-x));
    // 0 unless something was NaN.
    return V(math::select(c.number() < count, term, V(zero * inverse)));
  });
  group.from_first(0, [&]<class S>(S const& before, auto const& c) PREFOPT_INLINE_LAMBDA {
    S const chosen = c.template kept<gap>(), passed = c.template kept<decay>(), none = math::constant<S>(0);
    S const counts =
        math::select(c.number() < math::constant<S>(static_cast<double>(stages)), math::constant<S>(1), none);
    c.set_gradient(S(math::constant<S>(scale) * (before * chosen - counts * passed)));
    return S((counts + before) * passed);
  });
  return value;
}

}  // namespace prefopt::inline PREFOPT_ABI
