#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include "oracle/pair_formula.hpp"
#include "oracle/pair_oracle.hpp"
#include "oracle/pair_results.hpp"

// What arXiv:2509.24159 says of its loss, and what follows from it.

namespace {

using oracle::modified;
using oracle::named_loss;
using oracle::pair;
using oracle::results_of;

named_loss lcpo(named_loss const& base) { return modified("lcpo", base); }

std::vector<pair> moderate_pairs(std::size_t count, oracle::random_numbers& random) {
  std::vector<pair> pairs;
  for (std::size_t i = 0; i < count; ++i) {
    pairs.push_back({.chosen = random.uniform(-6, 0),
                     .rejected = random.uniform(-6, 0),
                     .ref_chosen = random.uniform(-6, 0),
                     .ref_rejected = random.uniform(-6, 0),
                     .chosen_length = std::floor(random.uniform(1, 5)),
                     .rejected_length = std::floor(random.uniform(1, 5)),
                     .margin = random.uniform(-1, 1),
                     .reliability = random.uniform(0.01, 0.99)});
  }
  return pairs;
}

/// The losses that lcpo goes over by name, each pair's by itself.
std::vector<std::string> const& bases() {
  static std::vector<std::string> const names = [] {
    std::vector<std::string> all;
    for (std::string const& name : oracle::pair_losses()) {
      if (oracle::goes_over("lcpo", name) && !oracle::facts_of_pair_loss({name}).depends_on_batch) all.push_back(name);
    }
    return all;
  }();
  return names;
}

std::vector<pair> with_reliability(std::vector<pair> pairs, double eta) {
  for (pair& p : pairs) p.reliability = eta;
  return pairs;
}

void check_within(double got, double right, double tolerance = 1e-13) {
  CAPTURE(got, right);
  CHECK(std::fabs(got - right) <= tolerance * (1 + std::fabs(right)));
}

double sigma(double x) { return 1 / (1 + std::exp(-x)); }

}  // namespace

TEST_CASE("lcpo with an annotator who is always right has w = 1") {
  oracle::random_numbers random{11};
  auto const pairs = with_reliability(moderate_pairs(200, random), 1);
  for (std::string const& name : bases()) {
    for (double const w : results_of<double>(lcpo({name}), oracle::obeying({name}, pairs)).posterior) CHECK(w == 1);
  }
  // Over a likelihood it then is that loss.
  auto const check_is_base = [&](named_loss const& base) {
    auto const r = results_of<double>(lcpo(base), pairs), plain = results_of<double>(base, pairs);
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      check_within(r.loss[i], plain.loss[i]);
      check_within(r.d_chosen[i], plain.d_chosen[i]);
      check_within(r.d_rejected[i], plain.d_rejected[i]);
    }
  };
  check_is_base({"dpo", {{"beta", 0.5}}});
  check_is_base({"cpo", {{"beta", 0.5}}});
  check_is_base({"ln_dpo", {{"beta", 2}}});
  check_is_base({"simpo", {{"beta", 2}, {"gamma", 0}}});
}

TEMPLATE_TEST_CASE("lcpo with an annotator who guesses has w = sigma(G) and no gradient", "", float, double) {
  using T = TestType;
  oracle::random_numbers random{12};
  auto const pairs = with_reliability(moderate_pairs(200, random), 0.5);
  for (std::string const& name : bases()) {
    CAPTURE(name);
    auto const r = results_of<T>(lcpo({name}), oracle::obeying({name}, pairs));
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      CHECK(r.d_chosen[i] == 0);
      CHECK(r.d_rejected[i] == 0);
    }
  }
  auto const r = results_of<double>(lcpo({"dpo", {{"beta", 0.5}}}), with_reliability({{.chosen = 3}}, 0.5));
  check_within(r.posterior[0], sigma(1.5));
}

TEST_CASE("lcpo with an annotator who is always wrong is the pair swapped under one who is always right") {
  oracle::random_numbers random{13};
  auto const pairs = moderate_pairs(200, random);
  std::vector<pair> swapped;
  for (pair const& p : pairs) swapped.push_back(oracle::swapped(p));
  for (std::string const& name : bases()) {
    CAPTURE(name);
    auto const wrong = results_of<double>(lcpo({name}), with_reliability(oracle::obeying({name}, pairs), 0));
    auto const right = results_of<double>(lcpo({name}), with_reliability(oracle::obeying({name}, swapped), 1));
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      CHECK(wrong.posterior[i] == 0);
      check_within(wrong.loss[i], right.loss[i]);
      check_within(wrong.d_chosen[i], right.d_rejected[i]);
      check_within(wrong.d_rejected[i], right.d_chosen[i]);
    }
  }
}

TEST_CASE("lcpo of the pair swapped is lcpo under the opposite reliability: w(-G, eta) = 1 - w(G, 1 - eta)") {
  oracle::random_numbers random{14};
  auto const pairs = moderate_pairs(200, random);
  std::vector<pair> swapped;
  for (pair p : pairs) {
    p = oracle::swapped(p);
    p.reliability = 1 - p.reliability;
    swapped.push_back(p);
  }
  for (std::string const& name : bases()) {
    CAPTURE(name);
    for (named_loss const& base : oracle::variants_of({name}, 3, random)) {
      // A gap of hundreds, as ipo's is, magnifies the rounding of the margin.
      auto const given = results_of<double>(lcpo(base), oracle::obeying(base, pairs)),
                 other = results_of<double>(lcpo(base), oracle::obeying(base, swapped));
      for (std::size_t i = 0; i < pairs.size(); ++i) {
        check_within(given.posterior[i] + other.posterior[i], 1, 1e-11);
        check_within(given.loss[i], other.loss[i], 1e-11);
        check_within(given.d_chosen[i], other.d_rejected[i], 1e-11);
        check_within(given.d_rejected[i], other.d_chosen[i], 1e-11);
      }
    }
  }
}

