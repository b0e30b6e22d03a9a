// Objectives that papers and trainers have beside the losses by name, made of what the library has: their values and
// their gradients against the formulas.
#include <array>
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <prefopt/prefopt.hpp>
#include <prefopt/vectors/distance.hpp>
#include <prefopt/vectors/skew.hpp>
#include <vector>

#include "objective.hpp"

namespace further_papers {
namespace {

using namespace prefopt;

constexpr std::size_t n = 6;

/// Single completions under policy and reference.
struct completions_of_paper {
  numbers logp = random_numbers(n, -40, -20, 31), ref_logp = random_numbers(n, -40, -20, 32), d = numbers(n);
  [[nodiscard]] unpaired_batch<double> batch() const { return {.logp = logp, .ref_logp = ref_logp}; }
  [[nodiscard]] real ratio(reals const& x, std::size_t i) const { return x[i] - ref_logp[i]; }
};

/// Pairs of them.
struct pairs_of_trainer {
  numbers chosen = random_numbers(n, -40, -20, 33), rejected = random_numbers(n, -40, -20, 34),
          ref_chosen = random_numbers(n, -40, -20, 35), ref_rejected = random_numbers(n, -40, -20, 36),
          chosen_length{12, 30, 7, 19, 3, 25}, rejected_length{9, 4, 17, 21, 8, 2}, d_chosen = numbers(n),
          d_rejected = numbers(n);
  [[nodiscard]] pair_batch<double> batch() const {
    return {.chosen = chosen, .rejected = rejected, .ref_chosen = ref_chosen, .ref_rejected = ref_rejected};
  }
  [[nodiscard]] pair_outputs<double> outputs() { return {.d_chosen = d_chosen, .d_rejected = d_rejected}; }
  [[nodiscard]] numbers at() const { return joined(chosen, rejected); }
  [[nodiscard]] numbers gradient() const { return joined(d_chosen, d_rejected); }
  [[nodiscard]] real a(reals const& x, std::size_t i) const { return x[i] - ref_chosen[i]; }
  [[nodiscard]] real b(reals const& x, std::size_t i) const { return x[n + i] - ref_rejected[i]; }
};

template <class F>
real mean_of_all(std::size_t count, F const& f) {
  real sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += f(i);
  return sum / static_cast<real>(count);
}

}  // namespace

TEST_CASE("A2PO: the log-ratio's regression on the advantage over the reference's soft value") {
  completions_of_paper data;
  // Rewards of three answers of the reference to each of two prompts; three samples of the policy to each.
  numbers const of_reference = random_numbers(n, -1, 1, 37), reward = random_numbers(n, -1, 1, 38);
  double const temperature = 0.5, beta = 0.02;
  auto const value_of = [&](auto exact, std::size_t prompt) {
    decltype(exact) sum = 0;
    for (std::size_t k = 3 * prompt; k < 3 * prompt + 3; ++k) {
      sum += std::exp(static_cast<decltype(exact)>(of_reference[k]) / temperature);
    }
    return temperature * std::log(sum / 3);
  };
  numbers target;
  for (std::size_t i = 0; i < n; ++i) target.push_back(reward[i] - value_of(1.0, i / 3));
  auto batch = data.batch();
  batch.target = target;
  double const value = evaluate(score_regression{.beta = beta}, batch, {.d_logp = data.d}).loss;
  check_objective(
      [&](reals const& x) {
        return mean_of_all(n, [&](std::size_t i) {
          return square(static_cast<real>(beta) * data.ratio(x, i) - (reward[i] - value_of(real(1), i / 3)));
        });
      },
      data.logp, value, data.d);
}

TEST_CASE("Nash-MD: the gradient of a sampled token is that of dro, with the win probability for a target") {
  // Tokens of two sequences, of which the judge prefers the first in 0.8 of all cases.
  completions_of_paper tokens;
  numbers const won{0.8, 0.8, 0.8, 0.3, 0.3, 0.3};
  double const beta = 0.1;
  numbers target;
  for (double const p : won) target.push_back(p - 0.5);
  auto batch = tokens.batch();
  batch.target = target;
  evaluate(dro{.beta = beta}, batch, {.d_logp = tokens.d}, {.reduction = reduction::sum});
  for (std::size_t i = 0; i < n; ++i) {
    real const slope =
        static_cast<real>(beta) * (static_cast<real>(tokens.logp[i]) - tokens.ref_logp[i]) - (won[i] - 0.5L);
    CHECK(std::fabs(tokens.d[i] - slope) <= 1e-15L);
  }
}

TEST_CASE("BLEUBERI: GRPO's first step on samples, rewarded by BLEU and standardised within the prompt") {
  completions_of_paper data;
  numbers const bleu = random_numbers(n, 0, 1, 39), length{12, 30, 7, 19, 3, 25};
  double tokens = 0;
  for (double const count : length) tokens += count;
  numbers advantage;
  for (std::size_t group = 0; group < n; group += 3) {
    double mean = 0, squares = 0;
    for (std::size_t i = group; i < group + 3; ++i) mean += bleu[i] / 3;
    for (std::size_t i = group; i < group + 3; ++i) squares += (bleu[i] - mean) * (bleu[i] - mean);
    for (std::size_t i = group; i < group + 3; ++i) {
      advantage.push_back((bleu[i] - mean) / (std::sqrt(squares / 2) + 1e-4));
    }
  }
  auto batch = data.batch();
  batch.target = advantage;
  // Without beta the reference is not looked at: the samples' own policy will do.
  batch.ref_logp = data.logp;
  evaluate(dro{.beta = 0}, batch, {.d_logp = data.d}, {.denominator = tokens});
  // -min(rho A, clip(rho) A) a token, over the tokens of the batch; rho is 1, and moves with each token by itself.
  for (std::size_t i = 0; i < n; ++i) {
    auto const surrogate = [&](real moved) {
      real const rho = std::exp(moved), clipped = std::fmin(std::fmax(rho, real(0.8)), real(1.2));
      return -std::fmin(rho * advantage[i], clipped * advantage[i]) / static_cast<real>(tokens);
    };
    real const step = 1e-7L;
    CHECK(std::fabs(data.d[i] - (surrogate(step) - surrogate(-step)) / (2 * step)) <= 1e-10L);
  }
}

TEST_CASE("INPO: half of SPPO's squares, with soft labels against the current policy") {
  pairs_of_trainer data;
  numbers const won = random_numbers(n, 0, 1, 40);
  auto batch = data.batch();
  batch.label = won;
  double const beta = 0.02;
  auto const half = mixture<pair_family>({{0.5, sppo{.beta = beta}}});
  double const value = evaluate(half, batch, data.outputs()).loss;
  check_objective(
      [&](reals const& x) {
        return mean_of_all(n, [&](std::size_t i) {
          real const target = (static_cast<real>(won[i]) - 0.5L) / static_cast<real>(beta);
          return (square(data.a(x, i) - target) + square(data.b(x, i) + target)) / 2;
        });
      },
      data.at(), value, data.gradient());
}

TEST_CASE("LLaMA-Factory's mixture: weights that add up to 1, and the likelihood beside them") {
  pairs_of_trainer data;
  auto batch = data.batch();
  batch.chosen_length = data.chosen_length;
  batch.rejected_length = data.rejected_length;
  double const share = 0.5, of_likelihood = 0.25, delta = 0.75;
  auto const mixed = mixture<pair_family>(
      {{1 / (1 + share), dpo{}}, {share / (1 + share), bco_pair{.delta = delta}}, {of_likelihood, sft{.mode = 1}}});
  double const value = evaluate(mixed, batch, data.outputs()).loss;
  check_objective(
      [&](reals const& x) {
        return mean_of_all(n, [&](std::size_t i) {
          real const a = real(0.1) * data.a(x, i), b = real(0.1) * data.b(x, i);
          real const pair = softplus(b - a), quality = softplus(real(delta) - a) + softplus(b - real(delta));
          return (pair + real(share) * quality) / (1 + real(share)) -
                 real(of_likelihood) * x[i] / data.chosen_length[i];
        });
      },
      data.at(), value, data.gradient());
}

TEST_CASE("KTO of pairs: each kind is judged by the mean of the other kind") {
  pairs_of_trainer data;
  numbers const ones(n, 1.0), zeros(n, 0.0);
  double kl_of_chosen = 0, kl_of_rejected = 0;
  for (std::size_t i = 0; i < n; ++i) {
    kl_of_chosen += (data.chosen[i] - data.ref_chosen[i]) / n;
    kl_of_rejected += (data.rejected[i] - data.ref_rejected[i]) / n;
  }
  auto const of = [&](numbers const& logp, numbers const& ref_logp, numbers const& label, double kl, numbers& d) {
    return evaluate(kto{.kl = std::fmax(kl, 0)},
                    unpaired_batch<double>{.logp = logp, .ref_logp = ref_logp, .label = label}, {.d_logp = d})
        .loss;
  };
  double const value = of(data.chosen, data.ref_chosen, ones, kl_of_rejected, data.d_chosen) +
                       of(data.rejected, data.ref_rejected, zeros, kl_of_chosen, data.d_rejected);
  check_objective(
      [&](reals const& x) {
        return mean_of_all(n, [&](std::size_t i) {
          return 1 - logistic_of(real(0.1) * (data.a(x, i) - std::fmax(kl_of_rejected, 0))) + 1 -
                 logistic_of(real(0.1) * (std::fmax(kl_of_chosen, 0) - data.b(x, i)));
        });
      },
      data.at(), value, data.gradient());
}

TEST_CASE("InternLM2's reward model: a focal ranking, and rewards that are kept within bounds and near 0") {
  numbers const a = random_numbers(n, -4, 4, 41), b = random_numbers(n, -4, 4, 42), zero(2 * n, 0.0);
  numbers d_a(n), d_b(n), d_bound(2 * n), d_size(2 * n);
  numbers const both = joined(a, b);
  double value =
      evaluate(focal_bt{}, pair_batch<double>{.chosen = a, .rejected = b}, {.d_chosen = d_a, .d_rejected = d_b}).loss;
  options const of_pairs{.denominator = static_cast<double>(n)};
  value += 0.01 * evaluate(log_barrier{}, unpaired_batch<double>{.logp = both}, {.d_logp = d_bound}, of_pairs).loss;
  value += 0.01 * evaluate(score_regression{}, unpaired_batch<double>{.logp = both, .ref_logp = zero, .target = zero},
                           {.d_logp = d_size}, of_pairs)
                      .loss;
  numbers gradient = joined(d_a, d_b);
  for (std::size_t i = 0; i < 2 * n; ++i) gradient[i] += 0.01 * (d_bound[i] + d_size[i]);
  check_objective(
      [&](reals const& x) {
        auto const beside = [](real r) { return -std::log(5 - r) - std::log(r + 5) + r * r; };
        return mean_of_all(n, [&](std::size_t i) {
          real const d = x[i] - x[n + i], bracket = 1 - 2 * std::fmax(logistic_of(d) - 0.5L, 0);
          return square(bracket) * softplus(-d) + 0.01L * (beside(x[i]) + beside(x[n + i]));
        });
      },
      both, value, gradient);
}

TEST_CASE("GPM by regression: the score is brought to a distance, or to that which a margin asks for") {
  constexpr std::size_t dimension = 4;
  numbers const v = random_numbers(n * dimension, -1, 1, 43), w = random_numbers(n * dimension, -1, 1, 44),
                wish = random_numbers(n, 0, 2, 45), zero(n, 0.0), half(n, 0.5);
  double const tau = 0.1;
  numbers fixed(n, 10.0), by_margin;
  for (double const m : wish) by_margin.push_back(5 / (1 + std::exp(-m)));
  for (bool const is_fixed : {true, false}) {
    numbers margin(n), d(n), d_v(v.size()), d_w(w.size());
    skew_pairs<double> const pairs{.chosen = {v.data(), n, dimension}, .rejected = {w.data(), n, dimension}};
    skew_margins(pairs, margin);
    double const value =
        evaluate(score_regression{.beta = 1 / tau},
                 unpaired_batch<double>{
                     .logp = margin, .ref_logp = zero, .target = is_fixed ? fixed : by_margin, .weight = half},
                 {.d_logp = d}, {.denominator = static_cast<double>(n)})
            .loss;
    skew_gradients(pairs, d, {.d_chosen = {d_v.data(), n, dimension}, .d_rejected = {d_w.data(), n, dimension}});
    check_objective(
        [&](reals const& x) {
          return mean_of_all(n, [&](std::size_t i) {
            real s = 0;
            for (std::size_t k = i * dimension; k < (i + 1) * dimension; k += 2) {
              s += x[k] * x[n * dimension + k + 1] - x[k + 1] * x[n * dimension + k];
            }
            real const target = is_fixed ? 10 : 5 * logistic_of(wish[i]);
            return square(s / real(tau) - target) / 2;
          });
        },
        joined(v, w), value, joined(d_v, d_w));
  }
}

TEST_CASE("PAL by its smooth hinge: distances to the user's ideal point, pairs of one user sharing a weight") {
  constexpr std::size_t dimension = 3;
  numbers const v = random_numbers(n * dimension, -1, 1, 46), w = random_numbers(n * dimension, -1, 1, 51),
                ideal = random_numbers(n * dimension, -1, 1, 48), zero(n, 0.0);
  // Users with 1, 2 and 3 pairs.
  numbers const weight{1, 0.5, 0.5, 1. / 3, 1. / 3, 1. / 3};
  double const scale = 4;
  numbers margin(n), d(n), d_v(v.size()), d_w(v.size()), d_ideal(v.size());
  distance_pairs<double> const pairs{.chosen = {v.data(), n, dimension},
                                     .rejected = {w.data(), n, dimension},
                                     .user = {ideal.data(), n, dimension},
                                     .scale = scale};
  distance_margins(pairs, margin);
  double const value =
      evaluate(smooth_hinge{.delta = 1, .gamma = 2},
               pair_batch<double>{.chosen = margin, .rejected = zero, .weight = weight}, {.d_chosen = d})
          .loss;
  distance_gradients(pairs, d,
                     {.d_chosen = {d_v.data(), n, dimension},
                      .d_rejected = {d_w.data(), n, dimension},
                      .d_user = {d_ideal.data(), n, dimension}});
  std::array<std::size_t, 3> seen{};
  check_objective(
      [&](reals const& x) {
        real sum = 0;
        for (std::size_t i = 0; i < n; ++i) {
          real near = 0, far = 0;
          for (std::size_t k = i * dimension; k < (i + 1) * dimension; ++k) {
            real const u = x[2 * n * dimension + k];
            near += square(x[k] - u);
            far += square(x[n * dimension + k] - u);
          }
          real const z = real(scale) * (std::sqrt(far) - std::sqrt(near));
          ++seen[z >= 1 ? 0 : z >= -1 ? 1 : 2];
          sum += weight[i] * (z >= 1 ? 0 : z >= -1 ? square(1 - z) / 4 : 1 - z - 1);
        }
        return sum / 3;
      },
      joined(v, w, ideal), value, joined(d_v, d_w, d_ideal));
  for (std::size_t const of_piece : seen) CHECK(of_piece != 0);
}

}  // namespace further_papers
