#pragma once

#include <prefopt/link/mixed.hpp>
#include <prefopt/contract/pair_loss.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Soft labels: the `label` column holds each pair's probability q that chosen is the better one.
///     phi(z) = q phi_base(z) + (1 - q) phi_base(-z)
/// Smoothing with an epsilon = 1 - q of each pair's own; the opposite label is taken at the same logit.
///     source    the soft-label logistic loss; labelled<dpo> is ADPO's pairwise form, arXiv:2510.18913
template <linked_loss L>
struct labelled {
  L base{};

  using score = typename detail::resolved<L>::score;
  static constexpr columns needs = detail::needs_of<detail::resolved<L>>() | columns::label,
                           takes = detail::takes_of<detail::resolved<L>>();

  template <lane V>
  PREFOPT_INLINE auto link(pair_row<V> const& row) const noexcept {
    return mixed{detail::link_of(detail::resolve(base), row), row.label, V(math::constant<V>(1) - row.label)};
  }
  [[nodiscard]] constexpr auto logit() const noexcept { return detail::resolve(base).logit(); }
  [[nodiscard]] constexpr double reward_scale() const noexcept { return detail::reward_scale(detail::resolve(base)); }

  template <lane V>
    requires(detail::has_rest<detail::resolved<L>>)
  PREFOPT_INLINE pair_value<V> rest(V const& a, V const& b)
  const noexcept { return detail::resolve(base).rest(a, b); }

  static constexpr loss_card card{"labelled", "label L + (1 - label) L(opposite label)", "arXiv:2510.18913, pairwise"};
};

}  // namespace prefopt::inline PREFOPT_ABI
