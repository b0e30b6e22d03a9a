// Each paper's objective, made of what the library has: its value and its gradient against the paper's formula.
#include <array>
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>
#include <prefopt/prefopt.hpp>
#include <prefopt/train/hard_mixture.hpp>
#include <prefopt/train/lagrange_multiplier.hpp>
#include <prefopt/train/min_norm_weights.hpp>
#include <prefopt/vectors/distance.hpp>
#include <prefopt/vectors/gaussian_kl.hpp>
#include <prefopt/vectors/skew.hpp>
#include <span>
#include <vector>

#include "objective.hpp"

using namespace prefopt;

namespace {

constexpr std::size_t n = 6;
constexpr real pi = std::numbers::pi_v<real>;

/// Log-probs of n pairs under policy and reference.
struct pairs_of_paper {
  numbers chosen = random_numbers(n, -40, -20, 1), rejected = random_numbers(n, -40, -20, 2);
  numbers ref_chosen = random_numbers(n, -40, -20, 3), ref_rejected = random_numbers(n, -40, -20, 4);
  numbers d_chosen = numbers(n), d_rejected = numbers(n);

  [[nodiscard]] pair_batch<double> batch() const {
    return {.chosen = chosen, .rejected = rejected, .ref_chosen = ref_chosen, .ref_rejected = ref_rejected};
  }
  [[nodiscard]] pair_outputs<double> outputs() { return {.d_chosen = d_chosen, .d_rejected = d_rejected}; }
  [[nodiscard]] numbers at() const { return joined(chosen, rejected); }
  [[nodiscard]] numbers gradient() const { return joined(d_chosen, d_rejected); }
  /// h of pair i, where x is the policy's log-probs.
  [[nodiscard]] real h(reals const& x, std::size_t i) const {
    return (x[i] - ref_chosen[i]) - (x[n + i] - ref_rejected[i]);
  }
};

/// A policy that is nothing but its parameters.
struct weights_of_policy {
  std::array<double, 3> weights;
  [[nodiscard]] std::array<std::span<double>, 1> parameters() { return {weights}; }
  [[nodiscard]] std::array<std::span<double const>, 1> parameters() const { return {weights}; }
};

/// The mean over the pairs.
template <class F>
real mean_of(std::size_t count, F const& f) {
  real sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += f(i);
  return sum / static_cast<real>(count);
}

}  // namespace

TEST_CASE("PEARL: rewards are normal distributions, labels soft, sigma averaged by the probit") {
  numbers const mean = random_numbers(n, -2, 2, 1), other = random_numbers(n, -2, 2, 2);
  numbers const deviation = random_numbers(n, 0.1, 2, 3), other_deviation = random_numbers(n, 0.1, 2, 4);
  numbers const q = random_numbers(n, 0, 1, 5);
  numbers d_mean(n), d_other(n), d_deviation(n), d_other_deviation(n);
  double const value = evaluate(gaussian_bt{.probit_matched = true},
                                pair_batch<double>{.chosen = mean,
                                                   .rejected = other,
                                                   .label = q,
                                                   .chosen_deviation = deviation,
                                                   .rejected_deviation = other_deviation},
                                {.d_chosen = d_mean,
                                 .d_rejected = d_other,
                                 .d_chosen_deviation = d_deviation,
                                 .d_rejected_deviation = d_other_deviation})
                           .loss;
  check_objective(
      [&](reals const& x) {
        return mean_of(n, [&](std::size_t i) {
          real const z = (x[i] - x[n + i]) / std::sqrt(1 + pi / 8 * (square(x[2 * n + i]) + square(x[3 * n + i])));
          return q[i] * softplus(-z) + (1 - q[i]) * softplus(z);
        });
      },
      joined(mean, other, deviation, other_deviation), value, joined(d_mean, d_other, d_deviation, d_other_deviation));
}

TEST_CASE("Safe RLHF-V: a reward model, a cost model, and the multiplier between them") {
  numbers const a = random_numbers(n, -2, 2, 1), b = random_numbers(n, -2, 2, 2);
  numbers d_a(n), d_b(n);
  double value =
      evaluate(bradley_terry{}, pair_batch<double>{.chosen = a, .rejected = b}, {.d_chosen = d_a, .d_rejected = d_b})
          .loss;
  check_objective([](reals const& x) { return mean_of(n, [&](std::size_t i) { return softplus(x[n + i] - x[i]); }); },
                  joined(a, b), value, joined(d_a, d_b));

  // Costs: chosen is the more harmful one; safe completions have the sign -1.
  numbers const sign{1, 1, -1, 1, -1, 1}, other_sign{-1, 1, -1, -1, -1, 1};
  value = evaluate(cost_model{.scale = 0.5},
                   pair_batch<double>{.chosen = a, .rejected = b, .chosen_sign = sign, .rejected_sign = other_sign},
                   {.d_chosen = d_a, .d_rejected = d_b})
              .loss;
  check_objective(
      [&](reals const& x) {
        return mean_of(n, [&](std::size_t i) {
          return softplus(x[n + i] - x[i]) + 0.5L * (softplus(-sign[i] * x[i]) + softplus(-other_sign[i] * x[n + i]));
        });
      },
      joined(a, b), value, joined(d_a, d_b));

  lagrange_multiplier multiplier{{.initial = 2, .rate = 0.1, .threshold = -0.5}};
  numbers combined(n);
  multiplier.advantages(column<double>{a}, b, combined);
  for (std::size_t i = 0; i < n; ++i) {
    CHECK(std::fabs(combined[i] - (static_cast<real>(a[i]) - 2.0L * b[i]) / 3) < 1e-15L);
  }
  multiplier.update(0.25);
  CHECK(std::fabs(multiplier.value() - 2 * std::exp(0.1L * 0.75L * 2)) < 1e-15L);
}

