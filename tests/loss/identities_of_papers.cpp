#include <algorithm>
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "oracle/front.hpp"
#include "oracle/pair_results.hpp"

// What the papers say of the losses that came after the first ten, as equations between losses.

// Names of its own: the files of this folder are compiled together.
namespace by_papers {
namespace {

using oracle::modified;
using oracle::named_loss;
using oracle::pair;
using oracle::real;
using oracle::results_of;
using parameters = prefopt::parameter_values;

double const inf = std::numeric_limits<double>::infinity(), log_two = std::log(2.0);

/// This loss on pairs as one of the papers has them is that one on the pairs changed, to so many units of rounding;
/// 0: to the bit.
struct identity {
  char const* what;
  named_loss left, right;
  double roundings = 0;
  std::function<void(pair&)> on_both = {};        ///< makes the pairs what the identity is of
  std::function<void(pair&)> only_on_right = {};  ///< and for the other loss alone
  double factor = 1;                              ///< of the right loss, which is then that many times as large
  double factor_of_gradient = 1;                  ///< of the right gradient, beside: by other columns
  bool is_swapped = false;                        ///< gradients change sides
};

std::vector<pair> some_pairs() {
  oracle::random_numbers random{61};
  auto pairs = oracle::random_pairs(300, random);
  for (double const h : {0., 50., -50., 1e4, -1e4}) {
    pairs.push_back({.chosen = h});
    pairs.push_back({.rejected = h, .chosen_length = 2, .rejected_length = 4});
    pairs.push_back({.chosen = h, .rejected = h, .ref_chosen = -3, .ref_rejected = 2});
  }
  return pairs;
}

std::vector<pair> changed(std::vector<pair> pairs, std::function<void(pair&)> const& change) {
  if (change) std::for_each(pairs.begin(), pairs.end(), change);
  return pairs;
}

template <class T>
void check(identity const& given) {
  auto const pairs = changed(some_pairs(), given.on_both);
  auto const left = results_of<T>(given.left, pairs),
             right = results_of<T>(given.right, changed(pairs, given.only_on_right));
  INFO(given.what << ": " << oracle::describe(given.left) << " and " << oracle::describe(given.right));
  std::size_t wrong = 0, first = 0;
  auto const compare = [&](std::size_t i, T got, T other, double factor) {
    T const expected = static_cast<T>(factor) * other;
    T const within = static_cast<T>(given.roundings) * std::numeric_limits<T>::epsilon() * (1 + std::fabs(expected));
    bool const is_same = got == expected || oracle::same_bits(got, expected) || std::fabs(got - expected) <= within;
    if (!is_same && wrong++ == 0) first = i;
  };
  double const of_gradient = given.factor * given.factor_of_gradient;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    compare(i, left.loss[i], right.loss[i], given.factor);
    compare(i, left.d_chosen[i], given.is_swapped ? right.d_rejected[i] : right.d_chosen[i], of_gradient);
    compare(i, left.d_rejected[i], given.is_swapped ? right.d_chosen[i] : right.d_rejected[i], of_gradient);
  }
  CAPTURE(first, left.loss[first], right.loss[first], left.d_chosen[first], right.d_chosen[first],
          left.d_rejected[first], right.d_rejected[first]);
  CHECK(wrong == 0);
}

/// The same, of one number.
void check_near(double got, double right, double tolerance = 4e-15) {
  CAPTURE(got, right);
  CHECK((got == right || std::fabs(got - right) <= tolerance * (1 + std::fabs(right))));
}

/// A pair of the margin h, of a loss on sums.
oracle::results<double> at(named_loss const& loss, double h) { return results_of<double>(loss, {{.chosen = h}}); }

void swap_sides(pair& p) { p = oracle::swapped(p); }

void take_apart_margin(pair& p) { p.margin = 0; }

std::vector<double> const logits{-1e4, -300, -40, -7, -1, -0.125, 0, 1e-9, 0.5, 2, 11, 60, 800, 1e4};

// Rows of single completions.

struct completion {
  double logp, reference = 0, label = 1, target = 0, weight = 1;
};

struct halves {
  std::vector<double> loss, slope;
};

halves unpaired(std::string const& name, parameters const& given, std::vector<completion> const& rows) {
  using prefopt::columns;
  auto const loss = front::make_unpaired_loss(name, given);
  std::vector<double> logp, reference, label, target, weight;
  for (auto const& row : rows) {
    logp.push_back(row.logp);
    reference.push_back(row.reference);
    label.push_back(row.label);
    target.push_back(row.target);
    weight.push_back(row.weight);
  }
  prefopt::unpaired_batch<double> batch{.logp = logp, .weight = weight};
  if (loss.reads(columns::reference)) batch.ref_logp = reference;
  if (loss.reads(columns::label)) batch.label = label;
  if (loss.reads(columns::target)) batch.target = target;
  halves result{std::vector<double>(rows.size()), std::vector<double>(rows.size())};
  front::evaluate(loss, batch, {.loss = result.loss, .d_logp = result.slope}, {.reduction = prefopt::reduction::none});
  return result;
}

/// A pair loss is the sum of rows of single completions: `rows` makes them of a pair, `of_chosen` says how many of them
/// are of the chosen completion.
void check_halves(named_loss const& loss, std::string const& name, parameters const& given, std::size_t of_chosen,
                  std::function<std::vector<completion>(pair const&)> const& rows) {
  INFO(oracle::describe(loss) << " of rows of " << name);
  auto const pairs = some_pairs();
  auto const whole = results_of<double>(loss, pairs);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    auto const parts = unpaired(name, given, rows(pairs[i]));
    double value = 0, slopes[2]{}, size = 0;
    for (std::size_t k = 0; k < parts.loss.size(); ++k) {
      value += parts.loss[k];
      slopes[k < of_chosen ? 0 : 1] += parts.slope[k];
      size += std::fabs(parts.slope[k]);
    }
    check_near(whole.loss[i], value);
    CHECK(std::fabs(whole.d_chosen[i] - slopes[0]) <= 1e-14 * (1e-300 + size));
    CHECK(std::fabs(whole.d_rejected[i] - slopes[1]) <= 1e-14 * (1e-300 + size));
  }
}

