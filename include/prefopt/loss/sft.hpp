#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/modifier/chosen_likelihood.hpp>
#include <prefopt/score/sum.hpp>
#include <prefopt/simd/math.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Supervised fine-tuning on the chosen completion, as a loss of the pair: a baseline, and a part of sums of losses.
/// Nothing is learnt from the rejected one.
///     L = -log pi(chosen), by `mode` over the batch's tokens (0), over the completion's (1), or as a sum (2); with_nll
///         has the formulas
///     special   an empty completion gives 0 in modes 0 and 1
///     source    the negative log-likelihood
struct sft {
  double mode = 0;             ///< 0: mean over the batch's tokens; 1: mean over the completion's; 2: sum
  double pairs_per_token = 0;  ///< of the batch: no parameter, an evaluation sets it for mode 0

  using score = sum;
  static constexpr columns needs = columns::length;

  template <lane V>
  PREFOPT_INLINE with_chosen_log_prob<pair_value<V>, V> operator()(pair_row<V> const& row, V const& a,
                                                                   V const& b) const noexcept {
    V const nothing = math::or_nan_of(math::constant<V>(0), a, b);
    auto const likelihood = detail::chosen_likelihood{mode, pairs_per_token}(row.chosen);
    return {{V(likelihood.value + nothing), nothing, nothing}, likelihood.slope};
  }

  template <lane V>
  PREFOPT_INLINE std::array<V, 1> observe(pair_row<V> const& row, V const&, V const&) const noexcept {
    return {row.chosen.length};
  }
  [[nodiscard]] sft observed(std::array<double, 1> const& tokens, double count) const noexcept {
    return {mode, detail::chosen_likelihood::pairs_per(tokens[0], count)};
  }
  [[nodiscard]] bool is_observing() const noexcept { return mode == detail::chosen_likelihood::token_mean; }

  static constexpr loss_card card{"sft", "-log pi(chosen)", "the negative log-likelihood"};
  template <class L = sft>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"mode", &L::mode, detail::chosen_likelihood::modes()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