TEST_CASE("DenseDPO: segments are pairs with labels of their own, ties weigh nothing, a video is the mean of its own") {
  pairs_of_paper data;
  for (auto* errors : {&data.chosen, &data.rejected, &data.ref_chosen, &data.ref_rejected}) {
    for (double& x : *errors) x = (x + 40) / 40;
  }
  // Two videos of two and four segments; who is better in a segment, and who is in none.
  numbers const label{1, 0, 0.5, 1, 0, 1}, segments{2, 2, 4, 4, 4, 4};
  numbers weight;
  for (std::size_t i = 0; i < n; ++i) weight.push_back(label[i] == 0.5 ? 0 : 1 / segments[i]);
  auto batch = data.batch();
  batch.label = label;
  batch.weight = weight;
  double const beta = 10;
  double const value =
      evaluate(labelled<diffusion_dpo>{.base = {.beta = beta}}, batch, data.outputs(), {.denominator = 2.0}).loss;
  check_objective(
      [&](reals const& x) {
        real sum = 0;
        for (std::size_t i = 0; i < n; ++i) {
          real const sign = label[i] == 1 ? 1 : label[i] == 0 ? -1 : 0;
          if (sign != 0) sum += softplus(sign * static_cast<real>(beta) / 2 * data.h(x, i)) / segments[i];
        }
        return sum / 2;
      },
      data.at(), value, data.gradient());
}

TEST_CASE("OpenChat, C-RLFT: a token mean weighted by the classes' rewards") {
  numbers const logp = random_numbers(n, -40, -20, 1), length{12, 30, 7, 19, 3, 25};
  numbers const reward{1, 0.1, 0.1, 1, 1, 0.1};
  double const beta = 0.5;
  double weights = 0;
  for (std::size_t i = 0; i < n; ++i) weights += std::exp(reward[i] / beta) * length[i];
  numbers d(n);
  double const value = evaluate(weighted_nll{.beta = beta}, unpaired_batch<double>{.logp = logp, .target = reward},
                                {.d_logp = d}, {.denominator = weights})
                           .loss;
  check_objective(
      [&](reals const& x) {
        real sum = 0, all = 0;
        for (std::size_t i = 0; i < n; ++i) {
          real const weight = std::exp(static_cast<real>(reward[i]) / beta);
          sum -= weight * x[i];
          all += weight * length[i];
        }
        return sum / all;
      },
      logp, value, d);
}

TEST_CASE("Diffusion-DPO, and SmPO whose labels are smooth") {
  pairs_of_paper data;
  for (auto* errors : {&data.chosen, &data.rejected, &data.ref_chosen, &data.ref_rejected}) {
    for (double& x : *errors) x = (x + 40) / 400;
  }
  double value = evaluate(diffusion_dpo{.beta = 200}, data.batch(), data.outputs()).loss;
  check_objective(
      [&](reals const& x) { return mean_of(n, [&](std::size_t i) { return softplus(100 * data.h(x, i)); }); },
      data.at(), value, data.gradient());
  numbers const label = random_numbers(n, 0.3, 1, 5);
  auto batch = data.batch();
  batch.label = label;
  value = evaluate(smpo{.beta = 20, .scale = 10}, batch, data.outputs()).loss;
  check_objective(
      [&](reals const& x) {
        return mean_of(
            n, [&](std::size_t i) { return softplus(10 * (2 * static_cast<real>(label[i]) - 1) * 10 * data.h(x, i)); });
      },
      data.at(), value, data.gradient());
}

TEST_CASE("iREPO: the implicit reward's regression on the judges' logit, of pairs and point by point") {
  pairs_of_paper data;
  numbers const share = random_numbers(n, 0.1, 0.9, 5);
  auto const logit = [&](std::size_t i) {
    return std::log(static_cast<real>(share[i])) - std::log1p(-static_cast<real>(share[i]));
  };
  auto batch = data.batch();
  batch.label = share;
  double value = evaluate(irepo{.beta = 0.2}, batch, data.outputs()).loss;
  check_objective(
      [&](reals const& x) { return mean_of(n, [&](std::size_t i) { return square(0.2L * data.h(x, i) - logit(i)); }); },
      data.at(), value, data.gradient());
  numbers target;
  for (std::size_t i = 0; i < n; ++i) target.push_back(static_cast<double>(logit(i)));
  value = evaluate(score_regression{.beta = 0.2},
                   unpaired_batch<double>{.logp = data.chosen, .ref_logp = data.ref_chosen, .target = target},
                   {.d_logp = data.d_chosen})
              .loss;
  check_objective(
      [&](reals const& x) {
        return mean_of(n, [&](std::size_t i) { return square(0.2L * (x[i] - data.ref_chosen[i]) - logit(i)); });
      },
      data.chosen, value, data.d_chosen);
}

