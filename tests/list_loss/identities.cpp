#include <algorithm>
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "oracle/list_oracle.hpp"
#include "oracle/list_results.hpp"
#include "oracle/pair_results.hpp"

// What the papers say of the list losses, as equations between losses.

namespace {

using oracle::candidate_list;
using oracle::list_given;
using oracle::list_results;
using oracle::list_results_of;
using oracle::named_loss;
using oracle::same_bits;
using namespace oracle::ways;

template <class T>
void check_same_bits(list_results<T> const& x, list_results<T> const& y) {
  REQUIRE(x.loss.size() == y.loss.size());
  for (std::size_t g = 0; g < x.loss.size(); ++g) {
    CAPTURE(g, x.loss[g], y.loss[g]);
    CHECK(same_bits(x.loss[g], y.loss[g]));
    for (std::size_t i = 0; i < x.d_logp[g].size(); ++i) CHECK(x.d_logp[g][i] == y.d_logp[g][i]);
  }
}

/// Losses to `ulps` eps of themselves, gradients to as many of the size of their two terms.
template <class T>
void check_close(list_results<T> const& x, list_results<T> const& y, double ulps, double gradient_size = 1) {
  double const eps = static_cast<double>(std::numeric_limits<T>::epsilon());
  REQUIRE(x.loss.size() == y.loss.size());
  for (std::size_t g = 0; g < x.loss.size(); ++g) {
    CAPTURE(g, x.loss[g], y.loss[g]);
    CHECK(std::fabs(x.loss[g] - y.loss[g]) <= ulps * eps * (1 + std::fabs(static_cast<double>(y.loss[g]))));
    for (std::size_t i = 0; i < x.d_logp[g].size(); ++i) {
      CHECK(std::fabs(x.d_logp[g][i] - y.d_logp[g][i]) <= ulps * eps * gradient_size);
    }
  }
}

/// The relative distance of two numbers; those that are not normal are flushed to 0.
template <class T>
double relative_distance(T x, T y) {
  T const larger = std::max(std::fabs(x), std::fabs(y));
  return larger < 4 * std::numeric_limits<T>::min() ? 0 : static_cast<double>(std::fabs(x - y) / larger);
}

/// Groups of two, and the same as pairs, of margins from 1e-30 to 1e4 of either sign; all numbers exact in float.
struct twos {
  std::vector<candidate_list> groups;
  std::vector<oracle::pair> pairs;

  void add(double chosen, double rejected, double reference, double length, double label) {
    groups.push_back({{.logp = chosen, .reference = reference, .length = length, .reward = 1, .target = label},
                      {.logp = rejected, .length = 1, .reward = 0, .target = 1 - label}});
    pairs.push_back({.chosen = chosen,
                     .rejected = rejected,
                     .ref_chosen = reference,
                     .chosen_length = length,
                     .rejected_length = 1,
                     .label = label});
  }
};

twos margins_and_labels(bool one_hot) {
  twos t;
  for (double const h : {0., 0x1p-100, 0x1p-20, 0.125, 1., 3.5, 20., 50., 80., 100., 700., 1e4}) {
    for (double const sign : {1., -1.}) {
      for (double const label : {1., 0.75, 0.5, 0x1p-10, 0.}) {
        if (one_hot && label != 1) continue;
        t.add(sign * h, 0, 0, 1, label);
        t.add(0, -sign * h, 0, 1, label);
        t.add(sign * h - 2, -2, 0, 1, label);
        t.add(-2, 0, -2 - sign * h, 1, label);
        t.add(-8, 0, -8 - sign * h, 4, label);
      }
    }
  }
  return t;
}

/// Largest relative distances of losses and gradients of groups of two from a pair loss.
template <class T>
void check_is_pair_loss(std::string const& what, list_results<T> const& lists, oracle::results<T> const& pairs,
                        double ulps) {
  double loss = 0, gradient = 0;
  for (std::size_t i = 0; i < pairs.loss.size(); ++i) {
    loss = std::max(loss, relative_distance(lists.loss[i], pairs.loss[i]));
    gradient = std::max(gradient, relative_distance(lists.d_logp[i][0], pairs.d_chosen[i]));
    gradient = std::max(gradient, relative_distance(lists.d_logp[i][1], pairs.d_rejected[i]));
  }
  double const eps = static_cast<double>(std::numeric_limits<T>::epsilon());
  INFO(what << ": loss " << loss / eps << " eps, gradient " << gradient / eps << " eps off");
  CHECK(loss <= ulps * eps);
  CHECK(gradient <= ulps * eps);
}

/// Distinct rewards, moderate scores.
std::vector<candidate_list> moderate_groups(std::vector<std::size_t> const& sizes, oracle::random_numbers& random) {
  std::vector<candidate_list> groups;
  for (std::size_t const size : sizes) {
    candidate_list group(size);
    oracle::real total = 0;
    for (oracle::list_candidate& c : group) {
      c.reference = -20 * random.uniform();
      c.logp = c.reference + 3 * random.normal();
      c.length = 1 + static_cast<double>(random.bits() % 7);
      c.reward = 2 * random.normal();
      c.target = random.uniform();
      total += c.target;
    }
    for (oracle::list_candidate& c : group) c.target /= total;
    groups.push_back(group);
  }
  return groups;
}

std::vector<std::size_t> const some_sizes{1, 2, 3, 4, 5, 6, 7, 8, 9, 3, 2, 40, 64, 65, 100};
std::vector<std::size_t> const square_sizes{1, 4, 9, 4, 16, 64, 81, 100};

std::vector<candidate_list> groups_for(std::string const& name, oracle::random_numbers& random) {
  return moderate_groups(oracle::is_square(name) ? square_sizes : some_sizes, random);
}

/// A way to give columns that every loss takes, by rewards where it can.
list_given way_for(named_loss const& loss) { return oracle::ways_of(loss).back(); }

/// The loss without its likelihood, for which a shift is no change.
named_loss without_likelihood(std::string const& name) {
  if (name == "pro") return {name, {{"temperatures", 0}, {"sft", 0}}};
  if (name == "rrhf") return {name, {{"sft", 0}}};
  return {name};
}

}  // namespace

