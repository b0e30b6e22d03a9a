#pragma once

#include <prefopt/batch/pairs.hpp>
#include <prefopt/contract/loss_facts.hpp>
#include <prefopt/contract/loss_parameters.hpp>
#include <prefopt/core/parameter.hpp>
#include <prefopt/link/link.hpp>
#include <prefopt/link/mixed.hpp>
#include <prefopt/score/score.hpp>

// What a loss is made of. Three ways to write one, from the shortest:
//
//   composition()                 another name for losses that exist: `cdpo` is `smoothed<dpo>`
//   score, link(), logit()        phi(logit(u)) of the margin u = score(chosen) - score(rejected), and if wanted
//                                 rest(a, b), a term of both scores that a label does not flip
//   score, operator()(u)          any function of the margin          -> value_slope
//   score, operator()(a, b)       any function of both scores         -> pair_value
//
// All of these may take the pair's further columns first, as `pair_row<V>`. The logit is then a row_affine<V>, and it
// alone knows the margin column. A loss names the columns that it reads beyond its score's as `needs` and `takes`
// (optional), its parameters and their ranges as `parameters()` (a template in the list's own headers: nobody pays for
// its types who does not ask for them), and what it is as `card`; each of these may be left out. Further:
//
//   rule                          a column_rule: which values of a column it takes
//   refuses_empty = true          completions of length 0 are an error whatever the options
//   matches                       a rank_matching: the batch is sorted before
//   fuses = true                  a modifier over it is compiled into one kernel with it, see engine/modified_apart.hpp
//   gradients(row, u, slope)      with a link: the derivatives by further columns, a struct with members d_margin,
//                                 d_chosen_kl, ... from the slope by the logit. One without a link, and a rest, return
//                                 what is derived from pair_value and has these members
//   observe, observed             sums over the batch that it depends on, see observation.hpp
//
// The pair swapped has its completions exchanged, and what belongs to these (lengths, kl, deviation, sign). What belongs
// to the pair as a whole stays. The opposite label of a loss with a link is phi(-z). Of one without, it is the pair
// swapped: f(-u), f(b, a). There a target margin inside f changes sides: a loss with one should be written with link and
// logit. One that reads the margin column has to be, or `smoothed` and `labelled` refuse it.

namespace prefopt::inline PREFOPT_ABI {

/// A function of both scores: its value and partial derivatives.
template <lane V>
struct pair_value {
  V value, d_chosen, d_rejected;

  PREFOPT_INLINE constexpr pair_value(V const& of_value, V const& of_d_chosen, V const& of_d_rejected) noexcept
      : value(math::copy(of_value)), d_chosen(math::copy(of_d_chosen)), d_rejected(math::copy(of_d_rejected)) {}
};

/// The same, with the probability that the label is right.
template <class Value, lane V>
struct with_posterior : Value {
  V posterior;
};

/// The value of a pair loss, or a rest, with its derivatives by further columns.
template <class Value, class Gradients>
struct with_gradients : Value, Gradients {};

/// A pair lane by lane: its completions, and its further columns. One that is not given has its neutral value, see the
/// table.
template <lane V>
struct pair_row {
  completion<V> chosen, rejected;
#define PREFOPT_ROW_MEMBER(name, kind, range, neutral, type) type name;
  PREFOPT_PAIR_COLUMNS(PREFOPT_ROW_MEMBER, V)
#undef PREFOPT_ROW_MEMBER
};

/// z = scale u: the pair swapped has the logit -z.
struct linear {
  double scale = 1;
  static constexpr bool is_odd = true;

  template <lane V>
  PREFOPT_INLINE V operator()(V const& u) const noexcept {
    return V(math::constant<V>(scale) * u);
  }
};

/// z = scale u - offset.
struct affine {
  double scale = 1, offset = 0;
  static constexpr bool is_odd = false;

  template <lane V>
  PREFOPT_INLINE V operator()(V const& u) const noexcept {
    // Not for the compiler to fuse or not: a loss and its modifications have the same bits.
    return math::fma(math::constant<V>(scale), u, math::constant<V>(-offset));
  }
};

/// The same with each pair's own scale and offset.
template <lane V>
struct row_affine {
  V scale, offset;

