#include <algorithm>
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include "oracle/pair_oracle.hpp"
#include "oracle/pair_results.hpp"
#include "oracle/undefined_at_infinity.hpp"

// Margins as no training should meet them, and some do.

namespace {

using oracle::modified;
using oracle::named_loss;
using oracle::pair;
using oracle::results_of;

double const inf = std::numeric_limits<double>::infinity();

/// A loss and its slope by the logit, at a logit = scale * margin - offset.
struct expected {
  double logit, loss, slope;
};

struct line {
  double scale = 1, offset = 0;
};

/// Scale and offset have to be exact in either type.
template <class T>
void check_table(named_loss const& loss, line const& logit_of, std::vector<expected> const& table) {
  for (auto const& [logit, value, slope] : table) {
    auto const r = results_of<T>(loss, {{.chosen = (logit + logit_of.offset) / logit_of.scale}});
    CAPTURE(oracle::describe(loss), logit, value, slope);
    CHECK(r.loss[0] == static_cast<T>(value));
    CHECK(r.d_chosen[0] == static_cast<T>(logit_of.scale * slope));
    CHECK(r.d_rejected[0] == static_cast<T>(-logit_of.scale * slope));
  }
}

template <class T>
void check_no_nan(std::string const& loss, oracle::results<T> const& r) {
  for (std::size_t i = 0; i < r.loss.size(); ++i) {
    CAPTURE(loss, i);
    CHECK(!std::isnan(r.loss[i]));
    CHECK(!std::isnan(r.d_chosen[i]));
    CHECK(!std::isnan(r.d_rejected[i]));
  }
}

/// Outputs that are not of all losses.
template <class T>
std::vector<std::vector<T> const*> further_outputs(oracle::results<T> const& r) {
  std::vector<std::vector<T> const*> all;
  if (!r.posterior.empty()) all.push_back(&r.posterior);
  for (auto const& column : r.further) {
    if (!column.empty()) all.push_back(&column);
  }
  return all;
}

/// All of one pair's results are NaN, and all others are as before, bit for bit; of a loss that depends on the batch,
/// the former only.
template <class T>
void check_only_nan(std::string const& loss, std::size_t bad, oracle::results<T> const& r,
                    oracle::results<T> const& before, bool is_of_batch) {
  CAPTURE(loss);
  CHECK(std::isnan(r.loss[bad]));
  CHECK(std::isnan(r.d_chosen[bad]));
  CHECK(std::isnan(r.d_rejected[bad]));
  auto const further = further_outputs(r), further_before = further_outputs(before);
  // A gradient by a further column may have nothing to do with the one that is no number.
  for (std::size_t c = 0; c < further.size(); ++c) {
    T const now = (*further[c])[bad];
    CHECK((std::isnan(now) || (r.posterior.empty() && now == (*further_before[c])[bad])));
  }
  for (std::size_t i = 0; i < r.loss.size() && !is_of_batch; ++i) {
    if (i == bad) continue;
    for (std::size_t c = 0; c < further.size(); ++c) {
      CHECK(oracle::same_bits((*further[c])[i], (*further_before[c])[i]));
    }
    CHECK(oracle::same_bits(r.loss[i], before.loss[i]));
    CHECK(oracle::same_bits(r.d_chosen[i], before.d_chosen[i]));
    CHECK(oracle::same_bits(r.d_rejected[i], before.d_rejected[i]));
  }
}

/// Columns of which a loss that reads them must not swallow a NaN. A length or weight that is no number is not the
/// loss's affair.
std::vector<oracle::pair_column> nan_columns(named_loss const& loss) {
  auto const reads = oracle::facts_of_pair_loss(loss).reads;
  std::vector<oracle::pair_column> read;
  for (auto const& column : oracle::pair_column_table) {
    if (column.kind == &oracle::pair_columns::length) continue;
    if (column.kind == nullptr || reads.*column.kind) read.push_back(column);
  }
  return read;
}

}  // namespace