TEMPLATE_TEST_CASE("of two candidates PRO is Bradley-Terry on the scores", "", float, double) {
  using T = TestType;
  auto const two = margins_and_labels(true);
  named_loss const plain{"pro", {{"temperatures", 0}, {"sft", 0}}}, tempered{"pro", {{"sft", 0}}};
  // Per token, Bradley-Terry is SimPO without its margin.
  auto const pairs = oracle::results_of<T>({"simpo", {{"beta", 1}, {"gamma", 0}}}, two.pairs);
  check_is_pair_loss("plain", list_results_of<T>(plain, two.groups, per_token), pairs, 4);
  check_is_pair_loss("by reward", list_results_of<T>(plain, two.groups, per_token_by_reward), pairs, 4);
  check_is_pair_loss("a gap of 1", list_results_of<T>(tempered, two.groups, per_token_by_reward), pairs, 4);
  // A gap scales the margin.
  for (double const gap : {0.25, 8.}) {
    auto groups = two.groups;
    for (candidate_list& group : groups) group[0].reward = 3 + gap, group[1].reward = 3;
    check_is_pair_loss("a larger gap", list_results_of<T>(tempered, groups, per_token_by_reward),
                       oracle::results_of<T>({"simpo", {{"beta", gap}, {"gamma", 0}}}, two.pairs), 4);
  }
  auto raw = two;
  for (candidate_list& group : raw.groups) {
    for (auto& c : group) c.length = 1;
  }
  check_is_pair_loss("of sums", list_results_of<T>(plain, raw.groups, per_token),
                     oracle::results_of<T>({"bradley_terry"}, raw.pairs), 4);
  // A factor that rounds nothing, for in the tails e^-z has z times its error.
  check_is_pair_loss("Plackett-Luce",
                     list_results_of<T>({"plackett_luce", {{"beta", 0.125}}}, raw.groups, to_reference),
                     oracle::results_of<T>({"dpo", {{"beta", 0.125}}}, raw.pairs), 4);
  check_is_pair_loss("best against worst",
                     list_results_of<T>({"best_versus_worst", {{"beta", 0.125}}}, raw.groups, to_reference),
                     oracle::results_of<T>({"dpo", {{"beta", 0.125}}}, raw.pairs), 0);
  check_is_pair_loss("InfoNCE", list_results_of<T>({"info_nce", {{"tau", 8}}}, raw.groups, to_reference),
                     oracle::results_of<T>({"dpo", {{"beta", 0.125}}}, raw.pairs), 4);
}

