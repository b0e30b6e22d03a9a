#pragma once

#include <cstddef>
#include <prefopt/chain/sequence_policy.hpp>
#include <span>
#include <string_view>

namespace prefopt::inline PREFOPT_ABI {

/// A policy whose token log-probs the host has computed, dense or packed, and where the gradient by them goes.
template <token_view Tokens>
struct token_policy {
  using value_type = typename Tokens::value_type;
  struct state {};

  Tokens tokens{};
  typename Tokens::gradient d_tokens{};  ///< in the shape of the tokens; not given: no gradient

  [[nodiscard]] std::size_t sequences() const noexcept { return tokens.sequences(); }
  [[nodiscard]] bool wants_gradient() const noexcept { return Tokens::wanted(d_tokens); }

  void check(std::string_view where, gradient_write) const {
    tokens.check(where);
    if (wants_gradient()) tokens.check(where, d_tokens);
  }

  [[nodiscard]] token_layout layout() const {
    token_layout all;
    all.counted.resize(tokens.tokens());
    all.offsets.resize(sequences() + 1);
    bool const weighted = sequences() > 0 && tokens.factors(0).is_given();
    if (weighted) all.weight.resize(tokens.tokens());
    for (std::size_t i = 0; i < sequences(); ++i) {
      all.offsets[i] = static_cast<std::int64_t>(tokens.place(i, tokens.begin(i)));
      all.offsets[i + 1] = static_cast<std::int64_t>(tokens.place(i, tokens.end(i)));
      detail::for_each_token_block(tokens, i, [&](auto const*, auto const* mask, std::size_t begin, std::size_t count) {
        for (std::size_t k = 0; k < count; ++k) {
          all.counted[tokens.place(i, begin + k)] = mask == nullptr || mask[k] != value_type(0);
        }
        if (!weighted) return;
        column<value_type> const weight = tokens.factors(i);
        for (std::size_t k = begin; k < begin + count; ++k) {
          all.weight[tokens.place(i, k)] = static_cast<double>(weight[k]);
        }
      });
    }
    return all;
  }

  void log_probs(state&, std::span<double> log_prob, executor const& run) const {
    detail::for_each_in_parts(sequences(), 8, run, [&](std::size_t i) noexcept {
      detail::for_each_token_block(tokens, i,
                                   [&](auto const* values, auto const*, std::size_t begin, std::size_t count) {
                                     double* const to = log_prob.data() + tokens.place(i, begin);
                                     for (std::size_t k = 0; k < count; ++k) to[k] = static_cast<double>(values[k]);
                                   });
    });
  }

  void backward(state const&, std::span<double const> d_log_prob, gradient_write how, executor const& run) const {
    detail::write_token_gradients(
        tokens,
        [&](std::size_t sequence, std::size_t token) noexcept {
          return static_cast<value_type>(d_log_prob[tokens.place(sequence, token)]);
        },
        d_tokens, how, run);
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
