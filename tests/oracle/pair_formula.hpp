#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <string_view>
#include <unsupported/Eigen/AutoDiff>
#include <utility>
#include <vector>

#include "oracle/named_loss.hpp"
#include "oracle/pairs.hpp"

// What the losses of the list are, written once more from the papers: in long double, with textbook formulas, and
// differentiated by Eigen. Nothing of the library is in it but the names and the standards of the parameters.

namespace oracle {

/// A number with its derivatives by chosen and rejected; or by one further column, and nothing.
using dual = Eigen::AutoDiffScalar<Eigen::Matrix<real, 2, 1>>;

/// Errors put into a loss on purpose, to see how it answers to rounding: in the margin of the pair as given and of the
/// pair swapped, and in lcpo's gap.
struct disturbance {
  real given = 0, swapped = 0, gap = 0;
  bool is_common = false;  ///< the first two move both scores alike, and not against each other

  [[nodiscard]] disturbance of_given() const { return {.given = given, .is_common = is_common}; }
  [[nodiscard]] disturbance of_swapped() const { return {.given = swapped, .is_common = is_common}; }
};

/// A sum, and the sum of the sizes of its terms: rounding is relative to the latter.
struct terms {
  dual value{0};
  real size = 0, d_chosen_size = 0, d_rejected_size = 0;
  real factor = 1;  ///< the largest by which a number that was flushed to 0 may have been meant to be multiplied

  terms() = default;
  terms(dual const& one)  // NOLINT: a number is a sum of one term
      : value{one},
        size{std::fabs(one.value())},
        d_chosen_size{std::fabs(one.derivatives()[0])},
        d_rejected_size{std::fabs(one.derivatives()[1])} {}

  friend terms operator+(terms const& x, terms const& y) {
    terms sum;
    sum.value = x.value + y.value;
    sum.size = x.size + y.size;
    sum.d_chosen_size = x.d_chosen_size + y.d_chosen_size;
    sum.d_rejected_size = x.d_rejected_size + y.d_rejected_size;
    sum.factor = std::max(x.factor, y.factor);
    return sum;
  }
  friend terms operator*(real by, terms const& x) {
    terms product;
    product.value = x.value * by;
    product.size = std::fabs(by) * x.size;
    product.d_chosen_size = std::fabs(by) * x.d_chosen_size;
    product.d_rejected_size = std::fabs(by) * x.d_rejected_size;
    product.factor = x.factor * std::max(real(1), std::fabs(by));
    return product;
  }
};

/// -log sigma(z).
dual negative_log_sigmoid(dual const& z);

/// A pair's two log-probs as variables; or, if one is named, a further column.
struct variables {
  dual chosen, rejected, margin, scale, chosen_kl, rejected_kl, chosen_deviation, rejected_deviation, rationale, gold;
  pair row;

  explicit variables(pair const& p, real pair::*by = nullptr) : chosen{p.chosen}, rejected{p.rejected}, row{p} {
    if (by == nullptr) {
      chosen = dual{p.chosen, 2, 0};
      rejected = dual{p.rejected, 2, 1};
    }
    dual* const further[]{&margin,    &scale, &chosen_kl, &rejected_kl, &chosen_deviation, &rejected_deviation,
                          &rationale, &gold};
    for (std::size_t c = 0; c < gradient_column_count; ++c) {
      real const value = p.*gradient_columns[c];
      *further[c] = by == gradient_columns[c] ? dual{value, 2, 0} : dual{value};
    }
  }

  /// The other order. What belongs to the pair as a whole stays.
  [[nodiscard]] variables swapped() const {
    variables other = *this;
    std::swap(other.chosen, other.rejected);
    std::swap(other.chosen_kl, other.rejected_kl);
    std::swap(other.chosen_deviation, other.rejected_deviation);
    other.row = oracle::swapped(row);
    return other;
  }
};

/// A loss and, for lcpo, its posterior.
struct outcome {
  terms loss;
  real posterior = std::numeric_limits<real>::quiet_NaN();
};

/// What a loss is: link(logit(a - b)) + rest(a, b) of the scores a and b; or any function of both; or what a modifier
/// makes of its base.
struct pair_formula {
  /// The columns that it is a function of, by its paper. A score is relative to a reference, and a mean, if it is one
  /// of reference and of length.
  pair_columns reads{};
  /// Those of them that the score is not made of.
  pair_columns beside_score{};
  /// Of the difference of the scores: what the link is applied to.
  std::function<dual(dual const&, variables const&)> logit{};
  /// Of the logit.
  std::function<terms(dual const&, variables const&)> link{};
  /// What a label does not touch.
  std::function<terms(dual const&, dual const&, variables const&)> rest{};
  /// In the place of link and rest: of both scores.
  std::function<terms(dual const&, dual const&, variables const&)> of_scores{};
  /// In the place of all that, from a modifier that is no change of the link.
  std::function<outcome(variables const&, disturbance const&)> whole{};
  /// The constant that a loss takes from the margin or compares it with, in units of the margin.
  real offset = 0;
  /// The same where each pair has its own.
  std::function<real(pair const&)> own_offset{};
  bool has_posterior = false;
  /// The further columns that it gives gradients by.
  std::vector<real pair::*> gradients_by{};
  /// Makes of any pair one that the loss takes: a label that is an outcome, log-probs that are none.
  std::function<void(pair&)> admit{};
  /// Of a loss that depends on the batch: it is told all of its pairs before it is asked for one.
  std::function<void(std::vector<pair> const&)> see{};

  [[nodiscard]] dual score(dual const& log_prob, real reference, real length) const;
  [[nodiscard]] outcome at(variables const& where, disturbance const& off = {}) const;
};

/// By name, from the tables.
pair_formula formula_of(named_loss const& loss);

// What the tables have in common, and the tables of the losses that came later: of the margin, and of both scores.
using formula_table = std::map<std::string_view, pair_formula (*)(named_loss const&)>;
formula_table const& later_losses_of_margin();
formula_table const& later_losses_of_scores();

inline pair_columns const of_raw_sums{}, to_reference{.reference = true}, of_means{.length = true},
    of_means_to_reference{.reference = true, .length = true};

/// log(1 + e^x), written out.
dual log_one_plus_exp(dual const& x);
/// The logit beta u.
std::function<dual(dual const&, variables const&)> times(real beta);
dual margin_itself(dual const& h, variables const&);
terms logistic(dual const& z, variables const&);

/// -log pi(chosen) in with_nll's modes: over the batch's tokens, the completion's, or as it is.
struct likelihood {
  std::function<void(std::vector<pair> const&)> see;
  std::function<terms(variables const&)> of;
};
likelihood negative_log_likelihood(double mode);

}  // namespace oracle
