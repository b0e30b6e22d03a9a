#pragma once

#include <cstddef>
#include <prefopt/chain/sequence_policy.hpp>
#include <prefopt/logprob/token_logprobs.hpp>
#include <prefopt/view/row_major.hpp>
#include <span>
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
    std::vector<detail::kept_softmax<value_type>> softmax;
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

  [[nodiscard]] token_layout layout() const { return tokens.layout(); }

  template <class Arch = default_instruction_set>
  void log_probs(state& kept, std::span<double> log_prob, executor const& run) const {
    kept.softmax.resize(wants_gradient() ? logits.rows() : 0);
    detail::read_rows(kernels<Arch>(), detail::stored_rows{logits}, tokens.labels, token_logprob_outputs<value_type>{},
                      tokens.ignore_index, run, log_prob.data(), wants_gradient() ? kept.softmax.data() : nullptr);
  }

  template <class Arch = default_instruction_set>
  void backward(state const& kept, std::span<double const> d_log_prob, gradient_write how, executor const& run) const {
    detail::write_rows(
        kernels<Arch>(), detail::stored_rows{logits}, tokens.labels,
        [&](std::size_t row) noexcept { return kept.softmax[row]; },
        [&](std::size_t row) noexcept { return d_log_prob[row]; }, detail::stored_rows{d_logits}, tokens.ignore_index,
        how, run);
  }

 private:
  template <class Arch>
  static auto kernels() {
    return detail::row_kernels_for<Arch>::template plain<detail::storage_of<U>>();
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