completion of_chosen(pair const& p, double label, double weight = 1) {
  return {static_cast<double>(p.chosen), static_cast<double>(p.ref_chosen), label, 0, weight};
}
completion of_rejected(pair const& p, double label, double weight = 1) {
  return {static_cast<double>(p.rejected), static_cast<double>(p.ref_rejected), label, 0, weight};
}

named_loss const dpo{"dpo", {{"beta", 0.3}}}, simpo{"simpo", {{"beta", 2.5}, {"gamma", 0.75}}};

std::vector<identity> identities() {
  double const epsilon = 0.2, c = std::log(0.8 / 0.2), quarter = std::log(3.0);
  auto const use_half_label = [](pair& p) { p.label = 0.5; };
  return {
      // Losses that are one of the first ten for a parameter or a column.
      {"no smoothing of a focus", {"focal_po", {{"beta", 0.3}, {"gamma", 0}}}, dpo, 4},
      {"no focus", {"focal_bt", {{"gamma", 0}}}, {"bradley_terry"}, 0, {}, take_apart_margin},
      {"to the left of 0 there is none",
       {"focal_bt", {{"gamma", 3}}},
       {"bradley_terry"},
       0,
       [](pair& p) {
         if (p.chosen > p.rejected) std::swap(p.chosen, p.rejected);
       },
       take_apart_margin},
      {"no price of length", {"r_dpo", {{"beta", 0.3}, {"alpha", 0}}}, dpo},
      {"equal lengths",
       {"r_dpo", {{"beta", 0.3}, {"alpha", 0.5}}},
       dpo,
       0,
       [](pair& p) { p.rejected_length = p.chosen_length; }},
      {"a difference of rewards of 1", {"odpo", {{"beta", 0.3}}}, dpo, 0, [](pair& p) { p.target = 1; }},
      {"a weight of 1 and no margin", {"modpo", {{"beta", 0.3}, {"weight", 1}}}, dpo, 0, [](pair& p) { p.margin = 0; }},
      {"equal dispersion", {"mallows_dpo", {{"beta", 0.3}}}, dpo, 0, [](pair& p) { p.scale = 1; }},
      {"equal divergences, version 1",
       {"tdpo", {{"beta", 0.3}, {"version", 1}}},
       dpo,
       0,
       [](pair& p) { p.rejected_kl = p.chosen_kl; }},
      {"equal divergences, version 2",
       {"tdpo", {{"beta", 0.3}, {"version", 2}}},
       dpo,
       0,
       [](pair& p) { p.rejected_kl = p.chosen_kl; }},
      {"no exponent", {"alpha_po", {{"beta", 2.5}, {"gamma", 0.75}, {"alpha", 0}}}, simpo},
      {"reverse KL", {"f_dpo_reverse_kl", {{"beta", 0.3}}}, dpo},
      {"an alpha of 1", {"f_dpo_alpha", {{"beta", 0.3}, {"alpha", 1}}}, dpo},
      {"an alpha of 0", {"f_dpo_alpha", {{"beta", 0.3}, {"alpha", 0}}}, {"f_dpo_forward_kl", {{"beta", 0.3}}}},
      {"no shift", {"dpo_shift", {{"beta", 0.3}, {"lambda", 1}}}, dpo},
      {"no penalty", {"dpop", {{"beta", 0.3}, {"lambda", 0}}}, dpo},
      {"chosen is not less likely than before",
       {"dpop", {{"beta", 0.3}, {"lambda", 7}}},
       dpo,
       0,
       [](pair& p) {
         if (p.chosen < p.ref_chosen) std::swap(p.chosen, p.ref_chosen);
       }},
      {"no penalty outside", {"dpop_outside", {{"beta", 0.3}, {"lambda", 0}}}, dpo},
      {"no calibration", {"cal_dpo", {{"beta", 0.3}, {"calibration", 0}}}, {"dpo", {{"beta", 1}}}},
      {"costs without signs", {"cost_model", {{"scale", 0}}}, {"bradley_terry"}, 0, {}, take_apart_margin},
      {"no likelihood of a third", {"tpo", {{"beta", 0.3}, {"sft", 0}}}, {"cpo", {{"beta", 0.3}}}},
      {"nor beside means", {"tpo_l", {{"beta", 2.5}, {"gamma", 0.75}, {"sft", 0}}}, simpo},
      {"no bonus", {"xpo", {{"beta", 0.3}, {"alpha", 0}}}, dpo},
      {"a sure label", {"soft_ipo", {{"tau", 0.25}}}, {"ipo", {{"tau", 0.25}}}, 0, [](pair& p) { p.label = 1; }},
      {"a label of 1 - epsilon",
       {"soft_ipo", {{"tau", 0.25}}},
       modified("smoothed", {"ipo", {{"tau", 0.25}}}, {{"epsilon", 0.25}}),
       4,
       [](pair& p) { p.label = 0.75; }},
      {"rewards known exactly",
       {"gaussian_bt", {{"probit_matched", 1}}},
       {"bradley_terry"},
       4,
       [](pair& p) { p.label = 1, p.chosen_deviation = p.rejected_deviation = 0, p.margin = 0; }},
      {"kappa 0 leaves no ties",
       {"rao_kupper", {{"kappa", 0}}},
       {"bradley_terry"},
       4,
       [](pair& p) { p.label = 1, p.margin = 0; }},
      {"nor does one far below 0",
       {"davidson", {{"kappa", -800}}},
       {"bradley_terry"},
       4,
       [](pair& p) { p.label = 1, p.margin = 0; }},
      {"labels that are right",
       {"noise_mixture", {{"rho0", 0}, {"rho1", 0}}},
       {"bradley_terry"},
       4,
       [](pair& p) { p.label = 1, p.margin = 0; }},

      // Losses that are each other, on other columns or with other parameters.
      {"a smoothed label is a target: KL(policy || it)",
       {"exo_pair", {{"beta", 0.3}, {"epsilon", epsilon}}},
       {"rpo_fwd_kl", {{"beta", 0.3}}},
       8,
       [c](pair& p) { p.target = c; }},
      {"of a label of 1/2 no side is the better one",
       {"exo_pair", {{"beta", 0.3}, {"epsilon", 0.5}}},
       {"exo_pair", {{"beta", 0.3}, {"epsilon", 0.5}}},
       4,
       {},
       swap_sides,
       1,
       1,
       true},
      {"an infinite target", {"rpo_bwd_kl", {{"beta", 0.3}}}, dpo, 8, [](pair& p) { p.target = 1e30; }},
      {"KL(target || policy) of the pair swapped",
       {"rpo_bwd_kl", {{"beta", 0.3}}},
       {"rpo_bwd_kl", {{"beta", 0.3}}},
       16,
       {},
       [](pair& p) { swap_sides(p), p.target = -p.target; },
       1,
       1,
       true},
      {"KL(policy || target) of the pair swapped",
       {"rpo_fwd_kl", {{"beta", 0.3}}},
       {"rpo_fwd_kl", {{"beta", 0.3}}},
       16,
       {},
       [](pair& p) { swap_sides(p), p.target = -p.target; },
       1,
       1,
       true},
      {"a square of the pair swapped",
       {"rpo_sq", {{"beta", 0.3}}},
       {"rpo_sq", {{"beta", 0.3}}},
       16,
       {},
       [](pair& p) { swap_sides(p), p.target = -p.target; },
       1,
       1,
       true},
      {"a label is a target: its logit",
       {"irepo", {{"beta", 0.3}}},
       {"rpo_sq", {{"beta", 0.3}}},
       16,
       [quarter](pair& p) { p.label = 0.75, p.target = quarter; }},
      {"the opposite label of the pair swapped",
       {"irepo", {{"beta", 0.3}}},
       {"irepo", {{"beta", 0.3}}},
       16,
       [](pair& p) { p.label = 0.25; },
       [](pair& p) { swap_sides(p), p.label = 1 - p.label; },
       1,
       1,
       true},
      {"an offset of the logit is a margin of the rewards",
       {"odpo", {{"beta", 0.5}, {"alpha", 2}}},
       {"bradley_terry"},
       8,
       [](pair& p) { p.ref_chosen = p.ref_rejected = 0, p.target = std::exp(real(0.5)); },
       [](pair& p) { p.chosen /= 2, p.rejected /= 2, p.margin = 1; },
       1,
       0.5},
      {"errors fall where log-probs rise",
       {"diffusion_dpo", {{"beta", 0.5}}},
       {"dpo", {{"beta", 0.25}}},
       0,
       {},
       [](pair& p) {
         p.chosen = -p.chosen, p.rejected = -p.rejected, p.ref_chosen = -p.ref_chosen, p.ref_rejected = -p.ref_rejected;
       },
       1,
       -1},
      {"a sure preference",
       {"smpo", {{"beta", 0.5}, {"scale", 4}}},
       {"diffusion_dpo", {{"beta", 2}}},
       0,
       [](pair& p) { p.label = 1; }},
      {"a preference for the other side",
       {"smpo", {{"beta", 0.5}, {"scale", 4}}},
       {"smpo", {{"beta", 0.5}, {"scale", 4}}},
       4,
       [](pair& p) { p.label = 0.25; },
       [](pair& p) { swap_sides(p), p.label = 1 - p.label; },
       1,
       1,
       true},
      {"SimPO's hinge has its kink at gamma",
       {"slic", {{"delta", 0.5}, {"sft", 0}}},
       {"repo", {{"gamma", 0.5}}},
       0,
       [](pair& p) { p.chosen_length = p.rejected_length = 1; }},
      {"a hinge whose bend has no width",
       {"smooth_hinge", {{"delta", 2}, {"gamma", 1e-30}}},
       {"slic", {{"delta", 2}, {"sft", 0}}}},
      {"a bend that is wider than the pairs is a square",
       {"smooth_hinge", {{"delta", 2}, {"gamma", 64}}},
       {"ipo", {{"tau", 0.25}}},
       4,
       [](pair& p) {
         p.ref_chosen = p.ref_rejected = p.rejected = 0;
         p.chosen = std::clamp(p.chosen, real(-60), real(2));
       },
       {},
       1. / 128},
      {"labels that are soft", {"soft_ipo", {{"tau", 0.25}}}, modified("labelled", {"ipo", {{"tau", 0.25}}})},
      {"calibration on sums is a hinge",
       {"slic", {{"delta", 4}, {"sft", 0}}},
       {"hinge", {{"beta", 0.25}}},
       4,
       [](pair& p) { p.ref_chosen = p.ref_rejected = 0; },
       {},
       4},
      {"the outcome of the pair swapped, Rao-Kupper",
       {"rao_kupper", {{"kappa", 0.7}}},
       {"rao_kupper", {{"kappa", 0.7}}},
       4,
       [](pair& p) { p.label = std::round(2 * p.label) / 2; },
       [](pair& p) { swap_sides(p), p.label = 1 - p.label; },
       1,
       1,
       true},
      {"the outcome of the pair swapped, Davidson",
       {"davidson", {{"kappa", 0.7}}},
       {"davidson", {{"kappa", 0.7}}},
       4,
       [](pair& p) { p.label = std::round(2 * p.label) / 2; },
       [](pair& p) { swap_sides(p), p.label = 1 - p.label; },
       1,
       1,
       true},
      {"costs of the other sign, of completions exchanged",
       {"cost_model", {{"scale", 0.5}, {"regularization", 0.25}}},
       {"cost_model", {{"scale", 0.5}, {"regularization", 0.25}}},
       8,
       {},
       [](pair& p) {
         swap_sides(p);
         p.chosen = -p.chosen, p.rejected = -p.rejected;
         p.chosen_sign = -p.chosen_sign, p.rejected_sign = -p.rejected_sign;
       },
       1,
       -1,
       true},
      {"SimPER of the pair swapped is its opposite",
       {"simper"},
       {"simper"},
       0,
       [](pair& p) { p.chosen = std::min(p.chosen, real(40)), p.rejected = std::min(p.rejected, real(40)); },
       swap_sides,
       -1,
       1,
       true},
      {"the likelihood of its loss alone",
       modified("with_nll", {"cpo", {{"beta", 0.3}}}, {{"nll", 0.5}, {"nll_mode", 2}}),
       {"cpo", {{"beta", 0.3}, {"sft", 0.5}}},
       4},
      {"the likelihood of the odds' mean",
       modified("with_nll", {"orpo", {{"sft", 0}}}, {{"nll", 0.5}, {"nll_mode", 1}}),
       {"orpo", {{"sft", 0.5}}},
       8,
       [](pair& p) { p.chosen = -1 - std::fabs(p.chosen), p.rejected = -1 - std::fabs(p.rejected); }},
      {"nothing but a likelihood",
       modified("with_nll", {"sft", {{"mode", 1}}}, {{"nll", 0.5}, {"nll_mode", 1}}),
       {"sft", {{"mode", 1}}},
       2,
       {},
       {},
       1.5},
      {"without weight nothing is added", modified("with_nll", {"gaussian_bt"}, {{"nll", 0}}), {"gaussian_bt"}},
      {"nor to a loss of both scores", modified("with_nll", {"nca_pair"}, {{"nll", 0}}), {"nca_pair"}},
      {"an undecided preference moves nothing",
       {"smpo", {{"beta", 0.5}, {"scale", 4}}},
       {"dpo"},
       0,
       use_half_label,
       [](pair& p) { p.chosen = p.rejected = p.ref_chosen = p.ref_rejected = 0; },
       1,
       0},
  };
}

}  // namespace

