#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <limits>
#include <special_numbers.hpp>
#include <string>
#include <vector>

#include "oracle/list_results.hpp"

// Groups as no training should meet them, and some do.

namespace {

using oracle::candidate_list;
using oracle::list_given;
using namespace oracle::ways;
using oracle::list_results_of;
using oracle::named_loss;

/// Candidates with these log-probs, one token each, as reference 0; rewards fall from the first.
candidate_list with_logp(std::vector<double> const& logp) {
  candidate_list group;
  for (double const x : logp) group.push_back({.logp = x, .reward = -static_cast<double>(group.size())});
  return group;
}

/// A loss and its gradients that are exact in either type.
template <class T>
void check_exact(named_loss const& loss, list_given const& given, candidate_list const& group, double value,
                 std::vector<double> const& d_logp) {
  auto const r = list_results_of<T>(loss, {group}, given);
  CAPTURE(oracle::describe_list(loss, given), group.size());
  CHECK(r.loss[0] == static_cast<T>(value));
  for (std::size_t i = 0; i < d_logp.size(); ++i) {
    CAPTURE(i);
    CHECK(r.d_logp[0][i] == static_cast<T>(d_logp[i]));
  }
}

candidate_list with_rewards(candidate_list group, std::vector<double> const& rewards) {
  for (std::size_t i = 0; i < group.size(); ++i) group[i].reward = rewards[i];
  return group;
}
candidate_list with_targets(candidate_list group, std::vector<double> const& targets) {
  for (std::size_t i = 0; i < group.size(); ++i) group[i].target = targets[i];
  return group;
}

}  // namespace

