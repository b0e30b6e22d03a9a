#pragma once

#include <prefopt/batch/unpaired.hpp>
#include <prefopt/contract/pair_loss.hpp>

// An unpaired loss: a score, and a call operator on one completion, which returns the value and its slope by the score.
//
//   operator()(row, s)            with the completion's further columns, an unpaired_row<V>      -> value_slope
//
// What a pair loss may name (`needs`, `takes`, `rule`, `parameters()`, `card`, `reward_scale()`, `composition()`), an
// unpaired loss may, too; `observe(row, s)` and `observed(sums, count)` are its statistics, see observation.hpp.

namespace prefopt::inline PREFOPT_ABI {

/// A completion lane by lane. A column that is not given has its neutral value: label 1, the others 0.
template <lane V>
struct unpaired_row {
  prefopt::completion<V> completion;
  V label, target;
  V kl;  ///< kl_logp - ref_kl_logp
};

namespace detail {

template <class L, class V>
concept calls_with_completion = requires(L const loss, unpaired_row<V> const row, V const score) {
  { loss(row, score) }
  noexcept->std::same_as<value_slope<V>>;
};

template <class L, class V>
PREFOPT_INLINE value_slope<V> apply(L const& loss, unpaired_row<V> const& row, V const& score) noexcept {
  return loss(row, score);
}

}  // namespace detail

/// A function of one completion's score and columns.
template <class L>
concept unpaired_loss = score<typename detail::resolved<L>::score> &&
    (detail::calls_with_completion<detail::resolved<L>, float>&& detail::calls_with_completion<
        detail::resolved<L>, double>&& detail::calls_with_completion<detail::resolved<L>, xsimd::batch<float>>&&
         detail::calls_with_completion<detail::resolved<L>, xsimd::batch<double>>);

}  // namespace prefopt::inline PREFOPT_ABI