TEST_CASE("MODPO: the other objectives' rewards are the margin") {
  pairs_of_paper data;
  numbers const helpful = random_numbers(n, -1, 1, 5), honest = random_numbers(n, -1, 1, 6);
  // Weights 0.5 of the pairs' objective, 0.3 and 0.2 of the others; columns hold differences of rewards.
  numbers margin;
  for (std::size_t i = 0; i < n; ++i) margin.push_back(0.3 * helpful[i] + 0.2 * honest[i]);
  auto batch = data.batch();
  batch.margin = margin;
  double const value = evaluate(modpo{.beta = 0.1, .weight = 0.5}, batch, data.outputs()).loss;
  check_objective(
      [&](reals const& x) {
        return mean_of(n, [&](std::size_t i) {
          real const others = 0.3L * helpful[i] + 0.2L * honest[i];
          return softplus(-(0.1L / 0.5L * data.h(x, i) - others / 0.5L));
        });
      },
      data.at(), value, data.gradient());
}

TEST_CASE("GPM: a skew-symmetric score of vectors under Bradley-Terry") {
  constexpr std::size_t dimension = 4;
  numbers const v = random_numbers(n * dimension, -1, 1, 1), w = random_numbers(n * dimension, -1, 1, 2);
  numbers const zero(n, 0.0);
  numbers margin(n), d(n), d_v(v.size()), d_w(w.size());
  skew_pairs<double> const pairs{.chosen = {v.data(), n, dimension}, .rejected = {w.data(), n, dimension}};
  skew_margins(pairs, margin);
  double const value = evaluate(bradley_terry{.temperature = 0.1},
                                pair_batch<double>{.chosen = margin, .rejected = zero}, {.d_chosen = d})
                           .loss;
  skew_gradients(pairs, d, {.d_chosen = {d_v.data(), n, dimension}, .d_rejected = {d_w.data(), n, dimension}});
  check_objective(
      [&](reals const& x) {
        return mean_of(n, [&](std::size_t i) {
          real s = 0;
          for (std::size_t k = i * dimension; k < (i + 1) * dimension; k += 2) {
            s += x[k] * x[n * dimension + k + 1] - x[k + 1] * x[n * dimension + k];
          }
          return softplus(-s / 0.1L);
        });
      },
      joined(v, w), value, joined(d_v, d_w));
}

TEST_CASE("GPO: the log-ratio's regression on the mean score against the group") {
  // Three prompts of two answers; a preference model's scores of each answer against both.
  numbers const logp = random_numbers(n, -40, -20, 1), before = random_numbers(n, -40, -20, 2);
  numbers const score = random_numbers(2 * n, -1, 1, 3);
  double const beta = 0.05;
  numbers target, d(n);
  for (std::size_t i = 0; i < n; ++i) target.push_back(0.5 * (score[2 * i] + score[2 * i + 1]) / beta);
  double const value =
      evaluate(score_regression{}, unpaired_batch<double>{.logp = logp, .ref_logp = before, .target = target},
               {.d_logp = d})
          .loss;
  check_objective(
      [&](reals const& x) {
        return mean_of(n, [&](std::size_t i) {
          real const s = (static_cast<real>(score[2 * i]) + score[2 * i + 1]) / 2;
          return square(x[i] - before[i] - s / beta);
        });
      },
      logp, value, d);
}

TEST_CASE("MAPL: one response under two prompts, and two such margins against each other") {
  // chosen[i] = log pi(y | x_w), rejected[i] = log pi(y | x_l).
  pairs_of_paper data;
  double value = evaluate(dpo{.beta = 0.2}, data.batch(), data.outputs()).loss;
  check_objective(
      [&](reals const& x) { return mean_of(n, [&](std::size_t i) { return softplus(-0.2L * data.h(x, i)); }); },
      data.at(), value, data.gradient());

  // Between responses: the margin of pair i against that of pair i + 3.
  constexpr std::size_t half = n / 2;
  numbers margin, ref_margin;
  for (std::size_t i = 0; i < n; ++i) {
    margin.push_back(data.chosen[i] - data.rejected[i]);
    ref_margin.push_back(data.ref_chosen[i] - data.ref_rejected[i]);
  }
  numbers d(n);
  value = evaluate(dpo{.beta = 0.2},
                   pair_batch<double>{.chosen = {margin.data(), half},
                                      .rejected = {margin.data() + half, half},
                                      .ref_chosen = {ref_margin.data(), half},
                                      .ref_rejected = {ref_margin.data() + half, half}},
                   {.d_chosen = {d.data(), half}, .d_rejected = {d.data() + half, half}})
              .loss;
  numbers by_rejected;
  for (double const by : d) by_rejected.push_back(-by);
  check_objective(
      [&](reals const& x) {
        return mean_of(half, [&](std::size_t i) { return softplus(-0.2L * (data.h(x, i) - data.h(x, half + i))); });
      },
      data.at(), value, joined(d, by_rejected));
}

