#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <prefopt/loss/simpo.hpp>
#include <string>
#include <utility>
#include <vector>

#include "oracle/pair_results.hpp"

// What the papers say of their losses, as equations between losses.

namespace {

using oracle::modified;
using oracle::named_loss;
using oracle::pair;
using oracle::results_of;
using oracle::same_bits;

/// The same bits; zeros of either sign are one.
template <class T>
bool is_same(T x, T y) {
  return x == y || same_bits(x, y);
}

template <class T>
void check_same_bits(oracle::results<T> const& x, oracle::results<T> const& y) {
  REQUIRE(x.loss.size() == y.loss.size());
  for (std::size_t i = 0; i < x.loss.size(); ++i) {
    CAPTURE(i, x.loss[i], y.loss[i], x.d_chosen[i], y.d_chosen[i], x.d_rejected[i], y.d_rejected[i]);
    CHECK(is_same(x.loss[i], y.loss[i]));
    CHECK(is_same(x.d_chosen[i], y.d_chosen[i]));
    CHECK(is_same(x.d_rejected[i], y.d_rejected[i]));
  }
}

void check_close(oracle::results<double> const& x, oracle::results<double> const& y, double tolerance) {
  REQUIRE(x.loss.size() == y.loss.size());
  auto const close = [&](double got, double right) {
    CAPTURE(got, right);
    CHECK((got == right || std::fabs(got - right) <= tolerance * (1 + std::fabs(right))));
  };
  for (std::size_t i = 0; i < x.loss.size(); ++i) {
    close(x.loss[i], y.loss[i]);
    close(x.d_chosen[i], y.d_chosen[i]);
    close(x.d_rejected[i], y.d_rejected[i]);
  }
}

/// Equal but for a rounding: a compiler may fuse the sum of a link and Bradley-Terry's centring in one kernel and not
/// in another.
template <class T>
void check_close_to_rounding(oracle::results<T> const& x, oracle::results<T> const& y) {
  auto const close = [](T got, T right, T size) {
    CAPTURE(got, right);
    CHECK(std::fabs(got - right) <= 4 * std::numeric_limits<T>::epsilon() * size);
  };
  for (std::size_t i = 0; i < x.loss.size(); ++i) {
    // Two terms of opposite sign: their difference in the two gradients bounds them.
    T const size = std::fabs(y.d_chosen[i]) + std::fabs(y.d_rejected[i]);
    close(x.loss[i], y.loss[i], std::fabs(y.loss[i]));
    close(x.d_chosen[i], y.d_chosen[i], size);
    close(x.d_rejected[i], y.d_rejected[i], size);
  }
}

/// Pairs of the margin h and nothing else.
std::vector<pair> with_margins(std::vector<double> const& margins) {
  std::vector<pair> pairs;
  for (double const h : margins) pairs.push_back({.chosen = h});
  return pairs;
}

/// Log-probs that are multiples of 2^-10, so that sums and differences of them are exact in either type.
std::vector<pair> exact_pairs(std::size_t count) {
  oracle::random_numbers random{4};
  auto const dyadic = [&] { return std::floor(random.uniform(-64, 0) * 1024) / 1024; };
  std::vector<pair> pairs;
  for (std::size_t i = 0; i < count; ++i) {
    pairs.push_back({.chosen = dyadic(),
                     .rejected = dyadic(),
                     .ref_chosen = dyadic(),
                     .ref_rejected = dyadic(),
                     .chosen_length = std::floor(random.uniform(1, 60)),
                     .rejected_length = std::floor(random.uniform(1, 60))});
  }
  return pairs;
}

double const log_two = std::log(2.0);

}  // namespace

