#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/logistic.hpp>
#include <prefopt/link/mixed.hpp>
#include <prefopt/link/rescaled.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Reward modelling with rewards that are normal distributions: `chosen` and `rejected` are the means, chosen_deviation
/// and rejected_deviation the standard deviations. Reads a `label` column if there is one.
///     D = chosen_deviation^2 + rejected_deviation^2, u = chosen - rejected, q = label
///     z = sqrt(2 pi) u / sqrt(D), or matched to the probit's average of sigma: u / sqrt(1 + pi D / 8)
///     L = q log(1 + e^-z) + (1 - q) log(1 + e^z),  dL/dz = (1 - q) sigma(z) - q sigma(-z)
///     dz/ddeviation = -z deviation / D, matched -z deviation (pi / 8) / (1 + pi D / 8)
///     special   u = 0 gives log 2; matched with D = 0 is bradley_terry; not matched, sqrt(D) counts as 1e-30 at least:
///               D = 0 is all but a step
///     source    Poddar et al. 2024 (VPL), arXiv:2408.10075, its code; matched: MacKay 1992
struct gaussian_bt {
  bool probit_matched = false;

  template <lane V>
  struct deviation_gradients {
    V d_chosen_deviation, d_rejected_deviation;
  };

  using score = sum;
  static constexpr columns needs = columns::deviation, takes = columns::label;
  template <lane V>
  PREFOPT_INLINE auto link(pair_row<V> const& row) const noexcept {
    V const scale = math::constant<V>(probit_matched ? 1 : root_of_2_pi) * of(row).inverse;
    return rescaled{mixed{logistic{}, row.label, V(math::constant<V>(1) - row.label)}, scale};
  }
  [[nodiscard]] static constexpr linear logit() noexcept { return {}; }
  template <lane V>
  PREFOPT_INLINE deviation_gradients<V> gradients(pair_row<V> const& row, V const& u, V const& slope) const noexcept {
    V const zero = math::constant<V>(0);
    auto const at = of(row);
    auto const by = [&](V const& share) PREFOPT_INLINE_LAMBDA {
      V const part = V(-slope) * share;
      return V(math::select(part == zero, zero, V(V(part * u) * at.inverse)));
    };
    return {by(at.chosen), by(at.rejected)};
  }

  static constexpr loss_card card{"gaussian_bt",
                                  "softplus(-sqrt(2 pi) u / sqrt(D)), or softplus(-u / sqrt(1 + pi D / 8))",
                                  "arXiv:2408.10075; matched: MacKay 1992"};
  template <class L = gaussian_bt>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"probit_matched", &L::probit_matched, range::yes_or_no()}};
  }

 private:
  static constexpr double root_of_2_pi = 2.5066282746310005, root_of_pi_eighth = 0.62665706865775013;

  /// What the margin is divided by is the root of a sum of squares: 1 over it, and what is left of it when it is
  /// differentiated by a deviation.
  template <lane V>
  struct spread {
    V inverse, chosen, rejected;
  };

  template <lane V>
  PREFOPT_INLINE spread<V> of(pair_row<V> const& row) const noexcept {
    V const one = math::constant<V>(1), factor = math::constant<V>(probit_matched ? root_of_pi_eighth : 1);
    V const a = factor * row.chosen_deviation, b = factor * row.rejected_deviation;
    // Relative to the largest: squares may overflow, and underflow.
    V const least = math::constant<V>(probit_matched ? 1 : 1e-30), larger = math::select(a > b, a, b);
    V const size = math::select(larger < least, least, larger), x = math::divide(a, size), y = math::divide(b, size);
    V const z = probit_matched ? math::divide(one, size) : math::constant<V>(0);
    // Not for the compiler to fuse or not: a loss and its modifications have the same bits.
    V const squares = math::fma(z, z, math::fma(y, y, V(x * x)));
    V const root = math::sqrt(V(math::select(squares < one, one, squares)));
    return {math::divide(one, V(size * root)), V(factor * math::divide(x, root)), V(factor * math::divide(y, root))};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
