#pragma once

#include <algorithm>
#include <cstddef>
#include <prefopt/core/errors.hpp>
#include <prefopt/logprob/sequence.hpp>
#include <prefopt/logprob/token_rows.hpp>
#include <prefopt/logprob/tokens.hpp>
#include <prefopt/view/column.hpp>

namespace prefopt::inline PREFOPT_ABI {
namespace detail {

template <token_view Tokens>
std::size_t counted_tokens(Tokens const& tokens, std::size_t sequence) noexcept {
  std::size_t number = 0;
  for_each_token_block(tokens, sequence, [&](auto const*, auto const* mask, std::size_t, std::size_t count) noexcept {
    for (std::size_t i = 0; i < count; ++i) number += mask == nullptr || mask[i] != 0 ? 1 : 0;
  });
  return number;
}

/// 1 for the first `whole` tokens of a completion, alpha for those behind, 0 for what is masked.
template <token_view Tokens>
void write_desensitized(Tokens const& tokens, std::size_t sequence, std::size_t whole, double alpha,
                        typename Tokens::gradient const& weight) noexcept {
  using T = typename Tokens::value_type;
  output<T> const target = Tokens::target(weight, sequence);
  std::size_t number = 0;
  for_each_token_block(tokens, sequence, [&](T const*, T const* mask, std::size_t begin, std::size_t count) noexcept {
    T buffer[block_tokens];
    T* const to = target.block(begin, count, buffer, false);
    for (std::size_t i = 0; i < count; ++i) {
      bool const counts = mask == nullptr || mask[i] != T(0);
      to[i] = !counts ? T(0) : number < whole ? T(1) : static_cast<T>(alpha);
      number += counts ? 1 : 0;
    }
    target.commit(begin, count, buffer);
  });
}

inline void check_desensitized_alpha(char const* where, double alpha) {
  if (!(alpha >= 0 && alpha <= 1)) fail(where, "alpha is " + text(alpha) + ", expected a number in [0, 1]");
}

}  // namespace detail

/// LD-DPO's weights of tokens: what the longer completion of a pair has beyond the shorter one's length counts less,
/// so that length alone moves the margin less.
///     score    sum_{t <= m} l_t + alpha sum_{t > m} l_t,  m = min(n_chosen, n_rejected), the numbers of counted tokens
///     weight   1, beyond the m-th counted token alpha, 0 where the mask has 0; in the shape of the tokens
///     special  alpha = 1 is the plain sum, bit for bit; alpha = 0 cuts both to m; an empty completion leaves alpha
///              everywhere in the other
///     throws   std::invalid_argument, before anything is written: shapes that differ, alpha outside [0, 1]
///     source   Liu et al. 2024, arXiv:2409.06411
/// Put it beside the mask, `tokens.weight`, of the policy's tokens and, as in TRL, of the reference's: any loss of
/// pairs is then its length-desensitized form. LLaMA-Factory has it for the policy alone.
template <token_view Tokens>
void length_desensitized_weights(Tokens const& chosen, std::type_identity_t<Tokens> const& rejected, double alpha,
                                 typename Tokens::gradient const& chosen_weight,
                                 typename Tokens::gradient const& rejected_weight) {
  constexpr char const* where = "length_desensitized_weights";
  detail::check_desensitized_alpha(where, alpha);
  chosen.check(where);
  rejected.check(where);
  if (chosen.sequences() != rejected.sequences()) {
    detail::fail(where, "rejected has " + detail::text(rejected.sequences()) + " sequences, chosen has " +
                            detail::text(chosen.sequences()));
  }
  chosen.check(where, chosen_weight);
  rejected.check(where, rejected_weight);
  for (std::size_t i = 0; i < chosen.sequences(); ++i) {
    std::size_t const whole = std::min(detail::counted_tokens(chosen, i), detail::counted_tokens(rejected, i));
    detail::write_desensitized(chosen, i, whole, alpha, chosen_weight);
    detail::write_desensitized(rejected, i, whole, alpha, rejected_weight);
  }
}

/// The same of a policy's rows, for the column `weight` of token_rows: the first half of its sequences are the chosen
/// ones, the second half the rejected, in order.
inline void length_desensitized_weights(token_rows const& rows, double alpha, output<double> const& weight) {
  constexpr char const* where = "length_desensitized_weights";
  detail::check_desensitized_alpha(where, alpha);
  rows.check(where);
  std::size_t const sequences = rows.sequences();
  if (sequences % 2 != 0) {
    detail::fail(where, "there are " + detail::text(sequences) + " sequences, expected pairs: an even number");
  }
  token_layout const layout = rows.layout();
  double const none = 0;
  packed_tokens<double> const tokens{
      .log_prob = {&none, layout.tokens(), 0}, .offsets = layout.offsets, .mask = layout.counted};
  tokens.check(where, weight);
  for (std::size_t i = 0; i < sequences / 2; ++i) {
    std::size_t const other = i + sequences / 2;
    std::size_t const whole = std::min(detail::counted_tokens(tokens, i), detail::counted_tokens(tokens, other));
    detail::write_desensitized(tokens, i, whole, alpha, weight);
    detail::write_desensitized(tokens, other, whole, alpha, weight);
  }
}

}  // namespace prefopt::inline PREFOPT_ABI
