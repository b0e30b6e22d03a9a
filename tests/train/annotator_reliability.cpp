// The state of lcpo: who is how reliable.
#include <array>
#include <catch.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <prefopt/prefopt.hpp>
#include <refusal.hpp>
#include <string>
#include <vector>

using namespace prefopt;

namespace {

std::vector<double> values_of(annotator_reliability const& state) {
  return {state.values().begin(), state.values().end()};
}

}  // namespace

TEMPLATE_TEST_CASE("fill puts each annotator's value beside their pairs", "", float, double) {
  using T = TestType;
  annotator_reliability state{3, 0.9};
  state.assign(std::array{0.25, 0.5, 0.75});
  std::vector<std::size_t> const ids{2, 0, 0, 1};
  std::vector<T> eta(4);
  state.fill(ids, eta);
  CHECK(eta == std::vector<T>{T(0.75), T(0.25), T(0.25), T(0.5)});
  std::vector<std::int32_t> const other{1, 1, 2, 0};
  state.fill(other, std::span<T>{eta});
  CHECK(eta == std::vector<T>{T(0.5), T(0.5), T(0.75), T(0.25)});
}

TEMPLATE_TEST_CASE("the M-step moves by the rate towards the mean posterior", "", float, double) {
  using T = TestType;
  annotator_reliability state{3, 0.8, 0.25};
  std::vector<int> const ids{0, 0, 2, 0}, more{0};
  std::vector<T> const posterior{T(1), T(0.5), T(0.25), T(0.75)}, last{T(0.25)};
  state.accumulate(ids, posterior);
  state.accumulate(more, last);
  CHECK(state.sums()[0] == 2.5);
  CHECK(state.sums()[1] == 4);
  CHECK(state.sums()[4] == 0.25);
  CHECK(state.sums()[5] == 1);
  state.update();
  CHECK(std::fabs(state.values()[0] - (0.75 * 0.8 + 0.25 * 0.625)) < 1e-15);
  // Who was not seen keeps the value.
  CHECK(state.values()[1] == 0.8);
  CHECK(std::fabs(state.values()[2] - (0.75 * 0.8 + 0.25 * 0.25)) < 1e-15);
  for (double const x : state.sums()) CHECK(x == 0);
  auto const before = values_of(state);
  state.update();
  CHECK(values_of(state) == before);
}

TEST_CASE("a rate of 1 is the full M-step, and values stay off 0 and 1") {
  annotator_reliability state{2, 1.0, 1};
  CHECK(state.values()[0] == 1 - 1e-6);
  std::vector<int> const ids{0, 1, 1};
  std::vector<double> const posterior{0.0, 0.3, 0.5};
  state.accumulate(ids, posterior);
  state.update();
  CHECK(state.values()[0] == 1e-6);
  CHECK(std::fabs(state.values()[1] - 0.4) < 1e-15);
  state.assign(std::array{0.0, 1.0});
  CHECK(state.values()[0] == 1e-6);
  CHECK(state.values()[1] == 1 - 1e-6);
}

TEST_CASE("sums of two ranks, added, are the sums of one") {
  std::vector<int> const ids{0, 1, 2, 2, 1, 1, 0, 2};
  std::vector<double> const posterior{0.5, 0.25, 0.75, 1, 0, 0.125, 0.5, 0.25};
  annotator_reliability whole{4}, first{4}, second{4};
  whole.accumulate(ids, posterior);
  first.accumulate(std::span{ids}.first(3), std::span{posterior}.first(3));
  second.accumulate(std::span{ids}.subspan(3), std::span{posterior}.subspan(3));
  std::vector<double> total(first.sums().begin(), first.sums().end());
  for (std::size_t i = 0; i < total.size(); ++i) total[i] += second.sums()[i];
  for (auto* rank : {&first, &second}) {
    std::copy(total.begin(), total.end(), rank->sums().begin());
    rank->update();
  }
  whole.update();
  CHECK(values_of(first) == values_of(whole));
  CHECK(values_of(second) == values_of(whole));
  CHECK(first.values()[3] == 0.9);
}

