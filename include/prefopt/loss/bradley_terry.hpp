#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/logistic.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Bradley-Terry reward modelling: `chosen` and `rejected` are rewards. Reads a `margin` column if there is one.
///     d = (chosen - rejected - margin) / temperature
///     L = log(1 + e^-d) + center (chosen + rejected)^2
///     dL/dchosen = -sigma(-d) / temperature + 2 center (chosen + rejected)
///     special   d = +inf gives 0, d = -inf gives +inf in the first term
///     source    Bradley and Terry 1952; margin: Touvron et al. 2023, arXiv:2307.09288, eq. 2;
///               centering: Eisenstein et al. 2023, arXiv:2312.09244
struct bradley_terry {
  double temperature = 1;  ///< > 0
  double center = 0;       ///< weight that keeps the rewards around 0, >= 0; usual 0.01

  using score = sum;
  static constexpr bool fuses = true;
  static constexpr columns takes = columns::margin;
  [[nodiscard]] static constexpr logistic link() noexcept { return {}; }
  [[nodiscard]] constexpr linear logit() const noexcept { return {.scale = 1 / temperature}; }
  [[nodiscard]] static constexpr double reward_scale() noexcept { return 1; }

  template <lane V>
  PREFOPT_INLINE pair_value<V> rest(V const& a, V const& b) const noexcept {
    V const zero = math::constant<V>(0);
    V const total = center == 0 ? zero : V(a + b), pull = V(math::constant<V>(center) * total);
    V const slope = pull + pull;
    return {V(pull * total), slope, slope};
  }

  static constexpr loss_card card{
      "bradley_terry", "softplus(-(chosen - rejected - margin) / temperature) + center (chosen + rejected)^2",
      "Bradley and Terry 1952; arXiv:2307.09288, eq. 2"};
  template <class L = bradley_terry>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"temperature", &L::temperature, range::positive()},
                      parameter{"center", &L::center, range::non_negative()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