TEST_CASE("at policy = reference the losses and their gradients are known") {
  std::vector<pair> const at{
      {.chosen = -7, .rejected = -3, .ref_chosen = -7, .ref_rejected = -3, .chosen_length = 4, .rejected_length = 2}};
  double const beta = 0.25;
  auto const check = [&](named_loss const& loss, double value, double d_chosen, double d_rejected) {
    auto const r = results_of<double>(loss, at);
    CAPTURE(oracle::describe(loss));
    CHECK(std::fabs(r.loss[0] - value) <= 1e-15);
    CHECK(std::fabs(r.d_chosen[0] - d_chosen) <= 1e-15);
    CHECK(std::fabs(r.d_rejected[0] - d_rejected) <= 1e-15);
  };
  check({"dpo", {{"beta", beta}}}, log_two, -beta / 2, beta / 2);
  check({"ln_dpo", {{"beta", beta}}}, log_two, -beta / 8, beta / 4);
  check({"cdpo", {{"beta", beta}, {"epsilon", 0.125}}}, log_two, -beta * 0.375, beta * 0.375);
  check({"rdpo", {{"beta", beta}, {"epsilon", 0.25}}}, log_two, -beta, beta);
  check({"hinge", {{"beta", beta}}}, 1, -beta, beta);
  check({"ipo", {{"tau", 0.25}}}, 4, -4, 4);
  check({"ipo_mean", {{"tau", 0.25}}}, 4, -1, 2);
}

TEMPLATE_TEST_CASE("a modifier without effect is its base, bit for bit", "", float, double) {
  using T = TestType;
  oracle::random_numbers random{5};
  auto pairs = oracle::random_pairs(500, random);
  for (double const h : {0., 1e4, -1e4, 1e15, -1e15}) pairs.push_back({.chosen = h});
  for (pair& p : pairs) p.label = 1;
  std::map<std::string, std::size_t> without_effect;
  for (std::string const& name : oracle::pair_losses()) {
    for (named_loss const& base : oracle::variants_of({name}, 3, random)) {
      CAPTURE(oracle::describe(base));
      auto const taken = oracle::obeying(base, pairs);
      auto const plain = results_of<T>(base, taken);
      auto const check = [&](std::string const& modifier, std::vector<std::pair<std::string, double>> const& given) {
        // By a label of 1, of which some losses are no function.
        if (!oracle::goes_over(modifier, name)) return;
        ++without_effect[modifier];
        auto const same = results_of<T>(modified(modifier, base, given), taken);
        if (name == "bradley_terry" && value_of(base, "center") != 0) return check_close_to_rounding(same, plain);
        check_same_bits(same, plain);
      };
      check("unbiased", {{"epsilon", 0}});
      check("smoothed", {{"epsilon", 0}});
      check("labelled", {});
      check("with_nll", {{"nll", 0}});
    }
  }
  // Of 60 losses 2 sort the batch and one is a likelihood; exo_pair has an epsilon of its own, 8 read labels.
  CHECK(without_effect["with_nll"] == 4 * 60);
  CHECK(without_effect["unbiased"] == 4 * 56);
  CHECK(without_effect["smoothed"] == 4 * 56);
  CHECK(without_effect["labelled"] == 4 * 49);
  check_same_bits(results_of<T>({"cdpo", {{"epsilon", 0}}}, pairs), results_of<T>({"dpo"}, pairs));
  check_same_bits(results_of<T>({"rdpo", {{"epsilon", 0}}}, pairs), results_of<T>({"dpo"}, pairs));
}

TEMPLATE_TEST_CASE("the names of compositions are their compositions, bit for bit", "", float, double) {
  using T = TestType;
  oracle::random_numbers random{6};
  auto const pairs = oracle::random_pairs(300, random);
  check_same_bits(results_of<T>({"cdpo", {{"beta", 0.3}, {"epsilon", 0.2}}}, pairs),
                  results_of<T>(modified("smoothed", {"dpo", {{"beta", 0.3}}}, {{"epsilon", 0.2}}), pairs));
  check_same_bits(results_of<T>({"rdpo", {{"beta", 0.3}, {"epsilon", 0.2}}}, pairs),
                  results_of<T>(modified("unbiased", {"dpo", {{"beta", 0.3}}}, {{"epsilon", 0.2}}), pairs));
  auto const ratio = prefopt::simpo::with_ratio(2.5, 0.1);
  CHECK(ratio.beta == 2.5);
  CHECK(ratio.gamma == 0.25);
}

