#pragma once

#include <cmath>
#include <cstddef>
#include <limits>
#include <prefopt/core/errors.hpp>
#include <prefopt/logprob/sequence.hpp>
#include <prefopt/logprob/tokens.hpp>
#include <prefopt/view/column.hpp>
#include <string>
#include <type_traits>

namespace prefopt::inline PREFOPT_ABI {

/// How likely the current policy would be to write a completion itself, per token and aligned to what it could write at
/// most: WPO's weight of a completion, as a logarithm.
///     m           mean over the counted tokens of log_prob - log(square_sum)
///     square_sum  sum of p^2 over the vocabulary, the output of token_logprobs, in the shape of log_prob. Not given: m
///                 is the mean log-prob, as in open-instruct
///     special     an empty completion has 0; a log-prob of -inf gives -inf; NaN gives NaN; masked tokens are not read
///     sums        in double, rounded once; the tokens' own weights are not in it
///     throws      std::invalid_argument, before anything is written: shapes that differ
///     source      Zhou et al. 2024, arXiv:2406.11827, eq. 6
template <token_view Tokens>
void wpo_log_weights(Tokens const& tokens, std::type_identity_t<decltype(Tokens::log_prob)> const& square_sum,
                     std::type_identity_t<output<typename Tokens::value_type>> const& log_weight,
                     executor const& run = {}) {
  using T = typename Tokens::value_type;
  constexpr char const* where = "wpo_log_weights";
  tokens.check(where);
  Tokens squares = tokens;
  squares.log_prob = square_sum;
  bool aligns = false;
  if constexpr (requires { square_sum.is_given(); }) {
    aligns = square_sum.is_given();
  } else {
    aligns = square_sum.given();
  }
  if (aligns && (squares.tokens() != tokens.tokens() || squares.sequences() != tokens.sequences())) {
    if (squares.tokens() == tokens.tokens()) {
      detail::fail(where, "square_sum has " + detail::text(squares.sequences()) + " sequences, log_prob has " +
                              detail::text(tokens.sequences()));
    }
    detail::fail(where, "square_sum has " + detail::elements(squares.tokens()) + ", log_prob has " +
                            detail::text(tokens.tokens()));
  }
  detail::check_sequence_column(where, tokens, "log_weight", log_weight.size());
  detail::for_each_in_parts(tokens.sequences(), 8, run, [&](std::size_t sequence) noexcept {
    double sum = 0, count = 0;
    detail::for_each_token_block(tokens, sequence,
                                 [&](T const* values, T const* mask, std::size_t begin, std::size_t size) noexcept {
                                   T buffer[detail::block_tokens];
                                   column<T> const all = squares.values(sequence);
                                   T const* const square = aligns ? all.block(begin, size, buffer) : nullptr;
                                   for (std::size_t i = 0; i < size; ++i) {
                                     if (mask != nullptr && mask[i] == T(0)) continue;
                                     sum += static_cast<double>(values[i]);
                                     if (square != nullptr) sum -= std::log(static_cast<double>(square[i]));
                                     count += 1;
                                   }
                                 });
    detail::put(log_weight, sequence, count == 0 ? 0 : sum / count);
  });
}

/// WPO's weights of pairs, from both sides' wpo_log_weights: min(highest, e^(m_chosen + m_rejected)), for the column
/// `weight`. Constants: they multiply loss and gradient alike.
///     highest   1 in older TRL and in open-instruct, no bound in newer TRL
///     throws    std::invalid_argument, before anything is written: sizes that differ, a bound that is not above 0
///     source    arXiv:2406.11827
/// The mean reduction divides by the weights' sum, TRL and open-instruct by the number of pairs: options.denominator.
template <class T>
void wpo_weights(column<T> const& chosen, std::type_identity_t<column<T>> const& rejected,
                 std::type_identity_t<output<T>> const& weight,
                 double highest = std::numeric_limits<double>::infinity()) {
  constexpr char const* where = "wpo_weights";
  if (!(highest > 0)) detail::fail(where, "highest is " + detail::text(highest) + ", expected a number > 0");
  auto const expect = [&](char const* name, std::size_t size) {
    if (size == chosen.size()) return;
    detail::fail(where,
                 std::string{name} + " has " + detail::elements(size) + ", chosen has " + detail::text(chosen.size()));
  };
  expect("rejected", rejected.size());
  expect("weight", weight.size());
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    double const both = std::exp(static_cast<double>(chosen[i]) + static_cast<double>(rejected[i]));
    detail::put(weight, i, both > highest ? highest : both);
  }
}

}  // namespace prefopt::inline PREFOPT_ABI
