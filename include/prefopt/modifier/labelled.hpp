#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/mixed.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Soft labels: the `label` column holds each pair's probability q that chosen is the better one.
///     phi(z) = q phi_base(z) + (1 - q) phi_base(-z)
/// Smoothing with an epsilon = 1 - q of each pair's own; the opposite label is taken at the same logit. That of a base
/// without a link is the swapped pair: a target margin inside it changes sides, write such a base with link() and
/// logit().
///     special   NaN where the two orders of a base without a link are +inf and -inf (rdpo at an infinite margin)
///     source    the soft-label logistic loss; labelled<dpo> is ADPO's pairwise form, arXiv:2510.18913
template <pair_loss L>
struct labelled {
  static_assert(detail::base_with_opposite_label<L>::value);

  static_assert(!detail::reads<detail::resolved<L>>(columns::label),
                "prefopt: a loss that reads the label column says itself what it means: labelled does not go over it");

  L base{};

  using score = typename detail::resolved<L>::score;
  // The opposite label of a link is that of the pair swapped where nothing but the difference of the scores is in it.
  static constexpr bool over_numbers =
                            !detail::has_link<detail::resolved<L>> || detail::is_odd_alone<detail::resolved<L>>,
                        reads_swapped = true, never_fuses = false;
  static constexpr columns needs = detail::needs_of<detail::resolved<L>>() | columns::label,
                           takes = detail::takes_of<detail::resolved<L>>();

  template <lane V>
  PREFOPT_INLINE auto link(pair_row<V> const& row) const noexcept requires(linked_loss<L>) {
    return mixed{detail::link_of(detail::resolve(base), row), row.label, V(math::constant<V>(1) - row.label)};
  }
  [[nodiscard]] constexpr auto logit() const noexcept
      requires(linked_loss<L> && !detail::has_logit_of_row<detail::resolved<L>, double>) {
    return detail::resolve(base).logit();
  }
  template <lane V>
  PREFOPT_INLINE auto logit(pair_row<V> const& row) const noexcept
      requires(detail::has_logit_of_row<detail::resolved<L>, V>) {
    return detail::resolve(base).logit(row);
  }
  [[nodiscard]] constexpr double reward_scale() const noexcept { return detail::reward_scale(detail::resolve(base)); }

  template <lane V>
  PREFOPT_INLINE auto rest(pair_row<V> const& row, V const& a, V const& b) const noexcept
      requires(detail::has_rest<detail::resolved<L>>) {
    return detail::rest_of(detail::resolve(base), row, a, b);
  }
  template <lane V>
  PREFOPT_INLINE auto gradients(pair_row<V> const& row, V const& u, V const& slope) const noexcept
      requires(detail::has_gradients_of_row<detail::resolved<L>, V>) {
    return detail::resolve(base).gradients(row, u, slope);
  }

  template <lane V>
  PREFOPT_INLINE value_slope<V> operator()(pair_row<V> const& row, V const& u) const noexcept
      requires(margin_loss<L> && !linked_loss<L>) {
    return detail::mixed_orders(detail::resolve(base), row, row.label, V(math::constant<V>(1) - row.label), u);
  }

  template <lane V>
  PREFOPT_INLINE pair_value<V> operator()(pair_row<V> const& row, V const& a, V const& b) const noexcept
      requires(!margin_loss<L> && !linked_loss<L>) {
    return detail::mixed_orders(detail::resolve(base), row, row.label, V(math::constant<V>(1) - row.label), a, b);
  }

  static constexpr loss_card card{"labelled", "label L + (1 - label) L(opposite label)", "arXiv:2510.18913, pairwise"};
};

}  // namespace prefopt::inline PREFOPT_ABI
