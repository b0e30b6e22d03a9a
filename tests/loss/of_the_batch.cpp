#include <algorithm>
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include "oracle/front.hpp"
#include "oracle/pair_oracle.hpp"
#include "oracle/pair_results.hpp"
#include "ranks/rank_group.hpp"
#include "refusal.hpp"

// Losses of which a pair's result depends on the whole batch: by what is in it, or by how it is sorted.

// Names of its own: the files of this folder are compiled together.
namespace by_batch {
namespace {

using namespace prefopt;
using oracle::modified;
using oracle::named_loss;
using oracle::pair;
using oracle::real;
using oracle::results_of;

double const inf = std::numeric_limits<double>::infinity(), not_a_number = std::numeric_limits<double>::quiet_NaN();

// aot and aot_unpaired once more: nothing is sorted, a rank is counted.

/// How many keys come before each: smaller ones, equal ones of earlier pairs; NaN after all others.
std::vector<std::size_t> ranks_of(std::vector<real> const& keys) {
  std::vector<std::size_t> ranks(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    for (std::size_t j = 0; j < keys.size(); ++j) {
      bool const both_nan = std::isnan(keys[i]) && std::isnan(keys[j]);
      bool const is_equal = keys[i] == keys[j] || both_nan;
      bool const is_before = std::isnan(keys[i]) ? !std::isnan(keys[j]) : keys[j] < keys[i];
      ranks[i] += is_before || (is_equal && j < i) ? 1 : 0;
    }
  }
  return ranks;
}

struct matched {
  std::vector<real> loss, d_chosen, d_rejected;
};

real softplus(real x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }

/// What the two say of each rank's difference u, and how that goes back to the pairs.
matched by_counting(named_loss const& loss, std::vector<pair> const& pairs) {
  real const beta = value_of(loss, "beta"), epsilon = value_of(loss, "epsilon");
  std::size_t const n = pairs.size();
  std::vector<real> first, second;
  for (pair const& p : pairs) {
    bool const is_of_sides = loss.name == "aot_unpaired";
    first.push_back(is_of_sides ? p.chosen - p.ref_chosen : p.chosen - p.rejected);
    second.push_back(is_of_sides ? p.rejected - p.ref_rejected : p.ref_chosen - p.ref_rejected);
  }
  auto const first_ranks = ranks_of(first), second_ranks = ranks_of(second);
  std::vector<real> u(n);
  for (std::size_t i = 0; i < n; ++i) u[first_ranks[i]] += first[i];
  for (std::size_t i = 0; i < n; ++i) u[second_ranks[i]] -= second[i];
  matched result;
  std::vector<real> slopes;
  for (real const difference : u) {
    real const z = beta * difference;
    // Without smoothing nothing is left of the other label's infinity.
    result.loss.push_back((1 - epsilon) * softplus(-z) + (epsilon == 0 ? 0 : epsilon * softplus(z)));
    slopes.push_back(beta * (epsilon / (1 + std::exp(-z)) - (1 - epsilon) / (1 + std::exp(z))));
  }
  for (std::size_t i = 0; i < n; ++i) {
    result.d_chosen.push_back(slopes[first_ranks[i]]);
    result.d_rejected.push_back(-slopes[loss.name == "aot_unpaired" ? second_ranks[i] : first_ranks[i]]);
  }
  return result;
}

std::vector<pair> random_batch(std::size_t n, oracle::random_numbers& random, double width) {
  std::vector<pair> pairs;
  for (std::size_t i = 0; i < n; ++i) {
    pair p;
    for (real* x : {&p.chosen, &p.rejected, &p.ref_chosen, &p.ref_rejected}) *x = random.uniform(-width, 0);
    pairs.push_back(p);
  }
  return pairs;
}

named_loss const sorting_losses[]{{"aot"},
                                  {"aot_unpaired"},
                                  {"aot", {{"beta", 0.75}, {"epsilon", 0.2}}},
                                  {"aot_unpaired", {{"beta", 0.75}, {"epsilon", 0.2}}}};

template <class T>
void check_matched(named_loss const& loss, std::vector<pair> const& given) {
  std::vector<pair> pairs;
  for (pair const& p : given) pairs.push_back(oracle::as_read<T>(p, {.reference = true}));
  auto const got = results_of<T>(loss, pairs);
  auto const exact = by_counting(loss, pairs);
  real largest = 0;
  for (pair const& p : pairs) {
    largest = std::max(
        {largest, std::fabs(p.chosen), std::fabs(p.rejected), std::fabs(p.ref_chosen), std::fabs(p.ref_rejected)});
  }
  CAPTURE(oracle::describe(loss), pairs.size());
  // The differences of a rank are off by roundings of log-probs, and the slope answers by at most beta / 4 of that.
  real const beta = value_of(loss, "beta"), eps = std::numeric_limits<T>::epsilon();
  real const of_margin = 8 * eps * beta * largest;
  std::size_t wrong = 0;
  auto const compare = [&](std::vector<T> const& x, std::vector<real> const& y, real bound) {
    REQUIRE(x.size() == y.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      real const right = y[i], number = static_cast<real>(x[i]);
      bool const is_right = std::isnan(right)
                                ? std::isnan(number)
                                : number == right || std::fabs(number - right) <= bound + 8 * eps * std::fabs(right);
      wrong += is_right ? 0 : 1;
    }
  };
  real const flushed = std::numeric_limits<T>::min();
  compare(got.loss, exact.loss, of_margin + flushed);
  compare(got.d_chosen, exact.d_chosen, beta * of_margin + flushed);
  compare(got.d_rejected, exact.d_rejected, beta * of_margin + flushed);
  CHECK(wrong == 0);
}

template <class T>
void check_same(oracle::results<T> const& x, oracle::results<T> const& y) {
  std::size_t differing = 0;
  for (auto const column :
       {&oracle::results<T>::loss, &oracle::results<T>::d_chosen, &oracle::results<T>::d_rejected}) {
    REQUIRE((x.*column).size() == (y.*column).size());
    for (std::size_t i = 0; i < (x.*column).size(); ++i) {
      T const a = (x.*column)[i], b = (y.*column)[i];
      differing += a == b || oracle::same_bits(a, b) ? 0 : 1;
    }
  }
  CHECK(differing == 0);
}

/// A batch's columns, and what an evaluation with options made of them.
struct evaluated {
  std::vector<double> chosen, rejected, ref_chosen, ref_rejected, chosen_length, rejected_length, weight;
  std::vector<double> loss, d_chosen, d_rejected, chosen_reward, rejected_reward;
  report seen;

