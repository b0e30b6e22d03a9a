#pragma once

#include <array>
#include <cstddef>
#include <prefopt/contract/observation.hpp>
#include <prefopt/modifier/chosen_likelihood.hpp>
#include <type_traits>

namespace prefopt::inline PREFOPT_ABI {

/// A loss plus the chosen completion's negative log-likelihood under the policy, whatever the loss's score is: what
/// RPO, IRPO and CPO-SimPO add so that chosen does not become less likely. Labels and their modifiers leave it alone.
///     L + nll NLL(chosen), the latter by nll_mode
///     nll_mode 0   -chosen N / (tokens in the chosen completions of the N counted pairs, of all ranks): TRL
///     nll_mode 1   -chosen / chosen_length: IRPO, OpenRLHF, LLaMA-Factory
///     nll_mode 2   -chosen
///     special   an empty completion adds nothing in modes 0 and 1; nll = 0 adds nothing to an infinite log-prob
///     source    Pang et al. 2024, arXiv:2404.19733, eq. 1
/// Mode 2 does not need lengths, and yet they have to be given: which columns a loss reads does not depend on its
/// parameters. Over this, lay smoothed and labelled only on a base with a link.
template <pair_loss L>
struct with_nll {
  L base{};
  double nll = 1;              ///< weight of the likelihood, >= 0
  double nll_mode = 0;         ///< 0: mean over the batch's tokens; 1: mean over the completion's; 2: sum
  double pairs_per_token = 0;  ///< of the batch: no parameter, an evaluation sets it for mode 0

  using score = typename detail::resolved<L>::score;
  static constexpr bool over_numbers = true, reads_swapped = false, never_fuses = true;
  /// The same over another loss.
  template <class Other>
  [[nodiscard]] with_nll<Other> over() const noexcept {
    return {.base = {}, .nll = nll, .nll_mode = nll_mode, .pairs_per_token = pairs_per_token};
  }
  static constexpr columns needs = detail::needs_of<detail::resolved<L>>() | columns::length,
                           takes = detail::takes_of<detail::resolved<L>>();

  template <lane V>
  PREFOPT_INLINE auto link(pair_row<V> const& row) const noexcept requires(linked_loss<L>) {
    return detail::link_of(detail::resolve(base), row);
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
  PREFOPT_INLINE auto rest(pair_row<V> const& row, V const& a, V const& b) const noexcept requires(linked_loss<L>) {
    if constexpr (detail::has_rest<detail::resolved<L>>) {
      return plus_likelihood(row, detail::rest_of(detail::resolve(base), row, a, b));
    } else {
      V const zero = math::constant<V>(0);
      return plus_likelihood(row, pair_value<V>{zero, zero, zero});
    }
  }
  template <lane V>
  PREFOPT_INLINE auto gradients(pair_row<V> const& row, V const& u, V const& slope) const noexcept
      requires(detail::has_gradients_of_row<detail::resolved<L>, V>) {
    return detail::resolve(base).gradients(row, u, slope);
  }

  template <lane V>
  PREFOPT_INLINE auto operator()(pair_row<V> const& row, V const& a, V const& b) const noexcept
      requires(!linked_loss<L>) {
    return plus_likelihood(row, detail::apply(detail::resolve(base), row, a, b));
  }

  // The tokens and then what the base observes.
  static constexpr std::size_t base_sums = detail::observed_by<detail::resolved<L>>;
  static_assert(base_sums == 0 || std::is_same_v<L, detail::resolved<L>>,
                "prefopt: lay a modifier over a loss with statistics itself, not over a name of it");
  using sums = std::array<double, 1 + base_sums>;

  template <lane V>
  PREFOPT_INLINE std::array<V, 1 + base_sums> observe(pair_row<V> const& row, V const& a, V const& b) const noexcept {
    std::array<V, 1 + base_sums> all{row.chosen.length};
    if constexpr (base_sums != 0) {
      auto const of_base = detail::observe(base, row, a, b);
      for (std::size_t i = 0; i < base_sums; ++i) all[1 + i] = of_base[i];
    }
    return all;
  }
  [[nodiscard]] with_nll observed(sums const& seen, double count) const noexcept {
    with_nll result = *this;
    result.pairs_per_token = detail::chosen_likelihood::pairs_per(seen[0], count);
    if constexpr (base_sums != 0) {
      if (base_is_observing()) result.base = detail::with_observed(base, seen.data() + 1, count);
    }
    return result;
  }
  [[nodiscard]] bool is_observing() const noexcept {
    return (nll != 0 && nll_mode == detail::chosen_likelihood::token_mean) || base_is_observing();
  }

  static constexpr loss_card card{"with_nll", "L + nll NLL(chosen)", "arXiv:2404.19733, eq. 1"};
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"nll", &with_nll::nll, range::non_negative()},
                      parameter{"nll_mode", &with_nll::nll_mode, detail::chosen_likelihood::modes()}};
  }

 private:
  [[nodiscard]] bool base_is_observing() const noexcept {
    if constexpr (base_sums == 0) {
      return false;
    } else {
      return detail::observed_now(base) != 0;
    }
  }

  template <lane V, class Value>
  PREFOPT_INLINE auto plus_likelihood(pair_row<V> const& row, Value const& of_base) const noexcept {
    V const zero = math::constant<V>(0), weight = math::constant<V>(nll);
    auto const likelihood = detail::chosen_likelihood{nll_mode, pairs_per_token}(row.chosen);
    V const value = nll == 0 ? zero : V(weight * likelihood.value), slope = V(weight * likelihood.slope);
    if constexpr (requires { of_base.d_chosen_log_prob; }) {
      Value sum = of_base;
      sum.value = V(sum.value + value);
      sum.d_chosen_log_prob = V(sum.d_chosen_log_prob + slope);
      return sum;
    } else {
      with_chosen_log_prob<Value, V> sum{of_base, slope};
      sum.value = V(sum.value + value);
      return sum;
    }
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
