#pragma once

#include <prefopt/contract/separable.hpp>
#include <prefopt/link/logistic.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// BCO, binary classifier optimization, of a pair: each completion by itself is told good from bad.
///     L = log(1 + e^(delta - beta a)) + log(1 + e^(beta b - delta))
///     a = chosen - ref_chosen,  b = rejected - ref_rejected
///     dL/dchosen = -beta sigma(delta - beta a),  dL/drejected = beta sigma(beta b - delta)
///     special   the right ends give 0, the wrong ones +inf with slope -+beta
///     source    Jung et al. 2024, arXiv:2404.04656, eq. 9 to 12
/// `delta` is a reward between good and bad, kept by a running mean between the steps; TRL's bco_pair has 0.
struct bco_pair {
  double beta = 0.1;  ///< strength of the anchor, > 0
  double delta = 0;   ///< shift of the reward, held constant

  using score = anchored<sum>;
  [[nodiscard]] constexpr double reward_scale() const noexcept { return beta; }

  template <lane V>
  PREFOPT_INLINE pair_value<V> operator()(V const& a, V const& b) const noexcept {
    V const scale = math::constant<V>(beta), shift = math::constant<V>(-delta);
    auto const good = logistic{}(math::fma(scale, a, shift)), bad = logistic{}(V(-math::fma(scale, b, shift)));
    return detail::separable(a, b, value_slope<V>{good.value, V(scale * good.slope)},
                             value_slope<V>{bad.value, V(-(scale * bad.slope))});
  }

  static constexpr loss_card card{"bco_pair", "softplus(delta - beta a) + softplus(beta b - delta)",
                                  "arXiv:2404.04656, eq. 9-12"};
  template <class L = bco_pair>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()}, parameter{"delta", &L::delta, range{}}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
