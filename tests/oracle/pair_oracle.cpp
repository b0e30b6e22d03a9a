#include "oracle/pair_oracle.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "oracle/pair_formula.hpp"

namespace oracle {
namespace {

numbers numbers_of(outcome const& o) {
  return {o.loss.value.value(), o.loss.value.derivatives()[0], o.loss.value.derivatives()[1], o.posterior};
}

/// Whether the loss gives a gradient by the column.
bool is_by(pair_formula const& formula, std::size_t column) {
  auto const& by = formula.gradients_by;
  return std::find(by.begin(), by.end(), gradient_columns[column]) != by.end();
}

}  // namespace

pair_oracle::pair_oracle(named_loss const& loss) : formula_{std::make_shared<pair_formula const>(formula_of(loss))} {}

pair_columns pair_oracle::reads() const { return formula_->reads; }

bool pair_oracle::has_posterior() const { return formula_->has_posterior; }

std::vector<pair> pair_oracle::admitted(std::vector<pair> pairs) const {
  if (formula_->admit) {
    for (pair& p : pairs) formula_->admit(p);
  }
  return pairs;
}

void pair_oracle::see(std::vector<pair> const& batch) const {
  if (formula_->see) formula_->see(batch);
}

std::vector<real pair::*> const& pair_oracle::gradients_by() const { return formula_->gradients_by; }

expectation pair_oracle::expected(pair const& p, real inputs, real eps, real smallest_normal) const {
  variables const at{p};
  outcome const exact = formula_->at(at);
  real const a = formula_->score(at.chosen, p.ref_chosen, p.chosen_length).value();
  real const b = formula_->score(at.rejected, p.ref_rejected, p.rejected_length).value();
  real const own_offset = formula_->own_offset ? std::fabs(formula_->own_offset(p)) : 0;
  real const margin = 4 * eps * (std::fabs(a) + std::fabs(b) + std::fabs(p.margin) + formula_->offset + own_offset);
  real const chosen_read = inputs * eps * (std::fabs(p.chosen) + std::fabs(p.ref_chosen));
  real const rejected_read = inputs * eps * (std::fabs(p.rejected) + std::fabs(p.ref_rejected));

  expectation result{numbers_of(exact), {}};
  std::array<terms, gradient_column_count> further;
  for (std::size_t c = 0; c < gradient_column_count; ++c) {
    if (!is_by(*formula_, c)) continue;
    further[c] = formula_->at(variables{p, gradient_columns[c]}).loss;
    result.exact.further[c] = further[c].value.derivatives()[0];
  }
  auto const widen = [](real& bound, real disturbed, real undisturbed) {
    bound = std::max(bound, std::fabs(disturbed - undisturbed));
  };
  // Every combination of the signs of the six errors. Of the margin alone, both scores' common one is none.
  bool const is_of_margin = !formula_->of_scores && !formula_->whole;
  for (unsigned signs = 0; signs < (is_of_margin ? 32 : 64); ++signs) {
    auto const signed_error = [&](unsigned which, real error) { return (signs >> which & 1) != 0 ? error : -error; };
    pair read = p;
    read.chosen += signed_error(0, chosen_read);
    read.rejected += signed_error(1, rejected_read);
    if (inputs == 0 && (signs & 3) != 0) continue;
    disturbance const off{signed_error(2, margin), signed_error(3, margin), signed_error(4, 8 * eps),
                          (signs >> 5 & 1) != 0};
    numbers const moved = numbers_of(formula_->at(variables{read}, off));
    for (std::size_t c = 0; c < gradient_column_count; ++c) {
      if (!is_by(*formula_, c)) continue;
      dual const by = formula_->at(variables{read, gradient_columns[c]}, off).loss.value;
      widen(result.bound.further[c], by.derivatives()[0], result.exact.further[c]);
    }
    widen(result.bound.loss, moved.loss, result.exact.loss);
    widen(result.bound.d_chosen, moved.d_chosen, result.exact.d_chosen);
    widen(result.bound.d_rejected, moved.d_rejected, result.exact.d_rejected);
    widen(result.bound.posterior, moved.posterior, result.exact.posterior);
  }
  // Results that are not normal numbers are flushed to 0, and a factor of the loss or the gradient may be one; lcpo
  // divides by as little as eta or 1 - eta.
  real const doubt = std::min(p.reliability, 1 - p.reliability);
  real const flushed = 16 * smallest_normal / (doubt > 0 ? doubt : 1);
  result.bound.loss += 16 * eps * exact.loss.size + flushed * exact.loss.factor;
  result.bound.d_chosen += 16 * eps * exact.loss.d_chosen_size + flushed * exact.loss.factor;
  result.bound.d_rejected += 16 * eps * exact.loss.d_rejected_size + flushed * exact.loss.factor;
  result.bound.posterior += 16 * eps * exact.posterior + flushed;
  for (std::size_t c = 0; c < gradient_column_count; ++c) {
    result.bound.further[c] += 16 * eps * further[c].d_chosen_size + flushed * exact.loss.factor;
  }
  return result;
}

std::vector<pair> admitted(named_loss const& loss, std::vector<pair> pairs) {
  return sorts_batch(loss) ? pairs : pair_oracle{loss}.admitted(std::move(pairs));
}

}  // namespace oracle