TEST_CASE("PAL: the distance to a user's ideal point, which is a mixture of prototypes") {
  constexpr std::size_t dimension = 3, prototypes = 2, users = 2;
  numbers const v = random_numbers(n * dimension, -1, 1, 1), w = random_numbers(n * dimension, -1, 1, 2);
  numbers const prototype = random_numbers(prototypes * dimension, -1, 1, 3),
                mix = random_numbers(users * prototypes, -1, 1, 4);
  std::array<std::size_t, n> const user{0, 1, 0, 1, 1, 1};
  numbers const pairs_of_user{2, 4};
  auto const share = [](auto const& logits, std::size_t u, std::size_t k) {
    real const a = std::exp(static_cast<real>(logits[2 * u])), b = std::exp(static_cast<real>(logits[2 * u + 1]));
    return (k == 0 ? a : b) / (a + b);
  };
  numbers ideal(n * dimension), weight(n), margin(n), d(n), d_v(v.size()), d_w(w.size()), d_ideal(v.size());
  numbers const zero(n, 0.0);
  for (std::size_t i = 0; i < n; ++i) {
    weight[i] = 1 / pairs_of_user[user[i]];
    for (std::size_t j = 0; j < dimension; ++j) {
      ideal[i * dimension + j] = static_cast<double>(share(mix, user[i], 0) * prototype[j] +
                                                     share(mix, user[i], 1) * prototype[dimension + j]);
    }
  }
  distance_pairs<double> const pairs{.chosen = {v.data(), n, dimension},
                                     .rejected = {w.data(), n, dimension},
                                     .user = {ideal.data(), n, dimension},
                                     .scale = 3};
  distance_margins(pairs, margin);
  double const value =
      evaluate(bradley_terry{}, pair_batch<double>{.chosen = margin, .rejected = zero, .weight = weight},
               {.d_chosen = d})
          .loss;
  distance_gradients(pairs, d,
                     {.d_chosen = {d_v.data(), n, dimension},
                      .d_rejected = {d_w.data(), n, dimension},
                      .d_user = {d_ideal.data(), n, dimension}});
  numbers d_prototype(prototype.size()), d_mix(mix.size());
  for (std::size_t i = 0; i < n; ++i) {
    auto const p = static_cast<double>(share(mix, user[i], 0));
    for (std::size_t j = 0; j < dimension; ++j) {
      double const by = d_ideal[i * dimension + j];
      d_prototype[j] += p * by;
      d_prototype[dimension + j] += (1 - p) * by;
      double const by_mix = p * (1 - p) * (prototype[j] - prototype[dimension + j]) * by;
      d_mix[2 * user[i]] += by_mix;
      d_mix[2 * user[i] + 1] -= by_mix;
    }
  }
  check_objective(
      [&](reals const& x) {
        std::size_t const of_w = n * dimension, of_prototype = 2 * of_w, of_mix = of_prototype + prototypes * dimension;
        reals const logits(x.begin() + static_cast<std::ptrdiff_t>(of_mix), x.end());
        real sum = 0, weights = 0;
        for (std::size_t i = 0; i < n; ++i) {
          real near = 0, far = 0;
          for (std::size_t j = 0; j < dimension; ++j) {
            real const u = share(logits, user[i], 0) * x[of_prototype + j] +
                           share(logits, user[i], 1) * x[of_prototype + dimension + j];
            near += square(x[i * dimension + j] - u);
            far += square(x[of_w + i * dimension + j] - u);
          }
          sum += softplus(-3 * (std::sqrt(far) - std::sqrt(near))) / pairs_of_user[user[i]];
          weights += 1 / pairs_of_user[user[i]];
        }
        return sum / weights;
      },
      joined(v, w, prototype, mix), value, joined(d_v, d_w, d_prototype, d_mix));
}

TEST_CASE("Secrets of RLHF II: smoothed labels, and a margin of how strong the preference is") {
  numbers const a = random_numbers(n, -2, 2, 1), b = random_numbers(n, -2, 2, 2),
                strength = random_numbers(n, -0.5, 1, 3);
  numbers d_a(n), d_b(n);
  double const value =
      evaluate(smoothed<bradley_terry>{.epsilon = 0.1},
               pair_batch<double>{.chosen = a, .rejected = b, .margin = strength}, {.d_chosen = d_a, .d_rejected = d_b})
          .loss;
  check_objective(
      [&](reals const& x) {
        return mean_of(n, [&](std::size_t i) {
          real const d = x[i] - x[n + i] - strength[i];
          return (1 - real(0.1)) * softplus(-d) + real(0.1) * softplus(d);
        });
      },
      joined(a, b), value, joined(d_a, d_b));
}

