#include "oracle/pair_formula.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace oracle {
namespace {

pair_columns const of_raw_sums_and_margin{.margin = true};

terms hinged(dual const& z, variables const&) { return z.value() < 1 ? terms{dual(real(1) - z)} : terms{dual(0)}; }
auto squared_to(real target) {
  return [target](dual const& h, variables const&) -> terms {
    dual const distance = h - target;
    return dual(distance * distance);
  };
}

// Losses.

pair_formula dpo(named_loss const& loss) {
  return {.reads = to_reference, .logit = times(value_of(loss, "beta")), .link = logistic};
}

pair_formula cdpo(named_loss const& loss) {
  real const epsilon = value_of(loss, "epsilon");
  return {.reads = to_reference,
          .logit = times(value_of(loss, "beta")),
          .link = [epsilon](dual const& z, variables const&) {
            return (1 - epsilon) * terms{negative_log_sigmoid(z)} + epsilon * terms{negative_log_sigmoid(dual(-z))};
          }};
}

pair_formula rdpo(named_loss const& loss) {
  real const epsilon = value_of(loss, "epsilon");
  return {.reads = to_reference,
          .logit = times(value_of(loss, "beta")),
          .link = [epsilon](dual const& z, variables const&) {
            return (1 / (1 - 2 * epsilon)) *
                   ((1 - epsilon) * terms{negative_log_sigmoid(z)} + -epsilon * terms{negative_log_sigmoid(dual(-z))});
          }};
}

pair_formula ipo_of(named_loss const& loss, pair_columns const& reads) {
  real const target = 1 / (2 * real(value_of(loss, "tau")));
  return {.reads = reads, .logit = margin_itself, .link = squared_to(target), .offset = target};
}
pair_formula ipo(named_loss const& loss) { return ipo_of(loss, to_reference); }
pair_formula ipo_mean(named_loss const& loss) { return ipo_of(loss, of_means_to_reference); }

pair_formula simpo(named_loss const& loss) {
  real const beta = value_of(loss, "beta"), gamma = value_of(loss, "gamma");
  return {.reads = of_means,
          .logit = [beta, gamma](dual const& u, variables const&) -> dual { return dual(beta * u) - gamma; },
          .link = logistic,
          .offset = gamma / beta};
}

pair_formula ln_dpo(named_loss const& loss) {
  return {.reads = of_means_to_reference, .logit = times(value_of(loss, "beta")), .link = logistic};
}

pair_formula hinge(named_loss const& loss) {
  return {.reads = to_reference, .logit = times(value_of(loss, "beta")), .link = hinged};
}

pair_formula cpo(named_loss const& loss) {
  real const sft = value_of(loss, "sft");
  return {.reads = of_raw_sums,
          .logit = times(value_of(loss, "beta")),
          .link = logistic,
          .rest = [sft](dual const& a, dual const&, variables const&) -> terms { return dual(-sft * a); }};
}

pair_formula bradley_terry(named_loss const& loss) {
  real const temperature = value_of(loss, "temperature"), center = value_of(loss, "center");
  return {
      .reads = of_raw_sums_and_margin,
      .logit = [temperature](dual const& u, variables const& at) -> dual { return dual(u - at.margin) / temperature; },
      .link = logistic,
      .rest = [center](dual const& a, dual const& b, variables const&) -> terms {
        dual const total = a + b;
        return dual(center * dual(total * total));
      },
      .gradients_by = {&pair::margin}};
}

formula_table const first_losses{
    {"dpo", dpo},     {"cdpo", cdpo},     {"rdpo", rdpo},   {"ipo", ipo}, {"ipo_mean", ipo_mean},
    {"simpo", simpo}, {"ln_dpo", ln_dpo}, {"hinge", hinge}, {"cpo", cpo}, {"bradley_terry", bradley_terry}};

// Modifiers: a loss of what the base is.

/// kept L + opposite L(opposite label), the two weights of each pair's label.
pair_formula with_opposite_label(pair_formula const& base, std::function<std::pair<real, real>(real)> const& weights) {
  if (base.whole) throw std::logic_error{"only the opposite label of a loss is written here, not of a modifier"};
  pair_formula result = base;
  if (base.of_scores) {
    // Of a loss without a link it is the pair swapped. A label without doubt leaves nothing of the other.
    result.whole = [weights, base](variables const& at, disturbance const& off) -> outcome {
      auto const [kept, opposite] = weights(at.row.label);
      terms sum;
      if (kept != 0) sum = kept * base.at(at, off.of_given()).loss;
      if (opposite != 0) sum = sum + opposite * base.at(at.swapped(), off.of_swapped()).loss;
      return {sum};
    };
    result.gradients_by.clear();
    return result;
  }
  result.link = [weights, link = base.link](dual const& z, variables const& at) {
    auto const [kept, opposite] = weights(at.row.label);
    return kept * link(z, at) + opposite * link(dual(-z), at);
  };
  return result;
}

pair_formula smoothed(named_loss const& loss, pair_formula const& base) {
  real const epsilon = value_of(loss, "epsilon");
  return with_opposite_label(base, [epsilon](real) { return std::pair{1 - epsilon, epsilon}; });
}

pair_formula labelled(named_loss const&, pair_formula const& base) {
  pair_formula result = with_opposite_label(base, [](real label) { return std::pair{label, 1 - label}; });
  result.reads.label = true;
  return result;
}

pair_formula unbiased(named_loss const& loss, pair_formula const& base) {
  real const epsilon = value_of(loss, "epsilon");
  pair_formula result = base;
  result.gradients_by.clear();
  result.whole = [epsilon, base](variables const& at, disturbance const& off) -> outcome {
    terms const given = base.at(at, off.of_given()).loss;
    terms const swapped = base.at(at.swapped(), off.of_swapped()).loss;
    return {(1 / (1 - 2 * epsilon)) * ((1 - epsilon) * given + -epsilon * swapped)};
  };
  return result;
}

outcome lcpo_outcome(pair_formula const& base, variables const& at, disturbance const& off) {
  terms const given = base.at(at, off.of_given()).loss;
  terms const swapped = base.at(at.swapped(), off.of_swapped()).loss;
  terms const difference = swapped + real(-1) * given;
  dual const gap = difference.value + off.gap * difference.size;
  real const eta = at.row.reliability;
  real const p = 1 / (1 + std::exp(-gap.value())), not_p = 1 / (1 + std::exp(gap.value()));
  real const total = p * eta + not_p * (1 - eta);
  // Neither label is possible: the prior stands.
  real const right = total == 0 ? eta : p * eta / total, wrong = total == 0 ? 1 - eta : not_p * (1 - eta) / total;
  outcome result;
  // A weight of 0 leaves nothing of an infinite loss.
  if (right != 0) result.loss = result.loss + right * terms{negative_log_sigmoid(gap)};
  if (wrong != 0) result.loss = result.loss + wrong * terms{negative_log_sigmoid(dual(-gap))};
  // The terms of the gradient are those of the gap's, not of the gap itself.
  real const slope_size = right * not_p + wrong * p;
  result.loss.d_chosen_size = slope_size * difference.d_chosen_size;
  result.loss.d_rejected_size = slope_size * difference.d_rejected_size;
  result.posterior = right;
  result.loss.factor =
      std::max({difference.factor, std::fabs(gap.value()), difference.d_chosen_size, difference.d_rejected_size});
  return result;
}

pair_formula lcpo(named_loss const&, pair_formula const& base) {
  pair_formula result = base;
  result.reads.reliability = true;
  result.gradients_by.clear();
  result.has_posterior = true;
  result.whole = [base](variables const& at, disturbance const& off) { return lcpo_outcome(base, at, off); };
  return result;
}

pair_formula with_nll(named_loss const& loss, pair_formula const& base) {
  real const weight = value_of(loss, "nll");
  auto const likelihood = negative_log_likelihood(value_of(loss, "nll_mode"));
  pair_formula result = base;
  if (!base.reads.length) result.reads.length = result.beside_score.length = true;
  result.see = [likelihood, see = base.see](std::vector<pair> const& batch) {
    likelihood.see(batch);
    if (see) see(batch);
  };
  if (base.whole) {
    result.whole = [weight, likelihood, whole = base.whole](variables const& at, disturbance const& off) {
      outcome sum = whole(at, off);
      sum.loss = sum.loss + weight * likelihood.of(at);
      return sum;
    };
    return result;
  }
  auto& part = base.of_scores ? result.of_scores : result.rest;
  part = [weight, likelihood, part](dual const& a, dual const& b, variables const& at) {
    terms const likely = weight * likelihood.of(at);
    return part ? part(a, b, at) + likely : likely;
  };
  return result;
}

std::map<std::string_view, pair_formula (*)(named_loss const&, pair_formula const&)> const modifiers{
    {"smoothed", smoothed}, {"labelled", labelled}, {"unbiased", unbiased}, {"lcpo", lcpo}, {"with_nll", with_nll}};

}  // namespace