TEMPLATE_TEST_CASE("losses of the papers are other losses where the papers say so", "", float, double) {
  for (identity const& one : identities()) check<TestType>(one);
  CHECK(identities().size() >= 50);
}

TEST_CASE("adding a constant where the margin does not see it changes nothing, either") {
  oracle::random_numbers random{62};
  std::vector<pair> pairs;
  for (int i = 0; i < 100; ++i) {
    pair p;
    for (real* x : {&p.chosen, &p.rejected, &p.ref_chosen, &p.ref_rejected})
      *x = std::floor(random.uniform(-64, 0) * 256) / 256;
    p.target = p.chosen_kl = 0.5;
    p.label = 0.75;
    pairs.push_back(p);
  }
  auto const one_side = changed(pairs, [](pair& p) { p.chosen -= 8, p.ref_chosen -= 8; });
  auto const both_models = changed(pairs, [](pair& p) { p.ref_chosen += 4, p.ref_rejected += 4; });
  for (char const* name :
       {"exo_pair", "discopop", "rpo_bwd_kl", "rpo_fwd_kl", "rpo_sq", "irepo", "soft_ipo", "cauchy_dpo", "focal_po",
        "r_dpo", "odpo", "modpo", "smpo", "mallows_dpo", "tdpo", "diffusion_dpo"}) {
    CAPTURE(name);
    auto const plain = results_of<double>({name}, pairs), other = results_of<double>({name}, one_side),
               third = results_of<double>({name}, both_models);
    CHECK(plain.loss == other.loss);
    CHECK(plain.d_chosen == other.d_chosen);
    CHECK(plain.loss == third.loss);
    CHECK(plain.d_rejected == third.d_rejected);
  }
  // BCO's shift is one of both rewards.
  auto const moved = changed(pairs, [](pair& p) { p.chosen += 8, p.rejected += 8; });
  auto const before = results_of<double>({"bco_pair", {{"beta", 0.25}, {"delta", 0.5}}}, pairs),
             after = results_of<double>({"bco_pair", {{"beta", 0.25}, {"delta", 2.5}}}, moved);
  CHECK(before.loss == after.loss);
  CHECK(before.d_chosen == after.d_chosen);
}