TEMPLATE_TEST_CASE("of two candidates ADPO with a one-hot target is DPO", "", float, double) {
  using T = TestType;
  auto const two = margins_and_labels(true);
  for (double const tau : {0.5, 0.8, 1., 10.}) {
    auto const pairs = oracle::results_of<T>({"dpo", {{"beta", 1 / tau}}}, two.pairs);
    list_given given{.reference = true, .target = true};
    check_is_pair_loss("target", list_results_of<T>({"adpo", {{"tau", tau}}}, two.groups, given), pairs, 4);
    check_is_pair_loss("divergence", list_results_of<T>({"adpo", {{"tau", tau}, {"kl", 1}}}, two.groups, given), pairs,
                       4);
    check_is_pair_loss("adapted", list_results_of<T>({"adpo", {{"tau", tau}, {"adapt", 0.5}}}, two.groups, given),
                       pairs, 4);
    // Rewards so far apart that their softmax is one-hot.
    auto groups = two.groups;
    for (candidate_list& group : groups) group[0].reward = 1e4, group[1].reward = -1e4;
    given = {.reference = true, .reward = true};
    check_is_pair_loss("rewards", list_results_of<T>({"adpo", {{"tau", tau}}}, groups, given), pairs, 4);
    for (candidate_list& group : groups) std::swap(group[0], group[1]);
    auto swapped = list_results_of<T>({"adpo", {{"tau", tau}}}, groups, given);
    for (auto& d : swapped.d_logp) std::swap(d[0], d[1]);
    check_is_pair_loss("in the other order", swapped, pairs, 4);
  }
  auto const per_token_pairs = oracle::results_of<T>({"ln_dpo", {{"beta", 2}}}, two.pairs);
  check_is_pair_loss(
      "per token",
      list_results_of<T>({"adpo", {{"tau", 0.5}}}, two.groups, {.reference = true, .length = true, .target = true}),
      per_token_pairs, 4);
}

TEMPLATE_TEST_CASE("of a better and a worse candidate REAL is BCO on means; of one kind alone it is 0", "", float,
                   double) {
  using T = TestType;
  auto two = margins_and_labels(true);
  // One of them may be far and the other not: each is told from 0.
  for (double const a : {-1e4, -60., -1., 0x1p-30, 2., 60., 1e4}) {
    for (double const b : {-1e4, -60., -2., 0x1p-30, 1., 60., 1e4}) two.add(a, b, 0, 1, 1);
  }
  for (candidate_list& group : two.groups) {
    for (auto& c : group) c.length = 1;
  }
  list_given const given{.reference = true, .length = true, .reward = true};
  // A factor that rounds nothing.
  named_loss const loss{"real", {{"tau", 8}}};
  auto const pairs = oracle::results_of<T>({"bco_pair", {{"beta", 0.125}}}, two.pairs);
  check_is_pair_loss("better first", list_results_of<T>(loss, two.groups, given), pairs, 4);
  // Any reward above 0 is better, and the place says nothing.
  auto swapped = two.groups;
  for (candidate_list& group : swapped) {
    group[0].reward = 0.01;
    group[1].reward = -3;
    std::swap(group[0], group[1]);
  }
  auto got = list_results_of<T>(loss, swapped, given);
  for (auto& d : got.d_logp) std::swap(d[0], d[1]);
  check_is_pair_loss("worse first", got, pairs, 4);
  // Four tokens: a quarter of the score, and of its gradient.
  auto longer = two.groups;
  for (candidate_list& group : longer) {
    for (auto& c : group) c.logp *= 4, c.reference *= 4, c.length = 4;
  }
  auto const quarter = list_results_of<T>(loss, longer, given), plain = list_results_of<T>(loss, two.groups, given);
  for (std::size_t g = 0; g < longer.size(); ++g) {
    CHECK(same_bits(quarter.loss[g], plain.loss[g]));
    for (std::size_t i = 0; i < 2; ++i) CHECK(quarter.d_logp[g][i] == plain.d_logp[g][i] / 4);
  }
  oracle::random_numbers random{54};
  auto groups = moderate_groups(some_sizes, random);
  for (double const sign : {1., -1.}) {
    for (candidate_list& group : groups) {
      for (auto& c : group) c.reward = sign * std::fabs(c.reward);
    }
    auto const none = list_results_of<T>({"real"}, groups, given);
    for (std::size_t g = 0; g < groups.size(); ++g) {
      CHECK(none.loss[g] == 0);
      for (T const d : none.d_logp[g]) CHECK(d == 0);
    }
  }
}

TEMPLATE_TEST_CASE("of two candidates ADPO with a soft target is DPO with a label", "", float, double) {
  using T = TestType;
  auto const two = margins_and_labels(false);
  double const eps = static_cast<double>(std::numeric_limits<T>::epsilon());
  for (double const tau : {0.5, 0.8, 10.}) {
    auto const lists = list_results_of<T>({"adpo", {{"tau", tau}}}, two.groups, {.reference = true, .target = true});
    auto const pairs = oracle::results_of<T>(oracle::modified("labelled", {"dpo", {{"beta", 1 / tau}}}), two.pairs);
    for (std::size_t i = 0; i < two.pairs.size(); ++i) {
      CAPTURE(tau, i, lists.loss[i], pairs.loss[i], lists.d_logp[i][0], pairs.d_chosen[i]);
      CHECK(relative_distance(lists.loss[i], pairs.loss[i]) <= 4 * eps);
      // Of p - q, terms of up to 1 each cancel.
      CHECK(std::fabs(lists.d_logp[i][0] - pairs.d_chosen[i]) <= 4 * eps / tau);
      CHECK(std::fabs(lists.d_logp[i][1] - pairs.d_rejected[i]) <= 4 * eps / tau);
    }
  }
}

