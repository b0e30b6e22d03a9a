// What every loss of single completions owes the engine: reductions, weights, what is invalid, position, executors,
// the report, and messages.
#include <algorithm>
#include <chain/thread_pool.hpp>
#include <limits>
#include <refusal.hpp>
#include <string>
#include <utility>
#include <vector>

#include "completions.hpp"

using namespace prefopt;

namespace {

options const each{.reduction = reduction::none};

bool is_near(double got, double right, double tolerance = 1e-12) {
  return got == right || std::fabs(got - right) <= tolerance * std::max(1.0, std::fabs(right));
}

template <class T>
constexpr double precision = sizeof(T) == 4 ? 2e-6 : 1e-13;

}  // namespace

TEMPLATE_TEST_CASE("losses of single completions are weighted and reduced", "", float, double) {
  using T = TestType;
  for (auto const& named : every_unpaired_loss()) {
    auto const loss = named.made();
    CAPTURE(loss.name());
    completions<T> const data{700, takes_binary(loss)};
    std::size_t const n = data.size();
    written<T> const plain{loss, data.batch(loss)};
    for (bool const is_weighted : {false, true}) {
      auto const batch = data.batch(loss, is_weighted);
      written<T> const none{loss, batch}, sum{loss, batch, {.reduction = reduction::sum}}, mean{loss, batch, {}},
          divided{loss, batch, {.denominator = 8}}, added{loss, batch, {.gradient = gradient_write::accumulate}, T(2)};
      double total = 0, weights = 0;
      for (std::size_t i = 0; i < n; ++i) {
        double const w = is_weighted ? static_cast<double>(data.weight[i]) : 1;
        total += w * static_cast<double>(plain.loss[i]);
        weights += w;
      }
      CHECK(is_near(mean.seen.weight, weights, precision<T>));
      CHECK(is_near(sum.seen.loss, total, 100 * precision<T>));
      CHECK(is_near(mean.seen.loss, total / weights, 100 * precision<T>));
      CHECK(is_near(none.seen.loss, mean.seen.loss, precision<T>));
      CHECK(is_near(divided.seen.loss, total / 8, 100 * precision<T>));
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < n; ++i) {
        T const w = is_weighted ? data.weight[i] : T(1);
        auto const slope = static_cast<double>(plain.d_logp[i] * w), smallest = 1e-37;
        auto const check = [&](double got, double right) {
          wrong += std::fabs(got - right) <= 4 * precision<T> * std::fabs(right) + smallest ? 0 : 1;
        };
        check(static_cast<double>(none.loss[i]), static_cast<double>(plain.loss[i] * w));
        check(static_cast<double>(mean.loss[i]), static_cast<double>(none.loss[i]));
        check(static_cast<double>(none.d_logp[i]), slope);
        check(static_cast<double>(sum.d_logp[i]), slope);
        check(static_cast<double>(mean.d_logp[i]), slope / weights);
        check(static_cast<double>(divided.d_logp[i]), slope / 8);
        wrong += added.d_logp[i] == 2 + mean.d_logp[i] && added.loss[i] == mean.loss[i] ? 0 : 1;
        wrong += mean.reward[i] == plain.reward[i] ? 0 : 1;
      }
      CHECK(wrong == 0);
    }
    written<T> const nothing{loss, completions<T>{0}.batch(loss), {}};
    CHECK(nothing.seen.loss == 0);
    CHECK(nothing.seen.count == 0);
    CHECK(nothing.seen.accuracy == 0);
    CHECK(evaluate(loss, unpaired_batch<T>{}).count == 0);
  }
}

TEMPLATE_TEST_CASE("a soft label is between the two", "", float, double) {
  using T = TestType;
  for (char const* name : {"kto", "apo_zero_unpaired", "bco", "binary_cross_entropy"}) {
    auto const loss = make_unpaired_loss(name);
    completions<T> data{200};
    auto const with_label = [&](T label) {
      auto other = data;
      std::fill(other.label.begin(), other.label.end(), label);
      return written<T>{loss, other.batch(loss)};
    };
    auto const good = with_label(1), bad = with_label(0), soft = with_label(T(0.25));
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < data.size(); ++i) {
      T const size = std::fabs(good.d_logp[i]) + std::fabs(bad.d_logp[i]);
      T const eps = 8 * std::numeric_limits<T>::epsilon();
      wrong +=
          std::fabs(soft.loss[i] - (good.loss[i] + 3 * bad.loss[i]) / 4) <= eps * (good.loss[i] + bad.loss[i]) ? 0 : 1;
      wrong += std::fabs(soft.d_logp[i] - (good.d_logp[i] + 3 * bad.d_logp[i]) / 4) <= eps * size ? 0 : 1;
    }
    CAPTURE(name);
    CHECK(wrong == 0);
  }
}