TEST_CASE("divergences vanish at their target, with their slope") {
  for (double const beta : {0.25, 1.}) {
    for (double const epsilon : {1e-3, 0.1, 0.5}) {
      double const c = std::log1p(-epsilon) - std::log(epsilon);
      auto const exo = at({"exo_pair", {{"beta", beta}, {"epsilon", epsilon}}}, c / beta);
      check_near(exo.loss[0], 0, 1e-14);
      check_near(exo.d_chosen[0], 0, 1e-14);
    }
    for (double const t : {-3., 0., 0.5, 2.}) {
      for (char const* name : {"rpo_bwd_kl", "rpo_fwd_kl", "rpo_sq"}) {
        auto const r =
            results_of<double>({name, {{"beta", beta}, {"scale", 2}}}, {{.chosen = 2 * t / beta, .target = t}});
        check_near(r.loss[0], 0, 1e-15);
        check_near(r.d_chosen[0], 0, 1e-15);
      }
    }
    auto const irepo =
        results_of<double>({"irepo", {{"beta", beta}}}, {{.chosen = std::log(3.0) / beta, .label = 0.75}});
    check_near(irepo.loss[0], 0, 1e-30);
  }
  for (double const z : logits) {
    // q z - softplus(z) - q log(1 - epsilon) - (1 - q) log epsilon
    double const q = 1 / (1 + std::exp(-z)), softplus = z > 0 ? z + std::log1p(std::exp(-z)) : std::log1p(std::exp(z));
    double const entropy = z > 0 ? softplus - z - (q - 1) * z : softplus - q * z;
    check_near(at({"exo_pair", {{"beta", 1}, {"epsilon", 0.2}}}, z).loss[0],
               -entropy - q * std::log(0.8) - (1 - q) * std::log(0.2), 1e-13);
    // KL(target || policy) is cDPO with epsilon = sigma(-t), less the target's entropy.
    double const t = std::log(0.75 / 0.25), of_target = -0.75 * std::log(0.75) - 0.25 * std::log(0.25);
    auto const backward = results_of<double>({"rpo_bwd_kl", {{"beta", 1}}}, {{.chosen = z, .target = t}});
    auto const cdpo = at({"cdpo", {{"beta", 1}, {"epsilon", 0.25}}}, z);
    check_near(backward.loss[0], cdpo.loss[0] - of_target, 1e-14);
    check_near(backward.d_chosen[0], cdpo.d_chosen[0], 1e-15);
    // Of no preference iREPO is a square.
    check_near(results_of<double>({"irepo", {{"beta", 1}}}, {{.chosen = z, .label = 0.5}}).loss[0], z * z);
  }
  for (double const p : {0., 0.25, 0.5, 0.75, 1.}) {
    // Population IPO is least at (2 q - 1) c, where it is (1 - (2 q - 1)^2) c^2.
    double const c = 2, lean = 2 * p - 1;
    auto const r = results_of<double>({"soft_ipo", {{"tau", 0.25}}}, {{.chosen = lean * c, .label = p}});
    check_near(r.loss[0], (1 - lean * lean) * c * c);
    check_near(r.d_chosen[0], 0);
  }
}

