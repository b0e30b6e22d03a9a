#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <prefopt/batch/options.hpp>
#include <prefopt/core/parts.hpp>
#include <prefopt/logprob/tokens.hpp>
#include <type_traits>

namespace prefopt::inline PREFOPT_ABI {

/// Where the sequences' numbers go, each of `sequences` values or left empty.
template <class T>
struct sequence_outputs {
  output<T> log_prob{};  ///< sum over the completion's tokens, each times its weight
  output<T> length{};    ///< their number
};

namespace detail {

inline constexpr std::size_t block_tokens = 256;

/// Runs f(values, mask or null, first token, count) over a sequence in blocks.
template <token_view Tokens, class F>
void for_each_token_block(Tokens const& tokens, std::size_t sequence, F const& f) noexcept {
  using T = typename Tokens::value_type;
  T values[block_tokens], marks[block_tokens];
  column<T> const log_prob = tokens.values(sequence), mask = tokens.counted(sequence);
  std::size_t const end = tokens.end(sequence);
  for (std::size_t begin = tokens.begin(sequence); begin < end; begin += block_tokens) {
    std::size_t const count = std::min(block_tokens, end - begin);
    f(log_prob.block(begin, count, values), mask.block(begin, count, marks), begin, count);
  }
}

/// A weight of 0 leaves nothing of an infinite log-prob.
template <class T>
double weighted(double value, T weight) noexcept {
  return weight == T(0) ? 0 : value * static_cast<double>(weight);
}

/// A sequence's gradient at one of its tokens.
template <token_view Tokens>
typename Tokens::value_type token_gradient(Tokens const& tokens, std::size_t sequence, std::size_t token,
                                           typename Tokens::value_type d_sequence) noexcept {
  column<typename Tokens::value_type> const weight = tokens.factors(sequence);
  if (weight.empty()) return d_sequence;
  return static_cast<typename Tokens::value_type>(weighted(static_cast<double>(d_sequence), weight[token]));
}

template <token_view Tokens>
void check_sequence_column(std::string_view where, Tokens const& tokens, char const* name, std::size_t size) {
  if (size == 0 || size == tokens.sequences()) return;
  fail(where,
       std::string{name} + " has " + text(size) + " elements, there are " + text(tokens.sequences()) + " sequences");
}

}  // namespace detail

/// Token log-probs to sequence log-probs and lengths.
///     log_prob  sum over the tokens that the mask keeps, each times its weight if there are weights, in double,
///               rounded once; an empty completion has 0
///     length    the number of the tokens that the mask keeps, whatever they weigh
///     special   a masked token, and one of weight 0, is not read into the sum, whatever it holds; -inf gives -inf, NaN
///               gives NaN; weights of 1 give the bits of none
///     throws    std::invalid_argument, before anything is written: shapes that differ, offsets that fall or run out of
///               bounds
template <token_view Tokens>
void sequence_log_probs(Tokens const& tokens,
                        std::type_identity_t<sequence_outputs<typename Tokens::value_type>> const& outputs,
                        executor const& run = {}) {
  using T = typename Tokens::value_type;
  constexpr char const* where = "sequence_log_probs";
  tokens.check(where);
  detail::check_sequence_column(where, tokens, "output log_prob", outputs.log_prob.size());
  detail::check_sequence_column(where, tokens, "output length", outputs.length.size());
  detail::for_each_in_parts(tokens.sequences(), 8, run, [&](std::size_t sequence) noexcept {
    // Independent partial sums, by the token's place in its completion: padding and layout do not show in the result.
    constexpr std::size_t chains = 8;
    std::array<double, chains> sums{};
    std::size_t length = 0;
    column<T> const weight = tokens.factors(sequence);
    detail::for_each_token_block(
        tokens, sequence, [&](T const* values, T const* mask, std::size_t begin, std::size_t count) noexcept {
          T buffer[detail::block_tokens];
          T const* const weights = weight.block(begin, count, buffer);
          for (std::size_t i = 0; i < count; ++i) {
            bool const counts = mask == nullptr || mask[i] != T(0);
            if (!counts) continue;
            double const value = static_cast<double>(values[i]);
            sums[length++ % chains] += weights == nullptr ? value : detail::weighted(value, weights[i]);
          }
        });
    double const total = ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
    detail::put(outputs.log_prob, sequence, total);
    detail::put(outputs.length, sequence, static_cast<double>(length));
  });
}

namespace detail {

/// Writes gradient(sequence, token) to every token of the completions, 0 to masked ones (under accumulate they are left
/// alone).
template <token_view Tokens, class Gradient>
void write_token_gradients(Tokens const& tokens, Gradient const& gradient, typename Tokens::gradient const& d_tokens,
                           gradient_write how, executor const& run) {
  using T = typename Tokens::value_type;
  bool const adds = how == gradient_write::accumulate;
  for_each_in_parts(tokens.sequences(), 8, run, [&](std::size_t sequence) noexcept {
    output<T> const target = Tokens::target(d_tokens, sequence);
    T buffer[block_tokens];
    for_each_token_block(tokens, sequence, [&](T const*, T const* mask, std::size_t begin, std::size_t count) noexcept {
      T* const d = target.block(begin, count, buffer, adds);
      for (std::size_t i = 0; i < count; ++i) {
        bool const counts = mask == nullptr || mask[i] != T(0);
        T const own = gradient(sequence, begin + i);
        if (adds) {
          d[i] = counts ? d[i] + own : d[i];
        } else {
          d[i] = counts ? own : T(0);
        }
      }
      target.commit(begin, count, buffer);
    });
  });
}

}  // namespace detail

/// The gradient of sequence log-probs back to every token: each token of the completion gets its sequence's, times its
/// weight if there are weights; masked tokens get 0 (under accumulate they are left alone).
///     throws    std::invalid_argument, before anything is written: shapes that differ, offsets out of order or bounds
template <token_view Tokens>
void token_gradients(Tokens const& tokens, std::type_identity_t<column<typename Tokens::value_type>> const& d_sequence,
                     typename Tokens::gradient const& d_tokens, gradient_write how = gradient_write::assign,
                     executor const& run = {}) {
  constexpr char const* where = "token_gradients";
  tokens.check(where);
  tokens.check(where, d_tokens);
  if (d_sequence.size() != tokens.sequences()) {
    detail::fail(where, "d_sequence has " + detail::text(d_sequence.size()) + " elements, there are " +
                            detail::text(tokens.sequences()) + " sequences");
  }
  detail::write_token_gradients(
      tokens,
      [&](std::size_t sequence, std::size_t token) noexcept {
        return detail::token_gradient(tokens, sequence, token, d_sequence[sequence]);
      },
      d_tokens, how, run);
}

}  // namespace prefopt::inline PREFOPT_ABI
