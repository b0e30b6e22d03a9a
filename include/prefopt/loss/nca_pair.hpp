#pragma once

#include <prefopt/contract/separable.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/sum.hpp>
#include <prefopt/simd/math.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// NCA, noise contrastive alignment, of a pair: the chosen completion's own reward is to be high, both are to be low as
/// noise.
///     x = beta (chosen - ref_chosen),  y = beta (rejected - ref_rejected)
///     L = log(1 + e^-x) + (log(1 + e^x) + log(1 + e^y)) / 2
///     dL/dchosen = beta (sigma(x) / 2 - sigma(-x)),  dL/drejected = beta sigma(y) / 2
///     special   x = y = 0 gives 2 log 2; least over x at x = log 2; x = +-inf and y = +inf give +inf, y = -inf gives 0
///               in its term
///     source    Chen et al. 2024, arXiv:2402.05369, the reward objective for K = 2
struct nca_pair {
  double beta = 0.1;  ///< strength of the anchor, > 0

  using score = anchored<sum>;
  [[nodiscard]] constexpr double reward_scale() const noexcept { return beta; }

  template <lane V>
  PREFOPT_INLINE pair_value<V> operator()(V const& a, V const& b) const noexcept {
    V const scale = math::constant<V>(beta), half = math::constant<V>(0.5);
    auto const x = math::logistic(V(scale * a)), y = math::logistic(V(scale * b));
    value_slope<V> const chosen{V(x.softplus_negated + half * x.softplus),
                                V(scale * (half * x.sigmoid - x.sigmoid_negated))};
    value_slope<V> const rejected{V(half * y.softplus), V(scale * (half * y.sigmoid))};
    return detail::separable(a, b, chosen, rejected);
  }

  static constexpr loss_card card{"nca_pair", "softplus(-x) + (softplus(x) + softplus(y)) / 2, x, y = beta rewards",
                                  "arXiv:2402.05369"};
  template <class L = nca_pair>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