TEST_CASE("Selfie, SPA: labels refined by the extrapolated policy") {
  constexpr std::size_t vocabulary = 5, tokens = 3, rows = 2 * n * tokens;
  numbers const policy = random_numbers(rows * vocabulary, -2, 2, 1),
                reference = random_numbers(rows * vocabulary, -2, 2, 2);
  std::vector<std::int64_t> labels, offsets{0};
  for (std::size_t row = 0; row < rows; ++row) labels.push_back(static_cast<std::int64_t>(row * row % vocabulary));
  for (std::size_t i = 1; i <= 2 * n; ++i) offsets.push_back(static_cast<std::int64_t>(i * tokens));
  double const beta = 0.5, eta = 0.3, alpha = 0.1;
  auto const sums_of = [&](numbers const& logits) {
    numbers log_prob(rows), sums(2 * n);
    token_logprobs(row_major<double const>{logits.data(), rows, vocabulary}, labels, {.log_prob = log_prob});
    sequence_log_probs(packed_tokens<double>{.log_prob = log_prob, .offsets = offsets}, {.log_prob = sums});
    return sums;
  };
  numbers beyond;
  for (std::size_t k = 0; k < policy.size(); ++k) beyond.push_back((1 + eta) * policy[k] - eta * reference[k]);
  numbers const own = sums_of(policy), ref = sums_of(reference), far = sums_of(beyond);
  numbers gap, label;
  double mean = 0;
  for (std::size_t i = 0; i < n; ++i) {
    gap.push_back(beta * ((far[i] - ref[i]) - (far[n + i] - ref[n + i])));
    mean += gap.back() / n;
  }
  for (double const g : gap) label.push_back(g > mean ? 1 : 1 - alpha);
  numbers d(2 * n);
  double const value = evaluate(labelled<dpo>{.base = {.beta = beta}},
                                pair_batch<double>{.chosen = {own.data(), n},
                                                   .rejected = {own.data() + n, n},
                                                   .ref_chosen = {ref.data(), n},
                                                   .ref_rejected = {ref.data() + n, n},
                                                   .label = label},
                                {.d_chosen = {d.data(), n}, .d_rejected = {d.data() + n, n}})
                           .loss;
  // Written out from the logits: who is above the mean is confident.
  auto const exact = [&](std::size_t sequence, real of_policy, real of_reference) {
    real sum = 0;
    for (std::size_t row = sequence * tokens; row < (sequence + 1) * tokens; ++row) {
      reals x;
      for (std::size_t j = 0; j < vocabulary; ++j) {
        x.push_back(of_policy * policy[row * vocabulary + j] + of_reference * reference[row * vocabulary + j]);
      }
      sum += x[static_cast<std::size_t>(labels[row])] - log_sum_exp(x);
    }
    return sum;
  };
  reals h;
  for (std::size_t i = 0; i < n; ++i) {
    real const step = static_cast<real>(eta);
    h.push_back(exact(i, 1 + step, -step) - exact(i, 0, 1) - (exact(n + i, 1 + step, -step) - exact(n + i, 0, 1)));
  }
  real const mean_h = mean_of(n, [&](std::size_t i) { return h[i]; });
  std::size_t confident = 0;
  for (real const x : h) confident += x > mean_h ? 1 : 0;
  REQUIRE(confident > 0);
  REQUIRE(confident < n);
  check_objective(
      [&](reals const& x) {
        return mean_of(n, [&](std::size_t i) {
          real const q = 1 - static_cast<real>(alpha) * (h[i] > mean_h ? 0 : 1);
          real const z = beta * ((x[i] - exact(i, 0, 1)) - (x[n + i] - exact(n + i, 0, 1)));
          return q * softplus(-z) + (1 - q) * softplus(z);
        });
      },
      own, value, d);
}

TEST_CASE("rationale-DPO: the reason is learnt beside the choice") {
  pairs_of_paper data;
  numbers const rationale = random_numbers(n, -20, -1, 5);
  numbers d_rationale(n);
  auto batch = data.batch();
  batch.rationale = rationale;
  auto outputs = data.outputs();
  outputs.d_rationale = d_rationale;
  double const value = evaluate(rationale_dpo{.beta = 0.1, .gamma = 0.3}, batch, outputs).loss;
  check_objective(
      [&](reals const& x) {
        return mean_of(n, [&](std::size_t i) {
          return softplus(-0.1L * data.h(x, i)) + softplus(-static_cast<real>(0.3) * x[2 * n + i]);
        });
      },
      joined(data.at(), rationale), value, joined(data.gradient(), d_rationale));
}

