#pragma once

#include <prefopt/contract/unpaired_loss.hpp>
#include <prefopt/score/sum.hpp>
#include <prefopt/simd/math.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Reward-weighted likelihood: C-RLFT of OpenChat, and advantage-weighted regression.
///     L = -e^(target / beta) logp
///     target    the class's reward, or an advantage, held constant. Weights are defined up to a factor: subtract the
///               batch's largest target where they overflow
///     special   target 0 is supervised fine-tuning; -inf leaves the completion out
///     source    Wang et al. 2023, arXiv:2309.11235 (class conditioning is in the prompt)
struct weighted_nll {
  double beta = 1;  ///< > 0

  using score = sum;
  static constexpr columns needs = columns::target;

  template <lane V>
  PREFOPT_INLINE value_slope<V> operator()(unpaired_row<V> const& row, V const& s) const noexcept {
    V const zero = math::constant<V>(0), weight = math::exp_of_any(V(math::constant<V>(1 / beta) * row.target));
    return {math::select(weight == zero, zero, V(-(weight * s))), math::or_nan_of(V(-weight), s)};
  }

  static constexpr loss_card card{"weighted_nll", "-exp(target / beta) logp", "arXiv:2309.11235"};
  template <class L = weighted_nll>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
