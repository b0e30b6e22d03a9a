#pragma once

#include <optional>
#include <prefopt/core/all_reduce.hpp>
#include <prefopt/core/executor.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// How the pairs' losses L_i with weights w_i become the one number that the gradients are of.
enum class reduction {
  mean,  ///< sum of w_i L_i over the counted pairs / sum of w_i (or the option `denominator`)
  sum,   ///< sum of w_i L_i
  none,  ///< each pair's own: gradients of w_i L_i; the report shows the mean
};

/// What is done with an example that cannot be computed as it should.
enum class on_invalid {
  error,      ///< throws before anything is written
  skip,       ///< leaves the pair out: zero loss and gradient, not in any mean, counted in the report
  propagate,  ///< computes with it: a NaN gives NaN in its own outputs, and in the mean; so does an infinite loss of weight
              ///< 0, which is 0 * inf; an empty completion has score and gradient 0
};

/// Whether gradients replace what stands in d_chosen and d_rejected or are added to it.
enum class gradient_write { assign, accumulate };

struct options {
  prefopt::reduction reduction = prefopt::reduction::mean;
  /// Replaces the sum of the weights under the mean: gradient accumulation, data-parallel ranks. Finite, > 0, and
  /// so large that the sum of the weights, or 1, can be divided by it in the type of the batch.
  std::optional<double> denominator{};
  gradient_write gradient = gradient_write::assign;
  /// A pair with a NaN or an infinity in a column that is read.
  on_invalid non_finite = on_invalid::propagate;
  /// A pair with a completion of length 0.
  on_invalid empty = on_invalid::error;
  prefopt::executor executor{};
  /// Data-parallel ranks: each evaluates its shard, which may be empty, and gets the report of the whole batch and its
  /// own pairs' gradients of the whole batch's loss. Called with 16 doubles, once in every `evaluate` and once more
  /// before that for a loss with statistics of the batch; a rank that refuses its batch makes the call on every rank
  /// throw. The loss is computed twice, as the gradient's divisor comes from all ranks. Of tokens it is computed once:
  /// there are two calls, counts before anything is written and the sums of the report after.
  prefopt::all_reduce all_reduce{};
};

}  // namespace prefopt::inline PREFOPT_ABI
