#pragma once

#include <limits>
#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/simd/math.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// LCPO, latent collective preference optimization (later RE-PO): one EM step over labels that may be wrong.
/// Reads `reliability` (eta, the probability that the pair's annotator is right), can write `posterior` (w).
///     G = L_base(rejected, chosen) - L_base(chosen, rejected)            p = sigma(G)
///     w = p eta / (p eta + (1 - p)(1 - eta)) = sigma(G + logit(eta))     E-step, held constant
///     L = -(w log sigma(G) + (1 - w) log sigma(-G)),  dL/dG = sigma(G) - w
/// The paper's normalized objective. For a base that is a likelihood (dpo, cpo without sft, bradley_terry), eta = 1 is
/// the base; for ipo and simpo with gamma > 0 it is the normalized form of it. eta = 1/2 has zero gradient, eta = 0
/// flips labels. The gradient vanishes as |G| grows: a confident disagreement is taken for an error of the annotator.
/// On ipo G = 2 h / tau, which saturates on sums: take ipo_mean.
///     source    arXiv:2509.24159, eq. 2, 4 and 5. Not length control, which shares the acronym.
template <pair_loss L>
struct lcpo {
  static_assert(detail::base_of_two_orders<L>::value);

  L base{};

  using score = typename detail::resolved<L>::score;
  static constexpr bool over_numbers = true, reads_swapped = true, never_fuses = false;
  static constexpr columns needs = detail::needs_of<detail::resolved<L>>() | columns::reliability,
                           takes = detail::takes_of<detail::resolved<L>>();

  template <lane V>
  PREFOPT_INLINE with_posterior<value_slope<V>, V> operator()(pair_row<V> const& row, V const& u) const noexcept
      requires(margin_loss<L>) {
    auto const gap = detail::swap_gap(detail::resolve(base), row, u);
    auto const [value, slope, posterior] = expected(gap.value, row.reliability);
    return {{value, damped(slope, gap.slope)}, posterior};
  }

  template <lane V>
  PREFOPT_INLINE with_posterior<pair_value<V>, V> operator()(pair_row<V> const& row, V const& a,
                                                             V const& b) const noexcept requires(!margin_loss<L>) {
    auto const gap = detail::swap_gap(detail::resolve(base), row, a, b);
    auto const [value, slope, posterior] = expected(gap.value, row.reliability);
    return {{value, damped(slope, gap.d_chosen), damped(slope, gap.d_rejected)}, posterior};
  }

  static constexpr loss_card card{"lcpo", "-(w log sigma(G) + (1 - w) log sigma(-G)), G = L(swapped) - L",
                                  "arXiv:2509.24159, eq. 2, 4, 5"};

 private:
  template <lane V>
  struct expectation {
    V value, slope, posterior;
  };

  // Where the gap is infinite its slope may be, too, and nothing is left of it.
  template <lane V>
  PREFOPT_INLINE static V damped(V const& slope, V const& of_gap) noexcept {
    V const zero = math::constant<V>(0), infinity = math::constant<V>(std::numeric_limits<double>::infinity());
    auto const is_nothing = (slope == zero) & (math::abs(of_gap) == infinity);
    return math::select(is_nothing, zero, V(slope * of_gap));
  }

  template <lane V>
  PREFOPT_INLINE static expectation<V> expected(V const& gap, V const& eta) noexcept {
    V const zero = math::constant<V>(0), one = math::constant<V>(1);
    auto const at = math::logistic(gap);
    V const doubt = one - eta;
    V const agrees = eta * at.sigmoid, errs = doubt * at.sigmoid_negated, total = agrees + errs;
    // total is 0 only where sigma has underflowed against eta = 0 or 1: the posterior is then eta itself.
    auto const certain = total == zero;
    V const w = math::select(certain, eta, math::divide(agrees, total)),
            other = math::select(certain, doubt, math::divide(errs, total));
    // sigma(G) - w without its cancellation: p (1 - p)(1 - 2 eta) / total.
    V const slope = math::select(certain, V(at.sigmoid - eta),
                                 V(at.sigmoid * (at.sigmoid_negated * math::divide(V(doubt - eta), total))));
    V const value = math::select(w == zero, zero, V(w * at.softplus_negated)) +
                    math::select(other == zero, zero, V(other * at.softplus));
    return {value, slope, w};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
