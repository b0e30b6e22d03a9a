#include <algorithm>
#include <catch.hpp>
#include <cmath>
#include <prefopt/loss/simpo.hpp>

#include "oracle/pair_results.hpp"

// Values of every loss, worked out in double with other programs: the suite's own, where golden/ is absent.

namespace {

using oracle::modified;
using oracle::named_loss;
using oracle::pair;

struct pair_numbers {
  double loss, d_chosen, d_rejected, posterior;
};

/// One pair; its columns as the loss asks for them.
pair_numbers of_one(named_loss const& loss, pair const& in) {
  auto const r = oracle::results_of<double>(loss, {in});
  return {r.loss[0], r.d_chosen[0], r.d_rejected[0], r.posterior.empty() ? 0 : r.posterior[0]};
}

void check_close(double got, double right) {
  CAPTURE(got, right);
  CHECK(std::fabs(got - right) <= 1e-14 * std::max(1.0, std::fabs(right)));
}

/// Values printed with fewer digits.
void check_near(double got, double right) {
  CAPTURE(got, right);
  CHECK(std::fabs(got - right) <= 2e-14 * std::max(1.0, std::fabs(right)));
}

void check(named_loss const& loss, pair const& in, double value, double d_chosen, double d_rejected) {
  CAPTURE(oracle::describe(loss));
  auto const got = of_one(loss, in);
  check_close(got.loss, value);
  check_close(got.d_chosen, d_chosen);
  check_close(got.d_rejected, d_rejected);
}

// h = 4.75, or 0.205 on length means.
pair const a{.chosen = -42.5,
             .rejected = -55.25,
             .ref_chosen = -44,
             .ref_rejected = -52,
             .chosen_length = 20,
             .rejected_length = 25,
             .reliability = 0.9};
// Log-ratios 3 and -2.
pair const b{.chosen = 3, .rejected = -2, .chosen_length = 7, .rejected_length = 5};

}  // namespace

TEST_CASE("the losses have their known values") {
  check({"dpo", {{"beta", .1}}}, a, 0.48358908787082466, -0.038343349547868069, 0.038343349547868069);
  check({"cdpo", {{"beta", .1}, {"epsilon", .1}}}, a, 0.53108908787082476, -0.028343349547868071, 0.028343349547868071);
  check({"rdpo", {{"beta", .1}, {"epsilon", .1}}}, a, 0.42421408787082471, -0.050843349547868066, 0.050843349547868066);
  check({"cpo", {{"beta", .1}}}, a, 0.24641542301015176, -0.021840253609763445, 0.021840253609763445);
  check({"cpo", {{"beta", .1}, {"sft", 1. / 20}}}, a, 2.3714154230101518, -0.071840253609763447, 0.021840253609763447);
  check({"ipo", {{"tau", .1}}}, a, 0.0625, -0.5, 0.5);
  check({"ipo_mean", {{"tau", .1}}}, a, 22.992024999999998, -0.47949999999999998, 0.3836);
  check({"simpo", {{"beta", 2}, {"gamma", 1}}}, a, 1.191895791987978, -0.069635492982383418, 0.055708394385906738);
  auto const ratio = prefopt::simpo::with_ratio(2, 0.5);
  check({"simpo", {{"beta", ratio.beta}, {"gamma", ratio.gamma}}}, a, 1.191895791987978, -0.069635492982383418,
        0.055708394385906738);
  check({"ln_dpo", {{"beta", 2}}}, a, 0.50901413409064422, -0.039891212115163027, 0.031912969692130422);
}

TEST_CASE("Bradley-Terry has its known values") {
  double const slope = 0.34298953732650123;
  check({"bradley_terry"}, {.chosen = 1.3, .rejected = .4, .margin = .25}, 0.42005533570271519, -slope, slope);
  check({"bradley_terry", {{"center", .01}}}, {.chosen = 1.3, .rejected = .4}, 0.37005387473208778,
        -0.25505049737499597, 0.32305049737499603);
}

TEST_CASE("lcpo has its known values") {
  auto const over_dpo = of_one(modified("lcpo", {"dpo", {{"beta", .1}}}), a);
  check_close(over_dpo.loss, 0.51428945480385169);
  check_close(over_dpo.d_chosen, -0.031880114404072922);
  check_close(over_dpo.d_rejected, 0.031880114404072922);
  check_close(over_dpo.posterior, 0.93536764856204857);
  auto const over_simpo = of_one(modified("lcpo", {"simpo", {{"beta", 2}, {"gamma", 1}}}), a);
  check_close(over_simpo.loss, 0.59644811469248749);
  check_close(over_simpo.posterior, 0.92024173300871925);
  // G = 95: all that is left is e^-95.
  auto const saturated = of_one(modified("lcpo", {"ipo", {{"tau", .1}}}), a);
  CHECK(std::fabs(saturated.loss) < 1e-38);
  CHECK(std::fabs(saturated.d_chosen) < 1e-38);
  CHECK(std::fabs(saturated.d_rejected) < 1e-38);
}

TEST_CASE("the losses have their known values at log-ratios of 3 and -2") {
  auto const check_printed = [](named_loss const& loss, double value, double d_chosen, double d_rejected) {
    CAPTURE(oracle::describe(loss));
    auto const got = of_one(loss, b);
    check_near(got.loss, value);
    check_near(got.d_chosen, d_chosen);
    check_near(got.d_rejected, d_rejected);
  };
  check_printed({"dpo", {{"beta", .1}}}, .474076984180107, -.0377540668798146, .0377540668798146);
  check_printed({"cdpo", {{"beta", .1}, {"epsilon", .1}}}, .524076984180107, -.0277540668798145, .0277540668798145);
  check_printed({"rdpo", {{"beta", .1}, {"epsilon", .1}}}, .411576984180107, -.0502540668798145, .0502540668798145);
  check_printed({"hinge", {{"beta", .1}}}, .5, -.1, .1);
  check_printed({"ipo", {{"tau", .1}}}, 0, 0, 0);
  check_printed({"ipo_mean", {{"tau", .1}}}, 17.4008163265306, -1.19183673469388, 1.66857142857143);
  check_printed({"ln_dpo", {{"beta", .1}}}, .652576527027579, -.00684710795687789, .00958595113962904);
}