TEST_CASE("other links have their values at 0, their ends and their bends") {
  for (double const tau : {0.05, 0.1, 1., 4.}) {
    auto const r = at({"discopop", {{"beta", 1}, {"tau", tau}}}, 0);
    check_near(r.loss[0], log_two / 2 + 0.5);
    check_near(r.d_chosen[0], -0.75 + (1 - log_two) / (4 * tau), 1e-14);
  }
  named_loss const sharp{"discopop", {{"beta", 1}, {"tau", 0.05}}}, blunt{"discopop", {{"beta", 1}, {"tau", 1e9}}};
  check_near(at(sharp, -0.119).loss[0], 0.78593, 1e-5);
  check_near(at(sharp, 0.072).loss[0], 0.87829, 1e-5);
  CHECK(at(sharp, -0.13).d_chosen[0] < 0);
  CHECK(at(sharp, 0).d_chosen[0] > 0);
  CHECK(at(sharp, 0.09).d_chosen[0] < 0);
  check_near(at(sharp, 1e4).loss[0], 0);
  check_near(at(sharp, -1e4).loss[0], 1e4);
  check_near(at(sharp, -1e4).d_chosen[0], -1);
  for (double const z : {-5., -1., 0., 1., 5.}) {
    check_near(at(blunt, z).loss[0], std::log1p(std::exp(-z)) / 2 + std::exp(-z) / 2, 1e-7);
  }

  named_loss const cauchy{"cauchy_dpo", {{"beta", 1}}};
  check_near(at(cauchy, 0).loss[0], log_two);
  check_near(at(cauchy, 0).d_chosen[0], -2 / std::acos(-1.0));
  for (double const z : logits) {
    check_near(std::exp(-at(cauchy, z).loss[0]) + std::exp(-at(cauchy, -z).loss[0]), 1);
  }
  CHECK(at(cauchy, -inf).d_chosen[0] == 0);
  CHECK(at(cauchy, inf).loss[0] == 0);
  CHECK(at(cauchy, -inf).loss[0] == inf);

  // Of a focus on right pairs nothing is left at either end; beyond softplus(-z) = 1 / gamma the slope turns.
  named_loss const focal{"focal_po", {{"beta", 1}, {"gamma", 0.5}}};
  CHECK(at(focal, 1e4).loss[0] == 0);
  CHECK(at(focal, -1e4).loss[0] == 0);
  double const turn = -std::log(std::expm1(2.0));
  check_near(at(focal, turn).d_chosen[0], 0, 1e-15);
  CHECK(at(focal, turn - 0.01).d_chosen[0] > 0);
  CHECK(at(focal, turn + 0.01).d_chosen[0] < 0);

  named_loss const focal_bt{"focal_bt", {{"gamma", 2}}};
  CHECK(at(focal_bt, 0).d_chosen[0] == -0.5);
  check_near(at(focal_bt, 1e-12).d_chosen[0], -0.5 - log_two, 1e-11);
  CHECK(at(focal_bt, 1e4).loss[0] == 0);
  CHECK(at(focal_bt, -1e4).loss[0] == 1e4);
}

TEST_CASE("RePO is the limit of SimPO as beta grows, over beta") {
  for (double const u : {-3., 0.25, 0.5, 0.75, 4.}) {
    CAPTURE(u);
    double const beta = 1e6;
    auto const limit = at({"repo", {{"gamma", 0.5}}}, u);
    auto const near = at({"simpo", {{"beta", beta}, {"gamma", 0.5 * beta}}}, u);
    check_near(limit.loss[0], near.loss[0] / beta, 1e-6);
    // 0 at the kink, where the limit is half of a slope.
    if (u == 0.5) {
      CHECK(limit.d_chosen[0] == 0);
    } else {
      check_near(limit.d_chosen[0], near.d_chosen[0] / beta, 1e-12);
    }
  }
}