TEMPLATE_TEST_CASE("ADPO is at rest, with divergence 0, where the policy is its target", "", float, double) {
  using T = TestType;
  double const eps = static_cast<double>(std::numeric_limits<T>::epsilon());
  oracle::random_numbers random{41};
  for (double const tau : {0.5, 0.8, 2.}) {
    auto groups = moderate_groups(some_sizes, random);
    double const beta_reward = 0.4;
    for (candidate_list& group : groups) {
      for (oracle::list_candidate& c : group) {
        c.reference = std::floor(c.reference);
        c.logp = c.reference + static_cast<oracle::real>(tau) * std::log(c.target);
        c.reward = static_cast<oracle::real>(beta_reward) * std::log(c.target) + 1;
      }
    }
    named_loss const loss{"adpo", {{"tau", tau}, {"beta_reward", beta_reward}, {"kl", 1}}};
    for (bool const by_target : {true, false}) {
      auto const r = list_results_of<T>(loss, groups, {.reference = true, .reward = !by_target, .target = by_target});
      for (std::size_t g = 0; g < groups.size(); ++g) {
        // log-probs of up to 30 and rewards of up to 4 are rounded on the way here, in units of tau and beta_reward.
        double const off = eps * (30 / tau + 4 / beta_reward + static_cast<double>(groups[g].size()));
        CAPTURE(tau, by_target, groups[g].size(), r.loss[g], off);
        CHECK(std::fabs(r.loss[g]) <= 4 * off);
        for (T const d : r.d_logp[g]) CHECK(std::fabs(d) <= 2 * off / tau);
      }
    }
  }
  // Uniform policy, anchor and target: exactly.
  for (std::size_t const size : {2u, 4u, 8u, 64u, 128u}) {
    candidate_list const flat(size, {.logp = -3, .reference = -3, .target = 1 / static_cast<double>(size)});
    auto const r = list_results_of<T>({"adpo"}, {flat}, {.reference = true, .target = true});
    for (T const d : r.d_logp[0]) CHECK(d == 0);
    // log_prob = reference gives the uniform policy: the cross-entropy to anything is log K.
    CHECK(std::fabs(r.loss[0] - std::log(static_cast<double>(size))) <= 8 * eps * r.loss[0]);
  }
}

TEST_CASE("a shift of all log-probs of a group, or of all references, is no change") {
  oracle::random_numbers random{42};
  for (std::string const& name : oracle::list_losses()) {
    if (oracle::is_told_from_zero(name)) continue;
    named_loss const loss = without_likelihood(name);
    list_given given = way_for(loss);
    given.length = oracle::is_per_token(name);
    CAPTURE(oracle::describe_list(loss, given));
    auto groups = groups_for(name, random);
    for (candidate_list& group : groups) {
      for (auto& c : group) c.length = 1;
    }
    auto shifted = groups;
    for (candidate_list& group : shifted) {
      for (auto& c : group) c.logp += 512, c.reference += given.reference ? 32 : 0;
    }
    auto const before = list_results_of<double>(loss, groups, given);
    auto const after = list_results_of<double>(loss, shifted, given);
    for (std::size_t g = 0; g < groups.size(); ++g) {
      // The shift rounds the log-probs by 2^-44 each; of any pair of candidates at most once in a stage or a pair.
      double const size = static_cast<double>(groups[g].size());
      double const off = 0x1p-43 * size * (name == "rank_dpo" ? 400 : 1) * (name == "rrhf" ? size : 1);
      CAPTURE(groups[g].size(), before.loss[g], after.loss[g], off);
      CHECK(std::fabs(after.loss[g] - before.loss[g]) <= 4 * off);
      for (std::size_t i = 0; i < groups[g].size(); ++i) {
        CHECK(std::fabs(after.d_logp[g][i] - before.d_logp[g][i]) <= 4 * off);
      }
    }
  }
}

