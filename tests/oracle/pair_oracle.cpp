#include "oracle/pair_oracle.hpp"

#include <algorithm>
#include <cmath>

#include "oracle/pair_formula.hpp"

namespace oracle {
namespace {

numbers numbers_of(outcome const& o) {
  return {o.loss.value.value(), o.loss.value.derivatives()[0], o.loss.value.derivatives()[1], o.posterior};
}

}  // namespace

pair_oracle::pair_oracle(named_loss const& loss) : formula_{std::make_shared<pair_formula const>(formula_of(loss))} {}

pair_columns pair_oracle::reads() const { return formula_->reads; }

bool pair_oracle::has_posterior() const { return formula_->has_posterior; }

expectation pair_oracle::expected(pair const& p, real inputs, real eps, real smallest_normal) const {
  variables const at{p};
  outcome const exact = formula_->at(at);
  real const a = formula_->score(at.chosen, p.ref_chosen, p.chosen_length).value();
  real const b = formula_->score(at.rejected, p.ref_rejected, p.rejected_length).value();
  real const margin = 4 * eps * (std::fabs(a) + std::fabs(b) + std::fabs(p.margin) + formula_->offset);
  real const chosen_read = inputs * eps * (std::fabs(p.chosen) + std::fabs(p.ref_chosen));
  real const rejected_read = inputs * eps * (std::fabs(p.rejected) + std::fabs(p.ref_rejected));

  expectation result{numbers_of(exact), {}};
  auto const widen = [](real& bound, real disturbed, real undisturbed) {
    bound = std::max(bound, std::fabs(disturbed - undisturbed));
  };
  // Every combination of the signs of the five errors.
  for (unsigned signs = 0; signs < 32; ++signs) {
    auto const signed_error = [&](unsigned which, real error) { return (signs >> which & 1) != 0 ? error : -error; };
    pair read = p;
    read.chosen += signed_error(0, chosen_read);
    read.rejected += signed_error(1, rejected_read);
    if (inputs == 0 && (signs & 3) != 0) continue;
    numbers const moved = numbers_of(
        formula_->at(variables{read}, {signed_error(2, margin), signed_error(3, margin), signed_error(4, 8 * eps)}));
    widen(result.bound.loss, moved.loss, result.exact.loss);
    widen(result.bound.d_chosen, moved.d_chosen, result.exact.d_chosen);
    widen(result.bound.d_rejected, moved.d_rejected, result.exact.d_rejected);
    widen(result.bound.posterior, moved.posterior, result.exact.posterior);
  }
  // Results that are not normal numbers are flushed to 0, and a factor of the loss or the gradient may be one; lcpo
  // divides by as little as eta or 1 - eta.
  real const doubt = std::min(p.reliability, 1 - p.reliability);
  real const flushed = 16 * smallest_normal / (doubt > 0 ? doubt : 1);
  result.bound.loss += 16 * eps * exact.loss.size + flushed * exact.factor;
  result.bound.d_chosen += 16 * eps * exact.loss.d_chosen_size + flushed * exact.factor;
  result.bound.d_rejected += 16 * eps * exact.loss.d_rejected_size + flushed * exact.factor;
  result.bound.posterior += 16 * eps * exact.posterior + flushed;
  return result;
}

}  // namespace oracle