TEMPLATE_TEST_CASE("scores +-1e4 give every loss its limit, exactly", "", float, double) {
  using T = TestType;
  double const far = 1e4;
  auto const right = with_logp({far, 0, -far}), wrong = with_logp({-far, 0, far}), level = with_logp({-far, -far, 0});
  for (list_given const& given : {as_logp, by_reward}) {
    check_exact<T>({"plackett_luce"}, given, right, 0, {0, 0, 0});
    check_exact<T>({"plackett_luce"}, given, wrong, 3 * far, {-1, -1, 2});
    check_exact<T>({"plackett_luce", {{"beta", 0.5}}}, given, wrong, 1.5 * far, {-0.5, -0.5, 1});
    check_exact<T>({"plackett_luce", {{"top_k", 1}}}, given, wrong, 2 * far, {-1, 0, 1});
    check_exact<T>({"plackett_luce", {{"mean", 1}}}, given, level, far, {-0.5, -0.5, 1});
    check_exact<T>({"plackett_luce", {{"smoothing", 0.25}}}, given, with_logp({far, -far}), 0.25 * far,
                   {0.125, -0.125});
    check_exact<T>({"list_mle"}, given, level, 2 * far, {-1, -1, 2});
    check_exact<T>({"info_nce", {{"tau", 2}}}, given, wrong, far, {-0.5, 0, 0.5});
    check_exact<T>({"info_nce", {{"tau", 2}}}, given, right, 0, {0, 0, 0});
    check_exact<T>({"best_versus_worst", {{"beta", 0.5}}}, given, wrong, far, {-0.5, 0, 0.5});
    check_exact<T>({"best_versus_worst", {{"beta", 0.5}}}, given, right, 0, {0, 0, 0});
    check_exact<T>({"adpo_ranked", {{"tau", 0.5}, {"smoothing", 0}}}, given, wrong, 3 * far, {-1, -1, 2});
  }
  for (list_given const& given : {per_token, per_token_by_reward}) {
    check_exact<T>({"pro", {{"temperatures", 0}, {"sft", 0}}}, given, wrong, 3 * far, {-1, -1, 2});
    check_exact<T>({"pro", {{"temperatures", 0}, {"sft", 0}}}, given, right, 0, {0, 0, 0});
    check_exact<T>({"rrhf", {{"sft", 0}}}, given, right, 0, {0, 0, 0});
    check_exact<T>({"rrhf", {{"sft", 0}}}, given, wrong, 4 * far, {-2, 0, 2});
    check_exact<T>({"rrhf", {{"sft", 1}}}, given, wrong, 5 * far, {-3, 0, 2});
  }
  // Multipliers 2, 1 and 1 for rewards 0, -1, -2.
  check_exact<T>({"pro", {{"sft", 0}}}, per_token_by_reward, right, 0, {0, 0, 0});
  check_exact<T>({"pro", {{"sft", 0}}}, per_token_by_reward, wrong, 5 * far, {-2, -1, 3});
  check_exact<T>({"pro", {{"sft", 0.25}}}, per_token_by_reward, wrong, 6 * far, {-3, -1, 3});
  // The authors' 1e-10 is nothing beside e^1e4.
  check_exact<T>({"pro", {{"sft", 0}, {"eps_compat", 1}}}, per_token_by_reward, wrong, 5 * far, {-2, -1, 3});
  check_exact<T>({"pro", {{"temperatures", 0}, {"sft", 0}, {"eps_compat", 1}}}, per_token, wrong, 3 * far, {-1, -1, 2});
  check_exact<T>({"adpo", {{"tau", 0.5}}}, to_target, with_targets(wrong, {1, 0, 0}), 4 * far, {-2, 0, 2});
  check_exact<T>({"adpo", {{"tau", 0.5}}}, to_target, with_targets(wrong, {0, 0, 1}), 0, {0, 0, 0});
  check_exact<T>({"adpo", {{"tau", 0.5}}}, to_target, with_targets(wrong, {0.5, 0.25, 0.25}), 2.5 * far,
                 {-1, -0.5, 1.5});
  check_exact<T>({"list_net"}, by_reward, with_rewards(wrong, {far, 0, -far}), 2 * far, {-1, 0, 1});
  // Discounts of the places 1 to 3, gains 1, 1/2 and 1/4.
  auto const discount = [](int place) { return 1 / std::log(1. + place); };
  double const d01 = 0.5 * (discount(1) - discount(2)), d02 = 0.75 * (discount(1) - discount(3)),
               d12 = 0.25 * (discount(2) - discount(3));
  check_exact<T>({"rank_dpo", {{"beta", 0.5}}}, by_reward, right, 0, {0, 0, 0});
  auto const r = list_results_of<T>({"rank_dpo", {{"beta", 0.5}}}, {wrong}, by_reward);
  double const eps = static_cast<double>(std::numeric_limits<T>::epsilon());
  CHECK(std::fabs(r.loss[0] - far / 2 * (d01 + 2 * d02 + d12)) <= 16 * eps * far);
  CHECK(std::fabs(r.d_logp[0][0] + 0.5 * (d01 + d02)) <= 16 * eps);
  CHECK(std::fabs(r.d_logp[0][1] - 0.5 * (d01 - d12)) <= 16 * eps);
  CHECK(std::fabs(r.d_logp[0][2] - 0.5 * (d02 + d12)) <= 16 * eps);
  // The diagonal against the rest.
  check_exact<T>({"sami"}, as_logp, with_logp({far, -far, 0, far}), 0, {0, 0, 0, 0});
  check_exact<T>({"sami"}, as_logp, with_logp({0, far, far, 0}), far, {-0.5, 0.5, 0.5, -0.5});
}