TEST_CASE("DPO of the pair and of the pair swapped differ by beta h") {
  oracle::random_numbers random{7};
  for (double const beta : {0.01, 0.1, 0.5, 3.}) {
    std::vector<pair> pairs, swapped;
    for (int i = 0; i < 500; ++i)
      pairs.push_back({.chosen = random.uniform(-200, 200), .ref_rejected = random.uniform(-1, 1)});
    for (pair const& p : pairs) swapped.push_back(oracle::swapped(p));
    auto const given = results_of<double>({"dpo", {{"beta", beta}}}, pairs);
    auto const other = results_of<double>({"dpo", {{"beta", beta}}}, swapped);
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      double const z = beta * static_cast<double>(pairs[i].chosen + pairs[i].ref_rejected);
      CHECK(std::fabs(given.loss[i] - other.loss[i] + z) <= 1e-14 * (1 + std::fabs(z)));
      // sigma(z) + sigma(-z) = 1.
      CHECK(std::fabs(given.d_chosen[i] + other.d_chosen[i] + beta) <= 1e-15 * beta * 4);
    }
  }
}

TEMPLATE_TEST_CASE("adding a constant where the margin does not see it changes nothing", "", float, double) {
  using T = TestType;
  auto const pairs = exact_pairs(200);
  auto const moved = [&](auto const& move) {
    auto other = pairs;
    for (pair& p : other) move(p);
    return other;
  };
  auto const both = moved([](pair& p) { p.chosen += 16, p.rejected += 16; });
  auto const one = moved([](pair& p) { p.chosen -= 8, p.ref_chosen -= 8; });
  auto const references = moved([](pair& p) { p.ref_chosen += 4, p.ref_rejected += 4; });
  auto const check_sums = [&](named_loss const& loss) {
    auto const plain = results_of<T>(loss, pairs);
    check_same_bits(results_of<T>(loss, both), plain);
    check_same_bits(results_of<T>(loss, one), plain);
    check_same_bits(results_of<T>(loss, references), plain);
  };
  check_sums({"dpo"});
  check_sums({"cdpo"});
  check_sums({"rdpo"});
  check_sums({"ipo"});
  check_sums({"hinge"});
  check_same_bits(results_of<T>({"ln_dpo"}, one), results_of<T>({"ln_dpo"}, pairs));
  check_same_bits(results_of<T>({"ipo_mean"}, one), results_of<T>({"ipo_mean"}, pairs));
  // Without centring a reward model is free up to a constant; with it, it is not.
  check_same_bits(results_of<T>({"bradley_terry"}, both), results_of<T>({"bradley_terry"}, pairs));
  auto const centred = results_of<T>({"bradley_terry", {{"center", 0.01}}}, pairs);
  auto const centred_moved = results_of<T>({"bradley_terry", {{"center", 0.01}}}, both);
  for (std::size_t i = 0; i < pairs.size(); ++i) CHECK(centred.loss[i] != centred_moved.loss[i]);
}

TEST_CASE("the gradients of losses on sums of log-probs add up to zero") {
  oracle::random_numbers random{8};
  auto const pairs = oracle::random_pairs(300, random);
  auto const check = [&](named_loss const& loss) {
    auto const r = results_of<double>(loss, pairs);
    for (std::size_t i = 0; i < pairs.size(); ++i) CHECK(r.d_chosen[i] == -r.d_rejected[i]);
  };
  check({"dpo"});
  check({"cdpo"});
  check({"rdpo"});
  check({"ipo"});
  check({"hinge"});
  check({"cpo"});
  check({"bradley_terry"});
  check(modified("lcpo", {"dpo"}));
  check(modified("lcpo", {"ipo"}));
}

