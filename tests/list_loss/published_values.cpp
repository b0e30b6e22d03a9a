#include <algorithm>
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <vector>

#include "oracle/list_results.hpp"

// Values of the list losses, worked out with other programs or by hand: the suite's own, where golden/ is absent.

namespace {

using oracle::named_loss;

struct group_columns {
  std::vector<double> logp, ref_logp{}, length{}, reward{}, target{};
};

struct numbers {
  double loss;
  std::vector<double> d_logp;
};

numbers of_one(named_loss const& loss, group_columns const& columns) {
  auto const value = [](std::vector<double> const& column, std::size_t i) { return column.empty() ? 0 : column[i]; };
  oracle::candidate_list group;
  for (std::size_t i = 0; i < columns.logp.size(); ++i) {
    group.push_back({.logp = columns.logp[i],
                     .reference = value(columns.ref_logp, i),
                     .length = value(columns.length, i),
                     .reward = value(columns.reward, i),
                     .target = value(columns.target, i)});
  }
  auto const r = oracle::list_results_of<double>(loss, {group},
                                                 {.reference = !columns.ref_logp.empty(),
                                                  .length = !columns.length.empty(),
                                                  .reward = !columns.reward.empty(),
                                                  .target = !columns.target.empty()});
  return {r.loss[0], r.d_logp[0]};
}

void check_close(double got, double right) {
  CAPTURE(got, right);
  CHECK(std::fabs(got - right) <= 4e-15 * std::max(1.0, std::fabs(right)));
}

void check(named_loss const& loss, group_columns const& columns, double value, std::vector<double> const& d_logp = {}) {
  CAPTURE(oracle::describe(loss));
  auto const got = of_one(loss, columns);
  check_close(got.loss, value);
  for (std::size_t i = 0; i < d_logp.size(); ++i) check_close(got.d_logp[i], d_logp[i]);
}

double const e = std::exp(1.0);

}  // namespace

TEST_CASE("Plackett-Luce has its known values") {
  std::vector<double> const s{0, -.4, -1.2};
  double const value = 1.0499025722875248;
  check({"plackett_luce"}, {.logp = s}, value);
  check({"plackett_luce"}, {.logp = s, .reward = {3, 2, 1}}, value);
  check({"list_mle"}, {.logp = s}, value);
  check({"plackett_luce", {{"mean", 1}}}, {.logp = s}, value / 2);
  check({"plackett_luce", {{"beta", 2}}}, {.logp = {0, -.2, -.6}}, value);
  check({"plackett_luce"}, {.logp = {5, -3.4, 2}, .ref_logp = {5, -3, 3.2}}, value);
  check({"plackett_luce"}, {.logp = {0, -1.2, -6}, .length = {7, 3, 5}}, value);
  check({"pro", {{"temperatures", 0}, {"sft", 0}}}, {.logp = s, .length = {1, 1, 1}}, value);
  double const reversed = 2.7918171587396996;
  check({"plackett_luce"}, {.logp = {-1.2, -.4, 0}}, reversed);
  check({"plackett_luce"}, {.logp = s, .reward = {1, 2, 3}}, reversed);
}

