#pragma once

#include <prefopt/contract/pair_loss.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Correction for labels flipped at a known rate: its average over flips is the base loss on clean labels.
/// unbiased<dpo> is rDPO.
///     L = ((1 - epsilon) L_base(chosen, rejected) - epsilon L_base(rejected, chosen)) / (1 - 2 epsilon)
/// The second term is the pair swapped, margin and all. For dpo it is unbounded below: a negative loss is right.
///     special   NaN where both orders are infinite (a base like ipo or cdpo at an infinite margin)
///               where both orders have a kink (focal_bt, of equal rewards) the blend of the slopes that the base takes
///               there, which lies outside of those on both sides
///     source    Ray Chowdhury et al. 2024, arXiv:2403.00409, eq. 10
template <pair_loss L>
struct unbiased {
  static_assert(detail::base_of_two_orders<L>::value);

  L base{};
  double epsilon = 0.1;  ///< flip rate, in [0, 0.5); 0 is the base, bit for bit (with a rest: to rounding)

  using score = typename detail::resolved<L>::score;
  static constexpr bool over_numbers = true, reads_swapped = true, never_fuses = false;
  static constexpr columns needs = detail::needs_of<detail::resolved<L>>(),
                           takes = detail::takes_of<detail::resolved<L>>();

  template <lane V>
  PREFOPT_INLINE value_slope<V> operator()(pair_row<V> const& row, V const& u) const noexcept requires(margin_loss<L>) {
    auto const [given, swapped] = detail::in_both_orders(detail::resolve(base), row, u);
    return {blend(given.value, swapped.value), blend(given.slope, swapped.slope)};
  }

  template <lane V>
  PREFOPT_INLINE pair_value<V> operator()(pair_row<V> const& row, V const& a, V const& b) const noexcept
      requires(!margin_loss<L>) {
    auto const [given, swapped] = detail::in_both_orders(detail::resolve(base), row, a, b);
    return {blend(given.value, swapped.value), blend(given.d_chosen, swapped.d_chosen),
            blend(given.d_rejected, swapped.d_rejected)};
  }

  static constexpr loss_card card{"unbiased", "((1 - epsilon) L - epsilon L(swapped)) / (1 - 2 epsilon)",
                                  "arXiv:2403.00409, eq. 10"};
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"epsilon", &unbiased::epsilon, range{.low = 0, .high = 0.5, .high_is_in = false}}};
  }

 private:
  template <lane V>
  PREFOPT_INLINE V blend(V const& given, V const& swapped) const noexcept {
    // Without flips, an infinite swapped loss must not become 0 * inf.
    if (epsilon == 0) return given;
    // Which of the two products is fused is not for the compiler to choose.
    return math::fma(math::constant<V>(-epsilon / (1 - 2 * epsilon)), swapped,
                     V(math::constant<V>((1 - epsilon) / (1 - 2 * epsilon)) * given));
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
