#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <concepts>
#include <limits>
#include <prefopt/loss/list.hpp>
#include <type_traits>
#include <unsupported/Eigen/AutoDiff>

// What the losses of the list are, written once more from the papers: in long double, with textbook formulas, and
// differentiated by Eigen. Nothing here calls the library; it only reads the parameters out of the losses.

namespace oracle {

using real = long double;
/// A number with its derivatives by chosen and rejected.
using dual = Eigen::AutoDiffScalar<Eigen::Matrix<real, 2, 1>>;

struct pair {
  real chosen = 0, rejected = 0, ref_chosen = 0, ref_rejected = 0, chosen_length = 1, rejected_length = 1, margin = 0,
       label = 1, reliability = 1;
};

/// Errors put into a loss on purpose, to see how it answers to rounding: in the margin of the pair as given and of the
/// pair swapped, and in lcpo's gap.
struct disturbance {
  real given = 0, swapped = 0, gap = 0;
};

/// A sum, and the sum of the sizes of its terms: rounding is relative to the latter.
struct terms {
  dual value{0};
  real size = 0, d_chosen_size = 0, d_rejected_size = 0;

  terms() = default;
  terms(dual const& one)  // NOLINT: a number is a sum of one term
      : value{one},
        size{std::fabs(one.value())},
        d_chosen_size{std::fabs(one.derivatives()[0])},
        d_rejected_size{std::fabs(one.derivatives()[1])} {}

  friend terms operator+(terms const& x, terms const& y) {
    terms sum;
    sum.value = x.value + y.value;
    sum.size = x.size + y.size;
    sum.d_chosen_size = x.d_chosen_size + y.d_chosen_size;
    sum.d_rejected_size = x.d_rejected_size + y.d_rejected_size;
    return sum;
  }
  friend terms operator*(real factor, terms const& x) {
    terms product;
    product.value = x.value * factor;
    product.size = std::fabs(factor) * x.size;
    product.d_chosen_size = std::fabs(factor) * x.d_chosen_size;
    product.d_rejected_size = std::fabs(factor) * x.d_rejected_size;
    return product;
  }
};

/// log(1 + e^x), written out.
inline dual log_one_plus_exp(dual const& x) {
  if (x.value() > 11000) return x;  // e^x overflows
  dual const e = exp(x);
  return {std::log1p(e.value()), e.derivatives() / (1 + e.value())};
}

/// -log sigma(z).
inline dual negative_log_sigmoid(dual const& z) { return log_one_plus_exp(dual(-z)); }

/// A pair's two log-probs as variables.
struct variables {
  dual chosen, rejected;
  pair row;

  explicit variables(pair const& p) : chosen{p.chosen, 2, 0}, rejected{p.rejected, 2, 1}, row{p} {}