TEST_CASE("the unbiased loss averaged over flips is the base loss on clean labels") {
  // (1 - epsilon) L_u(pair) + epsilon L_u(pair swapped) = L(pair), whatever the loss, its margin and its other terms.
  oracle::random_numbers random{9};
  std::vector<pair> pairs;
  for (int i = 0; i < 200; ++i) {
    pairs.push_back({.chosen = random.uniform(-40, 0),
                     .rejected = random.uniform(-40, 0),
                     .ref_chosen = random.uniform(-40, 0),
                     .ref_rejected = random.uniform(-40, 0),
                     .chosen_length = std::floor(random.uniform(1, 9)),
                     .rejected_length = std::floor(random.uniform(1, 9)),
                     .margin = random.uniform(-1, 2)});
  }
  std::vector<pair> swapped;
  for (pair const& p : pairs) swapped.push_back(oracle::swapped(p));
  for (std::string const& name : oracle::pair_losses()) {
    // What depends on the batch is another loss on the swapped one.
    if (!oracle::goes_over("unbiased", name) || oracle::facts_of_pair_loss({name}).depends_on_batch) continue;
    auto const taken = oracle::obeying({name}, pairs), taken_swapped = oracle::obeying({name}, swapped);
    for (named_loss const& base : oracle::variants_of({name}, 3, random)) {
      for (double const epsilon : {0.05, 0.1, 0.3, 0.45}) {
        named_loss const loss = modified("unbiased", base, {{"epsilon", epsilon}});
        CAPTURE(oracle::describe(loss));
        auto const clean = results_of<double>(base, taken), given = results_of<double>(loss, taken),
                   flipped = results_of<double>(loss, taken_swapped);
        for (std::size_t i = 0; i < pairs.size(); ++i) {
          auto const check = [&](double kept, double other, double right) {
            double const average = (1 - epsilon) * kept + epsilon * other;
            CHECK(std::fabs(average - right) <= 1e-13 * (1 + std::fabs(right) + std::fabs(kept) + std::fabs(other)));
          };
          check(given.loss[i], flipped.loss[i], clean.loss[i]);
          check(given.d_chosen[i], flipped.d_rejected[i], clean.d_chosen[i]);
          check(given.d_rejected[i], flipped.d_chosen[i], clean.d_rejected[i]);
        }
      }
    }
  }
}

TEST_CASE("rDPO over a batch of flipped labels: the average over all flips is DPO on the clean ones") {
  // Every one of the 2^4 ways to flip four labels, with its probability.
  std::vector<pair> const clean{{.chosen = 3}, {.chosen = -12.5}, {.chosen = 0.25}, {.chosen = 40}};
  double const epsilon = 0.2;
  auto const mean_loss = [](oracle::results<double> const& r) {
    return (r.loss[0] + r.loss[1] + r.loss[2] + r.loss[3]) / 4;
  };
  double average = 0;
  for (unsigned flips = 0; flips < 16; ++flips) {
    auto pairs = clean;
    double probability = 1;
    for (unsigned i = 0; i < 4; ++i) {
      bool const flip = (flips >> i & 1) != 0;
      if (flip) pairs[i] = oracle::swapped(pairs[i]);
      probability *= flip ? epsilon : 1 - epsilon;
    }
    average += probability * mean_loss(results_of<double>({"rdpo", {{"epsilon", epsilon}}}, pairs));
  }
  CHECK(std::fabs(average - mean_loss(results_of<double>({"dpo"}, clean))) <= 1e-15);
}

TEST_CASE("rDPO is DPO with a linear tilt, and may be negative") {
  double const beta = 0.5, epsilon = 0.2;
  for (double const h : {-30., -2., 0., 1., 5., 30., 500.}) {
    double const z = beta * h, tilt = epsilon / (1 - 2 * epsilon);
    auto const r = results_of<double>({"rdpo", {{"beta", beta}, {"epsilon", epsilon}}}, with_margins({h}));
    auto const plain = results_of<double>({"dpo", {{"beta", beta}}}, with_margins({h}));
    CHECK(std::fabs(r.loss[0] - (plain.loss[0] - tilt * z)) <= 1e-14 * (1 + std::fabs(z)));
    CHECK(std::fabs(r.d_chosen[0] - (plain.d_chosen[0] - tilt * beta)) <= 1e-15);
  }
  CHECK(results_of<double>({"rdpo", {{"beta", beta}, {"epsilon", epsilon}}}, with_margins({500})).loss[0] < -80);
}

