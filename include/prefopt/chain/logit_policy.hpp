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
    std::vector<double> entropy;
  };

  row_major<U const> logits{};  ///< [tokens, vocabulary]
  token_rows tokens{};
  row_major<U> d_logits{};  ///< may be the memory of logits; not given: no gradient
  logit_transform transform{};

  [[nodiscard]] std::size_t sequences() const noexcept { return tokens.sequences(); }
  [[nodiscard]] bool wants_gradient() const noexcept { return d_logits.given(); }

  void check(std::string_view where, gradient_write how) const {
    detail::check_logits(where, logits, tokens.labels, tokens.ignore_index);
    detail::checked_transform(where, transform);
    tokens.check(where);
    if (wants_gradient()) detail::check_logit_gradient(where, logits, d_logits, how);
  }

  [[nodiscard]] token_layout layout() const { return tokens.layout(); }

  template <class Arch = default_instruction_set>
  void log_probs(state& kept, std::span<double> log_prob, executor const& run) const {
    log_probs<Arch>(kept, log_prob, {}, run);
  }

  /// With the entropy of each token that counts, unless it is empty; a gradient by it can be taken then.
  template <class Arch = default_instruction_set>
  void log_probs(state& kept, std::span<double> log_prob, std::span<double> entropy, executor const& run) const {
    kept.softmax.resize(wants_gradient() ? logits.rows() : 0);
    kept.entropy.resize(wants_gradient() ? entropy.size() : 0);
    detail::read_rows(
        kernels<Arch>(), detail::stored_rows{logits}, tokens.labels, row_transform(), !entropy.empty(),
        tokens.ignore_index, run,
        [&](std::size_t row, detail::row_result<value_type> const& seen) noexcept {
          log_prob[row] = seen.log_prob;
          if (!entropy.empty()) entropy[row] = seen.entropy;
          if (!kept.softmax.empty()) kept.softmax[row] = {seen.softmax};
          if (!kept.entropy.empty()) kept.entropy[row] = seen.entropy;
        },
        [](std::size_t) noexcept {});
  }

  template <class Arch = default_instruction_set>
  void backward(state const& kept, std::span<double const> d_log_prob, gradient_write how, executor const& run) const {
    backward<Arch>(kept, d_log_prob, {}, how, run);
  }

  /// The gradients by log-probs and entropies in one pass; those by entropies may be empty.
  template <class Arch = default_instruction_set>
  void backward(state const& kept, std::span<double const> d_log_prob, std::span<double const> d_entropy,
                gradient_write how, executor const& run) const {
    detail::write_rows(
        kernels<Arch>(), detail::stored_rows{logits}, tokens.labels, row_transform(),
        [&](std::size_t row) noexcept { return kept.softmax[row]; },
        [&](std::size_t row) noexcept { return detail::slopes_of_row(d_log_prob, d_entropy, kept.entropy, row); },
        detail::stored_rows{d_logits}, tokens.ignore_index, how, run);
  }

 private:
  template <class Arch>
  static auto kernels() {
    return detail::row_kernels_for<Arch>::template plain<detail::storage_of<U>>();
  }
  [[nodiscard]] detail::row_transform row_transform() const {
    return detail::checked_transform("logit_policy", transform);
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