TEMPLATE_TEST_CASE("the gradients of a group sum to 0", "", float, double) {
  using T = TestType;
  oracle::random_numbers random{43};
  for (std::string const& name : oracle::list_losses()) {
    if (oracle::is_told_from_zero(name)) continue;
    named_loss const loss = without_likelihood(name);
    for (list_given given : oracle::ways_of(loss)) {
      given.length = oracle::is_per_token(name);
      CAPTURE(oracle::describe_list(loss, given));
      auto groups = groups_for(name, random);
      for (candidate_list& group : groups) {
        for (auto& c : group) c.length = 1;
      }
      auto const r = list_results_of<T>(loss, groups, given);
      for (std::size_t g = 0; g < groups.size(); ++g) {
        double sum = 0, size = 0;
        for (T const d : r.d_logp[g]) sum += static_cast<double>(d), size += std::fabs(static_cast<double>(d));
        // Of a sum of K positive terms that should be 1 in every candidate's denominator, and of K sums of those.
        double const eps = static_cast<double>(std::numeric_limits<T>::epsilon());
        CAPTURE(groups[g].size(), sum, size);
        CHECK(std::fabs(sum) <= 4 * static_cast<double>(groups[g].size()) * eps * (1 + size));
        // RRHF has none where all is in order.
        if (groups[g].size() > 1 && name != "rrhf") CHECK(size > 0);
      }
    }
  }
}

TEMPLATE_TEST_CASE("the gradient of the negated likelihood is its weight, on the best alone", "", float, double) {
  using T = TestType;
  oracle::random_numbers random{44};
  auto const groups = moderate_groups(some_sizes, random);
  auto const check = [&](named_loss const& with, named_loss const& without, auto const& weight_of) {
    auto const x = list_results_of<T>(with, groups, per_token_by_reward);
    auto const y = list_results_of<T>(without, groups, per_token_by_reward);
    for (std::size_t g = 0; g < groups.size(); ++g) {
      std::size_t best = 0;
      for (std::size_t i = 0; i < groups[g].size(); ++i) {
        if (groups[g][i].reward > groups[g][best].reward) best = i;
      }
      double const weight = weight_of(static_cast<double>(groups[g].size()));
      double const eps = static_cast<double>(std::numeric_limits<T>::epsilon());
      double const likelihood = -weight * static_cast<double>(static_cast<T>(groups[g][best].logp));
      CHECK(std::fabs(x.loss[g] - y.loss[g] - likelihood) <= 4 * eps * (std::fabs(x.loss[g]) + std::fabs(likelihood)));
      for (std::size_t i = 0; i < groups[g].size(); ++i) {
        double const added = static_cast<double>(x.d_logp[g][i]) - static_cast<double>(y.d_logp[g][i]);
        CHECK(std::fabs(added + (i == best ? weight : 0)) <=
              (i == best ? 4 * eps * (weight + std::fabs(static_cast<double>(y.d_logp[g][i]))) : 0));
      }
    }
  };
  check({"pro"}, {"pro", {{"sft", 0}}}, [](double k) { return 0.05 * (k - 1) * (k - 1); });
  check({"pro", {{"temperatures", 0}, {"sft", 2}}}, {"pro", {{"temperatures", 0}, {"sft", 0}}},
        [](double k) { return 2 * (k - 1) * (k - 1); });
  check({"rrhf"}, {"rrhf", {{"sft", 0}}}, [](double) { return 1; });
}

TEMPLATE_TEST_CASE("candidates in another order have the same loss and their own gradients", "", float, double) {
  using T = TestType;
  oracle::random_numbers random{45};
  for (std::string const& name : oracle::list_losses()) {
    for (named_loss const& loss : oracle::list_variants_of(name, 2, random)) {
      for (list_given const& given : oracle::ways_of(loss)) {
        bool const square = oracle::is_square(name), ordered_by_place = !given.reward && !given.target && !square;
        if (ordered_by_place) continue;
        auto const groups = groups_for(name, random);
        std::vector<std::vector<std::size_t>> orders;
        std::vector<candidate_list> moved;
        for (candidate_list const& group : groups) {
          // A matrix keeps its diagonal if rows and columns move together.
          std::size_t const n =
              square ? static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(group.size()))))
                     : group.size();
          std::vector<std::size_t> order(n);
          for (std::size_t i = 0; i < n; ++i) order[i] = i;
          for (std::size_t i = n; i > 1; --i) std::swap(order[i - 1], order[random.bits() % i]);
          if (square) {
            std::vector<std::size_t> cells;
            for (std::size_t const i : order) {
              for (std::size_t const j : order) cells.push_back(i * n + j);
            }
            order = cells;
          }
          candidate_list other;
          for (std::size_t const i : order) other.push_back(group[i]);
          orders.push_back(order);
          moved.push_back(other);
        }
        auto const x = list_results_of<T>(loss, groups, given), y = list_results_of<T>(loss, moved, given);
        CAPTURE(oracle::describe_list(loss, given));
        // Sorted, they are the same numbers; sums in another order are not.
        bool const is_sorted = !oracle::has_target(name) && !square && !oracle::is_told_from_zero(name);
        for (std::size_t g = 0; g < groups.size(); ++g) {
          auto const exact = oracle::list_expected<T>(loss, oracle::rounded_to<T>(groups[g]), given);
          CAPTURE(groups[g].size());
          if (is_sorted) CHECK(same_bits(x.loss[g], y.loss[g]));
          CHECK(std::fabs(x.loss[g] - y.loss[g]) <= 2 * exact.loss_bound);
          for (std::size_t i = 0; i < groups[g].size(); ++i) {
            T const here = x.d_logp[g][orders[g][i]], there = y.d_logp[g][i];
            if (is_sorted) CHECK(here == there);
            CHECK(std::fabs(here - there) <= 2 * exact.d_logp_bound[orders[g][i]]);
          }
        }
      }
    }
  }
}