TEST_CASE("Plackett-Luce of equal scores, by hand") {
  // Stages of 4, 3 and 2 equal candidates.
  std::vector<double> const s{-3, -3, -3, -3};
  double const all = std::log(24.);
  check({"plackett_luce"}, {.logp = s}, all,
        {-3. / 4, 1. / 4 - 2. / 3, 1. / 4 + 1. / 3 - 1. / 2, 1. / 4 + 1. / 3 + 1. / 2});
  check({"plackett_luce", {{"beta", 2}, {"top_k", 2}}}, {.logp = s}, std::log(12.),
        {-3. / 2, 1. / 2 - 4. / 3, 1. / 2 + 2. / 3, 1. / 2 + 2. / 3});
  check({"plackett_luce", {{"top_k", 2}, {"mean", 1}}}, {.logp = s}, std::log(12.) / 2,
        {-3. / 8, 1. / 8 - 1. / 3, 1. / 8 + 1. / 6, 1. / 8 + 1. / 6});
  check({"info_nce", {{"tau", 0.5}}}, {.logp = s}, std::log(4.), {-3. / 2, 1. / 2, 1. / 2, 1. / 2});
  check({"info_nce"}, {.logp = s, .reward = {0, 1, 5, 1}}, std::log(4.), {1. / 4, 1. / 4, -3. / 4, 1. / 4});
  // Of equals there is nothing to smooth in the value.
  check({"plackett_luce", {{"smoothing", 0.5}}}, {.logp = s}, all,
        {-3. / 8, 1. / 8 - 1. / 3, 1. / 8 + 1. / 6 - 1. / 4, 1. / 8 + 1. / 6 + 1. / 4});
  // (1 - 0.25) (lse - u_1) + 0.25 (lse - mean) with u = (0, log 3).
  check({"plackett_luce", {{"smoothing", 0.25}}}, {.logp = {0, std::log(3.)}}, std::log(4.) - 0.25 * std::log(3.) / 2,
        {1. / 4 - 0.875, 3. / 4 - 0.125});
}

TEST_CASE("PRO has its known values") {
  // s = log-prob per token; rewards in and out of order; the likelihood is the token sum's, (K - 1)^2 times.
  double const value = 0.95751107142566705;
  std::vector<double> const slopes{-0.91697243763684688, -0.2575095602644234, 0.44991561823249593};
  check({"pro", {{"sft", 0}}}, {.logp = {0, -.4, -1.2}, .length = {1, 1, 1}, .reward = {2, 1.8, .2}}, value, slopes);
  check({"pro", {{"sft", 0}}}, {.logp = {-6, 0, -.8}, .length = {5, 3, 2}, .reward = {.2, 2, 1.8}}, value,
        {slopes[2] / 5, slopes[0] / 3, slopes[1] / 2});
  check({"pro"}, {.logp = {-1, -1.4, -2.2}, .length = {1, 1, 1}, .reward = {2, 2, 2}},
        std::log(3.) + std::log(2.) + 0.2, {-0.2, 0, 0});
  // Two candidates a gap of 2 apart: Bradley-Terry on 2 (s_1 - s_2), and 0.05 of the likelihood.
  double const p = 1 / (1 + std::exp(-2.));
  check({"pro"}, {.logp = {-2, -4}, .length = {2, 2}, .reward = {3, 1}}, -std::log(p) + 0.1, {-(1 - p) - 0.05, 1 - p});
  check({"pro", {{"sft", 2}}}, {.logp = {-7}, .length = {2}, .reward = {3}}, 0, {0});
  // The authors' code: log(1e-10 + sum e^z).
  check({"pro", {{"sft", 0}, {"eps_compat", 1}}}, {.logp = {-100, -110}, .length = {1, 1}, .reward = {1, 0}},
        std::log(1e-10) + 100, {-1, 0});
  check({"pro", {{"temperatures", 0}, {"sft", 0}, {"eps_compat", 1}}}, {.logp = {-100, -110}, .length = {1, 1}},
        std::log(1e-10) + 100, {-1, 0});
}