TEMPLATE_TEST_CASE("a completion's result does not depend on its place, its neighbours or the executor", "", float,
                   double) {
  using T = TestType;
  thread_pool const three{3};
  for (auto const& named : every_unpaired_loss()) {
    auto const loss = named.made();
    CAPTURE(loss.name());
    completions<T> const data{9001, takes_binary(loss)};
    written<T> const whole{loss, data.batch(loss, true), {.reduction = reduction::mean}},
        threaded{loss, data.batch(loss, true), {.executor = three}};
    CHECK(same(whole, threaded));
    written<T> const all{loss, data.batch(loss, true)};
    std::size_t differing = 0;
    for (std::size_t const begin : {0U, 1U, 2U, 3U, 5U, 255U, 256U, 4096U}) {
      for (std::size_t const count : {1U, 2U, 7U, 8U, 9U, 33U, 300U}) {
        written<T> const part{loss, data.batch(loss, true, false, begin, begin + count)};
        for (std::size_t i = 0; i < count; ++i) {
          differing += oracle::same_bits(part.loss[i], all.loss[begin + i]) &&
                               oracle::same_bits(part.d_logp[i], all.d_logp[begin + i]) &&
                               oracle::same_bits(part.reward[i], all.reward[begin + i])
                           ? 0
                           : 1;
        }
      }
    }
    CHECK(differing == 0);
  }
}

TEMPLATE_TEST_CASE("completions that are not finite are skipped, refused or gone on with", "", float, double) {
  using T = TestType;
  T const kinds[] = {std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity(),
                     -std::numeric_limits<T>::infinity()};
  std::vector<std::size_t> const bad{0, 5, 255, 256, 599};
  for (auto const& named : every_unpaired_loss()) {
    auto const loss = named.made();
    CAPTURE(loss.name());
    completions<T> data{600, takes_binary(loss)};
    for (std::size_t k = 0; k < bad.size(); ++k) data.logp[bad[k]] = kinds[k % 3];
    auto clean = data;
    for (std::size_t k = bad.size(); k-- > 0;) clean.erase(bad[k]);
    for (bool const is_weighted : {false, true}) {
      options const skip{.reduction = reduction::sum, .non_finite = on_invalid::skip};
      written<T> const got{loss, data.batch(loss, is_weighted), skip},
          expected{loss, clean.batch(loss, is_weighted), skip};
      CHECK(got.seen.count == 595);
      CHECK(got.seen.skipped == 5);
      CHECK(got.seen.non_finite == 5);
      for (auto const field : {&report::loss, &report::accuracy, &report::margin, &report::chosen_reward,
                               &report::rejected_reward, &report::weight}) {
        CHECK(is_near(got.seen.*field, expected.seen.*field, 100 * precision<T>));
      }
      std::size_t wrong = 0, next = 0;
      for (std::size_t i = 0; i < 600; ++i) {
        if (next < bad.size() && bad[next] == i) {
          wrong += got.loss[i] == 0 && got.d_logp[i] == 0 && got.reward[i] == 0 ? 0 : 1;
          ++next;
        } else {
          wrong += got.loss[i] == expected.loss[i - next] && got.d_logp[i] == expected.d_logp[i - next] ? 0 : 1;
        }
      }
      CHECK(wrong == 0);
    }
    std::vector<T> untouched(600, T(7));
    CHECK(refusal([&] { evaluate(loss, data.batch(loss), {.loss = untouched}, {.non_finite = on_invalid::error}); }) ==
          "prefopt::evaluate: logp[0] is nan, expected a finite number");
    CHECK(untouched == std::vector<T>(600, T(7)));
    written<T> const on{loss, data.batch(loss)};
    CHECK(std::isnan(on.loss[0]));
    CHECK(on.seen.non_finite == 5);
    CHECK(on.seen.skipped == 0);
  }
}

TEST_CASE("an empty completion is an error, is skipped, or has its loss") {
  completions<double> data{10};
  data.length[3] = 0;
  auto const loss = make_unpaired_loss("kto");
  auto batch = data.batch(loss);
  // KTO does not read lengths.
  batch.length = data.length;
  CHECK(refusal([&] { evaluate(loss, batch); }) ==
        "prefopt::evaluate: kto does not read the column length, which is given");
}