TEST_CASE("SimPO") {
  auto const pairs = exact_pairs(200);
  SECTION("without margin and on single tokens is DPO without a reference") {
    auto single = pairs;
    for (pair& p : single) p.chosen_length = p.rejected_length = 1, p.ref_chosen = p.ref_rejected = 0;
    check_same_bits(results_of<double>({"simpo", {{"beta", 0.75}, {"gamma", 0}}}, single),
                    results_of<double>({"dpo", {{"beta", 0.75}}}, single));
    check_same_bits(results_of<double>({"simpo", {{"beta", 0.75}, {"gamma", 0}}}, single),
                    results_of<double>({"cpo", {{"beta", 0.75}}}, single));
  }
  SECTION("does not see every token written twice, nor does LN-DPO or IPO on means") {
    auto twice = pairs;
    for (pair& p : twice) {
      p.chosen *= 2, p.rejected *= 2, p.ref_chosen *= 2, p.ref_rejected *= 2;
      p.chosen_length *= 2, p.rejected_length *= 2;
    }
    auto const check = [&](named_loss const& loss) {
      auto const once = results_of<double>(loss, pairs), doubled = results_of<double>(loss, twice);
      for (std::size_t i = 0; i < pairs.size(); ++i) {
        CHECK(same_bits(once.loss[i], doubled.loss[i]));
        CHECK(same_bits(once.d_chosen[i], 2 * doubled.d_chosen[i]));
        CHECK(same_bits(once.d_rejected[i], 2 * doubled.d_rejected[i]));
      }
    };
    check({"simpo"});
    check({"ln_dpo"});
    check({"ipo_mean"});
  }
  SECTION("grows with its margin, which is one in the logit") {
    auto before = results_of<double>({"simpo", {{"beta", 2}, {"gamma", 0}}}, pairs);
    for (double const gamma : {0.25, 1., 3.}) {
      auto const after = results_of<double>({"simpo", {{"beta", 2}, {"gamma", gamma}}}, pairs);
      for (std::size_t i = 0; i < pairs.size(); ++i) CHECK(after.loss[i] > before.loss[i]);
      before = after;
      // z = 2 h - gamma: the same as a margin that is smaller by gamma / 2.
      auto const one = results_of<double>({"simpo", {{"beta", 2}, {"gamma", gamma}}}, with_margins({1.25}));
      auto const other = results_of<double>({"simpo", {{"beta", 2}, {"gamma", 0}}}, with_margins({1.25 - gamma / 2}));
      CHECK(one.loss[0] == other.loss[0]);
      CHECK(one.d_chosen[0] == other.d_chosen[0]);
    }
  }
  SECTION("smoothing takes the opposite label at the same logit, the unbiased form the pair swapped") {
    // At a margin of 0 and beta = 1 the logit is -gamma; the pair swapped has the same, the opposite label +gamma.
    double const gamma = 1.5, at = std::log1p(std::exp(gamma)), opposite = std::log1p(std::exp(-gamma));
    named_loss const base{"simpo", {{"beta", 1}, {"gamma", gamma}}};
    auto const smoothed = results_of<double>(modified("smoothed", base, {{"epsilon", 0.25}}), with_margins({0}));
    auto const unbiased = results_of<double>(modified("unbiased", base, {{"epsilon", 0.25}}), with_margins({0}));
    CHECK(std::fabs(smoothed.loss[0] - (0.75 * at + 0.25 * opposite)) <= 1e-15);
    CHECK(std::fabs(unbiased.loss[0] - at) <= 1e-15);
  }
}

TEST_CASE("on single tokens the losses on means are those on sums") {
  auto pairs = exact_pairs(200);
  for (pair& p : pairs) p.chosen_length = p.rejected_length = 1;
  check_same_bits(results_of<double>({"ln_dpo", {{"beta", 0.3}}}, pairs),
                  results_of<double>({"dpo", {{"beta", 0.3}}}, pairs));
  check_same_bits(results_of<double>({"ipo_mean", {{"tau", 0.3}}}, pairs),
                  results_of<double>({"ipo", {{"tau", 0.3}}}, pairs));
}

TEST_CASE("Bradley-Terry on implicit rewards is DPO") {
  auto const pairs = exact_pairs(200);
  double const beta = 0.25;
  auto rewards = pairs;
  for (pair& p : rewards) {
    p.chosen = beta * (p.chosen - p.ref_chosen);
    p.rejected = beta * (p.rejected - p.ref_rejected);
  }
  auto const bt = results_of<double>({"bradley_terry"}, rewards),
             dpo = results_of<double>({"dpo", {{"beta", beta}}}, pairs);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    CHECK(same_bits(bt.loss[i], dpo.loss[i]));
    CHECK(same_bits(beta * bt.d_chosen[i], dpo.d_chosen[i]));
  }
  // A temperature divides the margin and everything in it.
  auto cooled = rewards;
  for (pair& p : cooled) p.chosen /= 4, p.rejected /= 4;
  auto const warm = results_of<double>({"bradley_terry", {{"temperature", 4}}}, rewards);
  auto const divided = results_of<double>({"bradley_terry"}, cooled);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    CHECK(same_bits(warm.loss[i], divided.loss[i]));
    CHECK(same_bits(4 * warm.d_chosen[i], divided.d_chosen[i]));
  }
}

