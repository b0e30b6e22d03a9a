#pragma once

#include <array>
#include <limits>
#include <memory>
#include <vector>

#include "oracle/named_loss.hpp"
#include "oracle/pairs.hpp"

namespace oracle {

struct pair_formula;

/// Value and gradient, as plain numbers.
struct numbers {
  real loss = 0, d_chosen = 0, d_rejected = 0, posterior = 0;
  std::array<real, gradient_column_count> further{};  ///< gradients by gradient_columns, where the loss has them
};

/// Exact numbers and how far a careful computation in T may be from them.
struct expectation {
  numbers exact, bound;
};

/// What a loss is by its paper: exact numbers of a pair, and the bounds of a computation in T.
class pair_oracle {
 public:
  explicit pair_oracle(named_loss const& loss);

  /// The columns that the loss is a function of.
  [[nodiscard]] pair_columns reads() const;
  [[nodiscard]] bool has_posterior() const;
  /// The pairs made such that the loss takes them.
  [[nodiscard]] std::vector<pair> admitted(std::vector<pair> pairs) const;
  /// Tells a loss that depends on the batch what is in it, as the loss reads it.
  void see(std::vector<pair> const& batch) const;
  /// The further columns that it gives gradients by.
  [[nodiscard]] std::vector<real pair::*> const& gradients_by() const;

  /// The bound has two parts, both derived and not tuned:
  ///  * conditioning: how far the exact result moves when the margin is off by what the scores' own rounding can do,
  ///        4 eps (|score(chosen)| + |score(rejected)| + |margin| + |offset|),
  ///    which covers a rounding each of the difference to the reference, the mean, the margin, its subtraction, the
  ///    scale (parameter and product) and the offset; and when lcpo's gap is off by 8 eps of the terms that it is made
  ///    of;
  ///  * arithmetic: 16 eps of the sum of the sizes of the terms. A link costs 3 ULP, a chain of a link, its scale, a
  ///    modifier's factor, the sum, the length and the weight less than 8; lcpo's ratio takes two of these.
  /// `inputs` adds an error of that many eps in each of the four log-probs: for vectors that were rounded to T.
  template <class T>
  [[nodiscard]] expectation expected(pair const& p, real inputs = 0) const {
    return expected(p, inputs, std::numeric_limits<T>::epsilon(), std::numeric_limits<T>::min());
  }

 private:
  [[nodiscard]] expectation expected(pair const& p, real inputs, real eps, real smallest_normal) const;

  std::shared_ptr<pair_formula const> formula_;
};

/// The pairs made such that the loss takes them.
std::vector<pair> admitted(named_loss const& loss, std::vector<pair> pairs);

}  // namespace oracle