TEMPLATE_TEST_CASE("in the tails the losses keep their digits", "", float, double) {
  using T = TestType;
  // e^-50, and its sums.
  long double const tail = 1.928749847963917783e-22L;
  auto const check = [&](named_loss const& loss, list_given const& given, candidate_list const& group,
                         long double value, std::vector<long double> const& d_logp) {
    auto const r = list_results_of<T>(loss, {group}, given);
    CAPTURE(oracle::describe_list(loss, given));
    CHECK(oracle::ulp_error(r.loss[0], value) <= 4);
    for (std::size_t i = 0; i < d_logp.size(); ++i) {
      CAPTURE(i);
      CHECK(oracle::ulp_error(r.d_logp[0][i], d_logp[i]) <= 6);
    }
  };
  auto const best = with_logp({0, -50, -50}), steps = with_logp({100, 50, 0, -50});
  check({"info_nce"}, as_logp, best, 2 * tail, {-2 * tail, tail, tail});
  check({"info_nce", {{"tau", 2}}}, as_logp, with_logp({0, -100, -100}), 2 * tail, {-tail, tail / 2, tail / 2});
  check({"plackett_luce", {{"top_k", 1}}}, as_logp, best, 2 * tail, {-2 * tail, tail, tail});
  check({"plackett_luce"}, as_logp, steps, 3 * tail, {-tail});
  check({"list_mle"}, by_reward, steps, 3 * tail, {-tail});
  check({"pro", {{"temperatures", 0}, {"sft", 0}}}, per_token, steps, 3 * tail, {-tail});
  // Multipliers 1 at the last stage, 2 and 1 at the first: e^-100 beside e^-50 is none.
  check({"pro", {{"sft", 0}}}, per_token_by_reward, with_logp({50, 0}), tail, {-tail, tail});
  check({"pro", {{"sft", 0}}}, per_token_by_reward, with_logp({75, 50, 0}), tail, {});
  check({"adpo", {{"tau", 1}}}, to_target, with_targets(best, {1, 0, 0}), 2 * tail, {-2 * tail, tail, tail});
  check({"adpo", {{"tau", 1}, {"kl", 1}}}, to_target, with_targets(best, {1, 0, 0}), 2 * tail, {-2 * tail, tail, tail});
  check({"adpo", {{"tau", 1}}}, by_reward, with_rewards(best, {1e3, 0, -1e3}), 2 * tail, {-2 * tail, tail, tail});
  check({"sami"}, as_logp, with_logp({0, -50, -50, 0}), tail, {-tail / 2, tail / 2, tail / 2, -tail / 2});
  check({"best_versus_worst"}, as_logp, with_logp({0, 7, -50}), tail, {-tail, 0, tail});
  // The others' share of a far one is as small.
  check({"adpo", {{"tau", 1}}}, to_target, with_targets(best, {0, 1, 0}), 50, {1 - 2 * tail, -1 + tail, tail});
}

TEMPLATE_TEST_CASE("equal rewards: a uniform target, a multiplier of 0, no pair", "", float, double) {
  using T = TestType;
  double const eps = static_cast<double>(std::numeric_limits<T>::epsilon());
  for (double const reward : {0., 3., -1e4, 1e4}) {
    auto const tied = with_rewards(with_logp({-1e3, 0, 5, -7}), {reward, reward, reward, reward});
    CAPTURE(reward);
    // Only the likelihood is left, 9 times 0.05, of the first.
    auto const of_pro = list_results_of<T>({"pro"}, {tied}, per_token_by_reward);
    double const constant = std::log(24.) + 450;
    CHECK(std::fabs(of_pro.loss[0] - constant) <= 4 * eps * constant);
    CHECK(oracle::ulp_error(of_pro.d_logp[0][0], -0.45L) <= 2);
    for (std::size_t i = 1; i < 4; ++i) CHECK(of_pro.d_logp[0][i] == 0);
    check_exact<T>({"rrhf"}, per_token_by_reward, tied, 1e3, {-1, 0, 0, 0});
    if (reward <= 100) check_exact<T>({"rank_dpo"}, by_reward, tied, 0, {0, 0, 0, 0});
    // All probability on the third: of a uniform target its own quarter is right.
    check_exact<T>({"adpo", {{"tau", 1}}}, by_reward,
                   with_rewards(with_logp({-1e4, -1e4, 1e4, -1e4}), std::vector(4, reward)), 1.5e4,
                   {-0.25, -0.25, 0.75, -0.25});
    check_exact<T>({"adpo", {{"tau", 1}, {"standardize", 1}}}, by_reward,
                   with_rewards(with_logp({-1e4, -1e4, 1e4, -1e4}), std::vector(4, reward)), 1.5e4,
                   {-0.25, -0.25, 0.75, -0.25});
    check_exact<T>({"adpo_kde", {{"tau", 1}}}, by_reward,
                   with_rewards(with_logp({-1e4, -1e4, 1e4, -1e4}), std::vector(4, reward)), 1.5e4,
                   {-0.25, -0.25, 0.75, -0.25});
    check_exact<T>({"plackett_luce", {{"break_ties", 1}}}, by_reward,
                   with_rewards(with_logp({-1e4, 0, 1e4}), std::vector(3, reward)), 3e4, {-1, -1, 2});
    check_exact<T>({"info_nce"}, by_reward, with_rewards(with_logp({-1e4, 0, 1e4}), std::vector(3, reward)), 2e4,
                   {-1, 0, 1});
    check_exact<T>({"best_versus_worst"}, by_reward, with_rewards(with_logp({-1e4, 0, 1e4}), std::vector(3, reward)),
                   2e4, {-1, 0, 1});
  }
  // Ties among others: the second of two best is no pair of the first.
  auto const some = with_rewards(with_logp({-3, -2, -1}), {5, 5, 1});
  check_exact<T>({"rrhf", {{"sft", 0}}}, per_token_by_reward, some, 3, {-1, -1, 2});
}