  evaluated(any_pair_loss const& with, std::vector<pair> const& pairs, options const& how = {},
            std::vector<double> weights = {}, double before = 0)
      : weight{std::move(weights)} {
    for (pair const& p : pairs) {
      chosen.push_back(static_cast<double>(p.chosen));
      rejected.push_back(static_cast<double>(p.rejected));
      ref_chosen.push_back(static_cast<double>(p.ref_chosen));
      ref_rejected.push_back(static_cast<double>(p.ref_rejected));
      chosen_length.push_back(static_cast<double>(p.chosen_length));
      rejected_length.push_back(static_cast<double>(p.rejected_length));
    }
    for (auto* column : {&loss, &d_chosen, &d_rejected, &chosen_reward, &rejected_reward}) {
      column->assign(pairs.size(), before);
    }
    pair_batch<double> batch{.chosen = chosen, .rejected = rejected};
    if (!weight.empty()) batch.weight = weight;
    if (with.reads(columns::reference)) batch.ref_chosen = ref_chosen, batch.ref_rejected = ref_rejected;
    if (with.reads(columns::length)) batch.chosen_length = chosen_length, batch.rejected_length = rejected_length;
    seen = front::evaluate(with, batch,
                           {.loss = loss,
                            .d_chosen = d_chosen,
                            .d_rejected = d_rejected,
                            .chosen_reward = chosen_reward,
                            .rejected_reward = rejected_reward},
                           how);
  }
};

bool is_near(double x, double y) { return std::fabs(x - y) <= 1e-13 * (1 + std::fabs(y)); }

}  // namespace

TEMPLATE_TEST_CASE("sorting losses agree with ranks that are counted", "", float, double) {
  using T = TestType;
  oracle::random_numbers random{41};
  std::size_t batches = 0;
  for (named_loss const& loss : sorting_losses) {
    for (std::size_t const n : {0U, 1U, 2U, 3U, 7U, 64U, 300U, 1000U}) {
      for (double const width : {1., 60., 1e4}) {
        auto pairs = random_batch(n, random, width);
        check_matched<T>(loss, pairs);
        // Few values: most differences are tied.
        for (pair& p : pairs) {
          for (real* x : {&p.chosen, &p.rejected, &p.ref_chosen, &p.ref_rejected}) *x = std::floor(4 * *x / width);
        }
        check_matched<T>(loss, pairs);
        batches += 2;
      }
    }
    check_matched<T>(loss, {{.chosen = 1e4}, {.rejected = 1e4}, {}, {.ref_chosen = -1e4}, {.ref_rejected = -3e4}});
    check_matched<T>(loss, {{.chosen = inf}, {.rejected = 2}, {.chosen = 1}});
    check_matched<T>(loss, {{.chosen = 3}, {.chosen = -inf}, {.ref_chosen = 4}});
    check_matched<T>(loss, std::vector<pair>(37));
  }
  CHECK(batches == 4 * 8 * 3 * 2);
}

TEMPLATE_TEST_CASE("a NaN is the last rank, and poisons that rank alone", "", float, double) {
  using T = TestType;
  oracle::random_numbers random{42};
  for (named_loss const& loss : sorting_losses) {
    for (auto const column : {&pair::chosen, &pair::rejected, &pair::ref_chosen, &pair::ref_rejected}) {
      auto pairs = random_batch(50, random, 20);
      pairs[17].*column = not_a_number;
      check_matched<T>(loss, pairs);
      auto const r = results_of<T>(loss, pairs);
      CHECK(std::isnan(r.loss[49]));
      auto const count = [](std::vector<T> const& all) {
        return std::count_if(all.begin(), all.end(), [](T x) { return std::isnan(x); });
      };
      CHECK(count(r.loss) == 1);
      CHECK(count(r.d_chosen) == 1);
      CHECK(count(r.d_rejected) == 1);
    }
  }
}

TEST_CASE("sorting losses are DPO where there is nothing to sort") {
  oracle::random_numbers random{43};
  for (char const* name : {"aot", "aot_unpaired"}) {
    CAPTURE(name);
    named_loss const loss{name, {{"beta", 0.5}}}, dpo{"dpo", {{"beta", 0.5}}};
    for (int i = 0; i < 20; ++i) {
      // Small whole numbers: nothing is rounded, whatever is subtracted first.
      pair p;
      for (real* x : {&p.chosen, &p.rejected, &p.ref_chosen, &p.ref_rejected}) *x = std::floor(random.uniform(-40, 0));
      check_same(results_of<double>(loss, {p}), results_of<double>(dpo, {p}));
    }
    // Ranks in the order of the batch, on both sides and of both models.
    std::vector<pair> ordered;
    for (int i = 0; i < 40; ++i) {
      real const k = i;
      ordered.push_back({.chosen = 3 * k - 200, .rejected = k - 100, .ref_chosen = 2 * k - 150, .ref_rejected = -90});
    }
    check_same(results_of<double>(loss, ordered), results_of<double>(dpo, ordered));
  }
}

TEST_CASE("to add a constant to every reference of chosen lowers every difference of a rank by it") {
  oracle::random_numbers random{44};
  auto pairs = random_batch(30, random, 50);
  auto moved = pairs;
  for (pair& p : moved) p.ref_chosen += 4;
  for (named_loss const& loss : sorting_losses) {
    // The slope by a margin is its difference quotient's limit: the losses themselves say where u has gone.
    auto const before = by_counting(loss, pairs), after = by_counting(loss, moved);
    auto const got = results_of<double>(loss, moved);
    for (std::size_t k = 0; k < pairs.size(); ++k) {
      CHECK(is_near(got.loss[k], static_cast<double>(after.loss[k])));
      if (value_of(loss, "epsilon") == 0) CHECK(after.loss[k] > before.loss[k]);
    }
  }
}

TEST_CASE("the gradients of sorting losses add up to zero, and go with their pairs") {
  oracle::random_numbers random{45};
  auto const pairs = random_batch(200, random, 40);
  for (named_loss const& loss : sorting_losses) {
    auto const r = results_of<double>(loss, pairs);
    double sum = 0;
    for (std::size_t i = 0; i < pairs.size(); ++i) sum += r.d_chosen[i] + r.d_rejected[i];
    CHECK(std::fabs(sum) <= 1e-13);
    // Every pair seven places on, and the first ones at the end.
    std::vector<pair> rotated;
    for (std::size_t i = 0; i < pairs.size(); ++i) rotated.push_back(pairs[(i + 7) % pairs.size()]);
    auto const other = results_of<double>(loss, rotated);
    CHECK(other.loss == r.loss);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      std::size_t const from = (i + 7) % pairs.size();
      wrong += other.d_chosen[i] == r.d_chosen[from] && other.d_rejected[i] == r.d_rejected[from] ? 0 : 1;
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("sorting losses are reduced, added up and rewarded as others are") {
  oracle::random_numbers random{46};
  auto const pairs = random_batch(90, random, 40);
  for (named_loss const& loss : sorting_losses) {
    auto const made = front::make_pair_loss(loss.name, loss.given);
    auto const each = results_of<double>(loss, pairs);
    evaluated const mean{made, pairs}, sum{made, pairs, {.reduction = reduction::sum}},
        added{made, pairs, {.reduction = reduction::sum, .gradient = gradient_write::accumulate}, {}, 3};
    double total = 0;
    for (double const x : each.loss) total += x;
    CHECK(is_near(mean.seen.loss, total / 90));
    CHECK(is_near(sum.seen.loss, total));
    CHECK(mean.seen.count == 90);
    std::size_t wrong = 0;
    double const beta = value_of(loss, "beta");
    for (std::size_t i = 0; i < 90; ++i) {
      auto const reward = [&](real x, real reference) { return beta * static_cast<double>(x - reference); };
      wrong += is_near(90 * mean.d_chosen[i], each.d_chosen[i]) && sum.d_rejected[i] == each.d_rejected[i] &&
                       added.d_chosen[i] == 3 + each.d_chosen[i] && added.loss[i] == each.loss[i] &&
                       is_near(mean.chosen_reward[i], reward(pairs[i].chosen, pairs[i].ref_chosen)) &&
                       is_near(mean.rejected_reward[i], reward(pairs[i].rejected, pairs[i].ref_rejected))
                   ? 0
                   : 1;
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("the accuracy of sorting losses is that of the pairs as they are given, over all ranks") {
  oracle::random_numbers random{47};
  auto pairs = random_batch(61, random, 40);
  pairs[3].rejected = pairs[3].chosen, pairs[3].ref_rejected = pairs[3].ref_chosen;
  evaluated const right{front::make_pair_loss("dpo"), pairs};
  CHECK(right.seen.accuracy > 0.3);
  CHECK(right.seen.accuracy < 0.7);
  std::vector<pair> const none;
  for (named_loss const& loss : sorting_losses) {
    auto const made = front::make_pair_loss(loss.name, loss.given);
    evaluated const whole{made, pairs};
    CHECK(whole.seen.accuracy == right.seen.accuracy);
    CHECK(evaluated{made, none}.seen.accuracy == 0);
    for (auto const &outcome : run_ranks(2, [&](std::size_t rank, rank_sum&sum) {
           auto const middle = pairs.begin() + 20;
           evaluated const own{
               made,
               rank == 0 ? std::vector<pair>{pairs.begin(), middle} : std::vector<pair>{middle, pairs.end()},
               {.all_reduce = sum}};
           if (own.seen.accuracy != right.seen.accuracy) throw std::logic_error{"another accuracy"};
         })) {
      CHECK(outcome.error == "no error");
    }
  }
}

TEST_CASE("sorting losses refuse weights and options that skip") {
  std::vector<pair> const two{{.chosen = -1}, {.chosen = -2}};
  for (char const* name : {"aot", "aot_unpaired"}) {
    auto const loss = front::make_pair_loss(name);
    std::string const at = "prefopt::evaluate: " + std::string{name};
    CHECK(refusal([&] {
            evaluated(loss, two, {}, {1, 2});
          }) == at + " does not read the column weight, which is given");
    std::string const skipping = at + " sorts the whole batch, expected no option that skips";
    CHECK(refusal([&] { evaluated(loss, two, {.non_finite = on_invalid::skip}); }) == skipping);
    CHECK(refusal([&] { evaluated(loss, two, {.empty = on_invalid::skip}); }) == skipping);
  }
}

TEST_CASE("with_nll over a sorting loss adds each pair's likelihood to it") {
  oracle::random_numbers random{47};
  auto pairs = random_batch(60, random, 40);
  real tokens = 0;
  for (pair& p : pairs) {
    p.chosen_length = 1 + std::floor(random.uniform(0, 30));
    tokens += p.chosen_length;
  }
  for (char const* name : {"aot", "aot_unpaired"}) {
    named_loss const base{name, {{"beta", 0.5}}};
    auto const plain = results_of<double>(base, pairs);
    for (double const mode : {0., 1., 2.}) {
      CAPTURE(name, mode);
      auto const r = results_of<double>(modified("with_nll", base, {{"nll", 0.5}, {"nll_mode", mode}}), pairs);
      double sum = 0, expected = 0;
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < pairs.size(); ++i) {
        double const share = static_cast<double>(mode == 0 ? 60 / tokens : mode == 1 ? 1 / pairs[i].chosen_length : 1);
        sum += r.loss[i];
        expected += plain.loss[i] - 0.5 * share * static_cast<double>(pairs[i].chosen);
        wrong +=
            is_near(r.d_chosen[i], plain.d_chosen[i] - 0.5 * share) && is_near(r.d_rejected[i], plain.d_rejected[i])
                ? 0
                : 1;
      }
      // Losses are of ranks: what belongs to the batch is their sum.
      CHECK(is_near(sum, expected));
      CHECK(wrong == 0);
    }
  }
}

TEMPLATE_TEST_CASE("beta_dpo without a factor is DPO, and of equal margins DPO with their beta", "", float, double) {
  using T = TestType;
  oracle::random_numbers random{48};
  auto const pairs = oracle::random_pairs(200, random);
  check_same(results_of<T>({"beta_dpo", {{"beta", 0.5}, {"a", 0}, {"lowest", 1e-3}}}, pairs),
             results_of<T>({"dpo", {{"beta", 0.5}}}, pairs));
  // beta (1 + a (h - offset)) = 0.5 (1 + 0.25 * 8)
  std::vector<pair> const equal(50, {.chosen = -8, .rejected = -12, .ref_chosen = -10, .ref_rejected = -6});
  check_same(results_of<T>({"beta_dpo", {{"beta", 0.5}, {"a", 0.25}, {"offset", 0}}}, equal),
             results_of<T>({"dpo", {{"beta", 1.5}}}, equal));
  check_same(results_of<T>({"beta_dpo", {{"beta", 0.5}, {"a", 0.25}, {"offset", 40}, {"lowest", 0.125}}}, equal),
             results_of<T>({"dpo", {{"beta", 0.125}}}, equal));
}

TEST_CASE("beta_dpo's mean is over the counted pairs, without their weights") {
  std::vector<pair> pairs{{.chosen = 4}, {.chosen = -1}, {.rejected = -9}, {.chosen = 8}};
  std::vector<double> const weights{1, 0, 5, 2};
  // The mean margin is 5 with and without the pair that is skipped.
  any_pair_loss const loss = front::make_pair_loss("beta_dpo", {{"beta", 0.5}, {"a", 0.2}}),
                      dpo = front::make_pair_loss("dpo", {{"beta", 1}});
  evaluated const got{loss, pairs, {.reduction = reduction::sum}, weights},
      expected{dpo, pairs, {.reduction = reduction::sum}, weights};
  CHECK(got.loss == expected.loss);
  CHECK(got.d_chosen == expected.d_chosen);
  // Rewards are reported with beta as it was given.
  CHECK(got.chosen_reward[3] == 4);
  auto bad = pairs;
  bad.insert(bad.begin() + 2, {.chosen = not_a_number});
  auto const weights_of_bad = std::vector<double>{1, 0, 3, 5, 2};
  options const skip{.reduction = reduction::sum, .non_finite = on_invalid::skip};
  evaluated const skipped{loss, bad, skip, weights_of_bad};
  CHECK(skipped.seen.skipped == 1);
  CHECK(skipped.loss == std::vector<double>{got.loss[0], got.loss[1], 0, got.loss[2], got.loss[3]});
  CHECK(skipped.d_chosen == std::vector<double>{got.d_chosen[0], got.d_chosen[1], 0, got.d_chosen[2], got.d_chosen[3]});
  // Of nothing there is no mean.
  CHECK(evaluated(loss, {}).seen.loss == 0);
  CHECK(evaluated(loss, {{.chosen = not_a_number}}, skip).seen.count == 0);
}

TEST_CASE("statistics of the batch are those of all ranks") {
  oracle::random_numbers random{49};
  auto pairs = random_batch(101, random, 12);
  for (pair& p : pairs) p.chosen_length = 1 + std::floor(random.uniform(0, 30));
  for (auto const& loss :
       {front::make_pair_loss("beta_dpo", {{"a", 0.3}}), front::make_pair_loss("sft"),
        front::make_pair_loss("with_nll", {{"nll_mode", 0}}, "dpo"), front::make_pair_loss("with_nll", {}, "nca_pair"),
        front::make_pair_loss("with_nll", {}, "beta_dpo"), front::make_pair_loss("smoothed", {}, "beta_dpo")}) {
    CAPTURE(loss.name());
    evaluated const whole{loss, pairs};
    for (std::size_t const cut : {0U, 1U, 40U, 101U}) {
      std::vector<double> parts[2][2];
      report seen[2];
      auto const outcomes = run_ranks(2, [&](std::size_t rank, rank_sum& sum) {
        auto const begin = pairs.begin() + static_cast<std::ptrdiff_t>(rank == 0 ? 0 : cut),
                   end = rank == 0 ? pairs.begin() + static_cast<std::ptrdiff_t>(cut) : pairs.end();
        evaluated const own{loss, {begin, end}, {.all_reduce = sum}};
        parts[rank][0] = own.d_chosen;
        parts[rank][1] = own.d_rejected;
        seen[rank] = own.seen;
      });
      for (auto const& outcome : outcomes) CHECK(outcome.error == "no error");
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < pairs.size(); ++i) {
        auto const& part = parts[i < cut ? 0 : 1];
        std::size_t const at = i < cut ? i : i - cut;
        wrong += is_near(part[0].at(at), whole.d_chosen[i]) && is_near(part[1].at(at), whole.d_rejected[i]) ? 0 : 1;
      }
      CHECK(wrong == 0);
      for (auto const& report : seen) CHECK(is_near(report.loss, whole.seen.loss));
    }
  }
}

TEMPLATE_TEST_CASE("alpha_dpo without its target is SimPO, and with it an offset that is held constant", "", float,
                   double) {
  using T = TestType;
  oracle::random_numbers random{50};
  auto const pairs = oracle::random_pairs(300, random);
  check_same(results_of<T>({"alpha_dpo", {{"beta", 2.5}, {"gamma", 0.75}, {"alpha", 0}, {"mean", 3}}}, pairs),
             results_of<T>({"simpo", {{"beta", 2.5}, {"gamma", 0.75}}}, pairs));
  // Where h is its mean, too.
  std::vector<pair> const at{{.chosen = -9, .rejected = -14, .ref_chosen = -9, .ref_rejected = -14}};
  check_same(results_of<T>({"alpha_dpo", {{"gamma", 0.75}, {"alpha", 0.2}}}, at),
             results_of<T>({"simpo", {{"beta", 2.5}, {"gamma", 0.75}}}, at));
  // h = 4, (h - mean) / deviation = 1.5: the target is higher by alpha beta 1.5.
  std::vector<pair> const moved{{.chosen = -5, .rejected = -14, .ref_chosen = -9, .ref_rejected = -14}};
  check_same(results_of<T>(
                 {"alpha_dpo", {{"beta", 2}, {"gamma", 0.75}, {"alpha", 0.25}, {"mean", 1}, {"deviation", 2}}}, moved),
             results_of<T>({"simpo", {{"beta", 2}, {"gamma", 1.5}}}, moved));
}

TEST_CASE("a likelihood per token is the batch's: its shares average to it") {
  std::vector<pair> const pairs{{.chosen = -6, .rejected = -1, .chosen_length = 3},
                                {.chosen = -20, .rejected = -1, .chosen_length = 4},
                                {.chosen = -2, .rejected = -3, .chosen_length = 1}};
  auto const loss = front::make_pair_loss("sft");
  evaluated const r{loss, pairs};
  CHECK(is_near(r.seen.loss, 28. / 8));
  for (double const d : r.d_chosen) CHECK(is_near(d, -1. / 8));
  for (double const d : r.d_rejected) CHECK(d == 0);
  auto bad = pairs;
  bad.push_back({.chosen = not_a_number, .chosen_length = 100});
  evaluated const skipped{loss, bad, {.non_finite = on_invalid::skip}};
  CHECK(is_near(skipped.seen.loss, 28. / 8));
  bad.back() = {.rejected = -4, .chosen_length = 0};
  evaluated const empty{loss, bad, {.empty = on_invalid::skip}};
  CHECK(is_near(empty.seen.loss, 28. / 8));
  CHECK(empty.seen.count == 3);
  CHECK(evaluated(loss, {}).seen.loss == 0);
}

}  // namespace by_batch
