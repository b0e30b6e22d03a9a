#pragma once

#include <cstddef>
#include <prefopt/chain/sequence_policy.hpp>
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

  void log_probs(state&, sequence_outputs<value_type> const& outputs, executor const& run) const {
    sequence_log_probs(tokens, outputs, run);
  }

  void backward(state const&, column<value_type> const& d_log_prob, gradient_write how, executor const& run) const {
    token_gradients(tokens, d_log_prob, d_tokens, how, run);
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
