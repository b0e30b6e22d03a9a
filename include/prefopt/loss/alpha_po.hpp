#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/exponential_difference.hpp>
#include <prefopt/link/logistic.hpp>
#include <prefopt/score/length_mean.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// AlphaPO: SimPO with a reward (1 - p^-alpha) / alpha of the probability per token, p = e^mean, in the place of log p.
///     r(x) = (1 - e^(-alpha x)) / alpha, and x for alpha = 0
///     u = r(chosen / chosen_length) - r(rejected / rejected_length)
///     L = log(1 + e^-(beta u - gamma)),  dL/dchosen = -beta sigma(gamma - beta u) r'(mean) / chosen_length,
///     r'(x) = e^(-alpha x)
///     special   u = +inf gives 0, u = -inf gives +inf; a slope is 0 where sigma is, whatever r' is
///     source    Gupta et al. 2025, arXiv:2501.03884
/// The opposite label is the pair swapped, where the target margin has changed sides.
struct alpha_po {
  double beta = 2;      ///< > 0; usual 2 to 25
  double gamma = 1;     ///< target margin, >= 0, in units of beta u
  double alpha = 0.25;  ///< shape of the reward; 0 is simpo, bit for bit

  using score = length_mean;
  [[nodiscard]] constexpr double reward_scale() const noexcept { return beta; }

  template <lane V>
  PREFOPT_INLINE pair_value<V> operator()(V const& a, V const& b) const noexcept {
    auto const at = [&](V const& u) PREFOPT_INLINE_LAMBDA {
      auto const loss = logistic{}(math::fma(math::constant<V>(beta), u, math::constant<V>(-gamma)));
      return value_slope<V>{loss.value, V(math::constant<V>(beta) * loss.slope)};
    };
    if (alpha == 0) {
      auto const loss = at(V(a - b));
      return {loss.value, loss.slope, V(-loss.slope)};
    }
    auto const u = detail::difference_of_exponentials(-alpha, a, b);
    auto const loss = at(u.value);
    return {loss.value, detail::damped(loss.slope, u.by_a), detail::damped(loss.slope, u.by_b)};
  }

  static constexpr loss_card card{"alpha_po", "softplus(gamma - beta (r(mean chosen) - r(mean rejected)))",
                                  "arXiv:2501.03884"};
  template <class L = alpha_po>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()},
                      parameter{"gamma", &L::gamma, range::non_negative()}, parameter{"alpha", &L::alpha, range{}}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
