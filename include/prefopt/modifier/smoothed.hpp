#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/mixed.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Label smoothing: the opposite label at the same logit has weight epsilon. smoothed<dpo> is cDPO.
///     phi(z) = (1 - epsilon) phi_base(z) + epsilon phi_base(-z)
/// For a base with a target margin this is not the swapped pair: z holds the margin. A base's other terms stay as they
/// are. The opposite label of a base without a link is the swapped pair: a target margin inside it changes sides, write
/// such a base with link() and logit().
///     special   NaN where the two orders of a base without a link are +inf and -inf (rdpo at an infinite margin)
///     source    Mitchell 2023, "A note on DPO with noisy preferences"
template <pair_loss L>
struct smoothed {
  static_assert(detail::base_with_opposite_label<L>::value);

  L base{};
  double epsilon = 0.1;  ///< in [0, 0.5]; 0 is the base, bit for bit (with a rest: to rounding)

  using score = typename detail::resolved<L>::score;
  // The opposite label of a link is that of the pair swapped where nothing but the difference of the scores is in it.
  static constexpr bool over_numbers =
                            !detail::has_link<detail::resolved<L>> || detail::is_odd_alone<detail::resolved<L>>,
                        reads_swapped = true, never_fuses = false;
  static constexpr columns needs = detail::needs_of<detail::resolved<L>>(),
                           takes = detail::takes_of<detail::resolved<L>>();

  template <lane V>
  PREFOPT_INLINE auto link(pair_row<V> const& row) const noexcept requires(linked_loss<L>) {
    return mixed{detail::link_of(detail::resolve(base), row), 1 - epsilon, epsilon};
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
    return detail::mixed_orders(detail::resolve(base), row, math::constant<V>(1 - epsilon), math::constant<V>(epsilon),
                                u);
  }

  template <lane V>
  PREFOPT_INLINE pair_value<V> operator()(pair_row<V> const& row, V const& a, V const& b) const noexcept
      requires(!margin_loss<L> && !linked_loss<L>) {
    return detail::mixed_orders(detail::resolve(base), row, math::constant<V>(1 - epsilon), math::constant<V>(epsilon),
                                a, b);
  }

  static constexpr loss_card card{"smoothed", "(1 - epsilon) L + epsilon L(opposite label)",
                                  "cDPO note, Mitchell 2023"};
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"epsilon", &smoothed::epsilon, range{.low = 0, .high = 0.5}}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