  /// The other order. What belongs to the pair as a whole stays.
  [[nodiscard]] variables swapped() const {
    variables other = *this;
    std::swap(other.chosen, other.rejected);
    std::swap(other.row.ref_chosen, other.row.ref_rejected);
    std::swap(other.row.chosen_length, other.row.rejected_length);
    return other;
  }
};

template <class L>
inline constexpr bool is_modified = requires(L loss) {
  loss.base;
};

// Scores.

template <class L>
inline constexpr bool is_anchored =
    std::same_as<L, prefopt::dpo> || std::same_as<L, prefopt::cdpo> || std::same_as<L, prefopt::rdpo> ||
    std::same_as<L, prefopt::ipo> || std::same_as<L, prefopt::ipo_mean> || std::same_as<L, prefopt::ln_dpo> ||
    std::same_as<L, prefopt::hinge>;
template <class L>
inline constexpr bool is_mean =
    std::same_as<L, prefopt::ipo_mean> || std::same_as<L, prefopt::ln_dpo> || std::same_as<L, prefopt::simpo>;

template <class L>
dual score(L const& loss, dual const& log_prob, real reference, real length) {
  if constexpr (is_modified<L>) {
    return score(loss.base, log_prob, reference, length);
  } else {
    dual s = log_prob;
    if (is_anchored<L>) s = s - reference;
    if (is_mean<L>) s = s / length;
    return s;
  }
}

/// The columns that a loss is a function of, by its paper.
template <class L>
struct dependence {
  static constexpr bool reference = is_anchored<L>, length = is_mean<L>,
                        margin = std::same_as<L, prefopt::bradley_terry>, label = false, reliability = false;
};
template <class L>
  requires is_modified<L>
struct dependence<L> : dependence<decltype(L::base)> {
};
template <class L>
struct dependence<prefopt::labelled<L>> : dependence<L> {
  static constexpr bool label = true;
};
template <class L>
struct dependence<prefopt::lcpo<L>> : dependence<L> {
  static constexpr bool reliability = true;
};

// Logits: what the link is applied to, of the difference of the scores.

template <class L>
concept plain_dpo = std::same_as<L, prefopt::dpo> || std::same_as<L, prefopt::cdpo> || std::same_as<L, prefopt::rdpo> ||
    std::same_as<L, prefopt::ln_dpo> || std::same_as<L, prefopt::cpo> || std::same_as<L, prefopt::hinge>;
template <class L>
concept plain_ipo = std::same_as<L, prefopt::ipo> || std::same_as<L, prefopt::ipo_mean>;

template <plain_dpo L>
dual logit(L const& loss, dual const& u, real) {
  return real(loss.beta) * u;
}
template <plain_ipo L>
dual logit(L const&, dual const& h, real) {
  return h;
}
inline dual logit(prefopt::simpo const& loss, dual const& u, real) {
  return dual(real(loss.beta) * u) - real(loss.gamma);
}
inline dual logit(prefopt::bradley_terry const& loss, dual const& u, real margin) {
  return dual(u - margin) / real(loss.temperature);
}
template <class L>
  requires is_modified<L> dual logit(L const& loss, dual const& u, real margin) { return logit(loss.base, u, margin); }

// Links.

template <class L>
terms link(L const&, dual const& z, real) {
  return negative_log_sigmoid(z);
}
inline terms link(prefopt::hinge const&, dual const& z, real) {
  return z.value() < 1 ? terms{dual(real(1) - z)} : terms{dual(0)};
}
template <plain_ipo L>
terms link(L const& loss, dual const& h, real) {
  dual const distance = h - 1 / (2 * real(loss.tau));
  return dual(distance * distance);
}
inline terms link(prefopt::cdpo const& loss, dual const& z, real) {
  real const epsilon = loss.epsilon;
  return (1 - epsilon) * terms{negative_log_sigmoid(z)} + epsilon * terms{negative_log_sigmoid(dual(-z))};
}
inline terms link(prefopt::rdpo const& loss, dual const& z, real) {
  real const epsilon = loss.epsilon;
  return (1 / (1 - 2 * epsilon)) *
         ((1 - epsilon) * terms{negative_log_sigmoid(z)} + -epsilon * terms{negative_log_sigmoid(dual(-z))});
}
template <class L>
terms link(prefopt::smoothed<L> const& loss, dual const& z, real label) {
  real const epsilon = loss.epsilon;
  return (1 - epsilon) * link(loss.base, z, label) + epsilon * link(loss.base, dual(-z), label);
}
template <class L>
terms link(prefopt::labelled<L> const& loss, dual const& z, real label) {
  return label * link(loss.base, z, label) + (1 - label) * link(loss.base, dual(-z), label);
}

// Terms that a label does not touch.

template <class L>
terms rest(L const& loss, dual const& a, dual const& b) {
  if constexpr (is_modified<L>) {
    return rest(loss.base, a, b);
  } else if constexpr (std::same_as<L, prefopt::cpo>) {
    return dual(-real(loss.sft) * a);
  } else if constexpr (std::same_as<L, prefopt::bradley_terry>) {
    dual const total = a + b;
    return dual(real(loss.center) * dual(total * total));
  } else {
    return {};
  }
}

/// A loss and, for lcpo, its posterior.
struct outcome {
  terms loss;
  real posterior = std::numeric_limits<real>::quiet_NaN();
  real factor = 1;  ///< the largest by which a number that was flushed to 0 may have been meant to be multiplied
};

template <class L>
outcome outcome_of(L const& loss, variables const& at, disturbance const& off) {
  dual const a = score(loss, at.chosen, at.row.ref_chosen, at.row.chosen_length);
  dual const b = score(loss, at.rejected, at.row.ref_rejected, at.row.rejected_length);
  dual const u = dual(a - b) + off.given;
  return {link(loss, logit(loss, u, at.row.margin), at.row.label) + rest(loss, a, b)};
}

template <class L>
outcome outcome_of(prefopt::unbiased<L> const& loss, variables const& at, disturbance const& off) {
  real const epsilon = loss.epsilon;
  terms const given = outcome_of(loss.base, at, {.given = off.given}).loss;
  terms const swapped = outcome_of(loss.base, at.swapped(), {.given = off.swapped}).loss;
  return {(1 / (1 - 2 * epsilon)) * ((1 - epsilon) * given + -epsilon * swapped)};
}

template <class L>
outcome outcome_of(prefopt::lcpo<L> const& loss, variables const& at, disturbance const& off) {
  terms const given = outcome_of(loss.base, at, {.given = off.given}).loss;
  terms const swapped = outcome_of(loss.base, at.swapped(), {.given = off.swapped}).loss;
  terms const difference = swapped + real(-1) * given;
  dual const gap = difference.value + off.gap * difference.size;
  real const eta = at.row.reliability;
  real const p = 1 / (1 + std::exp(-gap.value())), not_p = 1 / (1 + std::exp(gap.value()));
  real const total = p * eta + not_p * (1 - eta);
  // Neither label is possible: the prior stands.
  real const right = total == 0 ? eta : p * eta / total, wrong = total == 0 ? 1 - eta : not_p * (1 - eta) / total;
  outcome result;
  // A weight of 0 leaves nothing of an infinite loss.
  if (right != 0) result.loss = result.loss + right * terms{negative_log_sigmoid(gap)};
  if (wrong != 0) result.loss = result.loss + wrong * terms{negative_log_sigmoid(dual(-gap))};
  // The terms of the gradient are those of the gap's, not of the gap itself.
  real const slope_size = right * not_p + wrong * p;
  result.loss.d_chosen_size = slope_size * difference.d_chosen_size;
  result.loss.d_rejected_size = slope_size * difference.d_rejected_size;
  result.posterior = right;
  result.factor = std::max({real(1), std::fabs(gap.value()), difference.d_chosen_size, difference.d_rejected_size});
  return result;
}

template <class L>
outcome outcome_of(L const& loss, pair const& p) {
  return outcome_of(loss, variables{p}, {});
}

/// Value and gradient, as plain numbers.
struct numbers {
  real loss = 0, d_chosen = 0, d_rejected = 0, posterior = 0;
};

inline numbers numbers_of(outcome const& o) {
  return {o.loss.value.value(), o.loss.value.derivatives()[0], o.loss.value.derivatives()[1], o.posterior};
}

/// The constant that a loss takes from the margin or compares it with, in units of the margin.
template <class L>
real offset_of(L const& loss) {
  if constexpr (is_modified<L>) {
    return offset_of(loss.base);
  } else if constexpr (std::same_as<L, prefopt::simpo>) {
    return real(loss.gamma) / real(loss.beta);
  } else if constexpr (plain_ipo<L>) {
    return 1 / (2 * real(loss.tau));
  } else {
    return 0;
  }
}

/// Exact numbers and how far a careful computation in T may be from them.
struct expectation {
  numbers exact, bound;
};

/// The bound has two parts, both derived and not tuned:
///  * conditioning: how far the exact result moves when the margin is off by what the scores' own rounding can do,
///        4 eps (|score(chosen)| + |score(rejected)| + |margin| + |offset|),
///    which covers a rounding each of the difference to the reference, the mean, the margin, its subtraction, the scale
///    (parameter and product) and the offset; and when lcpo's gap is off by 8 eps of the terms that it is made of;
///  * arithmetic: 16 eps of the sum of the sizes of the terms. A link costs 3 ULP, a chain of a link, its scale, a
///    modifier's factor, the sum, the length and the weight less than 8; lcpo's ratio takes two of these.
/// `inputs` adds an error of that many eps in each of the four log-probs: for vectors that were rounded to T.
template <class T, class L>
expectation expected(L const& loss, pair const& p, real inputs = 0) {
  real const eps = std::numeric_limits<T>::epsilon();
  variables const at{p};
  outcome const exact = outcome_of(loss, at, {});
  real const a = score(loss, at.chosen, p.ref_chosen, p.chosen_length).value();
  real const b = score(loss, at.rejected, p.ref_rejected, p.rejected_length).value();
  real const margin = 4 * eps * (std::fabs(a) + std::fabs(b) + std::fabs(p.margin) + offset_of(loss));
  real const chosen_read = inputs * eps * (std::fabs(p.chosen) + std::fabs(p.ref_chosen));
  real const rejected_read = inputs * eps * (std::fabs(p.rejected) + std::fabs(p.ref_rejected));

  expectation result{numbers_of(exact), {}};
  auto const widen = [](real& bound, real disturbed, real undisturbed) {
    bound = std::max(bound, std::fabs(disturbed - undisturbed));
  };
  // Every combination of the signs of the five errors.
  for (unsigned signs = 0; signs < 32; ++signs) {
    auto const signed_error = [&](unsigned which, real error) { return (signs >> which & 1) != 0 ? error : -error; };
    pair read = p;
    read.chosen += signed_error(0, chosen_read);
    read.rejected += signed_error(1, rejected_read);
    if (inputs == 0 && (signs & 3) != 0) continue;
    numbers const moved = numbers_of(outcome_of(
        loss, variables{read}, {signed_error(2, margin), signed_error(3, margin), signed_error(4, 8 * eps)}));
    widen(result.bound.loss, moved.loss, result.exact.loss);
    widen(result.bound.d_chosen, moved.d_chosen, result.exact.d_chosen);
    widen(result.bound.d_rejected, moved.d_rejected, result.exact.d_rejected);
    widen(result.bound.posterior, moved.posterior, result.exact.posterior);
  }
  // Results that are not normal numbers are flushed to 0, and a factor of the loss or the gradient may be one; lcpo
  // divides by as little as eta or 1 - eta.
  real const doubt = std::min(p.reliability, 1 - p.reliability);
  real const flushed = 16 * static_cast<real>(std::numeric_limits<T>::min()) / (doubt > 0 ? doubt : 1);
  result.bound.loss += 16 * eps * exact.loss.size + flushed * exact.factor;
  result.bound.d_chosen += 16 * eps * exact.loss.d_chosen_size + flushed * exact.factor;
  result.bound.d_rejected += 16 * eps * exact.loss.d_rejected_size + flushed * exact.factor;
  result.bound.posterior += 16 * eps * exact.posterior + flushed;
  return result;
}

}  // namespace oracle