TEST_CASE("IPO") {
  SECTION("is zero, and flat, at its target") {
    for (double const tau : {0.125, 0.25, 0.5, 2.}) {
      auto const r = results_of<double>({"ipo", {{"tau", tau}}}, with_margins({1 / (2 * tau)}));
      CHECK(r.loss[0] == 0);
      CHECK(r.d_chosen[0] == 0);
      CHECK(r.d_rejected[0] == 0);
    }
  }
  SECTION("has its published optimum on three arms in a deterministic order") {
    // h12 + h23 = h13 and tau = 1/2: the gradient by arm 1 is that by h12 and h13, and so on.
    auto const r = results_of<double>({"ipo", {{"tau", 0.5}}}, with_margins({2. / 3, 4. / 3, 2. / 3}));
    CHECK(std::fabs(r.d_chosen[0] + r.d_chosen[1]) <= 1e-15);
    CHECK(std::fabs(r.d_chosen[2] - r.d_chosen[0]) <= 1e-15);
    CHECK(std::fabs(r.d_chosen[0] + 2. / 3) <= 1e-15);
  }
  SECTION("smoothed is least at (1 - 2 epsilon) times its target") {
    double const tau = 0.125, target = 4;
    for (double const epsilon : {0., 0.125, 0.25, 0.5}) {
      named_loss const loss = modified("smoothed", {"ipo", {{"tau", tau}}}, {{"epsilon", epsilon}});
      auto const r = results_of<double>(loss, with_margins({(1 - 2 * epsilon) * target}));
      CHECK(std::fabs(r.d_chosen[0]) <= 1e-14);
      for (double const h : {-3., 0., 0.5, 7.}) {
        double const expected = h * h - 2 * (1 - 2 * epsilon) * target * h + target * target;
        CHECK(std::fabs(results_of<double>(loss, with_margins({h})).loss[0] - expected) <= 1e-14 * (1 + expected));
      }
    }
  }
  SECTION("labelled with the preference p is least at (p - 1/2) / tau") {
    double const tau = 0.2;
    for (double const p : {0., 0.3, 0.5, 0.8, 1.}) {
      pair at{.chosen = (p - 0.5) / tau, .label = p};
      CHECK(std::fabs(results_of<double>(modified("labelled", {"ipo", {{"tau", tau}}}), {at}).d_chosen[0]) <= 1e-14);
    }
  }
}

TEST_CASE("cDPO is least where the model is as sure as the labels, and there is their entropy") {
  for (double const epsilon : {0.01, 0.1, 0.25, 0.5}) {
    for (double const beta : {0.1, 1.}) {
      double const z = std::log((1 - epsilon) / epsilon);
      auto const r = results_of<double>({"cdpo", {{"beta", beta}, {"epsilon", epsilon}}}, with_margins({z / beta}));
      CHECK(std::fabs(r.d_chosen[0]) <= 1e-15);
      double const entropy = -(1 - epsilon) * std::log(1 - epsilon) - epsilon * std::log(epsilon);
      CHECK(std::fabs(r.loss[0] - entropy) <= 1e-15);
    }
  }
}

TEST_CASE("labels and smoothing are one thing: a label of 1 - epsilon smooths by epsilon") {
  oracle::random_numbers random{10};
  auto pairs = oracle::random_pairs(200, random);
  for (pair& p : pairs) p.label = 0.875;
  std::size_t flipped = 0;
  for (std::string const& name : oracle::pair_losses()) {
    if (!oracle::goes_over("labelled", name) || !oracle::goes_over("smoothed", name)) continue;
    CAPTURE(name);
    auto const taken = oracle::obeying({name}, pairs);
    check_close(results_of<double>(modified("labelled", {name}), taken),
                results_of<double>(modified("smoothed", {name}, {{"epsilon", 0.125}}), taken), 1e-14);
    ++flipped;
  }
  CHECK(flipped == 48);
}