TEST_CASE("ADPO has its known values") {
  std::vector<double> const logp{-3, -4.5, -2, -6}, ref{-3.5, -4, -2.5, -5}, reward{1, .2, -.5, 0};
  std::vector<double> const q{0.72097072499742854, 0.14556147895306307, 0.035895018776675405, 0.097572777272832992};
  std::vector<double> const slopes{-0.38888887899536001, -0.035168414084666193, 0.46745575378058135,
                                   -0.043398460700555218};
  double const cross_entropy = 1.256841369839969, divergence = 0.3939556467855736;
  named_loss const loss{"adpo", {{"tau", .8}, {"beta_reward", .5}}};
  named_loss const as_divergence{"adpo", {{"tau", .8}, {"beta_reward", .5}, {"kl", 1}}};
  check(loss, {.logp = logp, .ref_logp = ref, .reward = reward}, cross_entropy, slopes);
  check(loss, {.logp = logp, .ref_logp = ref, .target = q}, cross_entropy, slopes);
  check(as_divergence, {.logp = logp, .ref_logp = ref, .reward = reward}, divergence, slopes);
  check(as_divergence, {.logp = logp, .ref_logp = ref, .target = q}, divergence, slopes);
  // ListNet: tau is 1.
  std::vector<double> u;
  for (std::size_t i = 0; i < 4; ++i) u.push_back((logp[i] - ref[i]) / .8);
  std::vector<double> raw;
  for (double const x : slopes) raw.push_back(.8 * x);
  check({"list_net", {{"beta_reward", .5}}}, {.logp = u, .reward = reward}, cross_entropy, raw);
}

TEST_CASE("ADPO's options, by hand") {
  // Rewards 1 and 3: mean 2, deviation with K - 1 is sqrt 2; z-scores +-1 / sqrt 2.
  double const q = 1 / (1 + std::exp(2 * std::sqrt(2.) / (1 + 1e-8 / std::sqrt(2.)))),
               entropy = -q * std::log(q) - (1 - q) * std::log(1 - q);
  group_columns const pair{.logp = {-1, -1}, .reward = {1, 3}};
  check({"adpo", {{"tau", 1}, {"beta_reward", .5}, {"standardize", 1}}}, pair, std::log(2.), {.5 - q, q - .5});
  check({"adpo", {{"tau", 1}, {"beta_reward", .5}, {"standardize", 1}, {"kl", 1}}}, pair, std::log(2.) - entropy,
        {.5 - q, q - .5});
  // A target of certain probability 1 leaves tau; a uniform one takes all of it that adapt gives.
  group_columns const certain{.logp = {-1, -2}, .target = {1, 0}}, open{.logp = {-1, -2}, .target = {.5, .5}};
  double const at_2 = std::log1p(std::exp(-.5)), miss_2 = std::exp(-.5) / (1 + std::exp(-.5));
  check({"adpo", {{"tau", 2}, {"adapt", .75}}}, certain, at_2, {-miss_2 / 2, miss_2 / 2});
  double const at_half = std::log1p(std::exp(-2.)), miss_half = std::exp(-2.) / (1 + std::exp(-2.));
  check({"adpo", {{"tau", 2}, {"adapt", .75}}}, open, at_half + 1, {2 * (.5 - miss_half), -2 * (.5 - miss_half)});
  check({"adpo", {{"tau", 2}, {"adapt", 1}, {"tau_min", .5}}}, open, at_half + 1,
        {2 * (.5 - miss_half), -2 * (.5 - miss_half)});
  // A target of mass 3.
  check({"adpo", {{"tau", 1}}}, {.logp = {-5, -5}, .target = {2, 1}}, 3 * std::log(2.), {-.5, .5});
  check({"adpo"}, {.logp = {-5}, .reward = {2}}, 0, {0});
}

TEST_CASE("ADPO in Plackett-Luce form is the smoothed mean over three stages") {
  std::vector<double> const logp{-1, -1.5, -3, -2.5, -4}, reward{5, 4, 3, 2, 1};
  auto const right = of_one({"plackett_luce", {{"beta", 1 / .8}, {"top_k", 3}, {"smoothing", .1}, {"mean", 1}}},
                            {.logp = logp, .reward = reward});
  check({"adpo_ranked"}, {.logp = logp, .reward = reward}, right.loss, right.d_logp);
  // (1 - e)(lse_k - u_k) + e (lse_k - mean of u_k..u_K), written out.
  double sum = 0;
  for (std::size_t k = 0; k < 3; ++k) {
    double total = 0, mean = 0;
    for (std::size_t i = k; i < 5; ++i) {
      total += std::exp(logp[i] / .8);
      mean += logp[i] / .8 / static_cast<double>(5 - k);
    }
    sum += std::log(total) - .9 * logp[k] / .8 - .1 * mean;
  }
  check_close(right.loss, sum / 3);
}