  PREFOPT_INLINE V operator()(V const& u) const noexcept { return math::fma(scale, u, V(-offset)); }
};

namespace detail {

/// The pair swapped.
template <lane V>
PREFOPT_INLINE pair_row<V> sides_swapped(pair_row<V> const& row) noexcept {
  pair_row<V> other = row;
  other.chosen = row.rejected;
  other.rejected = row.chosen;
#define PREFOPT_SWAP_SIDES(kind)             \
  other.chosen_##kind = row.rejected_##kind; \
  other.rejected_##kind = row.chosen_##kind;
  PREFOPT_SIDE_COLUMNS(PREFOPT_SWAP_SIDES)
#undef PREFOPT_SWAP_SIDES
  return other;
}

/// Names stand for their composition.
template <class L>
constexpr auto resolve(L const& loss) noexcept {
  if constexpr (requires { loss.composition(); }) {
    return resolve(loss.composition());
  } else {
    return loss;
  }
}

template <class L>
using resolved = decltype(resolve(std::declval<L const&>()));

template <class L, class V>
concept has_link_of_row = requires(L const loss, pair_row<V> const row) {
  loss.link(row);
};

template <class L, class V>
concept has_logit_of_row = requires(L const loss, pair_row<V> const row) {
  loss.logit(row).scale;
};

template <class L>
concept has_link = (has_link_of_row<L, double> || requires(L const loss) { loss.link(); }) &&
                   (has_logit_of_row<L, double> || requires(L const loss) { loss.logit().scale; });

template <has_link L, lane V>
PREFOPT_INLINE auto link_of(L const& loss, pair_row<V> const& row) noexcept {
  if constexpr (has_link_of_row<L, V>) {
    return loss.link(row);
  } else {
    return loss.link();
  }
}

template <has_link L, lane V>
PREFOPT_INLINE auto logit_of(L const& loss, pair_row<V> const& row) noexcept {
  if constexpr (has_logit_of_row<L, V>) {
    return loss.logit(row);
  } else {
    return loss.logit();
  }
}

template <class L, class V>
concept has_rest_of_row = requires(L const loss, pair_row<V> const row, V const score) {
  loss.rest(row, score, score);
};

template <class L>
concept has_rest = has_link<L> &&
    (has_rest_of_row<L, double> || requires(L const loss, double const score) { loss.rest(score, score); });

template <has_rest L, lane V>
PREFOPT_INLINE auto rest_of(L const& loss, pair_row<V> const& row, V const& a, V const& b) noexcept {
  if constexpr (has_rest_of_row<L, V>) {
    return loss.rest(row, a, b);
  } else {
    return loss.rest(a, b);
  }
}

template <class L, class V>
concept has_gradients_of_row = requires(L const loss, pair_row<V> const row, V const x) {
  loss.gradients(row, x, x);
};

template <class L>
constexpr columns needs_of() noexcept {
  auto needs = columns::none;
  if constexpr (requires { L::score::needs; }) needs = L::score::needs;
  if constexpr (requires { L::needs; }) needs = needs | L::needs;
  return needs;
}

template <class L>
constexpr columns takes_of() noexcept {
  if constexpr (requires { L::takes; }) {
    return L::takes;
  } else {
    return columns::none;
  }
}

template <class L>
constexpr bool reads(columns kind) noexcept {
  return contains(needs_of<L>() | takes_of<L>(), kind);
}

template <class L>
constexpr column_rule rule_of() noexcept {
  if constexpr (requires { L::rule; }) {
    return L::rule;
  } else if constexpr (requires(L loss) { loss.base; }) {
    return rule_of<resolved<decltype(L::base)>>();
  } else {
    return {};
  }
}

template <class L>
constexpr rank_matching matches_of() noexcept {
  if constexpr (requires { L::matches; }) {
    return L::matches;
  } else if constexpr (requires(L loss) { loss.base; }) {
    return matches_of<resolved<decltype(L::base)>>();
  } else {
    return rank_matching::none;
  }
}

template <class L>
constexpr bool refuses_empty() noexcept {
  if constexpr (requires { L::refuses_empty; }) {
    return L::refuses_empty;
  } else if constexpr (requires(L loss) { loss.base; }) {
    return refuses_empty<resolved<decltype(L::base)>>();
  } else {
    return false;
  }
}

template <class L>
inline constexpr bool reads_margin = reads<L>(columns::margin);

template <class L, class... V>
concept calls_plain = requires(L const loss, V const... scores) {
  { loss(scores...) }
  noexcept;
};
template <class L, class V, class... Scores>
concept calls_with_row = requires(L const loss, pair_row<V> const row, Scores const... scores) {
  { loss(row, scores...) }
  noexcept;
};

template <class L, class V>
concept calls_on_margin = calls_plain<L, V> || calls_with_row<L, V, V>;
template <class L, class V>
concept calls_on_scores = calls_plain<L, V, V> || calls_with_row<L, V, V, V>;

template <class L, class V, class... Scores>
PREFOPT_INLINE auto call(L const& loss, pair_row<V> const& row, Scores const&... scores) noexcept {
  if constexpr (calls_with_row<L, V, Scores...>) {
    return loss(row, scores...);
  } else {
    return loss(scores...);
  }
}

template <class L, class V>
PREFOPT_INLINE V shifted(V const& u, pair_row<V> const& row) noexcept {
  if constexpr (reads_margin<L> && !has_logit_of_row<L, V>) {
    return V(u - row.margin);
  } else {
    return u;
  }
}

}  // namespace detail

/// A function of the margin of two scores.
template <class L>
concept margin_loss = score<typename detail::resolved<L>::score> &&
    ((detail::has_link<detail::resolved<L>> && !detail::has_rest<detail::resolved<L>>) ||
     (detail::calls_on_margin<detail::resolved<L>, float> && detail::calls_on_margin<detail::resolved<L>, double> &&
      detail::calls_on_margin<detail::resolved<L>, xsimd::batch<float>> &&
      detail::calls_on_margin<detail::resolved<L>, xsimd::batch<double>>));

/// A function of both scores; every margin_loss is one.
template <class L>
concept pair_loss = score<typename detail::resolved<L>::score> &&
    (margin_loss<L> || detail::has_rest<detail::resolved<L>> ||
     (detail::calls_on_scores<detail::resolved<L>, float> && detail::calls_on_scores<detail::resolved<L>, double> &&
      detail::calls_on_scores<detail::resolved<L>, xsimd::batch<float>> &&
      detail::calls_on_scores<detail::resolved<L>, xsimd::batch<double>>));

/// A loss whose label can be flipped at the same logit: one that is made of a link.
template <class L>
concept linked_loss = pair_loss<L> && detail::has_link<detail::resolved<L>>;

namespace detail {

template <class L>
inline constexpr bool sorts_batch = matches_of<L>() != rank_matching::none;
template <class L>
inline constexpr bool has_opposite_label = !sorts_batch<L> && (has_link<L> || !reads_margin<L>);

/// The scale of a logit, which may be one for all pairs.
template <lane V, class Scale>
PREFOPT_INLINE V scale_in(Scale const& scale) noexcept {
  if constexpr (std::same_as<Scale, double>) {
    return math::constant<V>(scale);
  } else {
    return scale;
  }
}

/// The link of a loss at the margin u, not its rest: its value, and its slopes by u and by the logit.
template <lane V>
struct link_at {
  V value, slope, slope_of_logit;
};

template <has_link L, lane V>
PREFOPT_INLINE link_at<V> linked(L const& loss, pair_row<V> const& row, V const& u) noexcept {
  auto const logit = logit_of(loss, row);
  auto const at = link_of(loss, row)(logit(shifted<L>(u, row)));
  return {math::copy(at.value), V(scale_in<V>(logit.scale) * at.slope), math::copy(at.slope)};
}

/// A margin loss at the margin u.
template <class L, lane V>
PREFOPT_INLINE auto apply(L const& loss, pair_row<V> const& row, V const& u) noexcept {
  if constexpr (has_link<L>) {
    auto const at = linked(loss, row, u);
    return value_slope<V>{at.value, at.slope};
  } else {
    return call(loss, row, u);
  }
}

template <lane V>
PREFOPT_INLINE pair_value<V> of_scores(value_slope<V> const& m) noexcept {
  return {m.value, m.slope, V(-m.slope)};
}

template <lane V>
PREFOPT_INLINE with_posterior<pair_value<V>, V> of_scores(with_posterior<value_slope<V>, V> const& m) noexcept {
  return {{m.value, m.slope, V(-m.slope)}, m.posterior};
}

template <lane V>
struct margin_gradient {
  V d_margin;
};

/// A value of a pair, made of its numbers, and the derivatives by further columns of a loss with a link.
template <class Value, class L, lane V, class... Numbers>
PREFOPT_INLINE auto with_columns(L const& loss, pair_row<V> const& row, V const& u, link_at<V> const& part,
                                 Numbers const&... numbers) noexcept {
  if constexpr (has_gradients_of_row<L, V>) {
    using gradients = decltype(loss.gradients(row, u, part.slope_of_logit));
    return with_gradients<Value, gradients>{{numbers...}, loss.gradients(row, u, part.slope_of_logit)};
  } else if constexpr (reads_margin<L> && !has_logit_of_row<L, V>) {
    return with_gradients<Value, margin_gradient<V>>{{numbers...}, {V(-part.slope)}};
  } else {
    return Value{numbers...};
  }
}

/// A pair loss at the scores a and b.
template <class L, lane V>
PREFOPT_INLINE auto apply(L const& loss, pair_row<V> const& row, V const& a, V const& b) noexcept {
  if constexpr (has_rest<L>) {
    V const u = a - b;
    auto const part = linked(loss, row, u);
    auto both = rest_of(loss, row, a, b);
    both.value = V(part.value + both.value);
    both.d_chosen = V(both.d_chosen + part.slope);
    both.d_rejected = V(both.d_rejected - part.slope);
    return with_columns<decltype(both)>(loss, row, u, part, both);
  } else if constexpr (has_link<L>) {
    V const u = a - b;
    auto const part = linked(loss, row, u);
    return with_columns<pair_value<V>>(loss, row, u, part, part.value, part.slope, V(-part.slope));
  } else if constexpr (calls_on_margin<L, V>) {
    return of_scores(apply(loss, row, V(a - b)));
  } else {
    return call(loss, row, a, b);
  }
}

/// The pair swapped has the logit -z: nothing in the logit but the difference of the scores.
template <class L>
concept has_odd_logit = has_link<L> && requires(L const loss) {
  requires std::remove_cvref_t<decltype(loss.logit())>::is_odd && !reads_margin<L>;
};

/// A link's opposite label is the pair swapped, and there is nothing beside the link.
template <class L>
inline constexpr bool is_odd_alone = has_odd_logit<L> && !has_rest<L> && !has_gradients_of_row<L, double>;

/// A loss of the pair as given and of the pair swapped, both differentiated by the scores as given.
template <class Value>
struct both_orders {
  Value given, swapped;
};

template <class L, lane V>
PREFOPT_INLINE both_orders<value_slope<V>> in_both_orders(L const& loss, pair_row<V> const& row, V const& u) noexcept {
  if constexpr (has_odd_logit<L>) {
    auto const logit = loss.logit();
    V const scale = math::constant<V>(logit.scale);
    auto const both = at_both_signs(link_of(loss, row), logit(u));
    return {{both.plus.value, V(scale * both.plus.slope)}, {both.minus.value, V(-scale * both.minus.slope)}};
  } else {
    value_slope<V> const other = apply(loss, sides_swapped(row), V(-u));
    return {apply(loss, row, u), {other.value, V(-other.slope)}};
  }
}

template <class L, lane V>
PREFOPT_INLINE both_orders<pair_value<V>> in_both_orders(L const& loss, pair_row<V> const& row, V const& a,
                                                         V const& b) noexcept {
  pair_value<V> const other = apply(loss, sides_swapped(row), b, a);
  return {apply(loss, row, a, b), {other.value, other.d_rejected, other.d_chosen}};
}

/// right * given + wrong * swapped. A label without doubt must not turn the other label's infinity into 0 * inf.
template <lane V>
PREFOPT_INLINE V mix(V const& right, V const& wrong, V const& given, V const& swapped) noexcept {
  V const zero = math::constant<V>(0), sum = math::fma(right, given, V(wrong * swapped));
  return math::select(wrong == zero, given, V(math::select(right == zero, swapped, sum)));
}

/// A loss without a link under a label that is right with probability `right`: the opposite label is the pair swapped.
template <class L, lane V>
PREFOPT_INLINE value_slope<V> mixed_orders(L const& loss, pair_row<V> const& row, V const& right, V const& wrong,
                                           V const& u) noexcept {
  auto const [given, swapped] = in_both_orders(loss, row, u);
  return {mix(right, wrong, given.value, swapped.value), mix(right, wrong, given.slope, swapped.slope)};
}

template <class L, lane V>
PREFOPT_INLINE pair_value<V> mixed_orders(L const& loss, pair_row<V> const& row, V const& right, V const& wrong,
                                          V const& a, V const& b) noexcept {
  auto const [given, swapped] = in_both_orders(loss, row, a, b);
  return {mix(right, wrong, given.value, swapped.value), mix(right, wrong, given.d_chosen, swapped.d_chosen),
          mix(right, wrong, given.d_rejected, swapped.d_rejected)};
}

/// L(pair swapped) - L(pair as given) and its derivatives. What a link knows of its own difference does not cancel, nor
/// does a rest that is the same in both orders.
template <class L, lane V>
PREFOPT_INLINE value_slope<V> swap_gap(L const& loss, pair_row<V> const& row, V const& u) noexcept {
  if constexpr (has_odd_logit<L>) {
    auto const logit = loss.logit();
    auto const at = gap(link_of(loss, row), logit(u));
    return {at.value, V(math::constant<V>(logit.scale) * at.slope)};
  } else if constexpr (has_link<L>) {
    auto const given = linked(loss, row, u), other = linked(loss, sides_swapped(row), V(-u));
    return {V(other.value - given.value), V(-other.slope - given.slope)};
  } else {
    auto const both = in_both_orders(loss, row, u);
    return {V(both.swapped.value - both.given.value), V(both.swapped.slope - both.given.slope)};
  }
}

template <class L, lane V>
PREFOPT_INLINE pair_value<V> swap_gap(L const& loss, pair_row<V> const& row, V const& a, V const& b) noexcept {
  if constexpr (has_rest<L>) {
    value_slope<V> const part = swap_gap(loss, row, V(a - b));
    pair_value<V> const given = rest_of(loss, row, a, b), other = rest_of(loss, sides_swapped(row), b, a);
    return {V(part.value + (other.value - given.value)), V(part.slope + (other.d_rejected - given.d_chosen)),
            V((other.d_chosen - given.d_rejected) - part.slope)};
  } else {
    auto const both = in_both_orders(loss, row, a, b);
    return {V(both.swapped.value - both.given.value), V(both.swapped.d_chosen - both.given.d_chosen),
            V(both.swapped.d_rejected - both.given.d_rejected)};
  }
}

/// What a chosen completion's implicit reward is, in units of its score.
template <class L>
constexpr double reward_scale(L const& loss) noexcept {
  if constexpr (requires { loss.reward_scale(); }) {
    return loss.reward_scale();
  } else if constexpr (requires { loss.logit().scale; }) {
    return loss.logit().scale;
  } else if constexpr (requires { loss.base; }) {
    return reward_scale(resolve(loss.base));
  } else {
    return 1;
  }
}

}  // namespace detail

namespace detail {

template <class L>
inline constexpr bool says_more_of_chosen = requires(L const loss, pair_row<double> const row, double const score) {
  apply(loss, row, score, score).d_chosen_log_prob;
};

}  // namespace detail

/// A loss that says something of the pair in both orders, and nothing of one completion alone.
template <class L>
concept loss_of_two_orders =
    pair_loss<L> && !detail::sorts_batch<detail::resolved<L>> && !detail::says_more_of_chosen<detail::resolved<L>>;

/// A loss with an opposite label: at the same logit, or the pair swapped, which the margin column must not be part of.
template <class L>
concept loss_with_opposite_label = pair_loss<L> && detail::has_opposite_label<detail::resolved<L>> &&
    (linked_loss<L> || loss_of_two_orders<L>);

namespace detail {

/// What the modifiers ask of their bases, each with its reason.
template <class L>
struct base_of_pairs {
  static_assert(!sorts_batch<resolved<L>>,
                "prefopt: a loss that compares what has the same rank in the batch has no other order of one pair: of "
                "the modifiers only with_nll goes over it");
  static constexpr bool value = true;
};
template <class L>
struct base_of_two_orders : base_of_pairs<L> {
  static_assert(
      sorts_batch<resolved<L>> || !says_more_of_chosen<resolved<L>>,
      "prefopt: what a loss says of the chosen completion's tokens alone, as with_nll and sft do, is no part of "
      "a preference: lay with_nll over the modifier, not the modifier over with_nll");
};
template <class L>
struct base_with_opposite_label : std::conditional_t<linked_loss<L>, base_of_pairs<L>, base_of_two_orders<L>> {
  static_assert(has_link<resolved<L>> || !reads_margin<resolved<L>>,
                "prefopt: a loss that reads the margin column has no opposite label unless it is written with link() "
                "and logit(): swapping the pair would put the margin on the wrong side");
};

}  // namespace detail

}  // namespace prefopt::inline PREFOPT_ABI
