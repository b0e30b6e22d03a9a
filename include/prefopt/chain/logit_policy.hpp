#pragma once

#include <cstddef>
#include <prefopt/chain/sequence_policy.hpp>
#include <prefopt/logprob/token_logprobs.hpp>
#include <prefopt/view/row_major.hpp>
#include <string_view>
#include <vector>

namespace prefopt::inline PREFOPT_ABI {

/// A policy's logits for a batch of sequences, and where the loss's gradient by them goes. Row i predicts labels[i]:
/// a host whose row t predicts token t + 1 shifts its labels by one. U is float, double or a 16-bit type.
///     memory     25 bytes a token beyond the logits
///     errors     as token_logprobs; offsets that do not span the rows
template <class U>
struct logit_policy {
  using value_type = detail::computed_of<U>;
  struct state {
    std::vector<detail::row_softmax<value_type>> softmax;
  };

  row_major<U const> logits{};  ///< [tokens, vocabulary]
  token_rows tokens{};
  row_major<U> d_logits{};  ///< may be the memory of logits; not given: no gradient

  [[nodiscard]] std::size_t sequences() const noexcept { return tokens.sequences(); }
  [[nodiscard]] bool wants_gradient() const noexcept { return d_logits.given(); }

  void check(std::string_view where, gradient_write how) const {
    detail::check_logits(where, logits, tokens.labels, tokens.ignore_index);
    tokens.check(where);
    if (wants_gradient()) detail::check_logit_gradient(where, logits, d_logits, how);
  }

  void log_probs(state& kept, sequence_outputs<value_type> const& outputs, executor const& run) const {
    std::vector<double> log_prob(logits.rows());
    kept.softmax.resize(wants_gradient() ? logits.rows() : 0);
    detail::read_rows<xsimd::default_arch>(logits, tokens.labels, token_logprob_outputs<value_type>{},
                                           tokens.ignore_index, run,
                                           [&](std::size_t row, detail::row_result<value_type> const& seen) noexcept {
                                             log_prob[row] = seen.log_prob;
                                             if (!kept.softmax.empty()) kept.softmax[row] = seen.softmax;
                                           });
    detail::add_up_rows(tokens, log_prob, outputs, run);
  }

  void backward(state const& kept, column<value_type> const& d_log_prob, gradient_write how,
                executor const& run) const {
    auto const d = detail::spread_over_rows(tokens, d_log_prob);
    detail::write_rows<xsimd::default_arch>(
        logits, tokens.labels, [&](std::size_t row) noexcept { return kept.softmax[row]; },
        [&](std::size_t row) noexcept { return d[row]; }, d_logits, tokens.ignore_index, how, run);
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