TEST_CASE("MORE: tasks' reward losses, weighted so that the head's gradient is the shortest") {
  constexpr std::size_t tasks = 3, width = 4, each = 5;
  numbers const head = random_numbers(width, -1, 1, 9);
  numbers losses, gradients;
  std::vector<numbers> winners, losers;
  for (unsigned task = 0; task < tasks; ++task) {
    winners.push_back(random_numbers(each * width, -1, 1, 10 + task));
    losers.push_back(random_numbers(each * width, -1, 1, 20 + task));
    numbers a(each), b(each), d_a(each), d_b(each), g(width);
    for (std::size_t i = 0; i < each; ++i) {
      for (std::size_t j = 0; j < width; ++j) {
        a[i] += head[j] * winners[task][i * width + j];
        b[i] += head[j] * losers[task][i * width + j];
      }
    }
    losses.push_back(
        evaluate(bradley_terry{}, pair_batch<double>{.chosen = a, .rejected = b}, {.d_chosen = d_a, .d_rejected = d_b})
            .loss);
    for (std::size_t i = 0; i < each; ++i) {
      for (std::size_t j = 0; j < width; ++j) {
        g[j] += d_a[i] * winners[task][i * width + j] + d_b[i] * losers[task][i * width + j];
      }
    }
    gradients = joined(gradients, g);
  }
  numbers gram(tasks * tasks);
  for (std::size_t i = 0; i < tasks; ++i) {
    for (std::size_t k = 0; k < tasks; ++k) {
      for (std::size_t j = 0; j < width; ++j) {
        gram[i * tasks + k] += gradients[i * width + j] * gradients[k * width + j];
      }
    }
  }
  auto const weights = min_norm_weights(row_major<double const>{gram.data(), tasks, tasks});
  numbers total(width);
  double value = 0;
  for (std::size_t k = 0; k < tasks; ++k) {
    value += weights[k] * losses[k];
    for (std::size_t j = 0; j < width; ++j) total[j] += weights[k] * gradients[k * width + j];
  }
  check_objective(
      [&](reals const& x) {
        real sum = 0;
        for (std::size_t k = 0; k < tasks; ++k) {
          sum += weights[k] * mean_of(each, [&](std::size_t i) {
                   real margin = 0;
                   for (std::size_t j = 0; j < width; ++j) {
                     margin += x[j] * (static_cast<real>(winners[k][i * width + j]) - losers[k][i * width + j]);
                   }
                   return softplus(-margin);
                 });
        }
        return sum;
      },
      head, value, total);
  // Along it no task becomes worse.
  double norm = 0;
  for (double const x : total) norm += x * x;
  for (std::size_t k = 0; k < tasks; ++k) {
    double along = 0;
    for (std::size_t j = 0; j < width; ++j) along += total[j] * gradients[k * width + j];
    CHECK(along >= norm - 1e-15);
  }
}

TEST_CASE("MaxMin-RLHF: users to heads, heads to their users' pairs, the policy to the head it pleases least") {
  constexpr std::size_t heads = 2;
  std::vector<int> const user{0, 1, 2, 0, 1, 2};
  std::array<numbers, heads> const winner{random_numbers(n, -2, 2, 1), random_numbers(n, -2, 2, 2)},
      loser{random_numbers(n, -2, 2, 3), random_numbers(n, -2, 2, 4)};
  hard_mixture mixture{3, heads};
  numbers loss(n);
  for (std::size_t k = 0; k < heads; ++k) {
    evaluate(bradley_terry{}, pair_batch<double>{.chosen = winner[k], .rejected = loser[k]}, {.loss = loss});
    mixture.accumulate(k, user, loss);
  }
  mixture.update();
  std::array<std::array<real, 3>, heads> likelihood{};
  for (std::size_t k = 0; k < heads; ++k) {
    for (std::size_t i = 0; i < n; ++i) {
      likelihood[k][static_cast<std::size_t>(user[i])] -= softplus(static_cast<real>(loser[k][i]) - winner[k][i]);
    }
  }
  std::size_t seen = 0;
  for (std::size_t u = 0; u < 3; ++u) CHECK(mixture.assigned()[u] == (likelihood[1][u] > likelihood[0][u] ? 1 : 0));
  for (std::size_t k = 0; k < heads; ++k) {
    numbers weight(n), d_a(n), d_b(n);
    std::size_t const count = mixture.fill(k, user, weight);
    seen += count;
    double const value =
        evaluate(bradley_terry{}, pair_batch<double>{.chosen = winner[k], .rejected = loser[k], .weight = weight},
                 {.d_chosen = d_a, .d_rejected = d_b})
            .loss;
    check_objective(
        [&](reals const& x) {
          real sum = 0;
          for (std::size_t i = 0; i < n; ++i) {
            auto const u = static_cast<std::size_t>(user[i]);
            if ((likelihood[1][u] > likelihood[0][u] ? 1U : 0U) == k) sum += softplus(x[n + i] - x[i]);
          }
          return count == 0 ? 0 : sum / static_cast<real>(count);
        },
        joined(winner[k], loser[k]), value, joined(d_a, d_b));
  }
  CHECK(seen == n);
  std::array<double, heads> means{};
  for (std::size_t k = 0; k < heads; ++k) {
    for (double const r : winner[k]) means[k] += r / n;
  }
  CHECK(head_of_lowest_reward(means) == (means[1] < means[0] ? 1 : 0));
}

