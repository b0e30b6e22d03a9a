#pragma once

#include <concepts>
#include <cstddef>
#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/softmax.hpp>

// A list loss: a score, and a call operator on a group of candidates, which returns the group's value and sets every
// candidate's gradient by its score. See candidates.hpp for what a group offers. Beyond what a pair loss may name
// (`needs`, `takes`, `parameters()`, `card`, `composition()`), a list loss may have
//
//   is_ranked = true      the candidates come best first: sorted by reward, stably, or as given without rewards
//   one_of                columns of which exactly one must be given
//   needs_too()           columns that its parameters make it need
//   refuses_ties()        equal rewards in a group are an error
//   highest_reward        larger rewards are an error
//   is_square = true      the group is an n x n matrix, row by row; no candidate ranks above another
//   sft_weight(size)      adds sft_weight * -log_prob of the best candidate (the token sum)

namespace prefopt::inline PREFOPT_ABI {
namespace detail {

template <class L, class V, class T, bool Spread>
concept calls_on_group = requires(L const loss, candidate_group<V, T, Spread> const group) {
  { loss(group) }
  noexcept->std::same_as<V>;
};

template <class L>
constexpr bool is_ranked() noexcept {
  if constexpr (requires { L::is_ranked; }) return L::is_ranked;
  return false;
}

template <class L>
constexpr bool is_square() noexcept {
  if constexpr (requires { L::is_square; }) return L::is_square;
  return false;
}

template <class L>
constexpr columns one_of() noexcept {
  if constexpr (requires { L::one_of; }) return L::one_of;
  return columns::none;
}

template <class L>
constexpr double highest_reward() noexcept {
  if constexpr (requires { L::highest_reward; }) return L::highest_reward;
  return std::numeric_limits<double>::infinity();
}

/// All that a loss may read of a list batch.
template <class L>
constexpr columns list_takes_of() noexcept {
  columns takes = takes_of<L>() | one_of<L>();
  if constexpr (requires { L::score::takes; }) takes = takes | L::score::takes;
  return is_ranked<L>() ? takes | columns::reward : takes;
}

template <class L>
columns list_needs_of(L const& loss) noexcept {
  if constexpr (requires { loss.needs_too(); }) return needs_of<L>() | loss.needs_too();
  return needs_of<L>();
}

template <class L>
bool refuses_ties(L const& loss) noexcept {
  if constexpr (requires { loss.refuses_ties(); }) return loss.refuses_ties();
  return false;
}

}  // namespace detail

/// A function of the scores of a group of candidates.
template <class L>
concept list_loss = score<typename detail::resolved<L>::score> && detail::calls_on_group < detail::resolved<L>,
        xsimd::batch<float>,
float, false > &&detail::calls_on_group<detail::resolved<L>, xsimd::batch<float>, float, true>&&
                   detail::calls_on_group<detail::resolved<L>, xsimd::batch<double>, double, false>&&
                       detail::calls_on_group<detail::resolved<L>, xsimd::batch<double>, double, true>;

}  // namespace prefopt::inline PREFOPT_ABI
