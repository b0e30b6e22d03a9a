#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/exponential_difference.hpp>
#include <prefopt/score/length_mean.hpp>
#include <prefopt/simd/math.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// SimPER: the inverse perplexity of rejected less that of chosen; no reference and no parameter.
///     L = e^(rejected / rejected_length) - e^(chosen / chosen_length)
///     dL/dchosen = -e^(chosen / chosen_length) / chosen_length
///     special   equal means give 0, exactly; between -1 and 1 for log-probs; an empty completion has e^0 = 1
///     source    Xiao et al. 2025, arXiv:2502.00883
struct simper {
  using score = length_mean;

  template <lane V>
  PREFOPT_INLINE pair_value<V> operator()(V const& a, V const& b) const noexcept {
    auto const difference = detail::difference_of_exponentials(1, b, a);
    return {difference.value, math::or_nan_of(difference.by_b, b), math::or_nan_of(difference.by_a, a)};
  }

  static constexpr loss_card card{"simper", "e^(mean rejected) - e^(mean chosen)", "arXiv:2502.00883"};
};

}  // namespace prefopt::inline PREFOPT_ABI
