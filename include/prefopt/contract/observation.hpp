#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/contract/unpaired_loss.hpp>
#include <tuple>
#include <type_traits>

// Statistics of the batch, and of all ranks: a pair loss that depends on more than its own pair has
//
//   observe(row, a, b)        what is summed over the counted pairs, without weights: a std::array of at most 12 lanes;
//                             of an unpaired loss, observe(row, s)
//   observed(sums, count)     the loss with those sums (a std::array of as many doubles), and the number of counted
//                             pairs, which may be 0
//
// both noexcept; and, if its parameters say whether it does, is_observing(); if there is nothing to observe without
// columns that it takes, their kind as observed_from. They are made in a pass before the kernel,
// and held constant by the gradient. A modifier passes them on to its base.

namespace prefopt::inline PREFOPT_ABI::detail {

template <class L, class V>
concept observes_pairs = requires(L const loss, pair_row<V> const row, V const score) {
  loss.observe(row, score, score);
};
template <class L, class V>
concept observes_completions = requires(L const loss, unpaired_row<V> const row, V const score) {
  loss.observe(row, score);
};

template <class L>
concept observes = observes_pairs<L, double> || observes_completions<L, double>;

/// What a loss says of one example.
template <class L, lane V>
PREFOPT_INLINE auto observe_own(L const& loss, pair_row<V> const& row, V const& a, V const& b) noexcept {
  static_assert(noexcept(loss.observe(row, a, b)), "prefopt: observe of a loss has to be noexcept");
  return loss.observe(row, a, b);
}
template <class L, lane V>
PREFOPT_INLINE auto observe_own(L const& loss, unpaired_row<V> const& row, V const& s) noexcept {
  static_assert(noexcept(loss.observe(row, s)), "prefopt: observe of a loss has to be noexcept");
  return loss.observe(row, s);
}

template <class L>
constexpr auto seen_type() noexcept {
  if constexpr (observes_pairs<L, double>) {
    return std::type_identity<decltype(observe_own(std::declval<L const&>(), pair_row<double>{}, 0.0, 0.0))>{};
  } else {
    return std::type_identity<decltype(observe_own(std::declval<L const&>(), unpaired_row<double>{}, 0.0))>{};
  }
}

template <class L>
concept takes_observed = std::is_member_function_pointer_v<decltype(&L::observed)>;

template <class L>
constexpr std::size_t count_observed() noexcept {
  if constexpr (observes<L>) {
    using seen = typename decltype(seen_type<L>())::type;
    using sums = std::array<double, std::tuple_size_v<seen>>;
    static_assert(noexcept(std::declval<L const&>().observed(std::declval<sums const&>(), 0.0)),
                  "prefopt: observed of a loss has to be noexcept");
    return std::tuple_size_v<seen>;
  } else if constexpr (takes_observed<L>) {
    static_assert(observes<L>, "prefopt: a loss with observed(sums, count) has to have observe(row, a, b), too");
    return 0;
  } else if constexpr (requires(L loss) { loss.base; }) {
    using base = decltype(L::base);
    constexpr bool is_name = !std::is_same_v<base, resolved<base>>;
    constexpr std::size_t count = count_observed<resolved<base>>();
    static_assert(!is_name || count == 0,
                  "prefopt: lay a modifier over a loss with statistics itself, not over a name of it");
    return is_name ? 0 : count;
  } else {
    return 0;
  }
}

/// As many sums fit into one call of the all-reduce.
inline constexpr std::size_t most_observed = 12;

template <class L>
inline constexpr std::size_t observed_by = [] {
  static_assert(count_observed<L>() <= most_observed, "prefopt: a loss observes at most 12 sums");
  return count_observed<L>();
}();

template <class L>
constexpr columns observed_from() noexcept {
  if constexpr (requires { L::observed_from; }) {
    return L::observed_from;
  } else {
    return columns::none;
  }
}

/// How many sums a loss with its parameters asks for.
template <class L>
constexpr std::size_t observed_now(L const& loss) noexcept {
  if constexpr (observed_by<L> == 0) {
    return 0;
  } else if constexpr (!observes<L>) {
    return observed_now(loss.base);
  } else if constexpr (requires { loss.is_observing(); }) {
    return loss.is_observing() ? observed_by<L> : 0;
  } else {
    return observed_by<L>;
  }
}

template <class L, class Row, lane... V>
PREFOPT_INLINE auto observe(L const& loss, Row const& row, V const&... scores) noexcept {
  if constexpr (observes<L>) {
    return observe_own(loss, row, scores...);
  } else {
    return observe(loss.base, row, scores...);
  }
}

template <class L>
L with_observed(L loss, double const* sums, double count) noexcept {
  if constexpr (observes<L>) {
    std::array<double, observed_by<L>> all;
    std::copy_n(sums, all.size(), all.begin());
    return loss.observed(all, count);
  } else {
    loss.base = with_observed(loss.base, sums, count);
    return loss;
  }
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
