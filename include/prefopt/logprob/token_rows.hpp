#pragma once

#include <cstddef>
#include <cstdint>
#include <prefopt/core/errors.hpp>
#include <prefopt/logprob/token_layout.hpp>
#include <prefopt/view/column.hpp>
#include <string>
#include <string_view>

namespace prefopt::inline PREFOPT_ABI {

/// Which token each row of logits (or of hidden states) predicts, and which rows make a sequence.
struct token_rows {
  column<std::int64_t> labels{};        ///< one a row: a token, or ignore_index for prompt and padding
  column<std::int64_t> offsets{};       ///< sequences + 1 entries: the first 0, never falling, the last all rows
  std::size_t tokens_per_sequence = 0;  ///< instead of offsets: every sequence has this many rows
  std::int64_t ignore_index = -100;
  column<double> weight{};  ///< one a row: a factor of its log-prob in the sequence's. Not given: 1

  [[nodiscard]] std::size_t sequences() const noexcept {
    if (tokens_per_sequence != 0) return labels.size() / tokens_per_sequence;
    return offsets.empty() ? 0 : offsets.size() - 1;
  }
  [[nodiscard]] std::size_t begin(std::size_t sequence) const noexcept {
    return tokens_per_sequence != 0 ? sequence * tokens_per_sequence : static_cast<std::size_t>(offsets[sequence]);
  }
  [[nodiscard]] std::size_t end(std::size_t sequence) const noexcept { return begin(sequence + 1); }

  /// Throws std::invalid_argument, naming `where`, unless the sequences span the rows that there are labels for.
  void check(std::string_view where) const {
    std::size_t const rows = labels.size();
    if (weight.is_given() && weight.size() != rows) {
      detail::fail(where, "weight has " + detail::elements(weight.size()) + ", labels has " + detail::text(rows));
    }
    if (tokens_per_sequence != 0) {
      if (offsets.is_given())
        detail::fail(where, "offsets and tokens_per_sequence are both given, expected one of them");
      if (rows % tokens_per_sequence != 0) {
        detail::fail(where, "labels has " + detail::elements(rows) + ", expected a multiple of tokens_per_sequence, " +
                                detail::text(tokens_per_sequence));
      }
      return;
    }
    if (offsets.empty()) detail::fail(where, "neither offsets nor tokens_per_sequence is given");
    std::int64_t before = 0;
    for (std::size_t i = 0; i < offsets.size(); ++i) {
      bool const first = i == 0, last = i + 1 == offsets.size();
      std::int64_t const at = offsets[i];
      bool const right = at >= before && static_cast<std::uint64_t>(at) <= rows && (!first || at == 0) &&
                         (!last || static_cast<std::uint64_t>(at) == rows);
      if (!right) {
        detail::fail(where, "offsets[" + detail::text(i) + "] is " + std::to_string(at) + ", expected " +
                                (first  ? "0"
                                 : last ? detail::text(rows) + ", the number of rows"
                                        : "a number from " + std::to_string(before) + " to " + detail::text(rows)));
      }
      before = at;
    }
  }

  /// Of rows that have been checked.
  [[nodiscard]] token_layout layout() const {
    token_layout all;
    all.offsets.resize(sequences() + 1);
    for (std::size_t i = 0; i < sequences(); ++i) all.offsets[i + 1] = static_cast<std::int64_t>(end(i));
    all.counted.resize(labels.size());
    for (std::size_t row = 0; row < labels.size(); ++row) all.counted[row] = labels[row] != ignore_index;
    for (std::size_t row = 0; row < weight.size(); ++row) all.weight.push_back(weight[row]);
    return all;
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