TEST_CASE("the outcomes of a comparison have probabilities that add up to 1") {
  for (double const d : {-700., -20., -1.5, 0., 1e-3, 4., 30., 700.}) {
    auto const probability = [d](named_loss const& loss, double label) {
      return std::exp(-results_of<double>(loss, {{.chosen = d, .label = label}}).loss[0]);
    };
    for (double const kappa : {0.1, 0.5, 3.}) {
      for (char const* name : {"rao_kupper", "davidson"}) {
        CAPTURE(name, d, kappa);
        named_loss const loss{name, {{"kappa", kappa}}};
        check_near(probability(loss, 0) + probability(loss, 0.5) + probability(loss, 1), 1, 1e-14);
        check_near(results_of<double>(loss, {{.label = 0.5}}).d_chosen[0], 0);
      }
    }
    for (auto const& [rho0, rho1] : {std::pair{0.2, 0.1}, {0., 0.3}, {0.4, 0.4}}) {
      named_loss const loss{"noise_mixture", {{"rho0", rho0}, {"rho1", rho1}}};
      check_near(probability(loss, 0) + probability(loss, 1), 1, 1e-14);
    }
    // Equal rates are an annotator of that reliability: lcpo's likelihood of the observed label.
    double const sigma = 1 / (1 + std::exp(-d));
    named_loss const noisy{"noise_mixture", {{"rho0", 0.1}, {"rho1", 0.1}}};
    check_near(probability(noisy, 1), 0.9 * sigma + 0.1 * (1 - sigma), 1e-14);
  }
  // A label that is wrong costs so much at most, in contrast to cDPO.
  auto const far = at({"noise_mixture", {{"rho0", 0.2}, {"rho1", 0.1}}}, -1e4);
  check_near(far.loss[0], -std::log(0.2));
  CHECK(far.d_chosen[0] == 0);
}

TEST_CASE("separable losses of pairs are sums of losses of their completions") {
  double const beta = 0.25, delta = 0.5;
  parameters const scaled{{"beta", beta}};
  check_halves({"apo_zero", {{"beta", beta}}}, "apo_zero_unpaired", scaled, 1, [](pair const& p) {
    return std::vector{of_chosen(p, 1), of_rejected(p, 0)};
  });
  check_halves({"apo_zero", {{"beta", beta}}}, "kto", scaled, 1, [](pair const& p) {
    return std::vector{of_chosen(p, 1), of_rejected(p, 0)};
  });
  check_halves({"bco_pair", {{"beta", beta}, {"delta", delta}}}, "bco", {{"beta", beta}, {"delta", delta}}, 1,
               [](pair const& p) {
                 return std::vector{of_chosen(p, 1), of_rejected(p, 0)};
               });
  // NCA is a classifier of data from noise: both completions are noise, too, at half the weight.
  check_halves({"nca_pair", {{"beta", beta}}}, "bco", scaled, 2, [](pair const& p) {
    return std::vector{of_chosen(p, 1), of_chosen(p, 0, 0.5), of_rejected(p, 0, 0.5)};
  });
  check_halves({"sppo", {{"beta", beta}}}, "score_regression", {{"beta", 1}}, 1, [&](pair const& p) {
    double const target = (static_cast<double>(p.label) - 0.5) / beta;
    auto a = of_chosen(p, 1), b = of_rejected(p, 1);
    a.target = target;
    b.target = -target;
    return std::vector{a, b};
  });
}

TEST_CASE("losses of both scores have the values that the papers name") {
  auto const both = [](named_loss const& loss, double a, double b, double label = 1) {
    return results_of<double>(loss, {{.chosen = a, .rejected = b, .label = label}});
  };
  named_loss const nca{"nca_pair", {{"beta", 0.5}}};
  check_near(both(nca, 0, 0).loss[0], 2 * log_two);
  check_near(both(nca, 0, 0).d_chosen[0], -0.125);
  check_near(both(nca, 0, 0).d_rejected[0], 0.125);
  check_near(both(nca, 2 * log_two, -1e4).loss[0], 0.954771252442219);
  check_near(both(nca, 2 * log_two, -1e4).d_chosen[0], 0);
  check_near(both(nca, -1e4, -1e4).loss[0], 5000);
  check_near(both(nca, 1e4, 1e4).loss[0], 5000);

  for (double const a : {-6., 0., 1., 9.}) {
    // 2 softplus(-z / 2)
    check_near(both({"bco_pair", {{"beta", 0.5}}}, a, -a).loss[0], 2 * std::log1p(std::exp(-0.5 * a)));
    check_near(both({"apo_zero"}, 0, 0).loss[0], 1);
    // With rejected as likely as before APO-down says nothing of chosen.
    check_near(both({"apo_down", {{"beta", 0.5}}}, a, 0).loss[0], 1);
    check_near(both({"apo_down", {{"beta", 0.5}}}, a, 0).d_chosen[0], 0);
    check_near(both({"sppo", {{"beta", 0.5}}}, a, 3, 0.5).loss[0], a * a + 9);
    for (double const b : {-4., 0., 2.}) {
      // The square of the sum is at most twice the sum of the squares.
      double const ipo = both({"ipo", {{"tau", 0.25}}}, a, b).loss[0],
                   sppo = both({"sppo", {{"beta", 0.5}}}, a, b).loss[0];
      CHECK(ipo <= 2 * sppo + 1e-12);
      bool const are_opposite = a - 1 == -(b + 1);
      CHECK((std::fabs(ipo - 2 * sppo) <= 1e-12) == are_opposite);
      // Calibration is SPPO with a sure label.
      named_loss const cal{"cal_dpo", {{"beta", 0.5}, {"calibration", 0.25}}};
      check_near(both(cal, a, b).loss[0], both({"dpo", {{"beta", 1}}}, a, b).loss[0] + 0.25 * sppo);
      named_loss const outside{"dpop_outside", {{"beta", 0.5}, {"lambda", 3}}};
      check_near(both(outside, a, b).loss[0], both({"dpo", {{"beta", 0.5}}}, a, b).loss[0] + 3 * std::max(-a, 0.0));
      named_loss const inside{"dpop", {{"beta", 0.5}, {"lambda", 3}}};
      check_near(both(inside, a, b).loss[0], both({"dpo", {{"beta", 0.5}}}, a - 3 * std::max(-a, 0.0), b).loss[0]);
      named_loss const shift{"dpo_shift", {{"beta", 0.5}, {"lambda", 0.5}}};
      check_near(both(shift, a, b).loss[0], both({"dpo", {{"beta", 0.5}}}, a, b / 2).loss[0]);
      // s = e^a - 1 for alpha = 2, e^a for the forward divergence of the negative, log sigma(a) for Jensen and Shannon.
      auto const shaped = [&](double sa, double sb) { return both({"dpo", {{"beta", 0.5}}}, sa, sb).loss[0]; };
      check_near(both({"f_dpo_alpha", {{"beta", 0.5}, {"alpha", 2}}}, a, b).loss[0], shaped(std::exp(a), std::exp(b)),
                 1e-12);
      check_near(both({"f_dpo_forward_kl", {{"beta", 0.5}}}, a, b).loss[0], shaped(-std::exp(-a), -std::exp(-b)),
                 1e-12);
      check_near(both({"f_dpo_js", {{"beta", 0.5}}}, a, b).loss[0],
                 shaped(-std::log1p(std::exp(-a)), -std::log1p(std::exp(-b))), 1e-14);
    }
  }
  check_near(both({"sppo", {{"beta", 0.5}}}, 1, -1).loss[0], 0);
  check_near(both({"apo_down", {{"beta", 0.5}}}, -1e4, -1e4 - 3).loss[0], 1 / (1 + std::exp(1.5)));
  for (double const x : {-800., -7., 0., 700.}) {
    for (char const* name : {"f_dpo_alpha", "f_dpo_forward_kl", "f_dpo_js", "dpo_shift"}) {
      CAPTURE(name, x);
      CHECK(both({name}, x, x).loss[0] == both({"dpo"}, x, x).loss[0]);
    }
  }
}

