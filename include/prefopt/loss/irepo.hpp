#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/squared_to.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/sum.hpp>
#include <prefopt/simd/math.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// iREPO, regression of the implicit reward on the logit of the pair's label: `label` is the share of the judges who
/// prefer chosen.
///     h = (chosen - ref_chosen) - (rejected - ref_rejected), the reference being the iteration before
///     L = (beta h - log(label / (1 - label)))^2,  dL/dh = 2 beta (beta h - log(label / (1 - label)))
///     special   label = 1/2 gives (beta h)^2; a label of 0 or 1 is an error; h = +-inf gives +inf
///     source    iREPO, implicit reward pairwise difference based empirical preference optimization
struct irepo {
  double beta = 0.1;  ///< > 0

  using score = anchored<sum>;
  static constexpr columns needs = columns::label;
  static constexpr column_rule rule{columns::label, allowed_values::inside};
  template <lane V>
  PREFOPT_INLINE squared_to<V> link(pair_row<V> const& row) const noexcept {
    // 2 atanh(2 label - 1): near 1/2 the logarithms of label and 1 - label would cancel.
    V const zero = math::constant<V>(0), one = math::constant<V>(1), other = one - row.label;
    V const lean = V(row.label + row.label) - one;
    auto const is_right = lean > zero;
    V const size = math::log1p_unbounded(math::divide(math::abs(lean), V(math::select(is_right, other, row.label))));
    return {V(math::select(is_right, size, V(-size)))};
  }
  [[nodiscard]] constexpr linear logit() const noexcept { return {.scale = beta}; }

  static constexpr loss_card card{"irepo", "(beta h - logit label)^2", "iREPO"};
  static constexpr auto parameters() noexcept { return std::tuple{parameter{"beta", &irepo::beta, range::positive()}}; }
};

}  // namespace prefopt::inline PREFOPT_ABI
