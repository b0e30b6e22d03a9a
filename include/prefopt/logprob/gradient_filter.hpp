#pragma once

#include <cstddef>
#include <prefopt/core/errors.hpp>
#include <string>
#include <string_view>

namespace prefopt::inline PREFOPT_ABI {

/// What a filter of gradients left out; of a shard, of its own tokens.
struct filter_report {
  double kept = 1;     ///< share of the columns, of 128 rows each, that were multiplied
  double dropped = 0;  ///< share of the sum of |gradient by a logit| that is in the others
  /// How far off the gradients are at most for what was left out, beside the error of their products: the Euclidean norm
  /// of the whole matrix.
  double hidden_error = 0, weight_error = 0;
};

/// Products of a linear head's gradients without the tokens that nearly nothing is to be learned of, as in Cut
/// Cross-Entropy (arXiv:2411.09009), by columns: for 128 rows with a label at a time, a token of the vocabulary is left out
/// if none of them has it as its label or gives it a probability of the tolerance. (A gradient by the entropy: if no
/// |d| p + |d'| p |log p + entropy| reaches tolerance (|d| + |d'|).) What is left out has a common direction: in its
/// place stands, for the 128 together, the product of what it adds up to by row and by column. d_bias is not filtered.
/// Pays where most probabilities are small, as in a trained model; 2^-11 is a good tolerance there.
///     memory     of the budget 1/64 for each 128 tokens, and what 1/8 holds of the weights that are multiplied at once
///     refused    where it could not help: no gradient by hidden states or weight is wanted, so that nothing is
///                multiplied; or weight has no more than 128 tokens, which may all be labels
struct gradient_filter {
  double tolerance = 0;             ///< in [0, 1); 0: no filter, all is multiplied
  filter_report* report = nullptr;  ///< where it is wanted; the bounds take another look at the logits

  [[nodiscard]] bool is_on() const noexcept { return tolerance > 0; }
};

namespace detail {

/// So many rows share the columns that are kept.
inline constexpr std::size_t filter_tile = 128;

inline void check_filter(std::string_view where, gradient_filter const& filter, bool multiplies,
                         std::size_t vocabulary) {
  if (!(filter.tolerance >= 0 && filter.tolerance < 1)) {
    fail(where, "filter.tolerance is " + text(filter.tolerance) + ", expected a number in [0, 1)");
  }
  if (!filter.is_on()) return;
  if (!multiplies) {
    fail(where, "filter.tolerance is " + text(filter.tolerance) +
                    ", but no gradient by hidden or weight is wanted: there is no product to be made shorter");
  }
  if (vocabulary <= filter_tile) {
    fail(where, "filter.tolerance is " + text(filter.tolerance) + ", but weight has only " + text(vocabulary) +
                    " tokens: " + text(filter_tile) + " rows may have them all as labels, and none is left out");
  }
}

}  // namespace detail
}  // namespace prefopt::inline PREFOPT_ABI