TEST_CASE("a label of 0 is the pair swapped where the loss has no margin") {
  auto pairs = exact_pairs(200);
  std::vector<pair> swapped;
  for (pair& p : pairs) {
    p.label = 0;
    swapped.push_back(oracle::swapped(p));
  }
  auto const check = [&](named_loss const& base) {
    auto const flipped = results_of<double>(modified("labelled", base), pairs),
               other = results_of<double>(base, swapped);
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      CHECK(same_bits(flipped.loss[i], other.loss[i]));
      CHECK(flipped.d_chosen[i] == other.d_rejected[i]);
      CHECK(flipped.d_rejected[i] == other.d_chosen[i]);
    }
  };
  check({"dpo"});
  check({"ipo"});
  check({"ln_dpo"});
  check({"hinge"});
  check({"simpo", {{"gamma", 0}}});
  check({"r_dpo"});
  check({"cauchy_dpo"});
  check({"nca_pair"});
  check({"dpop"});
}

TEST_CASE("smoothing leaves CPO's likelihood and Bradley-Terry's centring alone") {
  auto const pairs = exact_pairs(100);
  auto const check_rest = [&](named_loss const& with, named_loss const& without, auto const& rest) {
    auto const got = results_of<double>(modified("smoothed", with, {{"epsilon", 0.3}}), pairs);
    auto const plain = results_of<double>(modified("smoothed", without, {{"epsilon", 0.3}}), pairs);
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      double const right = plain.loss[i] + rest(pairs[i]);
      CHECK(std::fabs(got.loss[i] - right) <= 1e-14 * (1 + std::fabs(right)));
    }
  };
  check_rest({"cpo", {{"sft", 0.5}}}, {"cpo"}, [](pair const& p) { return -0.5 * static_cast<double>(p.chosen); });
  check_rest({"bradley_terry", {{"center", 0.01}}}, {"bradley_terry"}, [](pair const& p) {
    double const total = static_cast<double>(p.chosen + p.rejected);
    return 0.01 * total * total;
  });
}

TEMPLATE_TEST_CASE("convex losses have slopes that never fall as the margin grows", "", float, double) {
  using T = TestType;
  std::vector<pair> pairs;
  for (int i = -3000; i <= 3000; ++i) pairs.push_back({.chosen = static_cast<double>(i) / 32});
  auto const check = [&](named_loss const& loss) {
    CAPTURE(oracle::describe(loss));
    auto const r = results_of<T>(loss, pairs);
    for (std::size_t i = 1; i < pairs.size(); ++i) {
      // Neighbours that are equal but for rounding may be out of order by a few ULP.
      T const slack = 4 * std::numeric_limits<T>::epsilon() * std::fabs(r.d_chosen[i]);
      CHECK(r.d_chosen[i] >= r.d_chosen[i - 1] - slack);
      CHECK(r.d_chosen[i] + r.d_rejected[i] == 0);
    }
  };
  check({"dpo", {{"beta", 1}}});
  check({"cdpo", {{"beta", 1}}});
  check({"rdpo", {{"beta", 1}}});
  check({"ipo"});
  check({"simpo"});
  check({"hinge"});
  check({"bradley_terry"});
  check(modified("smoothed", {"hinge"}));
}

TEST_CASE("DPO and SimPO never push the chosen completion down, hinge stops at its margin") {
  std::vector<double> margins;
  for (int i = -400; i <= 400; ++i) margins.push_back(i);
  auto const pairs = with_margins(margins);
  for (double const d : results_of<double>({"dpo"}, pairs).d_chosen) CHECK(d <= 0);
  for (double const d : results_of<double>({"simpo"}, pairs).d_chosen) CHECK(d <= 0);
  auto const hinge = results_of<double>({"hinge", {{"beta", 0.25}}}, pairs);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    bool const done = 0.25 * margins[i] >= 1;
    CHECK(hinge.loss[i] == (done ? 0 : 1 - 0.25 * margins[i]));
    CHECK(hinge.d_chosen[i] == (done ? 0 : -0.25));
  }
}