TEST_CASE("losses of mean log-probs have the values that the papers name") {
  oracle::random_numbers random{63};
  for (int i = 0; i < 100; ++i) {
    pair p{.chosen = random.uniform(-300, -1),
           .rejected = random.uniform(-300, -1),
           .chosen_length = std::floor(random.uniform(1, 9)),
           .rejected_length = std::floor(random.uniform(1, 9))};
    double const a = static_cast<double>(p.chosen / p.chosen_length),
                 b = static_cast<double>(p.rejected / p.rejected_length);
    CAPTURE(a, b);
    double const simper = results_of<double>({"simper"}, {p}).loss[0];
    check_near(simper, std::exp(b) - std::exp(a));
    // alpha = -1: SimPER under a logistic.
    check_near(results_of<double>({"alpha_po", {{"beta", 2}, {"gamma", 0.5}, {"alpha", -1}}}, {p}).loss[0],
               std::log1p(std::exp(2 * simper + 0.5)));
    // Continuous in alpha.
    check_near(results_of<double>({"alpha_po", {{"beta", 2}, {"gamma", 0.5}, {"alpha", 1e-13}}}, {p}).loss[0],
               results_of<double>({"simpo", {{"beta", 2}, {"gamma", 0.5}}}, {p}).loss[0], 1e-8);
    // Odds of numbers next to 0 are these numbers.
    if (a < -40 && b < -40) {
      auto const orpo = results_of<double>({"orpo", {{"beta", 0.5}, {"sft", 0}}}, {p}),
                 simpo_of_one = results_of<double>({"simpo", {{"beta", 1}, {"gamma", 0}}}, {p});
      check_near(orpo.loss[0], 0.5 * simpo_of_one.loss[0]);
      check_near(orpo.d_chosen[0], 0.5 * simpo_of_one.d_chosen[0]);
    }
    p.rejected = p.chosen, p.rejected_length = p.chosen_length;
    CHECK(results_of<double>({"simper"}, {p}).loss[0] == 0);
    check_near(results_of<double>({"orpo", {{"beta", 0.5}, {"sft", 2}}}, {p}).loss[0], 0.5 * log_two - 2 * a);
  }
}

TEST_CASE("beside a margin: costs, deviations, and the log-prob of a third") {
  for (double const c : {-6., -0.5, 0., 3.}) {
    for (double const s : {1., -1.}) {
      // The terms beside Bradley-Terry are binary cross-entropies of the label (1 + s) / 2.
      pair const p{.chosen = c, .rejected = 1.5, .chosen_sign = s, .rejected_sign = -1};
      auto const halves = unpaired("binary_cross_entropy", {}, {{c, 0, (1 + s) / 2}, {1.5, 0, 0}});
      double const bt = results_of<double>({"bradley_terry"}, {p}).loss[0];
      check_near(results_of<double>({"cost_model", {{"scale", 0.5}, {"regularization", 0.25}}}, {p}).loss[0],
                 bt + 0.5 * (halves.loss[0] + halves.loss[1]) + 0.125 * (c * c + 2.25));
    }
    named_loss const gaussian{"gaussian_bt", {{"probit_matched", 0}}};
    auto const of = [&](double scale, double s) {
      pair const p{
          .chosen = scale * c, .label = 0.75, .chosen_deviation = scale * s, .rejected_deviation = scale * 1.25};
      return results_of<double>(gaussian, {p});
    };
    // No scale of rewards is better than another.
    check_near(of(8, 0.5).loss[0], of(1, 0.5).loss[0]);
    check_near(8 * of(8, 0.5).d_chosen[0], of(1, 0.5).d_chosen[0]);
    check_near(of(1, 1e12).loss[0], log_two, 1e-11);
    pair const p{.chosen = c, .rationale = -3, .gold = -2};
    double const plain = results_of<double>({"dpo", {{"beta", 0.5}}}, {p}).loss[0];
    check_near(results_of<double>({"rationale_dpo", {{"beta", 0.5}, {"gamma", 0.5}}}, {p}).loss[0],
               plain + std::log1p(std::exp(1.5)));
    check_near(results_of<double>({"rationale_dpo", {{"beta", 0.5}, {"gamma", 0.5}}}, {{.chosen = c}}).loss[0],
               plain + log_two);
    check_near(results_of<double>({"tpo", {{"beta", 0.5}, {"epsilon", 0.25}, {"sft", 2}}}, {p}).loss[0],
               results_of<double>({"cdpo", {{"beta", 0.5}, {"epsilon", 0.25}}}, {p}).loss[0] + 4);
    // TDPO's first version is DPO of log-ratios with the divergence taken off.
    pair const q{.chosen = c, .chosen_kl = 0.5, .rejected_kl = 2};
    check_near(results_of<double>({"tdpo", {{"beta", 0.5}, {"version", 1}}}, {q}).loss[0],
               at({"dpo", {{"beta", 0.5}}}, c - 1.5).loss[0]);
    check_near(results_of<double>({"tdpo", {{"beta", 0.5}, {"alpha", 2}, {"version", 2}}}, {q}).loss[0],
               at({"dpo", {{"beta", 0.5}}}, c - 3).loss[0]);
  }
}