TEST_CASE("an accuracy is of scores on their label's side of 0, and rewards are means of the two kinds") {
  struct row {
    double logp, label;
  };
  auto const seen = [](std::vector<row> const& rows, options const& how = {}) {
    std::vector<double> logp, reference(rows.size(), -10), label;
    for (auto const& [x, y] : rows) {
      logp.push_back(x - 10);
      label.push_back(y);
    }
    return evaluate(make_unpaired_loss("bco", {{"beta", 0.5}}),
                    unpaired_batch<double>{.logp = logp, .ref_logp = reference, .label = label}, {}, how);
  };
  auto const all = seen({{2, 1}, {-4, 1}, {6, 1}, {-2, 0}, {8, 0}, {0, 1}, {0, 0}});
  CHECK(is_near(all.accuracy, (1 + 0 + 1 + 1 + 0 + 0.5 + 0.5) / 7));
  CHECK(is_near(all.chosen_reward, 0.5 * (2 - 4 + 6 + 0) / 4));
  CHECK(is_near(all.rejected_reward, 0.5 * (-2 + 8 + 0) / 3));
  CHECK(is_near(all.margin, all.chosen_reward - all.rejected_reward));
  CHECK(all.weight == 7);
  CHECK(all.best_probability == 0);
  // A label between counts for both as far as it says so.
  auto const soft = seen({{4, 0.75}, {-8, 0}});
  CHECK(is_near(soft.accuracy, (0.75 + 1) / 2));
  CHECK(is_near(soft.chosen_reward, 0.5 * 4));
  CHECK(is_near(soft.rejected_reward, 0.5 * (0.25 * 4 - 8) / 1.25));
  // Of one kind alone there is no margin.
  auto const good = seen({{4, 1}, {2, 1}});
  CHECK(good.chosen_reward == 1.5);
  CHECK(good.rejected_reward == 0);
  CHECK(good.margin == 0);
  auto const bad = seen({{4, 0}, {2, 0}});
  CHECK(bad.chosen_reward == 0);
  CHECK(bad.rejected_reward == 1.5);
  CHECK(bad.margin == 0);
  CHECK(bad.accuracy == 0);
  double const inf = std::numeric_limits<double>::infinity();
  auto const infinite = seen({{inf, 1}, {-2, 0}});
  CHECK(infinite.chosen_reward == inf);
  CHECK(infinite.rejected_reward == -1);
}

TEST_CASE("a loss of single completions by name says what it is") {
  std::vector<std::string> names;
  for (auto const& card : unpaired_loss_cards()) {
    names.emplace_back(card.card.name);
    CHECK_FALSE(card.is_modifier);
    CHECK_FALSE(card.card.formula.empty());
    CHECK_FALSE(card.card.source.empty());
    auto const made = make_unpaired_loss(card.card.name);
    CHECK(made.name() == card.card.name);
    CHECK(made.facts().needs == card.needs);
    CHECK(made.facts().takes == card.takes);
    parameter_values standard;
    for (auto const& p : card.parameters) standard.emplace_back(p.name, p.standard);
    CHECK(made.parameters() == standard);
  }
  CHECK(names == std::vector<std::string>{"kto", "apo_zero_unpaired", "bco", "binary_cross_entropy", "nbpo",
                                          "score_regression", "dro", "weighted_nll", "log_barrier"});
  auto const kto = make_unpaired_loss("kto", {{"beta", 0.5}, {"undesirable_weight", 2}});
  CHECK(kto.parameters() ==
        parameter_values{{"beta", 0.5}, {"kl", 0}, {"desirable_weight", 1}, {"undesirable_weight", 2}});
  CHECK(kto.needs(columns::reference | columns::label));
  CHECK(kto.reads(columns::kl));
  CHECK_FALSE(kto.needs(columns::kl));

  // By type, by name and as a copy: one and the same.
  completions<double> const data{300};
  written<double> const named{make_unpaired_loss("bco", {{"beta", 0.5}, {"delta", 0.25}}),
                              data.batch(make_unpaired_loss("bco"))};
  std::vector<double> loss(300), d_logp(300), reward(300);
  auto const seen = evaluate(bco{.beta = 0.5, .delta = 0.25}, data.batch(make_unpaired_loss("bco")),
                             {.loss = loss, .d_logp = d_logp, .reward = reward}, each);
  CHECK(oracle::same_numbers(loss, named.loss));
  CHECK(oracle::same_numbers(d_logp, named.d_logp));
  CHECK(oracle::same_numbers(reward, named.reward));
  CHECK(oracle::same_bits(seen, named.seen));
}