dual log_one_plus_exp(dual const& x) {
  if (x.value() > 11000) return x;  // e^x overflows
  dual const e = exp(x);
  return {std::log1p(e.value()), e.derivatives() / (1 + e.value())};
}

std::function<dual(dual const&, variables const&)> times(real beta) {
  return [beta](dual const& u, variables const&) -> dual { return beta * u; };
}
dual margin_itself(dual const& h, variables const&) { return h; }

terms logistic(dual const& z, variables const&) { return negative_log_sigmoid(z); }

likelihood negative_log_likelihood(double mode) {
  auto const per_token = std::make_shared<real>(0);
  auto const see = [per_token](std::vector<pair> const& batch) {
    real tokens = 0;
    for (pair const& p : batch) tokens += p.chosen_length;
    *per_token = static_cast<real>(batch.size()) / tokens;
  };
  return {see, [mode, per_token](variables const& at) -> terms {
            real const share = mode == 0 ? *per_token : mode == 1 ? 1 / at.row.chosen_length : 1;
            return dual(-share * at.chosen);
          }};
}

dual negative_log_sigmoid(dual const& z) { return log_one_plus_exp(dual(-z)); }

dual pair_formula::score(dual const& log_prob, real reference, real length) const {
  dual s = log_prob;
  if (reads.reference && !beside_score.reference) s = s - reference;
  if (reads.length && !beside_score.length) s = s / length;
  return s;
}

outcome pair_formula::at(variables const& where, disturbance const& off) const {
  if (whole) return whole(where, off);
  dual const a = score(where.chosen, where.row.ref_chosen, where.row.chosen_length);
  dual const b = score(where.rejected, where.row.ref_rejected, where.row.rejected_length);
  if (of_scores) {
    return {of_scores(dual(a + off.given), dual(off.is_common ? b + off.given : b - off.given), where)};
  }
  dual const u = dual(a - b) + off.given;
  terms const linked = link(logit(u, where), where);
  return {rest ? linked + rest(a, b, where) : linked};
}

pair_formula formula_of(named_loss const& loss) {
  if (loss.over.empty()) {
    for (auto const* table : {&first_losses, &later_losses_of_margin(), &later_losses_of_scores()}) {
      if (auto const found = table->find(loss.name); found != table->end()) return found->second(loss);
    }
    throw std::out_of_range{"the oracle does not know " + loss.name};
  }
  auto const found = modifiers.find(loss.name);
  if (found == modifiers.end()) throw std::out_of_range{"the oracle does not know " + loss.name};
  return found->second(loss, formula_of(loss.over[0]));
}

}  // namespace oracle
