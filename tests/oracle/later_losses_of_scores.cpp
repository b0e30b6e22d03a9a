#include <algorithm>
#include <cmath>

#include "oracle/pair_formula.hpp"

// Formulas of losses of both scores.

namespace oracle {
namespace {

/// sigma(x).
dual sigmoid(dual const& x) {
  real const p = 1 / (1 + std::exp(-x.value())), not_p = 1 / (1 + std::exp(x.value()));
  return {p, x.derivatives() * (p * not_p)};
}

/// e^x - 1.
dual exp_minus_one(dual const& x) { return {std::expm1(x.value()), x.derivatives() * std::exp(x.value())}; }

dual square(dual const& x) { return x * x; }

/// -log sigma(x) where x is a product that was rounded: what that does to the value and the slope is among their sizes.
terms logistic_of_product(dual const& x) {
  terms result{negative_log_sigmoid(x)};
  real const answer = std::fabs(x.value()) / (1 + std::exp(x.value()));
  result.size += answer;
  result.d_chosen_size += answer * std::fabs(x.derivatives()[0]);
  result.d_rejected_size += answer * std::fabs(x.derivatives()[1]);
  return result;
}

/// -log sigma(beta (s(a) - s(b)) - gamma), where the slope of s may be large and that of the logistic flushed to 0.
terms logistic_of_shape(real beta, dual const& of_a, dual const& of_b, real gamma = 0) {
  terms result{negative_log_sigmoid(dual(dual(beta * dual(of_a - of_b)) - gamma))};
  result.factor = std::max(
      {real(1), beta * of_a.derivatives().cwiseAbs().maxCoeff(), beta * of_b.derivatives().cwiseAbs().maxCoeff()});
  return result;
}

/// Makes the two scores so small that a rounding of either, times e^(rate score), does not turn the preference round:
/// no bound by disturbances holds beyond, where lcpo's gradient comes and goes between two of them.
std::function<void(pair&)> with_exponents_of(real rate, pair_columns const& reads) {
  return [rate, reads](pair& p) {
    auto const bring = [rate, reads](real& log_prob, real reference, real length) {
      real const anchor = reads.reference ? reference : 0, tokens = reads.length ? length : 1;
      real const exponent = std::fabs(rate * (log_prob - anchor) / tokens);
      if (exponent > 8) log_prob = anchor + (log_prob - anchor) * (8 / exponent);
    };
    bring(p.chosen, p.ref_chosen, p.chosen_length);
    bring(p.rejected, p.ref_rejected, p.rejected_length);
  };
}

pair_formula nca_pair(named_loss const& loss) {
  real const beta = value_of(loss, "beta");
  return {.reads = to_reference, .of_scores = [beta](dual const& a, dual const& b, variables const&) {
            dual const good = beta * a, bad = beta * b;
            return terms{negative_log_sigmoid(good)} + real(0.5) * terms{negative_log_sigmoid(dual(-good))} +
                   real(0.5) * terms{negative_log_sigmoid(dual(-bad))};
          }};
}

pair_formula bco_pair(named_loss const& loss) {
  real const beta = value_of(loss, "beta"), delta = value_of(loss, "delta");
  return {.reads = to_reference,
          .of_scores =
              [beta, delta](dual const& a, dual const& b, variables const&) {
                dual const good = dual(beta * a) - delta, bad = dual(beta * b) - delta;
                return terms{negative_log_sigmoid(good)} + terms{negative_log_sigmoid(dual(-bad))};
              },
          .offset = std::fabs(delta) / beta};
}

pair_formula sppo(named_loss const& loss) {
  real const beta = value_of(loss, "beta");
  return {.reads = {.reference = true, .label = true},
          .of_scores =
              [beta](dual const& a, dual const& b, variables const& at) {
                real const target = (at.row.label - real(0.5)) / beta;
                return terms{square(dual(a - target))} + terms{square(dual(b + target))};
              },
          .offset = 1 / (2 * beta)};
}

pair_formula apo_zero(named_loss const& loss) {
  real const beta = value_of(loss, "beta");
  return {.reads = to_reference, .of_scores = [beta](dual const& a, dual const& b, variables const&) {
            return terms{sigmoid(dual(-beta * a))} + terms{sigmoid(dual(beta * b))};
          }};
}

pair_formula apo_down(named_loss const& loss) {
  real const beta = value_of(loss, "beta");
  return {.reads = to_reference, .of_scores = [beta](dual const& a, dual const& b, variables const&) {
            return terms{sigmoid(dual(beta * a))} + terms{sigmoid(dual(-beta * dual(a - b)))};
          }};
}

pair_formula slic(named_loss const& loss) {
  real const delta = value_of(loss, "delta"), sft = value_of(loss, "sft");
  return {.reads = of_raw_sums,
          .logit = margin_itself,
          .link = [delta](dual const& u, variables const&) -> terms {
            return u.value() < delta ? dual(delta - u) : dual(0);
          },
          .rest = [sft](dual const& a, dual const&, variables const&) -> terms { return dual(-sft * a); },
          .offset = delta};
}

pair_formula smooth_hinge(named_loss const& loss) {
  real const delta = value_of(loss, "delta"), gamma = value_of(loss, "gamma");
  return {.reads = of_raw_sums,
          .logit = margin_itself,
          .link = [delta, gamma](dual const& u, variables const&) -> terms {
            dual const short_by = delta - u;
            if (u.value() >= delta) return dual(0);
            if (u.value() < delta - gamma) return dual(short_by - gamma / 2);
            return dual(square(short_by) / (2 * gamma));
          },
          .offset = delta};
}

/// log(p / (1 - p)) of p = e^x.
dual log_odds(dual const& x) {
  real const not_p = -std::expm1(x.value());
  return {x.value() - std::log(not_p), x.derivatives() / not_p};
}

pair_formula orpo(named_loss const& loss) {
  real const lambda = value_of(loss, "beta"), sft = value_of(loss, "sft");
  return {.reads = of_means,
          .of_scores =
              [lambda, sft](dual const& a, dual const& b, variables const&) {
                return lambda * terms{negative_log_sigmoid(dual(log_odds(a) - log_odds(b)))} + -sft * terms{a};
              },
          .admit =
              [](pair& p) {
                // Below 0, and not so near that a number of float is none.
                for (real* log_prob : {&p.chosen, &p.rejected}) {
                  if (*log_prob > -1e-6L) *log_prob = -1e-6L - std::fabs(*log_prob);
                }
              }};
}

pair_formula alpha_po(named_loss const& loss) {
  real const beta = value_of(loss, "beta"), gamma = value_of(loss, "gamma"), alpha = value_of(loss, "alpha");
  auto const reward = [alpha](dual const& x) -> dual {
    return alpha == 0 ? x : dual(dual(-exp_minus_one(dual(-alpha * x))) / alpha);
  };
  return {.reads = of_means,
          .of_scores = [beta, gamma, reward](
                           dual const& a, dual const& b,
                           variables const&) { return logistic_of_shape(beta, reward(a), reward(b), gamma); },
          .offset = gamma / beta,
          .admit = with_exponents_of(alpha, of_means)};
}

pair_formula dpop(named_loss const& loss) {
  real const beta = value_of(loss, "beta"), lambda = value_of(loss, "lambda");
  return {.reads = to_reference, .of_scores = [beta, lambda](dual const& a, dual const& b, variables const&) -> terms {
            dual const penalty = a.value() < 0 ? dual(-lambda * a) : dual(0);
            return negative_log_sigmoid(dual(beta * dual(dual(a - b) - penalty)));
          }};
}

pair_formula dpop_outside(named_loss const& loss) {
  real const lambda = value_of(loss, "lambda");
  return {.reads = to_reference,
          .logit = times(value_of(loss, "beta")),
          .link = logistic,
          .rest = [lambda](dual const& a, dual const&, variables const&) -> terms {
            return a.value() < 0 ? dual(-lambda * a) : dual(0);
          }};
}

pair_formula dpo_shift(named_loss const& loss) {
  real const beta = value_of(loss, "beta"), lambda = value_of(loss, "lambda");
  return {.reads = to_reference, .of_scores = [beta, lambda](dual const& a, dual const& b, variables const&) -> terms {
            return negative_log_sigmoid(dual(beta * dual(a - dual(lambda * b))));
          }};
}

pair_formula f_dpo(named_loss const& loss, std::function<dual(dual const&)> const& shape, real rate) {
  real const beta = value_of(loss, "beta");
  return {.reads = to_reference,
          .of_scores = [beta, shape](dual const& a, dual const& b,
                                     variables const&) { return logistic_of_shape(beta, shape(a), shape(b)); },
          .admit = with_exponents_of(rate, to_reference)};
}
pair_formula f_dpo_reverse_kl(named_loss const& loss) {
  return {.reads = to_reference, .logit = times(value_of(loss, "beta")), .link = logistic};
}
pair_formula f_dpo_forward_kl(named_loss const& loss) {
  return f_dpo(
      loss, [](dual const& x) -> dual { return -exp(dual(-x)); }, 1);
}
pair_formula f_dpo_js(named_loss const& loss) {
  return f_dpo(
      loss, [](dual const& x) -> dual { return -negative_log_sigmoid(x); }, 0);
}
pair_formula f_dpo_alpha(named_loss const& loss) {
  real const rate = real(value_of(loss, "alpha")) - 1;
  return f_dpo(
      loss, [rate](dual const& x) -> dual { return rate == 0 ? x : dual(exp_minus_one(dual(rate * x)) / rate); }, rate);
}

pair_formula cal_dpo(named_loss const& loss) {
  real const target = 1 / (2 * real(value_of(loss, "beta"))), weight = value_of(loss, "calibration");
  return {.reads = to_reference,
          .logit = margin_itself,
          .link = logistic,
          .rest = [target, weight](dual const& a, dual const& b, variables const&) {
            // The squares written out: next to the target they are small, what they are made of is not.
            terms const constant{dual(target * target)};
            return weight * (terms{square(a)} + -2 * target * terms{a} + constant) +
                   weight * (terms{square(b)} + 2 * target * terms{b} + constant);
          }};
}

pair_formula simper(named_loss const&) {
  return {.reads = of_means,
          .of_scores = [](dual const& a, dual const& b,
                          variables const&) { return terms{dual(exp(b))} + real(-1) * terms{dual(exp(a))}; },
          .admit = with_exponents_of(1, of_means)};
}

pair_formula cost_model(named_loss const& loss) {
  real const scale = value_of(loss, "scale"), regularization = value_of(loss, "regularization");
  return {.reads = {.sign = true},
          .logit = margin_itself,
          .link = logistic,
          .rest = [scale, regularization](dual const& a, dual const& b, variables const& at) {
            return scale * (logistic_of_product(dual(at.row.chosen_sign * a)) +
                            logistic_of_product(dual(at.row.rejected_sign * b))) +
                   regularization / 2 * (terms{square(a)} + terms{square(b)});
          }};
}

pair_formula rationale_dpo(named_loss const& loss) {
  real const gamma = value_of(loss, "gamma");
  return {.reads = {.reference = true, .rationale = true},
          .logit = times(value_of(loss, "beta")),
          .link = logistic,
          .rest = [gamma](dual const&, dual const&,
                          variables const& at) { return logistic_of_product(dual(gamma * at.rationale)); },
          .gradients_by = {&pair::rationale}};
}

pair_formula tpo(named_loss const& loss) {
  real const epsilon = value_of(loss, "epsilon"), sft = value_of(loss, "sft");
  return {.reads = {.gold = true},
          .logit = times(value_of(loss, "beta")),
          .link =
              [epsilon](dual const& z, variables const&) {
                return (1 - epsilon) * terms{negative_log_sigmoid(z)} + epsilon * terms{negative_log_sigmoid(dual(-z))};
              },
          .rest = [sft](dual const&, dual const&, variables const& at) -> terms { return dual(-sft * at.gold); },
          .gradients_by = {&pair::gold}};
}

pair_formula tpo_l(named_loss const& loss) {
  real const beta = value_of(loss, "beta"), gamma = value_of(loss, "gamma"), sft = value_of(loss, "sft");
  return {.reads = {.length = true, .gold = true},
          .logit = [beta, gamma](dual const& u, variables const&) -> dual { return dual(beta * u) - gamma; },
          .link = logistic,
          .rest = [sft](dual const&, dual const&, variables const& at) -> terms { return dual(-sft * at.gold); },
          .offset = gamma / beta,
          .gradients_by = {&pair::gold}};
}

pair_formula xpo(named_loss const& loss) {
  real const alpha = value_of(loss, "alpha");
  return {.reads = {.reference = true, .sign = true},
          .logit = times(value_of(loss, "beta")),
          .link = logistic,
          .rest = [alpha](dual const&, dual const&, variables const& at) {
            return alpha * at.row.chosen_sign * terms{at.chosen} + alpha * at.row.rejected_sign * terms{at.rejected};
          }};
}

pair_formula sft(named_loss const& loss) {
  auto const likelihood = negative_log_likelihood(value_of(loss, "mode"));
  return {.reads = of_means,
          .beside_score = of_means,
          .of_scores = [likelihood](dual const&, dual const&, variables const& at) { return likelihood.of(at); },
          .see = likelihood.see};
}

formula_table const losses{{"nca_pair", nca_pair},
                           {"bco_pair", bco_pair},
                           {"sppo", sppo},
                           {"apo_zero", apo_zero},
                           {"apo_down", apo_down},
                           {"slic", slic},
                           {"smooth_hinge", smooth_hinge},
                           {"orpo", orpo},
                           {"alpha_po", alpha_po},
                           {"dpop", dpop},
                           {"dpop_outside", dpop_outside},
                           {"dpo_shift", dpo_shift},
                           {"f_dpo_reverse_kl", f_dpo_reverse_kl},
                           {"f_dpo_forward_kl", f_dpo_forward_kl},
                           {"f_dpo_js", f_dpo_js},
                           {"f_dpo_alpha", f_dpo_alpha},
                           {"cal_dpo", cal_dpo},
                           {"simper", simper},
                           {"cost_model", cost_model},
                           {"rationale_dpo", rationale_dpo},
                           {"tpo", tpo},
                           {"tpo_l", tpo_l},
                           {"xpo", xpo},
                           {"sft", sft}};

}  // namespace

formula_table const& later_losses_of_scores() { return losses; }

}  // namespace oracle
