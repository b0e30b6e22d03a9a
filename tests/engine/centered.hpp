#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <prefopt/prefopt.hpp>
#include <tuple>
#include <vector>

#include "engine/pairs.hpp"

// A loss with a statistic of the batch, and the same numbers from its formula.

/// softplus(mean of h over the batch - beta h).
template <class Score>
struct centered {
  double beta = 0.5;
  double mean = 0;
  using score = Score;

  template <prefopt::lane V>
  std::array<V, 1> observe(prefopt::pair_row<V> const&, V const& a, V const& b) const noexcept {
    return {V(a - b)};
  }
  [[nodiscard]] centered observed(std::array<double, 1> const& sums, double count) const noexcept {
    return {beta, count == 0 ? 0 : sums[0] / count};
  }

  template <prefopt::lane V>
  prefopt::value_slope<V> operator()(V const& h) const noexcept {
    namespace math = prefopt::math;
    V const scale = math::constant<V>(beta);
    auto const at = prefopt::logistic{}(V(scale * h - math::constant<V>(mean)));
    return {at.value, V(scale * at.slope)};
  }

  static constexpr prefopt::loss_card card{"centered", "softplus(mean h - beta h)", "this test"};
  static constexpr auto parameters() noexcept {
    return std::tuple{prefopt::parameter{"beta", &centered::beta, prefopt::range::positive()}};
  }
};
using centered_sums = centered<prefopt::anchored<prefopt::sum>>;
using centered_means = centered<prefopt::anchored<prefopt::length_mean>>;

/// The formula in long double, over the pairs whose `counts` is set; one that does not count has zeros.
struct centered_numbers {
  long double mean = 0, mean_size = 0, loss = 0, weights = 0;
  std::vector<long double> h, value, d_chosen, d_rejected;

  template <class T>
  centered_numbers(pairs<T> const& data, std::vector<bool> const& counts, bool per_token, bool weighted,
                   long double beta = 0.5L) {
    using real = long double;
    std::size_t const n = data.size();
    real count = 0;
    for (std::size_t i = 0; i < n; ++i) {
      real const chosen = static_cast<real>(data.chosen[i]) - static_cast<real>(data.ref_chosen[i]);
      real const rejected = static_cast<real>(data.rejected[i]) - static_cast<real>(data.ref_rejected[i]);
      h.push_back(per_token ? chosen / static_cast<real>(data.chosen_length[i]) -
                                  rejected / static_cast<real>(data.rejected_length[i])
                            : chosen - rejected);
      if (!counts[i]) continue;
      mean += h[i];
      mean_size += std::fabs(h[i]);
      ++count;
      weights += weighted ? static_cast<real>(data.weight[i]) : 1;
    }
    if (count != 0) mean /= count, mean_size /= count;
    real const divisor = weights == 0 ? 1 : weights;
    for (std::size_t i = 0; i < n; ++i) {
      real const weight = weighted ? static_cast<real>(data.weight[i]) : 1, z = beta * h[i] - mean;
      real const slope = counts[i] ? -beta * weight / (1 + std::exp(z)) / divisor : 0;
      value.push_back(counts[i] ? weight * std::log1p(std::exp(-z)) : 0);
      d_chosen.push_back(slope / (per_token ? static_cast<real>(data.chosen_length[i]) : 1));
      d_rejected.push_back(-slope / (per_token ? static_cast<real>(data.rejected_length[i]) : 1));
      loss += value[i] / divisor;
    }
  }
};