TEST_CASE("ADPO's KDE target, by hand") {
  auto const cdf = [](double x) { return std::erfc(-x / std::sqrt(2.)) / 2; };
  auto const logit = [](double f) { return std::log(f / (1 - f)); };
  // Rewards 0 and 1: sd sqrt(1/2), quartiles 1/4 and 3/4.
  double const b = 1.06 * std::min(std::sqrt(.5), .5 / 1.34) * std::pow(2., -.2);
  double const high = (cdf(0) + cdf(1 / b)) / 2, low = (cdf(0) + cdf(-1 / b)) / 2;
  double const q = 1 / (1 + std::exp(-(logit(high) - logit(low)) / .5));
  check({"adpo_kde", {{"tau", 1}}}, {.logp = {-2, -2}, .reward = {0, 1}}, std::log(2.), {q - .5, .5 - q});
  check({"adpo_kde"}, {.logp = {-2}, .reward = {7}}, 0, {0});
  // Five candidates, one an outlier: quartiles are candidates, and bend less than the deviation.
  double const narrow = 1.06 * (2 / 1.34) * std::pow(5., -.2);
  std::vector<double> const rewards{2, 0, 1000, 3, 1};
  std::vector<double> weights;
  double total = 0;
  for (double const r : rewards) {
    double f = 0;
    for (double const other : rewards) f += cdf((r - other) / narrow) / 5;
    weights.push_back(std::exp(logit(f) / .5));
    total += weights.back();
  }
  std::vector<double> slopes;
  for (double const w : weights) slopes.push_back((.2 - w / total) / .8);
  check({"adpo_kde"}, {.logp = {-1, -1, -1, -1, -1}, .reward = rewards}, std::log(5.), slopes);
  // Far apart among many equals, F is clamped: 0.999 in the place of 0.9995, and 0.001 of 0.0005.
  std::vector<double> many(1000, 0.), logp(1000, -1.);
  many[3] = 1e9, many[7] = -1e9;
  double const best = std::exp(logit(.999) / 5), worst = std::exp(logit(.001) / 5), all = best + worst + 998;
  auto const clamped = of_one({"adpo_kde", {{"tau", 1}, {"beta_reward", 5}}}, {.logp = logp, .reward = many});
  check_close(clamped.d_logp[3], .001 - best / all);
  check_close(clamped.d_logp[7], .001 - worst / all);
  check_close(clamped.d_logp[0], .001 - 1 / all);
}

TEST_CASE("RankDPO on two and three candidates, by hand") {
  // Gains 2^3 and 2^1, discounts 1 / log 2 and 1 / log 3, margin 2.
  double const d = (8 - 2) * (1 / std::log(2.) - 1 / std::log(3.));
  double const slope = 1 / (1 + e);
  check({"rank_dpo", {{"beta", .5}}}, {.logp = {-3, -5}, .ref_logp = {-4, -4}, .reward = {3, 1}}, d * std::log1p(1 / e),
        {-.5 * d * slope, .5 * d * slope});
  check({"rank_dpo", {{"beta", .5}}}, {.logp = {-5, -3}, .ref_logp = {-4, -4}, .reward = {1, 3}}, d * std::log1p(1 / e),
        {.5 * d * slope, -.5 * d * slope});
  check({"rank_dpo"}, {.logp = {-5, -3}, .reward = {1, 1}}, 0, {0, 0});
  check({"rank_dpo"}, {.logp = {-5}, .reward = {1}}, 0, {0});
  // Equal scores: every pair costs log 2 of its weight, and half of it as slope.
  double const d01 = (4 - 2) * (1 / std::log(2.) - 1 / std::log(3.)),
               d02 = (4 - .5) * (1 / std::log(2.) - 1 / std::log(4.)),
               d12 = (2 - .5) * (1 / std::log(3.) - 1 / std::log(4.));
  check({"rank_dpo", {{"beta", 2}}}, {.logp = {-1, -1, -1}, .reward = {1, -1, 2}}, (d01 + d02 + d12) * std::log(2.),
        {d01 - d12, d02 + d12, -d01 - d02});
}