TEST_CASE("every loss of single completions has the parameters that its header says") {
  std::vector<std::pair<std::string, parameter_values>> const standard{
      {"kto", {{"beta", 0.1}, {"kl", 0}, {"desirable_weight", 1}, {"undesirable_weight", 1}}},
      {"apo_zero_unpaired", {{"beta", 0.1}, {"desirable_weight", 1}, {"undesirable_weight", 1}}},
      {"bco", {{"beta", 0.1}, {"delta", 0}}},
      {"binary_cross_entropy", {}},
      {"nbpo", {{"rho0", 0.2}, {"rho1", 0.1}}},
      {"score_regression", {{"beta", 1}}},
      {"dro", {{"beta", 0.1}}},
      {"weighted_nll", {{"beta", 1}}},
      {"log_barrier", {{"lower", -5}, {"upper", 5}, {"epsilon", 1e-3}}}};
  CHECK(standard.size() == unpaired_loss_cards().size());
  for (auto const& [name, values] : standard) {
    CAPTURE(name);
    CHECK(make_unpaired_loss(name).parameters() == values);
  }
}

TEST_CASE("what a loss of single completions refuses, in words") {
  auto const making = [](char const* name, parameter_values const& values = {}) {
    return refusal([&] { make_unpaired_loss(name, values); });
  };
  CHECK(making("dpo") ==
        "prefopt::make_unpaired_loss: there is no unpaired loss \"dpo\", known are kto, apo_zero_unpaired, bco, "
        "binary_cross_entropy, nbpo, score_regression, dro, weighted_nll, log_barrier");
  CHECK(making("kto", {{"tau", 1}}) ==
        "prefopt::make_unpaired_loss: kto has no parameter \"tau\", it has beta, kl, desirable_weight, "
        "undesirable_weight");
  CHECK(making("kto", {{"kl", -1}}) == "prefopt::kto: kl is -1, expected a finite number >= 0");
  CHECK(making("kto", {{"beta", 0}}) == "prefopt::kto: beta is 0, expected a finite number > 0");
  CHECK(making("nbpo", {{"rho0", 0.5}, {"rho1", 0.5}}) ==
        "prefopt::nbpo: rho0 + rho1 has to be below 1, or the labels say the opposite, or nothing");
  CHECK(making("log_barrier", {{"lower", 5}}) ==
        "prefopt::log_barrier: lower + epsilon has to be below upper - epsilon");

  std::vector<double> const two{-1, -2}, one{-1}, half{0.5, 1}, high{0, 1.5};
  auto const evaluating = [](any_unpaired_loss const& loss, unpaired_batch<double> const& batch,
                             unpaired_outputs<double> const& outputs = {},
                             options const& how = {}) { return refusal([&] { evaluate(loss, batch, outputs, how); }); };
  auto const kto = make_unpaired_loss("kto");
  unpaired_batch<double> const good{.logp = two, .ref_logp = two, .label = half};
  CHECK(evaluating(kto, good) == "no error");
  CHECK(evaluating(kto, {.logp = two, .label = half}) ==
        "prefopt::evaluate: kto needs the column ref_logp, which is not given");
  CHECK(evaluating(kto, {.logp = two, .ref_logp = two}) ==
        "prefopt::evaluate: kto needs the column label, which is not given");
  auto batch = good;
  batch.target = two;
  CHECK(evaluating(kto, batch) == "prefopt::evaluate: kto does not read the column target, which is given");
  batch = good;
  batch.ref_logp = one;
  CHECK(evaluating(kto, batch) == "prefopt::evaluate: ref_logp has 1 element, logp has 2");
  batch = good;
  batch.kl_logp = two;
  CHECK(evaluating(kto, batch) == "prefopt::evaluate: kl_logp is given, but ref_kl_logp is not");
  batch = good;
  batch.label = high;
  CHECK(evaluating(kto, batch) == "prefopt::evaluate: label[1] is 1.5, expected a number in [0, 1]");
  batch = good;
  batch.weight = two;
  CHECK(evaluating(kto, batch) == "prefopt::evaluate: weight[0] is -1, expected a finite number >= 0");
  std::vector<double> out(1);
  CHECK(evaluating(kto, good, {.loss = out}) == "prefopt::evaluate: output loss has 1 element, logp has 2");
  CHECK(evaluating(make_unpaired_loss("nbpo"), {.logp = two, .label = half}) ==
        "prefopt::evaluate: label[0] is 0.5, expected 0 or 1 with nbpo");
  CHECK(evaluating(make_unpaired_loss("log_barrier"), {.logp = two, .ref_logp = two}) ==
        "prefopt::evaluate: log_barrier does not read the column ref_logp, which is given");
  CHECK(evaluating(kto, good, {}, {.denominator = 0}) ==
        "prefopt::evaluate: denominator is 0, expected a finite number > 0");
}