TEST_CASE("a whole E- and M-step over a batch") {
  std::vector<double> const a{-1, -1, -1, -1}, b{-3, -3, -1, 0}, none(4, 0.0);
  std::vector<std::size_t> const ids{0, 0, 1, 1};
  annotator_reliability state{2, 0.8, 1};
  std::vector<double> eta(4), posterior(4);
  state.fill(ids, eta);
  evaluate(lcpo<dpo>{.base = {.beta = 1}},
           pair_batch<double>{.chosen = a, .rejected = b, .ref_chosen = none, .ref_rejected = none, .reliability = eta},
           {.posterior = posterior});
  state.accumulate(ids, posterior);
  state.update();
  auto const w = [](double h) {
    double const p = 1 / (1 + std::exp(-h));
    return 0.8 * p / (0.8 * p + 0.2 * (1 - p));
  };
  CHECK(std::fabs(state.values()[0] - w(2)) < 1e-14);
  CHECK(std::fabs(state.values()[1] - (w(0) + w(-1)) / 2) < 1e-14);
}

TEST_CASE("what does not fit is refused and changes nothing") {
  double const nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(refusal([] { annotator_reliability{0}; }) ==
        "prefopt::annotator_reliability: annotators is 0, expected at least 1");
  CHECK(refusal([] { annotator_reliability(1, 1.5); }) ==
        "prefopt::annotator_reliability: initial is 1.5, expected a number in [0, 1]");
  CHECK(refusal([&] { annotator_reliability(1, nan); }) ==
        "prefopt::annotator_reliability: initial is nan, expected a number in [0, 1]");
  for (double const rate : {0.0, -0.1, 1.25, nan}) {
    CHECK(refusal([&] { annotator_reliability(1, 0.9, rate); }) ==
          "prefopt::annotator_reliability: rate is " + detail::text(rate) + ", expected a number in (0, 1]");
  }
  annotator_reliability state{2, 0.7};
  std::vector<double> eta(2, 5.0);
  std::vector<double> const posterior{0.5, 0.5}, wrong{0.5, 1.5}, not_number{0.5, nan};
  std::vector<int> const one{0}, beyond{0, 2}, negative{-1, 0}, good{0, 1};
  CHECK(refusal([&] { state.fill(one, eta); }) == "prefopt::annotator_reliability: 1 annotator ids for 2 pairs");
  CHECK(refusal([&] { state.fill(beyond, eta); }) ==
        "prefopt::annotator_reliability: annotator id 2 of pair 1, expected one below 2");
  CHECK(refusal([&] { state.fill(negative, eta); }) ==
        "prefopt::annotator_reliability: annotator id -1 of pair 0, expected one below 2");
  CHECK(eta == std::vector<double>{5, 5});
  CHECK(refusal([&] { state.accumulate(beyond, posterior); }) ==
        "prefopt::annotator_reliability: annotator id 2 of pair 1, expected one below 2");
  CHECK(refusal([&] { state.accumulate(good, wrong); }) ==
        "prefopt::annotator_reliability: accumulate: posterior[1] is 1.5, expected a number in [0, 1]");
  CHECK(refusal([&] { state.accumulate(good, not_number); }) ==
        "prefopt::annotator_reliability: accumulate: posterior[1] is nan, expected a number in [0, 1]");
  for (double const x : state.sums()) CHECK(x == 0);
  CHECK(refusal([&] { state.assign(std::array{0.5}); }) ==
        "prefopt::annotator_reliability: assign: 1 values, expected 2");
  CHECK(refusal([&] {
          state.assign(std::array{0.5, nan});
        }) == "prefopt::annotator_reliability: assign: a value is nan, expected a number in [0, 1]");
  CHECK(values_of(state) == std::vector<double>{0.7, 0.7});
}

TEST_CASE("by itself it is of one annotator, of 0.9, who is followed by a tenth") {
  annotator_reliability state;
  CHECK(values_of(state) == std::vector{0.9});
  state.accumulate(std::array{0}, std::array{0.4});
  state.update();
  CHECK(std::fabs(state.values()[0] - 0.85) <= 4 * std::numeric_limits<double>::epsilon());
}