TEMPLATE_TEST_CASE("a single candidate has loss 0 and no gradient", "", float, double) {
  using T = TestType;
  oracle::random_numbers random{46};
  std::vector<candidate_list> const groups{{{.logp = -3, .reference = -2, .length = 4, .reward = 2, .target = 1}},
                                           {{.logp = -1e4, .reference = 5, .length = 1, .reward = -50, .target = 1}},
                                           {{.logp = 0, .reference = 0, .length = 1, .reward = 0, .target = 1}}};
  for (std::string const& name : oracle::list_losses()) {
    for (named_loss loss : oracle::list_variants_of(name, 4, random)) {
      // RRHF has its likelihood even of one.
      if (name == "rrhf") loss.given = {{"sft", 0}};
      for (list_given const& given : oracle::ways_of(loss)) {
        CAPTURE(oracle::describe_list(loss, given));
        auto const r = list_results_of<T>(loss, groups, given);
        for (std::size_t g = 0; g < groups.size(); ++g) {
          CHECK(r.loss[g] == 0);
          CHECK(r.d_logp[g][0] == 0);
        }
      }
    }
  }
}

TEMPLATE_TEST_CASE("the names of other losses are those losses, bit for bit", "", float, double) {
  using T = TestType;
  oracle::random_numbers random{47};
  auto const groups = moderate_groups(some_sizes, random);
  for (list_given const& given : oracle::ways_of({"list_mle"})) {
    check_same_bits(list_results_of<T>({"list_mle", {{"top_k", 2}}}, groups, given),
                    list_results_of<T>({"plackett_luce", {{"top_k", 2}}}, groups, given));
    check_same_bits(list_results_of<T>({"info_nce", {{"tau", 0.4}}}, groups, given),
                    list_results_of<T>({"plackett_luce", {{"beta", 1 / 0.4}, {"top_k", 1}}}, groups, given));
    check_same_bits(
        list_results_of<T>({"adpo_ranked", {{"tau", 0.4}, {"top_k", 2}, {"smoothing", 0.2}}}, groups, given),
        list_results_of<T>({"plackett_luce", {{"beta", 1 / 0.4}, {"top_k", 2}, {"smoothing", 0.2}, {"mean", 1}}},
                           groups, given));
  }
  for (list_given const& given : oracle::ways_of({"list_net"})) {
    check_same_bits(list_results_of<T>({"list_net", {{"beta_reward", 0.3}}}, groups, given),
                    list_results_of<T>({"adpo", {{"tau", 1}, {"beta_reward", 0.3}}}, groups, given));
  }
  // All multipliers 1: PRO is Plackett-Luce on the scores per token.
  for (bool const by_rewards : {false, true}) {
    list_given const given{.length = true, .reward = by_rewards};
    check_same_bits(list_results_of<T>({"pro", {{"temperatures", 0}, {"sft", 0}}}, groups, given),
                    list_results_of<T>({"plackett_luce"}, groups, given));
  }
  // More stages than there are, all of them and none given are the same.
  for (double const stages : {64., 1e6}) {
    std::vector<candidate_list> const small(groups.begin(), groups.begin() + 11);
    check_same_bits(list_results_of<T>({"plackett_luce", {{"top_k", stages}}}, small, by_reward),
                    list_results_of<T>({"plackett_luce"}, small, by_reward));
  }
}