TEMPLATE_TEST_CASE("rewards +-1e4", "", float, double) {
  using T = TestType;
  auto const group = with_rewards(with_logp({-2, -1, -3}), {1e4, 0, -1e4});
  auto const reversed = with_rewards(group, {-1e4, 0, 1e4});
  // Multipliers 2e4, 1e4, 2e4 at the first stage: logits -4e4, -1e4, -6e4; 1e4 both at the second: -1e4, -3e4.
  check_exact<T>({"pro", {{"sft", 0}}}, per_token_by_reward, group, 3e4, {-2e4, 1e4, 0});
  // Best is the third: logits -6e4, -1e4, -4e4; then -1e4, -2e4.
  check_exact<T>({"pro", {{"sft", 0}}}, per_token_by_reward, reversed, 5e4, {0, 1e4, -2e4});
  // A target on one candidate: InfoNCE.
  auto const to_first = list_results_of<T>({"info_nce", {{"tau", 0.8}}}, {group}, by_reward);
  for (bool const kl : {false, true}) {
    auto const r = list_results_of<T>({"adpo", {{"kl", kl}}}, {group}, by_reward);
    CHECK(oracle::ulp_error(r.loss[0], static_cast<long double>(to_first.loss[0])) <= 4);
    for (std::size_t i = 0; i < 3; ++i) {
      CHECK(oracle::ulp_error(r.d_logp[0][i], static_cast<long double>(to_first.d_logp[0][i])) <= 4);
    }
  }
  // z-scores, KDE and orders know no scale.
  auto const small = with_rewards(group, {1, 0, -1});
  auto const check_same = [&](named_loss const& loss) {
    auto const x = list_results_of<T>(loss, {group}, by_reward), y = list_results_of<T>(loss, {small}, by_reward);
    T const eps = std::numeric_limits<T>::epsilon();
    CAPTURE(oracle::describe_list(loss, by_reward));
    // But for the 1e-8 beside a deviation of 1.
    double const off = 16 * static_cast<double>(eps) + 1e-7;
    CHECK(std::fabs(x.loss[0] - y.loss[0]) <= off);
    for (std::size_t i = 0; i < 3; ++i) CHECK(std::fabs(x.d_logp[0][i] - y.d_logp[0][i]) <= off);
  };
  check_same({"adpo", {{"standardize", 1}}});
  check_same({"adpo_kde"});
  check_same({"plackett_luce"});
  check_same({"adpo_ranked"});
  // 2^-1e4 is 0, of which differences have no sign.
  check_exact<T>({"rank_dpo"}, by_reward, with_rewards(group, {-1e4, -2e4, -3e4}), 0, {0, 0, 0});
}

