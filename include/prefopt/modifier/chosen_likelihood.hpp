#pragma once

#include <array>
#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/score/length_mean.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// What is derived from a value, with a derivative by the chosen completion's log-prob that is none by its score.
template <class Value, lane V>
struct with_chosen_log_prob : Value {
  V d_chosen_log_prob;
};

namespace detail {

/// The chosen completion's negative log-likelihood, -log pi(chosen), whatever the loss's score is: each pair's share,
/// so that the mean of the shares is the batch's.
///     token_mean      -chosen N / (tokens in the chosen completions of the N counted pairs, of all ranks)
///     sequence_mean   -chosen / chosen_length
///     token_sum       -chosen
/// An empty completion has nothing to say in the first two.
struct chosen_likelihood {
  static constexpr double token_mean = 0, sequence_mean = 1, token_sum = 2;

  double mode;
  double pairs_per_token;  ///< of the batch, for token_mean

  [[nodiscard]] static constexpr range modes() noexcept { return {.low = 0, .high = 2, .is_whole = true}; }

  [[nodiscard]] static constexpr double pairs_per(double tokens, double pairs) noexcept {
    return tokens > 0 ? pairs / tokens : 0;
  }

  template <lane V>
  PREFOPT_INLINE value_slope<V> operator()(completion<V> const& chosen) const noexcept {
    V const zero = math::constant<V>(0);
    V share = math::constant<V>(1);
    if (mode == sequence_mean) share = length_mean{}(chosen).slope;
    if (mode == token_mean) {
      share = math::select(chosen.length == zero, zero, math::constant<V>(pairs_per_token));
    }
    // A log-prob of -inf that does not count must not become 0 * inf.
    return {math::select(share == zero, zero, V(-(share * chosen.log_prob))), V(-share)};
  }
};

}  // namespace detail
}  // namespace prefopt::inline PREFOPT_ABI
