#pragma once

#include <prefopt/link/link.hpp>
#include <prefopt/simd/math.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// The outcomes won, lost and tied, where a tie is a difference of less than a threshold, the model of Rao and Kupper.
///     phi(z)  = -log sigma(z - kappa) if won, -log sigma(-z - kappa) if lost,
///               -log((e^(2 kappa) - 1) sigma(z - kappa) sigma(-z - kappa)) if tied
///     phi'(z) = -sigma(kappa - z), sigma(kappa + z), sinh z / (cosh z + cosh kappa)
///     special   won: phi(+inf) = 0, phi(-inf) = +inf; tied: +inf at both with slope +-1; a tie at kappa = 0 is +inf;
///               a NaN of z or of the outcome gives NaN
/// No value and no slope cancels.
template <lane V>
struct threshold_ties {
  V outcome;  ///< 1 won, 1/2 tied, 0 lost
  double kappa;

  PREFOPT_INLINE value_slope<V> operator()(V const& z) const noexcept {
    V const zero = math::constant<V>(0), threshold = math::constant<V>(kappa);
    auto const won = math::logistic(V(threshold - z)), lost = math::logistic(V(threshold + z));
    // -log(1 - e^(-2 kappa)); without a threshold the zero it is divided by must not be a negative one.
    V const wide = math::constant<V>(-2 * kappa);
    V const narrow = math::log1p_unbounded(math::divide(math::exp(wide), math::abs(math::expm1(wide))));
    V const tied = V(won.softplus_negated + lost.softplus_negated) + narrow;
    auto const is_right = z > zero;
    V const part = math::select(is_right, V(won.sigmoid_negated * lost.sigmoid), V(lost.sigmoid_negated * won.sigmoid));
    V const away = V(-math::expm1(V(math::constant<V>(-2) * math::abs(z)))) * part;
    auto const is_lost = outcome == zero;
    auto const is_tied = outcome == math::constant<V>(0.5);
    V const value = math::select(is_tied, tied, V(math::select(is_lost, lost.softplus, won.softplus)));
    V const slope = math::select(is_tied, V(math::select(is_right, away, V(-away))),
                                 V(math::select(is_lost, lost.sigmoid, V(-won.sigmoid))));
    return {math::or_nan_of(value, outcome), math::or_nan_of(slope, outcome)};
  }

  /// phi(-z) - phi(z): a tie is as likely from either side.
  PREFOPT_INLINE value_slope<V> gap(V const& z) const noexcept {
    V const none = math::or_nan_of(math::constant<V>(0), z);
    auto const given = (*this)(z), other = (*this)(V(-z));
    auto const is_tied = outcome == math::constant<V>(0.5);
    return {V(math::select(is_tied, none, V(other.value - given.value))),
            V(math::select(is_tied, none, V(V(-other.slope) - given.slope)))};
  }
};

/// The same outcomes, where a tie is a third choice beside the two, the model of Davidson.
///     phi(z)  = log(e^(z / 2) + e^(-z / 2) + e^kappa) - (z / 2 if won, -z / 2 if lost, kappa if tied)
///     phi'(z) = (p_won - p_lost) / 2 - (1/2 if won, -1/2 if lost, 0 if tied)
///     special   won: phi(+inf) = 0, phi(-inf) = +inf; tied: +inf at both with slope +-1/2; a NaN of z or of the
///               outcome gives NaN
/// No value and no slope cancels, nor does e^kappa overflow.
template <lane V>
struct choice_of_tie {
  V outcome;  ///< 1 won, 1/2 tied, 0 lost
  double kappa;

  PREFOPT_INLINE value_slope<V> operator()(V const& z) const noexcept {
    V const zero = math::constant<V>(0), half = math::constant<V>(0.5), one = math::constant<V>(1);
    V const size = math::abs(z);
    // Everything relative to the leader's e^(|z| / 2); or to the tie's, where that is larger.
    V const tie = math::constant<V>(kappa) - half * size;
    auto const tie_leads = tie > zero;
    V const other = math::exp(V(-size)), ratio = math::exp(V(-math::abs(tie)));
    V const beyond = math::select(tie_leads, V(V(one + other) * ratio), V(other + ratio));
    V const log_total = math::log1p_unbounded(beyond), half_share = math::divide(half, V(one + beyond));
    V const at_leader = math::select(tie_leads, V(one + V(other + other) * ratio), V(ratio + V(other + other)));
    V const at_other = math::select(tie_leads, V(one + V(ratio + ratio)), V(ratio + math::constant<V>(2)));
    V const at_tie = V(-math::expm1(V(-size))) * math::select(tie_leads, ratio, one);

    auto const is_lost = outcome == zero;
    auto const is_tied = outcome == half;
    auto const is_right = z > zero;
    V const lead = math::select(is_lost, V(-z), z);
    auto const leads = lead >= zero;
    V const above = log_total + math::positive_part(tie);
    V const decided = above + math::select(leads, zero, size);
    V const decided_slope = math::select(leads, at_leader, at_other) * half_share, tied_slope = at_tie * half_share;
    V const value = math::select(is_tied, V(log_total + math::positive_part(V(-tie))), decided);
    V const slope = math::select(is_tied, V(math::select(is_right, tied_slope, V(-tied_slope))),
                                 V(math::select(is_lost, decided_slope, V(-decided_slope))));
    return {math::or_nan_of(value, outcome), math::or_nan_of(slope, outcome)};
  }

  /// phi(-z) - phi(z): a tie is as likely from either side.
  PREFOPT_INLINE value_slope<V> gap(V const& z) const noexcept {
    V const none = math::or_nan_of(math::constant<V>(0), z);
    auto const given = (*this)(z), other = (*this)(V(-z));
    auto const is_tied = outcome == math::constant<V>(0.5);
    return {V(math::select(is_tied, none, V(other.value - given.value))),
            V(math::select(is_tied, none, V(V(-other.slope) - given.slope)))};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