TEST_CASE("losses of single completions are each other where the papers say so") {
  std::vector<completion> rows;
  oracle::random_numbers random{64};
  for (int i = 0; i < 200; ++i) {
    double const reference = random.uniform(-90, 0);
    rows.push_back({reference + random.uniform(-9, 9), reference, i % 2 == 0 ? 1. : 0., random.uniform(-3, 3),
                    random.uniform(0, 2)});
  }
  auto const with = [&](auto const& change) {
    auto other = rows;
    std::for_each(other.begin(), other.end(), change);
    return other;
  };
  auto const kto = unpaired("kto", {{"beta", 0.5}}, rows),
             flipped = unpaired("kto", {{"beta", 0.5}}, with([](completion&row) { row.label = 1 - row.label; })),
             apo = unpaired("apo_zero_unpaired", {{"beta", 0.5}}, rows);
  auto const plain = unpaired("bco", {{"beta", 0.5}}, with([](completion&row) { row.weight = 1; })),
             weighted = unpaired("bco", {{"beta", 0.5}}, rows);
  auto const noiseless = unpaired("nbpo", {{"rho0", 0}, {"rho1", 0}}, rows),
             entropy = unpaired("binary_cross_entropy", {}, rows);
  auto const unit = with([](completion& row) { row.weight = 1; });
  auto const noisy = unpaired("nbpo", {}, unit), dro = unpaired("dro", {{"beta", 0.5}}, unit),
             regression = unpaired("score_regression", {{"beta", 0.5}}, unit),
             larger = unpaired("score_regression", {{"beta", 1.5}},
                               with([](completion&row) { row.weight = 1, row.target *= 3; })),
             likelihood = unpaired("weighted_nll", {{"beta", 2}}, with([](completion&row) { row.target = 0; }));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto const& row = rows[i];
    CAPTURE(i, row.logp, row.reference, row.label, row.target, row.weight);
    // The label flipped at the same logit: both together are the weight.
    check_near(kto.loss[i] + flipped.loss[i], row.weight);
    check_near(kto.slope[i], -flipped.slope[i]);
    CHECK(kto.loss[i] == apo.loss[i]);
    CHECK(kto.slope[i] == apo.slope[i]);
    check_near(weighted.loss[i], row.weight * plain.loss[i]);
    check_near(weighted.slope[i], row.weight * plain.slope[i]);
    check_near(noiseless.loss[i], entropy.loss[i]);
    check_near(noiseless.slope[i], entropy.slope[i]);
    // Of a pair whose other completion has the score 0.
    auto const mixture = results_of<double>({"noise_mixture"}, {{.chosen = row.logp, .label = row.label}});
    check_near(noisy.loss[i], mixture.loss[0]);
    check_near(noisy.slope[i], mixture.d_chosen[0]);
    // A quadratic tie is a regression up to a constant.
    check_near(dro.slope[i], regression.slope[i], 1e-14);
    check_near(dro.loss[i], regression.loss[i] - row.target * row.target - row.target * row.reference, 1e-13);
    check_near(larger.loss[i], 9 * regression.loss[i]);
    check_near(larger.slope[i], 9 * regression.slope[i]);
    check_near(likelihood.loss[i], -row.weight * row.logp);
    check_near(likelihood.slope[i], -row.weight);
  }
  // At the reference point: half the weight, the steepest slope.
  parameters const weights{{"beta", 0.5}, {"kl", 2}, {"desirable_weight", 1.5}, {"undesirable_weight", 3}};
  auto const middle = unpaired("kto", weights, {{-4, -6, 1}, {-4, -6, 0}});
  check_near(middle.loss[0], 0.75);
  check_near(middle.slope[0], -1.5 * 0.5 / 4);
  check_near(middle.loss[1], 1.5);
  check_near(middle.slope[1], 3 * 0.5 / 4);
  auto const regressed = unpaired("score_regression", {{"beta", 0.5}}, {{-4, -6, 1, 1}});
  CHECK(regressed.loss[0] == 0);
  CHECK(regressed.slope[0] == 0);
  // Even around its middle, and least there.
  for (double const x : {0., 0.5, 2., 4.5, 5., 9.}) {
    auto const barrier = unpaired("log_barrier", {{"lower", -4}, {"upper", 6}}, {{1 + x}, {1 - x}});
    check_near(barrier.loss[0], barrier.loss[1], 1e-12);
    check_near(barrier.slope[0], -barrier.slope[1], 1e-10);
    CHECK(barrier.loss[0] >= -2 * std::log(5.0) - 1e-15);
  }
  check_near(unpaired("log_barrier", {}, {{0}}).loss[0], -2 * std::log(5.0));
  check_near(unpaired("log_barrier", {}, {{77}}).loss[0], 4.605, 1e-3);
}

}  // namespace by_papers