TEMPLATE_TEST_CASE("far from 0 every loss is its limit, exactly", "", float, double) {
  using T = TestType;
  std::vector<expected> const logistic{{1e4, 0, 0}, {-1e4, 1e4, -1}, {inf, 0, 0}, {-inf, inf, -1}};
  check_table<T>({"dpo", {{"beta", 0.5}}}, {0.5}, logistic);
  check_table<T>({"ln_dpo", {{"beta", 4}}}, {4}, logistic);
  check_table<T>({"cpo", {{"beta", 0.5}}}, {0.5}, logistic);
  check_table<T>({"simpo", {{"beta", 2}, {"gamma", 1}}}, {2, 1}, logistic);
  check_table<T>({"bradley_terry", {{"temperature", 2}}}, {0.5}, logistic);
  check_table<T>({"cdpo", {{"beta", 0.5}, {"epsilon", 0.25}}}, {0.5},
                 {{1e4, 2500, 0.25}, {-1e4, 7500, -0.75}, {inf, inf, 0.25}, {-inf, inf, -0.75}});
  check_table<T>({"rdpo", {{"beta", 0.5}, {"epsilon", 0.25}}}, {0.5},
                 {{1e4, -5000, -0.5}, {-1e4, 15000, -1.5}, {inf, -inf, -0.5}, {-inf, inf, -1.5}});
  check_table<T>({"hinge", {{"beta", 0.5}}}, {0.5},
                 {{1e4, 0, 0}, {-1e4, 10001, -1}, {1, 0, 0}, {inf, 0, 0}, {-inf, inf, -1}});
  std::vector<expected> const squared{
      {1e4, 9999. * 9999, 19998}, {-1e4, 10001. * 10001, -20002}, {1, 0, 0}, {inf, inf, inf}, {-inf, inf, -inf}};
  check_table<T>({"ipo", {{"tau", 0.5}}}, {}, squared);
  check_table<T>({"ipo_mean", {{"tau", 0.5}}}, {}, squared);
}

TEMPLATE_TEST_CASE("far from 0 the modified losses are their limits, exactly", "", float, double) {
  using T = TestType;
  check_table<T>(modified("smoothed", {"hinge", {{"beta", 0.5}}}, {{"epsilon", 0.25}}), {0.5},
                 {{1e4, 2500.25, 0.25}, {-1e4, 7500.75, -0.75}, {inf, inf, 0.25}, {-inf, inf, -0.75}});
  check_table<T>(modified("unbiased", {"simpo", {{"beta", 2}, {"gamma", 0}}}, {{"epsilon", 0.25}}), {2},
                 {{1e4, -5000, -0.5}, {-1e4, 15000, -1.5}, {inf, -inf, -0.5}, {-inf, inf, -1.5}});
  // A modifier without effect leaves infinities alone, too.
  std::vector<expected> const squared{{inf, inf, inf}, {-inf, inf, -inf}};
  check_table<T>(modified("smoothed", {"ipo", {{"tau", 0.5}}}, {{"epsilon", 0}}), {}, squared);
  check_table<T>(modified("labelled", {"ipo", {{"tau", 0.5}}}), {}, squared);
  check_table<T>(modified("unbiased", {"ipo", {{"tau", 0.5}}}, {{"epsilon", 0}}), {}, squared);
  check_table<T>(modified("labelled", {"dpo", {{"beta", 0.5}}}), {0.5}, {{inf, 0, 0}, {-inf, inf, -1}});
}

TEMPLATE_TEST_CASE("at +-50 the logistic losses keep their digits in the tail", "", float, double) {
  using T = TestType;
  // e^-50
  long double const tail = 1.928749847963917783e-22L;
  auto const right = results_of<T>({"dpo", {{"beta", 0.5}}}, {{.chosen = 100}});
  CHECK(oracle::ulp_error(right.loss[0], tail) <= 3);
  CHECK(oracle::ulp_error(right.d_chosen[0], -tail / 2) <= 3);
  auto const wrong = results_of<T>({"dpo", {{"beta", 0.5}}}, {{.chosen = -100}});
  CHECK(wrong.loss[0] == 50);
  CHECK(wrong.d_chosen[0] == T(-0.5));
}