TEMPLATE_TEST_CASE("Plackett-Luce is InfoNCE of every suffix, and ADPO's one-hot target is InfoNCE", "", float,
                   double) {
  using T = TestType;
  oracle::random_numbers random{48};
  for (std::size_t const size : {2u, 3u, 5u, 9u, 40u, 65u, 100u}) {
    candidate_list const group = moderate_groups({size}, random)[0];
    std::vector<candidate_list> suffixes;
    for (std::size_t k = 0; k + 1 < size; ++k) {
      suffixes.emplace_back(group.begin() + static_cast<std::ptrdiff_t>(k), group.end());
    }
    auto const whole = list_results_of<T>({"plackett_luce", {{"beta", 0.5}}}, {group}, to_reference);
    auto const parts = list_results_of<T>({"info_nce", {{"tau", 2}}}, suffixes, to_reference);
    double loss = 0;
    std::vector<double> d_logp(size);
    for (std::size_t k = 0; k < suffixes.size(); ++k) {
      loss += static_cast<double>(parts.loss[k]);
      for (std::size_t i = k; i < size; ++i) d_logp[i] += static_cast<double>(parts.d_logp[k][i - k]);
    }
    auto const bound =
        oracle::list_expected<T>({"plackett_luce", {{"beta", 0.5}}}, oracle::rounded_to<T>(group), to_reference);
    CAPTURE(size);
    CHECK(std::fabs(static_cast<double>(whole.loss[0]) - loss) <= 2 * bound.loss_bound);
    for (std::size_t i = 0; i < size; ++i) {
      CHECK(std::fabs(static_cast<double>(whole.d_logp[0][i]) - d_logp[i]) <= 2 * bound.d_logp_bound[i]);
    }
    auto one_hot = group;
    for (std::size_t i = 0; i < size; ++i) one_hot[i].target = i == 0;
    check_close(list_results_of<T>({"adpo", {{"tau", 2}}}, {one_hot}, {.reference = true, .target = true}),
                list_results_of<T>({"info_nce", {{"tau", 2}}}, {one_hot}, to_reference), 4 * static_cast<double>(size));
  }
}

TEMPLATE_TEST_CASE("candidates that cannot be take no part, in lanes and spread over them alike", "", float, double) {
  using T = TestType;
  oracle::random_numbers random{49};
  // 64 candidates fill a lane, 65 are spread.
  auto const groups = moderate_groups({1, 2, 3, 8, 9, 63, 64, 65, 100, 256}, random);
  auto const check = [&](std::size_t more, named_loss const& loss, list_given const& given) {
    CAPTURE(more, oracle::describe_list(loss, given));
    auto longer = groups;
    for (candidate_list& group : longer) {
      for (std::size_t i = 0; i < more; ++i) {
        group.push_back({.logp = -std::numeric_limits<double>::infinity(), .reward = -1e4 - static_cast<double>(i)});
      }
    }
    auto const x = list_results_of<T>(loss, groups, given), y = list_results_of<T>(loss, longer, given);
    for (std::size_t g = 0; g < groups.size(); ++g) {
      auto const bound = oracle::list_expected<T>(loss, oracle::rounded_to<T>(groups[g]), given);
      std::size_t const size = groups[g].size();
      CAPTURE(size, x.loss[g], y.loss[g]);
      CHECK(std::fabs(x.loss[g] - y.loss[g]) <= 2 * bound.loss_bound);
      for (std::size_t i = 0; i < size; ++i) {
        CHECK(std::fabs(x.d_logp[g][i] - y.d_logp[g][i]) <= 2 * bound.d_logp_bound[i]);
      }
      for (std::size_t i = size; i < size + more; ++i) CHECK(y.d_logp[g][i] == 0);
    }
  };
  for (std::size_t const more : {1u, 3u}) {
    check(more, {"plackett_luce", {{"top_k", 1}}}, to_reference);
    check(more, {"info_nce"}, to_reference);
    check(more, {"info_nce"}, by_reward);
    check(more, {"adpo"}, to_target);
    check(more, {"adpo", {{"kl", 1}}}, {.reference = true, .target = true});
    check(more, {"adpo"}, by_reward);
    check(more, {"adpo", {{"kl", 1}}}, by_reward);
    check(more, {"list_net"}, to_target);
  }
  // Of two there is a stage that has nothing to choose from.
  check(1, {"plackett_luce"}, as_logp);
  check(1, {"plackett_luce"}, to_reference);
  check(1, {"plackett_luce"}, by_reward);
  check(1, {"plackett_luce", {{"beta", 0.3}, {"top_k", 2}}}, to_reference);
  check(1, {"pro", {{"temperatures", 0}, {"sft", 0}}}, per_token);
  check(1, {"pro", {{"temperatures", 0}, {"sft", 0}}}, per_token_by_reward);
}

