#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/simd/math.hpp>

namespace prefopt::inline PREFOPT_ABI::detail {

template <lane V>
struct gold_gradient {
  V d_gold;
};

/// The rest of a loss that adds a demonstrated completion's likelihood, -sft gold: nothing of the pair's two scores.
template <lane V>
PREFOPT_INLINE with_gradients<pair_value<V>, gold_gradient<V>> gold_likelihood(double sft, V const& gold, V const& a,
                                                                               V const& b) noexcept {
  V const zero = math::constant<V>(0), weight = math::constant<V>(-sft), nothing = math::or_nan_of(zero, gold);
  // Without the term, a log-prob of -inf must not become 0 * inf.
  return {{sft == 0 ? nothing : V(weight * gold), nothing, nothing}, {math::or_nan_of(weight, gold, a, b)}};
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