TEMPLATE_TEST_CASE("lcpo has its limits", "", float, double) {
  using T = TestType;
  named_loss const loss = modified("lcpo", {"dpo", {{"beta", 0.5}}});
  for (double const h : {2e4, 1e30, inf}) {
    CAPTURE(h);
    for (double const eta : {1e-6, 0.25, 0.5, 0.9, 1 - 1e-6}) {
      auto const r = results_of<T>(loss, {{.chosen = h, .reliability = eta}, {.chosen = -h, .reliability = eta}});
      for (std::size_t i = 0; i < 2; ++i) {
        CHECK(r.loss[i] == 0);
        CHECK(r.d_chosen[i] == 0);
        CHECK(r.d_rejected[i] == 0);
      }
      CHECK(r.posterior[0] == 1);
      CHECK(r.posterior[1] == 0);
    }
    // A label that cannot be wrong, or right, costs what the base costs.
    double const z = h / 2;
    auto const sure = results_of<T>(loss, {{.chosen = h, .reliability = 1},
                                           {.chosen = -h, .reliability = 1},
                                           {.chosen = h, .reliability = 0},
                                           {.chosen = -h, .reliability = 0}});
    auto const check = [&](std::size_t i, double value, double slope, double posterior) {
      CAPTURE(i);
      CHECK(sure.loss[i] == static_cast<T>(value));
      CHECK(sure.d_chosen[i] == static_cast<T>(slope));
      CHECK(sure.posterior[i] == static_cast<T>(posterior));
    };
    check(0, 0, 0, 1);
    check(1, z, -0.5, 1);
    check(2, z, 0.5, 0);
    check(3, 0, 0, 0);
  }
  // The gap of bases that are infinite on both sides is not lost in the difference of two infinities or large squares.
  auto const check_sure = [](named_loss const& over, std::vector<double> const& margins) {
    for (double const h : margins) {
      CAPTURE(oracle::describe(over), h);
      auto const r = results_of<T>(over, {{.chosen = h, .reliability = 0.9}, {.chosen = -h, .reliability = 0.9}});
      for (std::size_t i = 0; i < 2; ++i) {
        CHECK(r.loss[i] == 0);
        CHECK(r.d_chosen[i] == 0);
      }
      CHECK(r.posterior[0] == 1);
      CHECK(r.posterior[1] == 0);
    }
  };
  check_sure(modified("lcpo", {"ipo"}), {1e4, 1e20, inf});
  check_sure(modified("lcpo", {"cdpo"}), {1e5, inf});
}

TEST_CASE("lcpo over IPO keeps float's digits: its gap is no difference of squares") {
  named_loss const loss = modified("lcpo", {"ipo", {{"tau", 100}}});
  for (double const h : {10., 100., 300., 1000.}) {
    pair const at{.chosen = h, .reliability = 0.875};
    auto const narrow = results_of<float>(loss, {at});
    auto const wide = results_of<double>(loss, {at});
    auto const close = [](double got, double right) { CHECK(std::fabs(got - right) <= 1e-5 * std::fabs(right)); };
    close(static_cast<double>(narrow.loss[0]), wide.loss[0]);
    close(static_cast<double>(narrow.d_chosen[0]), wide.d_chosen[0]);
  }
}

TEMPLATE_TEST_CASE("an infinite margin gives no NaN, but the limit of what there is before", "", float, double) {
  using T = TestType;
  auto const at = [](double size) {
    std::vector<pair> pairs;
    for (double const h : {size, -size}) {
      for (double const eta : {0., 0.25, 0.5, 1.}) {
        pairs.push_back({.chosen = h, .label = eta, .reliability = eta});
        pairs.push_back({.rejected = h, .label = eta, .reliability = eta});
      }
    }
    return pairs;
  };
  std::size_t defined = 0;
  for (named_loss const& loss : oracle::every_pair_loss()) {
    if (oracle::may_be_undefined_at_infinity(loss)) continue;
    ++defined;
    auto const end = results_of<T>(loss, oracle::obeying(loss, at(inf))),
               before = results_of<T>(loss, oracle::obeying(loss, at(1e30)));
    check_no_nan(oracle::describe(loss), end);
    for (std::size_t i = 0; i < end.loss.size(); ++i) {
      CAPTURE(oracle::describe(loss), i, end.loss[i], before.loss[i]);
      for (auto const column :
           {&oracle::results<T>::loss, &oracle::results<T>::d_chosen, &oracle::results<T>::d_rejected}) {
        T const x = (end.*column)[i], y = (before.*column)[i];
        CHECK((std::isinf(x) || std::fabs(x - y) <= T(1e-5) * std::fabs(x) + T(1e-20)));
      }
    }
  }
  CHECK(defined >= 260);
}

TEMPLATE_TEST_CASE("NaN gives NaN in its own outputs, and leaves the others as they were", "", float, double) {
  using T = TestType;
  oracle::random_numbers random{18};
  auto sound = oracle::random_pairs(37, random);
  std::size_t const bad = 17;
  // Of some losses that is a pair that does not count.
  sound[bad].label = 0.5;
  for (named_loss const& loss : oracle::every_pair_loss()) {
    // There another rank is another pair.
    if (oracle::sorts_batch(loss)) continue;
    // The tokens of the batch are what they were.
    named_loss const& base = loss.over.empty() ? loss : loss.over[0];
    bool const is_of_batch = base.name == "beta_dpo";
    auto const taken = oracle::admitted(loss, sound);
    auto const before = results_of<T>(loss, taken);
    for (auto const& column : nan_columns(loss)) {
      auto pairs = taken;
      pairs[bad].*column.value = std::numeric_limits<double>::quiet_NaN();
      INFO("NaN in " << column.name);
      check_only_nan(oracle::describe(loss), bad, results_of<T>(loss, pairs), before, is_of_batch);
    }
  }
}