TEMPLATE_TEST_CASE("equal candidates get equal gradients where only the target is their difference", "", float,
                   double) {
  using T = TestType;
  oracle::random_numbers random{50};
  auto groups = moderate_groups({3, 5, 9, 40, 65, 100}, random);
  for (candidate_list& group : groups) group.insert(group.begin() + 1, group.back());
  auto const check = [&](named_loss const& loss, list_given const& given) {
    CAPTURE(oracle::describe_list(loss, given));
    auto const r = list_results_of<T>(loss, groups, given);
    for (std::size_t g = 0; g < groups.size(); ++g) {
      CAPTURE(groups[g].size());
      auto const bound = oracle::list_expected<T>(loss, oracle::rounded_to<T>(groups[g]), given);
      CHECK(std::fabs(r.d_logp[g][1] - r.d_logp[g].back()) <= 2 * bound.d_logp_bound[1]);
    }
  };
  check({"adpo"}, by_reward);
  check({"adpo", {{"standardize", 1}, {"adapt", 0.5}}}, {.reference = true, .length = true, .reward = true});
  check({"adpo"}, to_target);
  check({"adpo_kde"}, by_reward);
  check({"list_net"}, by_reward);
}

TEMPLATE_TEST_CASE("RankDPO's weights double with every reward that is one higher", "", float, double) {
  using T = TestType;
  oracle::random_numbers random{51};
  auto groups = moderate_groups(some_sizes, random);
  for (candidate_list& group : groups) {
    // Rewards that a shift does not round.
    for (auto& c : group) c.reward = std::floor(c.reward * 16) / 16;
  }
  auto higher = groups;
  for (candidate_list& group : higher) {
    for (auto& c : group) c.reward += 3;
  }
  auto const x = list_results_of<T>({"rank_dpo"}, groups, by_reward);
  auto const y = list_results_of<T>({"rank_dpo"}, higher, by_reward);
  for (std::size_t g = 0; g < groups.size(); ++g) {
    auto const low = oracle::list_expected<T>({"rank_dpo"}, oracle::rounded_to<T>(groups[g]), by_reward);
    auto const high = oracle::list_expected<T>({"rank_dpo"}, oracle::rounded_to<T>(higher[g]), by_reward);
    CHECK(std::fabs(y.loss[g] - 8 * x.loss[g]) <= 8 * low.loss_bound + high.loss_bound);
    for (std::size_t i = 0; i < groups[g].size(); ++i) {
      CHECK(std::fabs(y.d_logp[g][i] - 8 * x.d_logp[g][i]) <= 8 * low.d_logp_bound[i] + high.d_logp_bound[i]);
    }
  }
}

TEMPLATE_TEST_CASE("SAMI does not know rows from columns", "", float, double) {
  using T = TestType;
  oracle::random_numbers random{52};
  auto const groups = moderate_groups(square_sizes, random);
  std::vector<candidate_list> transposed;
  for (candidate_list const& group : groups) {
    auto const n = static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(group.size()))));
    candidate_list other;
    for (std::size_t i = 0; i < group.size(); ++i) other.push_back(group[i % n * n + i / n]);
    transposed.push_back(other);
  }
  auto const x = list_results_of<T>({"sami"}, groups, to_reference);
  auto const y = list_results_of<T>({"sami"}, transposed, to_reference);
  for (std::size_t g = 0; g < groups.size(); ++g) {
    auto const n = static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(groups[g].size()))));
    auto const bound = oracle::list_expected<T>({"sami"}, oracle::rounded_to<T>(groups[g]), to_reference);
    CHECK(std::fabs(x.loss[g] - y.loss[g]) <= 2 * bound.loss_bound);
    for (std::size_t i = 0; i < groups[g].size(); ++i) {
      CHECK(std::fabs(x.d_logp[g][i % n * n + i / n] - y.d_logp[g][i]) <= 2 * bound.d_logp_bound[i % n * n + i / n]);
    }
  }
}

TEMPLATE_TEST_CASE("smoothing mixes Plackett-Luce with the loss of a uniform target", "", float, double) {
  using T = TestType;
  oracle::random_numbers random{53};
  auto const groups = moderate_groups(some_sizes, random);
  // The first stage smoothed is ADPO to (1 - e) one-hot + e uniform.
  double const epsilon = 0.25;
  auto targets = groups;
  for (candidate_list& group : targets) {
    for (std::size_t i = 0; i < group.size(); ++i) {
      group[i].target = epsilon / static_cast<double>(group.size()) + (i == 0 ? 1 - epsilon : 0);
    }
  }
  for (std::size_t g = 0; g < groups.size(); ++g) {
    auto const smooth =
        list_results_of<T>({"plackett_luce", {{"top_k", 1}, {"smoothing", epsilon}}}, {groups[g]}, to_reference);
    auto const mixed = list_results_of<T>({"adpo", {{"tau", 1}}}, {targets[g]}, {.reference = true, .target = true});
    // Differences of scores of up to 20 in every candidate.
    check_close(smooth, mixed, 20 + 4 * static_cast<double>(groups[g].size()));
  }
}