TEST_CASE("at G = 0 lcpo's posterior is the reliability and its gradient cDPO's with epsilon = 1 - eta") {
  for (double const eta : {0.5, 0.6, 0.75, 0.9, 0.99, 1.}) {
    double const beta = 0.25;
    auto const r = results_of<double>(lcpo({"dpo", {{"beta", beta}}}), with_reliability({{}}, eta));
    auto const smoothed = results_of<double>({"cdpo", {{"beta", beta}, {"epsilon", 1 - eta}}}, {{}});
    check_within(r.posterior[0], eta, 1e-15);
    check_within(r.loss[0], std::log(2.0), 1e-15);
    check_within(r.d_chosen[0], smoothed.d_chosen[0], 1e-15);
    check_within(r.d_rejected[0], smoothed.d_rejected[0], 1e-15);
  }
}

TEST_CASE("lcpo's posterior is sigma(G + logit eta), with the papers' G") {
  oracle::random_numbers random{15};
  auto const pairs = moderate_pairs(200, random);
  auto const check = [&](named_loss const& loss, auto const& gap) {
    CAPTURE(oracle::describe(loss));
    auto const r = results_of<double>(loss, pairs);
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      double const eta = static_cast<double>(pairs[i].reliability);
      double const w = sigma(gap(pairs[i]) + std::log(eta / (1 - eta)));
      check_within(r.posterior[i], w, 1e-12);
    }
  };
  auto const h = [](pair const& p) {
    return static_cast<double>((p.chosen - p.ref_chosen) - (p.rejected - p.ref_rejected));
  };
  auto const mean_h = [](pair const& p) {
    return static_cast<double>((p.chosen - p.ref_chosen) / p.chosen_length -
                               (p.rejected - p.ref_rejected) / p.rejected_length);
  };
  auto const softplus = [](double x) { return std::log1p(std::exp(x)); };
  check(lcpo({"dpo", {{"beta", 0.4}}}), [&](pair const& p) { return 0.4 * h(p); });
  check(lcpo({"ipo", {{"tau", 2}}}), [&](pair const& p) { return 2 * h(p) / 2; });
  check(lcpo({"ipo_mean", {{"tau", 0.5}}}), [&](pair const& p) { return 2 * mean_h(p) / 0.5; });
  check(lcpo({"simpo", {{"beta", 2}, {"gamma", 1}}}), [&](pair const& p) {
    double const m = 2 * static_cast<double>(p.chosen / p.chosen_length - p.rejected / p.rejected_length);
    return softplus(m + 1) - softplus(1 - m);
  });
  // With the likelihood of the better completion in it, CPO's gap is (1 + beta) times the difference.
  check(lcpo({"cpo", {{"beta", 0.1}, {"sft", 1}}}),
        [&](pair const& p) { return 1.1 * static_cast<double>(p.chosen - p.rejected); });
}

TEST_CASE("lcpo's gradient is that of the likelihood of the observed label (Fisher's identity)") {
  // -log(eta sigma(G) + (1 - eta) sigma(-G)), differentiated by Eigen over the oracle's gap.
  using oracle::dual;
  using oracle::real;
  oracle::random_numbers random{16};
  auto const pairs = moderate_pairs(100, random);
  for (std::string const& name : bases()) {
    for (named_loss const& base : oracle::variants_of({name}, 3, random)) {
      named_loss const loss = lcpo(base);
      CAPTURE(oracle::describe(loss));
      auto const formula = oracle::formula_of(base);
      oracle::pair_oracle const right_numbers{loss};
      auto const taken = right_numbers.admitted(pairs);
      auto const r = results_of<double>(loss, taken);
      for (std::size_t i = 0; i < taken.size(); ++i) {
        pair const p = oracle::as_read<double>(taken[i], right_numbers.reads());
        oracle::variables const at{p};
        dual const gap = formula.at(at.swapped()).loss.value - formula.at(at).loss.value;
        dual const right = exp(dual(-oracle::negative_log_sigmoid(gap))),
                   wrong = exp(dual(-oracle::negative_log_sigmoid(dual(-gap))));
        dual const likelihood = dual(p.reliability * right) + dual((1 - p.reliability) * wrong);
        dual const negative_log = -log(likelihood);
        auto const bound = right_numbers.expected<double>(p).bound;
        CHECK(std::fabs(r.d_chosen[i] - negative_log.derivatives()[0]) <= 2 * bound.d_chosen + 1e-15L);
        CHECK(std::fabs(r.d_rejected[i] - negative_log.derivatives()[1]) <= 2 * bound.d_rejected + 1e-15L);
      }
    }
  }
}

TEMPLATE_TEST_CASE("lcpo ignores what it is sure of: its gradient vanishes on both sides", "", float, double) {
  using T = TestType;
  std::vector<pair> pairs;
  for (double const h : {-1e4, -1e3, -200., 200., 1e3, 1e4}) pairs.push_back({.chosen = h, .reliability = 0.9});
  auto const r = results_of<T>(lcpo({"dpo", {{"beta", 1}}}), pairs);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    CHECK(std::fabs(r.d_chosen[i]) < T(1e-37));
    CHECK(std::fabs(r.loss[i]) < T(1e-37));
    CHECK((pairs[i].chosen > 0 ? r.posterior[i] == 1 : r.posterior[i] < T(1e-37)));
  }
}