TEMPLATE_TEST_CASE("a log-prob of -infinity costs nothing at the last place, and +infinity at another", "", float,
                   double) {
  using T = TestType;
  check_exact<T>({"plackett_luce"}, as_logp, with_logp({0, -infinity<double>}), 0, {0, 0});
  check_exact<T>({"plackett_luce", {{"beta", 2}}}, as_logp, with_logp({-infinity<double>, 0}), infinity<double>,
                 {-2, 2});
  check_exact<T>({"plackett_luce"}, by_reward, with_logp({-infinity<double>, 1e4, 0}), infinity<double>, {-1, 1, 0});
  check_exact<T>({"plackett_luce"}, as_logp, with_logp({1e4, -infinity<double>, 0}), infinity<double>, {0, -1, 1});
  check_exact<T>({"plackett_luce"}, as_logp, with_logp({1e4, 0, -infinity<double>}), 0, {0, 0, 0});
  check_exact<T>({"plackett_luce", {{"top_k", 1}}}, as_logp, with_logp({1e4, -infinity<double>, 0}), 0, {0, 0, 0});
  // Those that are not chosen at any stage may all be impossible; a stage needs one that is not.
  check_exact<T>({"plackett_luce", {{"top_k", 1}}}, as_logp,
                 with_logp({1e4, -infinity<double>, -infinity<double>, -infinity<double>}), 0, {0, 0, 0, 0});
  check_exact<T>({"info_nce"}, by_reward, with_logp({-1e4, 0, -infinity<double>, -infinity<double>}), 1e4,
                 {-1, 1, 0, 0});
  CHECK(std::isnan(
      list_results_of<T>({"plackett_luce"}, {with_logp({0, -infinity<double>, -infinity<double>})}, as_logp).loss[0]));
  check_exact<T>({"info_nce"}, as_logp, with_logp({-infinity<double>, 0}), infinity<double>, {-1, 1});
  check_exact<T>({"pro", {{"sft", 0}}}, per_token_by_reward, with_logp({-infinity<double>, 1e4, 0}), infinity<double>,
                 {-2, 1, 0});
  check_exact<T>({"pro", {{"sft", 0}}}, per_token_by_reward, with_logp({1e4, 0, -infinity<double>}), 0, {0, 0, 0});
  check_exact<T>({"adpo", {{"tau", 0.5}}}, to_target, with_targets(with_logp({1e4, 0, -infinity<double>}), {1, 0, 0}),
                 0, {0, 0, 0});
  check_exact<T>({"adpo", {{"tau", 0.5}}}, to_target,
                 with_targets(with_logp({1e4, 0, -infinity<double>}), {0.75, 0, 0.25}), infinity<double>,
                 {0.5, 0, -0.5});
  check_exact<T>({"rank_dpo"}, by_reward, with_logp({1e6, 0, -infinity<double>}), 0, {0, 0, 0});
  check_exact<T>({"best_versus_worst"}, as_logp, with_logp({-infinity<double>, 0}), infinity<double>, {-1, 1});
  check_exact<T>({"best_versus_worst"}, as_logp, with_logp({1e4, -infinity<double>, 0}), 0, {0, 0, 0});
  check_exact<T>({"rrhf"}, per_token, with_logp({-2, -4, -infinity<double>}), 2, {-1, 0, 0});
  check_exact<T>({"rrhf", {{"sft", 0}}}, per_token, with_logp({-infinity<double>, -4, -2}), infinity<double>,
                 {-2, 0, 2});
  // Of equal rewards there is no pair, whatever the scores.
  check_exact<T>({"rank_dpo"}, by_reward, with_rewards(with_logp({-infinity<double>, 0}), {1, 1}), 0, {0, 0});
  check_exact<T>({"rrhf", {{"sft", 0}}}, per_token_by_reward, with_rewards(with_logp({-infinity<double>, 0}), {1, 1}),
                 0, {0, 0});
  auto const tied = list_results_of<T>({"pro", {{"sft", 0}}}, {with_rewards(with_logp({0, -infinity<double>}), {1, 1})},
                                       per_token_by_reward);
  CHECK(oracle::ulp_error(tied.loss[0], 0.693147180559945309417L) <= 2);
  CHECK(tied.d_logp[0] == std::vector<T>{0, 0});
  check_exact<T>({"sami"}, as_logp, with_logp({0, -infinity<double>, -infinity<double>, 0}), 0, {0, 0, 0, 0});
  check_exact<T>({"sami"}, as_logp, with_logp({-infinity<double>, 0, 0, 1e4}), infinity<double>, {-0.5, 0.25, 0.25, 0});
}
