#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "oracle/pair_formula.hpp"

// Formulas of losses of the margin.

namespace oracle {
// With names that formulas of both scores have, too.
namespace of_margin {
namespace {

real const pi = 3.14159265358979323846264338327950288L;

dual square(dual const& x) { return x * x; }

/// sigma(x), from its logarithm: nothing overflows.
dual sigmoid(dual const& x) { return exp(dual(-negative_log_sigmoid(x))); }

/// A product: its slope is the sum of two terms, whatever their signs.
terms product(dual const& x, dual const& y) {
  terms result{dual(x * y)};
  auto const size = [&](int k) {
    return std::fabs(x.value() * y.derivatives()[k]) + std::fabs(x.derivatives()[k] * y.value());
  };
  result.d_chosen_size = size(0);
  result.d_rejected_size = size(1);
  return result;
}

/// A function of x, its value and derivative.
dual composed(dual const& x, real value, real slope) { return {value, dual(slope * x).derivatives()}; }

/// Where a sigma is flushed to 0, it is not multiplied by what it was meant to be: the logit's slope, and more.
terms with_factor(terms of, dual const& z, real more = 1) {
  of.factor = std::max({of.factor, more, more * z.derivatives().cwiseAbs().maxCoeff()});
  return of;
}

pair_formula of_logit(named_loss const& loss, std::function<terms(dual const&, variables const&)> const& link) {
  return {.reads = to_reference, .logit = times(value_of(loss, "beta")), .link = link};
}

/// Logistic, of a logit of the pair's own. By a further column its slope may be larger: `by_column`.
pair_formula logistic_of(std::function<dual(dual const&, variables const&)> const& logit,
                         std::function<real(variables const&)> const& by_column = {}) {
  return {.reads = to_reference, .logit = logit, .link = [by_column](dual const& z, variables const& at) {
            return with_factor(negative_log_sigmoid(z), z, by_column ? by_column(at) : 1);
          }};
}

// Divergences: of q = sigma(z) from p, the target, of which the logarithms are given.

terms kl_to(dual const& z, real log_p, real log_not_p) {
  dual const q = sigmoid(z), not_q = sigmoid(dual(-z));
  terms const sum = product(q, dual(-negative_log_sigmoid(z))) + product(not_q, dual(-negative_log_sigmoid(dual(-z)))) +
                    -log_p * terms{q} + -log_not_p * terms{not_q};
  return with_factor(sum, z, std::fabs(z.value()) + std::fabs(log_p - log_not_p));
}

pair_formula exo_pair(named_loss const& loss) {
  real const epsilon = value_of(loss, "epsilon");
  auto formula = of_logit(
      loss, [epsilon](dual const& z, variables const&) { return kl_to(z, std::log1p(-epsilon), std::log(epsilon)); });
  // The slope vanishes at the logit of 1 - epsilon, which is rounded.
  formula.offset = (std::log1p(-epsilon) - std::log(epsilon)) / value_of(loss, "beta");
  return formula;
}

/// RPO compares with the target of each pair, t = scale target, which is a product.
pair_formula rpo(named_loss const& loss, terms (*link)(dual const& z, real t)) {
  real const beta = value_of(loss, "beta"), scale = value_of(loss, "scale");
  auto formula =
      of_logit(loss, [scale, link](dual const& z, variables const& at) { return link(z, scale * at.row.target); });
  formula.reads.target = true;
  formula.own_offset = [beta, scale](pair const& p) { return scale * p.target / beta; };
  return formula;
}

real softplus(real x) { return log_one_plus_exp(dual{x}).value(); }

/// The target's two roundings: what they do to a loss whose derivative by the target is no larger than `answer`, and to
/// its slope, of which that is no larger than `slope_answer`.
terms with_rounded_target(terms of, dual const& z, real t, real answer, real slope_answer) {
  of.size += std::fabs(t) * answer / 8;
  of.d_chosen_size += std::fabs(t * z.derivatives()[0]) * slope_answer / 8;
  of.d_rejected_size += std::fabs(t * z.derivatives()[1]) * slope_answer / 8;
  return of;
}

pair_formula rpo_bwd_kl(named_loss const& loss) {
  return rpo(loss, [](dual const& z, real t) {
    real const p = std::exp(-softplus(-t)), not_p = std::exp(-softplus(t));
    terms const sum = p * terms{negative_log_sigmoid(z)} + not_p * terms{negative_log_sigmoid(dual(-z))} +
                      terms{dual{-p * softplus(-t)}} + terms{dual{-not_p * softplus(t)}};
    return with_rounded_target(sum, z, t, p * not_p * std::fabs(z.value() - t), p * not_p);
  });
}
pair_formula rpo_fwd_kl(named_loss const& loss) {
  return rpo(loss, [](dual const& z, real t) {
    real const q = sigmoid(z).value(), not_q = sigmoid(dual(-z)).value();
    return with_rounded_target(kl_to(z, -softplus(-t), -softplus(t)), z, t,
                               std::fabs(q * sigmoid(dual(-t)).value() - not_q * sigmoid(dual(t)).value()), q * not_q);
  });
}
pair_formula rpo_sq(named_loss const& loss) {
  return rpo(loss, [](dual const& z, real t) { return terms{square(dual(z - t))}; });
}

real logit_of(real label) { return std::log(label) - std::log1p(-label); }

pair_formula irepo(named_loss const& loss) {
  real const beta = value_of(loss, "beta");
  auto formula = of_logit(
      loss, [](dual const& z, variables const& at) { return terms{square(dual(z - logit_of(at.row.label)))}; });
  formula.reads.label = true;
  formula.own_offset = [beta](pair const& p) { return logit_of(p.label) / beta; };
  formula.admit = [](pair& p) { p.label = std::clamp(p.label, real(0.0625), real(0.9375)); };
  return formula;
}

pair_formula soft_ipo(named_loss const& loss) {
  real const c = 1 / (2 * real(value_of(loss, "tau")));
  pair_formula formula{.reads = to_reference,
                       .logit = margin_itself,
                       .link =
                           [c](dual const& h, variables const& at) {
                             return at.row.label * terms{square(dual(h - c))} +
                                    (1 - at.row.label) * terms{square(dual(h + c))};
                           },
                       .offset = c};
  formula.reads.label = true;
  return formula;
}

// Other links.

pair_formula discopop(named_loss const& loss) {
  real const beta = value_of(loss, "beta"), tau = value_of(loss, "tau");
  // To the left e^-z sigma(z / tau) is e^(-z growth) sigma(-z / tau).
  real const growth = (tau - 1) / tau;
  auto formula = of_logit(loss, [tau, growth](dual const& z, variables const&) {
    dual const gate = dual(z / tau);
    bool const is_left = z.value() < 0;
    terms exponential{is_left ? dual(exp(dual(-growth * z)) * sigmoid(dual(-gate)))
                              : dual(exp(dual(-z)) * sigmoid(gate))};
    // Its slope is itself times n / tau - 1: a difference, to the left of growth and what n lacks to 1.
    real const n = sigmoid(dual(-gate)).value(), m = sigmoid(gate).value();
    real const size = exponential.size * (is_left ? std::fabs(growth) + m / tau : 1 + n / tau);
    exponential.d_chosen_size = size * std::fabs(z.derivatives()[0]);
    exponential.d_rejected_size = size * std::fabs(z.derivatives()[1]);
    return with_factor(product(sigmoid(dual(-gate)), negative_log_sigmoid(z)) + exponential, z,
                       (1 + std::fabs(z.value())) * std::max(real(1), 1 / tau));
  });
  // For tau > 1 it grows exponentially: beyond float's numbers if one lets it.
  formula.admit = [most = growth > 0 ? 30 / (beta * growth) : HUGE_VALL](pair& p) {
    p.chosen = p.ref_chosen + std::clamp(p.chosen - p.ref_chosen, -most, most);
    p.rejected = p.ref_rejected + std::clamp(p.rejected - p.ref_rejected, -most, most);
  };
  return formula;
}

pair_formula cauchy_dpo(named_loss const& loss) {
  return of_logit(loss, [](dual const& z, variables const&) -> terms {
    real const x = z.value(), probability = std::atan2(real(1), -x) / pi;
    real const value = x > 1 ? -std::log1p(-std::atan(1 / x) / pi) : -std::log(probability);
    return composed(z, value, -1 / (pi * (1 + x * x) * probability));
  });
}

pair_formula focal_po(named_loss const& loss) {
  real const gamma = value_of(loss, "gamma");
  return of_logit(loss, [gamma](dual const& z, variables const&) {
    dual const cost = negative_log_sigmoid(z);
    return product(exp(dual(-gamma * cost)), cost);
  });
}

pair_formula focal_bt(named_loss const& loss) {
  real const gamma = value_of(loss, "gamma");
  return {.reads = of_raw_sums, .logit = margin_itself, .link = [gamma](dual const& d, variables const&) -> terms {
            dual const cost = negative_log_sigmoid(d);
            if (d.value() <= 0) return cost;
            // 1 - 2 (sigma(d) - 1/2) is 2 sigma(-d).
            dual const log_bracket = std::log(real(2)) - negative_log_sigmoid(dual(-d));
            return product(exp(dual(gamma * log_bracket)), cost);
          }};
}

pair_formula repo(named_loss const& loss) {
  real const gamma = value_of(loss, "gamma");
  return {.reads = of_means,
          .logit = margin_itself,
          .link = [gamma](dual const& u, variables const&) -> terms {
            return u.value() < gamma ? dual(gamma - u) : dual(0);
          },
          .offset = gamma,
          // Without a target the kink is at 0: there the mean of a subnormal number may be 0 itself.
          .own_offset = [](pair const&) { return std::numeric_limits<float>::min(); }};
}

// Logits of each pair's own.

pair_formula r_dpo(named_loss const& loss) {
  real const beta = value_of(loss, "beta"), alpha = value_of(loss, "alpha");
  auto formula = logistic_of([beta, alpha](dual const& h, variables const& at) -> dual {
    return dual(beta * h) + alpha * (at.row.chosen_length - at.row.rejected_length);
  });
  formula.reads.length = formula.beside_score.length = true;
  formula.own_offset = [beta, alpha](pair const& p) { return alpha * (p.chosen_length - p.rejected_length) / beta; };
  return formula;
}

pair_formula odpo(named_loss const& loss) {
  real const beta = value_of(loss, "beta"), alpha = value_of(loss, "alpha");
  auto formula = logistic_of([beta, alpha](dual const& h, variables const& at) -> dual {
    return dual(beta * h) - alpha * std::log(at.row.target);
  });
  formula.reads.target = true;
  formula.own_offset = [beta, alpha](pair const& p) { return alpha * std::log(p.target) / beta; };
  formula.admit = [](pair& p) { p.target = p.target > 0 ? p.target : 1; };
  return formula;
}

pair_formula modpo(named_loss const& loss) {
  real const beta = value_of(loss, "beta"), weight = value_of(loss, "weight");
  auto formula = logistic_of(
      [beta, weight](dual const& h, variables const& at) -> dual { return dual(dual(beta * h) - at.margin) / weight; },
      [weight](variables const&) { return 1 / weight; });
  formula.reads.margin = true;
  formula.own_offset = [beta](pair const& p) { return p.margin / beta; };
  formula.gradients_by = {&pair::margin};
  return formula;
}

pair_formula smpo(named_loss const& loss) {
  real const beta = value_of(loss, "beta"), scale = value_of(loss, "scale");
  auto formula = logistic_of([beta, scale](dual const& e, variables const& at) -> dual {
    return -beta / 2 * (2 * at.row.label - 1) * scale * e;
  });
  formula.reads.label = true;
  return formula;
}

pair_formula mallows_dpo(named_loss const& loss) {
  real const beta = value_of(loss, "beta");
  auto formula = logistic_of(
      [beta](dual const& h, variables const& at) -> dual { return dual(beta * at.scale) * h; },
      [beta](variables const& at) {
        pair const& p = at.row;
        return std::max(real(1), beta * std::fabs((p.chosen - p.ref_chosen) - (p.rejected - p.ref_rejected)));
      });
  formula.reads.scale = true;
  formula.gradients_by = {&pair::scale};
  return formula;
}

pair_formula tdpo(named_loss const& loss) {
  real const beta = value_of(loss, "beta"), alpha = value_of(loss, "alpha");
  bool const is_first = value_of(loss, "version") == 1;
  auto formula = logistic_of(
      [=](dual const& h, variables const& at) -> dual {
        if (is_first) return beta * dual(h - dual(at.rejected_kl - at.chosen_kl));
        return beta * dual(h - dual(alpha * dual(at.rejected_kl - at.row.chosen_kl)));
      },
      [=](variables const&) { return std::max(real(1), beta * (is_first ? 1 : alpha)); });
  formula.reads.kl = true;
  formula.own_offset = [k = is_first ? 1 : alpha](pair const& p) { return k * (p.rejected_kl - p.chosen_kl); };
  formula.gradients_by = {&pair::chosen_kl, &pair::rejected_kl};
  return formula;
}

pair_formula diffusion_dpo(named_loss const& loss) { return logistic_of(times(-value_of(loss, "beta") / 2)); }

// Reward models.

pair_formula of_outcomes(std::function<terms(dual const&, variables const&)> const& link, real kappa) {
  pair_formula formula{.logit = margin_itself, .link = link, .offset = kappa};
  formula.reads.label = true;
  formula.admit = [](pair& p) { p.label = std::round(2 * p.label) / 2; };
  return formula;
}

pair_formula rao_kupper(named_loss const& loss) {
  real const kappa = value_of(loss, "kappa");
  auto formula = of_outcomes(
      [kappa](dual const& d, variables const& at) -> terms {
        if (at.row.label == 1) return negative_log_sigmoid(dual(d - kappa));
        if (at.row.label == 0) return negative_log_sigmoid(dual(-d - kappa));
        // What is neither won nor lost: both sigmas' complements, over what their overlap leaves.
        real const x = d.value();
        real const value = softplus(x - kappa) + softplus(-x - kappa) - std::log1p(-std::exp(-2 * kappa));
        return composed(d, value, std::sinh(x) / (std::cosh(x) + std::cosh(kappa)));
      },
      kappa);
  // Without a threshold there is no tie.
  if (kappa == 0) formula.admit = [](pair& p) { p.label = p.label < 0.5 ? 0 : 1; };
  return formula;
}

pair_formula davidson(named_loss const& loss) {
  real const kappa = value_of(loss, "kappa");
  return of_outcomes(
      [kappa](dual const& d, variables const& at) -> terms {
        // The other outcomes' shares, in units of this one's.
        real const x = d.value();
        real others = 2 * std::exp(-kappa) * std::cosh(x / 2), slope = std::exp(-kappa) * std::sinh(x / 2);
        if (at.row.label != 0.5) {
          real const sign = at.row.label == 1 ? 1 : -1, lost = std::exp(-sign * x),
                     tied = std::exp(kappa - sign * x / 2);
          others = lost + tied;
          slope = -sign * (lost + tied / 2);
        }
        return composed(d, std::log1p(others), slope / (1 + others));
      },
      2 * std::fabs(kappa));
}

pair_formula noise_mixture(named_loss const& loss) {
  real const rho0 = value_of(loss, "rho0"), rho1 = value_of(loss, "rho1");
  auto formula = of_outcomes(
      [rho0, rho1](dual const& s, variables const& at) -> terms {
        bool const is_one = at.row.label == 1;
        real const won = is_one ? 1 - rho1 : rho1, lost = is_one ? rho0 : 1 - rho0;
        real const right = sigmoid(s).value(), wrong = sigmoid(dual(-s)).value();
        real const seen = won * right + lost * wrong;
        real const unseen = (is_one ? rho1 : 1 - rho1) * right + (is_one ? 1 - rho0 : rho0) * wrong;
        real const value = seen < 0.5L ? -std::log(seen) : -std::log1p(-unseen), lead = s.value() < 0 ? lost : won;
        terms const result = composed(s, value, -(is_one ? 1 : -1) * (1 - rho0 - rho1) * right * wrong / seen);
        return with_factor(result, s, lead > 0 ? 1 / lead : 1);
      },
      0);
  formula.admit = [](pair& p) { p.label = p.label < 0.5 ? 0 : 1; };
  return formula;
}

pair_formula gaussian_bt(named_loss const& loss) {
  bool const is_matched = value_of(loss, "probit_matched") == 1;
  pair_formula formula{.logit = [is_matched](dual const& u, variables const& at) -> dual {
                         dual const variance = square(at.chosen_deviation) + square(at.rejected_deviation);
                         return is_matched ? dual(u / sqrt(dual(1 + pi / 8 * variance)))
                                           : dual(std::sqrt(2 * pi) * u / sqrt(variance));
                       },
                       .link =
                           [](dual const& z, variables const& at) {
                             // By a deviation, and by a mean: z / deviation, and what that is without its numerator.
                             real const least = std::max(at.row.chosen_deviation, at.row.rejected_deviation);
                             return with_factor(at.row.label * terms{negative_log_sigmoid(z)} +
                                                    (1 - at.row.label) * terms{negative_log_sigmoid(dual(-z))},
                                                z, least > 0 ? std::max(real(1), std::fabs(z.value()) / least) : 1);
                           }};
  formula.reads.deviation = formula.reads.label = true;
  // The root of the sum of squares is a factor of the logit that is rounded some more times.
  formula.own_offset = [](pair const& p) { return p.chosen - p.rejected; };
  formula.gradients_by = {&pair::chosen_deviation, &pair::rejected_deviation};
  // Without any deviation the first form is a step.
  if (!is_matched) {
    formula.admit = [](pair& p) {
      if (p.chosen_deviation == 0 && p.rejected_deviation == 0) p.chosen_deviation = 0.5;
    };
  }
  return formula;
}

// What the batch, or the reference, is a constant of.

pair_formula beta_dpo(named_loss const& loss) {
  real const beta = value_of(loss, "beta"), a = value_of(loss, "a"), offset = value_of(loss, "offset"),
             lowest = value_of(loss, "lowest");
  auto const of_batch = std::make_shared<real>(beta), error_of_batch = std::make_shared<real>(0);
  return {.reads = to_reference,
          .logit = [of_batch](dual const& h, variables const&) -> dual { return *of_batch * h; },
          .link = logistic,
          // A mean of numbers that are each off by a rounding of theirs, and of sums of some of them in lanes.
          .own_offset =
              [=](pair const& p) {
                real const h = (p.chosen - p.ref_chosen) - (p.rejected - p.ref_rejected);
                return *error_of_batch / *of_batch * h;
              },
          .see =
              [=](std::vector<pair> const& batch) {
                real sum = 0, size = 0;
                for (pair const& p : batch) {
                  real const w = p.chosen - p.ref_chosen, l = p.rejected - p.ref_rejected;
                  sum += w - l;
                  size += std::fabs(w) + std::fabs(l);
                }
                auto const n = static_cast<real>(batch.size());
                *of_batch = std::max(lowest, beta * (1 + a * (sum / n - offset)));
                *error_of_batch = *of_batch + beta * a * (4 * size / n + std::fabs(offset));
              }};
}

pair_formula alpha_dpo(named_loss const& loss) {
  real const beta = value_of(loss, "beta"), gamma = value_of(loss, "gamma"), alpha = value_of(loss, "alpha"),
             mean = value_of(loss, "mean"), deviation = value_of(loss, "deviation");
  auto const moved = [](real log_prob, real reference, real length) { return (log_prob - reference) / length; };
  pair_formula formula{.reads = of_means_to_reference,
                       .logit = [=](dual const& u, variables const& at) -> dual {
                         pair const& p = at.row;
                         real const h = moved(p.chosen, p.ref_chosen, p.chosen_length) -
                                        moved(p.rejected, p.ref_rejected, p.rejected_length);
                         return dual(dual(beta * u) - gamma) - alpha * beta * (h - mean) / deviation;
                       },
                       .link = logistic,
                       .offset = gamma / beta};
  formula.beside_score.reference = true;
  formula.own_offset = [=](pair const& p) {
    return alpha / deviation *
           (std::fabs(moved(p.chosen, p.ref_chosen, p.chosen_length)) +
            std::fabs(moved(p.rejected, p.ref_rejected, p.rejected_length)) + std::fabs(mean));
  };
  return formula;
}

formula_table const losses{{"exo_pair", exo_pair},
                           {"discopop", discopop},
                           {"rpo_bwd_kl", rpo_bwd_kl},
                           {"rpo_fwd_kl", rpo_fwd_kl},
                           {"rpo_sq", rpo_sq},
                           {"irepo", irepo},
                           {"soft_ipo", soft_ipo},
                           {"cauchy_dpo", cauchy_dpo},
                           {"focal_po", focal_po},
                           {"focal_bt", focal_bt},
                           {"r_dpo", r_dpo},
                           {"odpo", odpo},
                           {"modpo", modpo},
                           {"smpo", smpo},
                           {"mallows_dpo", mallows_dpo},
                           {"tdpo", tdpo},
                           {"diffusion_dpo", diffusion_dpo},
                           {"repo", repo},
                           {"rao_kupper", rao_kupper},
                           {"davidson", davidson},
                           {"noise_mixture", noise_mixture},
                           {"gaussian_bt", gaussian_bt},
                           {"beta_dpo", beta_dpo},
                           {"alpha_dpo", alpha_dpo}};

}  // namespace
}  // namespace of_margin

formula_table const& later_losses_of_margin() { return of_margin::losses; }

}  // namespace oracle