TEST_CASE("VPL: rewards that depend on a user's latent, which is drawn near the standard normal distribution") {
  constexpr std::size_t dimension = 3;
  numbers const mean = random_numbers(n * dimension, -1, 1, 1),
                log_variance = random_numbers(n * dimension, -0.9, 0.9, 2);
  numbers const noise = random_numbers(n * dimension, -2, 2, 3);
  numbers const v = random_numbers(n * dimension, -1, 1, 4), w = random_numbers(n * dimension, -1, 1, 5);
  // reward(completion, z) = completion . z
  numbers a(n), b(n), d_a(n), d_b(n), kl(n), z;
  for (std::size_t k = 0; k < mean.size(); ++k) z.push_back(mean[k] + std::exp(log_variance[k] / 2) * noise[k]);
  for (std::size_t k = 0; k < z.size(); ++k) {
    a[k / dimension] += v[k] * z[k];
    b[k / dimension] += w[k] * z[k];
  }
  double value =
      evaluate(bradley_terry{}, pair_batch<double>{.chosen = a, .rejected = b}, {.d_chosen = d_a, .d_rejected = d_b})
          .loss;
  gaussian_rows<double> const rows{
      .mean = {mean.data(), n, dimension}, .log_variance = {log_variance.data(), n, dimension}, .limit = 1};
  gaussian_kl(rows, kl);
  for (double const x : kl) value += 0.01 * x / n;
  numbers d_mean(mean.size()), d_variance(mean.size());
  for (std::size_t k = 0; k < z.size(); ++k) {
    double const by_z = d_a[k / dimension] * v[k] + d_b[k / dimension] * w[k];
    d_mean[k] = by_z;
    d_variance[k] = by_z * 0.5 * (z[k] - mean[k]);
  }
  numbers const each(n, 0.01 / n);
  gaussian_kl_gradients(rows, each,
                        {.d_mean = {d_mean.data(), n, dimension}, .d_log_variance = {d_variance.data(), n, dimension}},
                        gradient_write::accumulate);
  check_objective(
      [&](reals const& x) {
        return mean_of(n, [&](std::size_t i) {
          real margin = 0, divergence = 0;
          for (std::size_t k = i * dimension; k < (i + 1) * dimension; ++k) {
            real const m = x[k], s = x[n * dimension + k];
            margin += (static_cast<real>(v[k]) - w[k]) * (m + std::exp(s / 2) * noise[k]);
            divergence += (m * m + std::exp(s) - 1 - s) / 2;
          }
          return softplus(-margin) + 0.01L * divergence;
        });
      },
      joined(mean, log_variance), value, joined(d_mean, d_variance));
}

TEST_CASE("NBPO: labels that are wrong at known rates, of pairs and of single completions") {
  numbers const a = random_numbers(n, -2, 2, 1), b = random_numbers(n, -2, 2, 2), label{1, 0, 1, 1, 0, 0};
  numbers d_a(n), d_b(n);
  auto const of = [&](real z, std::size_t i) {
    real const p = logistic_of(z);
    return label[i] == 1 ? -std::log((1 - real(0.1)) * p + real(0.2) * (1 - p))
                         : -std::log(real(0.1) * p + (1 - real(0.2)) * (1 - p));
  };
  double value =
      evaluate(noise_mixture{.rho0 = 0.2, .rho1 = 0.1}, pair_batch<double>{.chosen = a, .rejected = b, .label = label},
               {.d_chosen = d_a, .d_rejected = d_b})
          .loss;
  check_objective([&](reals const& x) { return mean_of(n, [&](std::size_t i) { return of(x[i] - x[n + i], i); }); },
                  joined(a, b), value, joined(d_a, d_b));
  value =
      evaluate(nbpo{.rho0 = 0.2, .rho1 = 0.1}, unpaired_batch<double>{.logp = a, .label = label}, {.d_logp = d_a}).loss;
  check_objective([&](reals const& x) { return mean_of(n, [&](std::size_t i) { return of(x[i], i); }); }, a, value,
                  d_a);
}

TEST_CASE("SPO: a preference loss, and a classifier of degrees beside it") {
  pairs_of_paper data;
  constexpr std::size_t degrees = 4;
  numbers const u = random_numbers(n * degrees, -1, 1, 5);
  std::array<std::size_t, n> const degree{0, 3, 1, 1, 2, 0};
  numbers one_hot(u.size(), 0.0), d_u(u.size());
  std::vector<std::int64_t> offsets{0};
  for (std::size_t i = 0; i < n; ++i) {
    one_hot[i * degrees + degree[i]] = 1;
    offsets.push_back(static_cast<std::int64_t>((i + 1) * degrees));
  }
  double const weight = 0.25;
  double value = evaluate(dpo{}, data.batch(), data.outputs()).loss;
  value +=
      weight *
      evaluate(list_net{}, list_batch<double>{.logp = u, .target = one_hot, .offsets = offsets}, {.d_logp = d_u}).loss;
  for (double& d : d_u) d *= weight;
  check_objective(
      [&](reals const& x) {
        return mean_of(n, [&](std::size_t i) {
          auto const begin = x.begin() + static_cast<std::ptrdiff_t>(2 * n + i * degrees);
          reals const own(begin, begin + degrees);
          return softplus(-real(0.1) * data.h(x, i)) + 0.25L * (log_sum_exp(own) - own[degree[i]]);
        });
      },
      joined(data.at(), u), value, joined(data.gradient(), d_u));
}