TEST_CASE("RRHF on two and three candidates, by hand") {
  // Ranked right: the likelihood alone. Ranked wrong: the excess, too.
  check({"rrhf"}, {.logp = {-2, -9}, .length = {2, 3}, .reward = {1, 0}}, 2, {-1, 0});
  check({"rrhf", {{"sft", .5}}}, {.logp = {-8, -3}, .length = {2, 4}, .reward = {1, 0}}, 3.25 + 4, {-1, .25});
  check({"rrhf", {{"sft", 0}}}, {.logp = {-8, -3}, .length = {2, 4}, .reward = {1, 1}}, 0, {0, 0});
  check({"rrhf"}, {.logp = {-8}, .length = {2}}, 8, {-1});
  // At the kink the slope is 0.
  check({"rrhf", {{"sft", 0}}}, {.logp = {-8, -4}, .length = {2, 1}, .reward = {1, 0}}, 0, {0, 0});
  // s = (-4, -3, -1), best first: excesses 1, 3 and 2.
  check({"rrhf", {{"sft", 0}}}, {.logp = {-4, -6, -4}, .length = {1, 2, 4}}, 6, {-2, 0, .5});
  check({"rrhf", {{"sft", 0}}}, {.logp = {-4, -6, -4}, .length = {1, 2, 4}, .reward = {3, 3, 1}}, 5, {-1, -.5, .5});
}

TEST_CASE("best against worst, by hand") {
  double const slope = 1 / (1 + e);
  check({"best_versus_worst", {{"beta", .5}}}, {.logp = {-3, 100, -5}}, std::log1p(1 / e),
        {-.5 * slope, 0, .5 * slope});
  check({"best_versus_worst", {{"beta", .5}}}, {.logp = {100, -5, -3}, .reward = {0, -1, 1}}, std::log1p(1 / e),
        {0, .5 * slope, -.5 * slope});
  // Among equals the first is the best and the last the worst.
  check({"best_versus_worst", {{"beta", .5}}}, {.logp = {-3, 100, -5}, .reward = {1, 1, 1}}, std::log1p(1 / e),
        {-.5 * slope, 0, .5 * slope});
  check({"best_versus_worst"}, {.logp = {-5}}, 0, {0});
}

TEST_CASE("SAMI on matrices, by hand") {
  double const ln3 = std::log(3.);
  // Rows (0, log 3), (0, 0): row losses log 4 and log 2; column losses log 2 and log 4 (diagonal 0).
  check({"sami"}, {.logp = {0, ln3, 0, 0}}, (2 * std::log(4.) + 2 * std::log(2.)) / 4,
        {(.25 + .5) / 4 - .5, (.75 + .75) / 4, (.5 + .5) / 4, (.5 + .25) / 4 - .5});
  check({"sami"}, {.logp = {0, 2 * ln3, 0, 0}, .length = {1, 2, 5, 7}}, (2 * std::log(4.) + 2 * std::log(2.)) / 4,
        {(.25 + .5) / 4 - .5, (.75 + .75) / 8, (.5 + .5) / 20, ((.5 + .25) / 4 - .5) / 7});
  std::vector<double> const flat(9, -2.);
  std::vector<double> slopes(9, 1. / 9);
  for (std::size_t const i : {0u, 4u, 8u}) slopes[i] -= 1. / 3;
  check({"sami"}, {.logp = flat}, std::log(3.), slopes);
  check({"sami"}, {.logp = {-3}}, 0, {0});
}

TEST_CASE("REAL has its known values") {
  check({"real"}, {{.3, -.2, .5, -.7}, {0, 0, 0, 0}, {1, 1, 1, 1}, {1, -1, 1, -1}}, 1.3013184735377084,
        {-0.57266571812606604, 0.69937304802109945, -0.38386931053729706, 0.25728496607637036});
}