TEST_CASE("CycleAlign: the agreed ranking by rrhf, or by plackett_luce with the likelihood of the best") {
  numbers const logp = random_numbers(n, -40, -20, 1), length{12, 30, 7, 19, 3, 25};
  // Two prompts; the agreed ranking's places, the best first.
  numbers const agreed{2, 3, 1, 1, 3, 2};
  std::vector<std::int64_t> const offsets{0, 3, 6};
  numbers d(n);
  double value =
      evaluate(rrhf{.sft = 1}, list_batch<double>{.logp = logp, .length = length, .reward = agreed, .offsets = offsets},
               {.d_logp = d})
          .loss;
  check_objective(
      [&](reals const& x) {
        real sum = 0;
        for (std::size_t i = 0; i < n; ++i) {
          if (agreed[i] == 3) sum -= x[i];
          for (std::size_t j = i / 3 * 3; j < i / 3 * 3 + 3; ++j) {
            if (agreed[i] > agreed[j]) sum += std::max(real(0), x[j] / length[j] - x[i] / length[i]);
          }
        }
        return sum / 2;
      },
      logp, value, d);

  value = evaluate(plackett_luce{.beta = 0.1}, list_batch<double>{.logp = logp, .reward = agreed, .offsets = offsets},
                   {.d_logp = d})
              .loss;
  // The likelihood's share: of the best of each group alone.
  numbers target(n), d_best(n);
  for (std::size_t i = 0; i < n; ++i) target[i] = agreed[i] == 3 ? 0 : -std::numeric_limits<double>::infinity();
  value += evaluate(weighted_nll{}, unpaired_batch<double>{.logp = logp, .target = target}, {.d_logp = d_best},
                    {.denominator = 2.0})
               .loss;
  for (std::size_t i = 0; i < n; ++i) d[i] += d_best[i];
  check_objective(
      [&](reals const& x) {
        real sum = 0;
        for (std::size_t i = 0; i < n; ++i) {
          if (agreed[i] == 3) sum -= x[i];
          reals stage;
          for (std::size_t j = i / 3 * 3; j < i / 3 * 3 + 3; ++j) {
            if (agreed[j] <= agreed[i]) stage.push_back(real(0.1) * x[j]);
          }
          sum += log_sum_exp(stage) - real(0.1) * x[i];
        }
        return sum / 2;
      },
      logp, value, d);
}

TEST_CASE("SAMI: principles and responses tell each other apart") {
  constexpr std::size_t size = 3;
  numbers const s = random_numbers(2 * size * size, -3, 3, 1);
  std::vector<std::int64_t> const offsets{0, 9, 18};
  numbers d(s.size());
  double const value = evaluate(sami{}, list_batch<double>{.logp = s, .offsets = offsets}, {.d_logp = d}).loss;
  check_objective(
      [&](reals const& x) {
        return mean_of(2, [&](std::size_t group) {
          return mean_of(size, [&](std::size_t i) {
            reals row, below;
            for (std::size_t j = 0; j < size; ++j) {
              row.push_back(x[9 * group + size * i + j]);
              below.push_back(x[9 * group + size * j + i]);
            }
            return (log_sum_exp(row) + log_sum_exp(below)) / 2 - x[9 * group + size * i + i];
          });
        });
      },
      s, value, d);
}

TEST_CASE("TR-DPO: every K steps the reference moves by alpha towards the policy, or becomes it") {
  double const alpha = 0.6;
  std::size_t const every = 4;
  weights_of_policy policy{{1, -2, 0.5}};
  moving_reference soft{policy, follow_average{.decay = 1 - alpha}};
  moving_reference hard{policy, copy_every{every}};
  std::array<real, 3> expected{1, -2, 0.5L}, last = expected;
  for (std::size_t step = 1; step <= 3 * every + 1; ++step) {
    for (std::size_t i = 0; i < 3; ++i) policy.weights[i] += 0.1 * static_cast<double>(step + i);
    if (step % every == 0) soft.update(policy);
    hard.update(policy);
    if (step % every != 0) continue;
    for (std::size_t i = 0; i < 3; ++i) {
      expected[i] = static_cast<real>(alpha) * policy.weights[i] + (1 - static_cast<real>(alpha)) * expected[i];
      last[i] = policy.weights[i];
    }
  }
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(std::fabs(soft.policy().weights[i] - expected[i]) < 1e-14L);
    CHECK(hard.policy().weights[i] == last[i]);
  }
}

TEST_CASE("RankDPO: ordered pairs weighted by the gain that an exchange would cost") {
  numbers const logp = random_numbers(n, -40, -20, 1), ref = random_numbers(n, -40, -20, 2);
  numbers const reward{0.2, 1, 0.5, 0.1, -0.3, 0.7};
  std::vector<std::int64_t> const offsets{0, 4, 6};
  numbers d(n);
  double const value =
      evaluate(rank_dpo{.beta = 0.2},
               list_batch<double>{.logp = logp, .ref_logp = ref, .reward = reward, .offsets = offsets}, {.d_logp = d})
          .loss;
  auto const place = [&](std::size_t i) {
    std::size_t const begin = i < 4 ? 0 : 4, end = i < 4 ? 4 : 6;
    real number = 1;
    for (std::size_t j = begin; j < end; ++j) number += reward[j] > reward[i] ? 1 : 0;
    return number;
  };
  check_objective(
      [&](reals const& x) {
        real sum = 0;
        for (std::size_t i = 0; i < n; ++i) {
          for (std::size_t j = 0; j < n; ++j) {
            if ((i < 4) != (j < 4) || !(reward[i] > reward[j])) continue;
            real const gain = std::exp2(static_cast<real>(reward[i])) - std::exp2(static_cast<real>(reward[j]));
            real const discount = 1 / std::log(1 + place(i)) - 1 / std::log(1 + place(j));
            sum += gain * discount * softplus(-real(0.2) * ((x[i] - ref[i]) - (x[j] - ref[j])));
          }
        }
        return sum / 2;
      },
      logp, value, d);
}
