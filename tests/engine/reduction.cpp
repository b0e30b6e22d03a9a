// Reductions, denominators, weights and the report, against sums written out in long double.
#include <cmath>
#include <numeric>
#include "pairs.hpp"

using namespace prefopt;

namespace {

long double sum_of(std::vector<double> const& column) { return std::accumulate(column.begin(), column.end(), 0.0L); }

bool close(double got, long double expected, double tolerance = 1e-13) {
  long double const scale = std::max(1e-30L, std::fabs(expected));
  return std::fabs(static_cast<long double>(got) - expected) <= static_cast<long double>(tolerance) * scale;
}

}  // namespace

TEST_CASE("dpo and simpo as their papers write them, from the columns to the report") {
  constexpr std::size_t n = 1000;
  pairs<double> const data{n};
  std::vector<double> const& a = data.chosen;
  double const beta = 0.3;
  results<double> got{n, false};
  auto const seen = evaluate(dpo{.beta = beta}, data.batch(dpo{}), got.outputs());
  long double weights = 0, loss = 0, wins = 0, margin = 0, chosen = 0, rejected = 0;
  std::vector<long double> slopes;
  for (std::size_t i = 0; i < n; ++i) {
    long double const better = static_cast<long double>(a[i]) - static_cast<long double>(data.ref_chosen[i]);
    long double const worse =
        static_cast<long double>(data.rejected[i]) - static_cast<long double>(data.ref_rejected[i]);
    long double const z = static_cast<long double>(beta) * (better - worse),
                      w = static_cast<long double>(data.weight[i]);
    long double const value = w * (std::log1p(std::exp(-std::fabs(z))) + std::max(-z, 0.0L));
    CHECK(close(got.loss[i], value, 1e-12));
    CHECK(close(got.chosen_reward[i], static_cast<long double>(beta) * better, 1e-12));
    CHECK(close(got.rejected_reward[i], static_cast<long double>(beta) * worse, 1e-12));
    slopes.push_back(-w * static_cast<long double>(beta) / (1 + std::exp(z)));
    weights += w;
    loss += value;
    wins += better > worse ? 1 : better == worse ? 0.5L : 0;
    margin += z;
    chosen += static_cast<long double>(beta) * better;
    rejected += static_cast<long double>(beta) * worse;
  }
  for (std::size_t i = 0; i < n; ++i) {
    CHECK(close(got.d_chosen[i], slopes[i] / weights, 1e-12));
    CHECK(got.d_rejected[i] == -got.d_chosen[i]);
  }
  CHECK(close(seen.loss, loss / weights, 1e-12));
  CHECK(close(seen.accuracy, wins / n));
  CHECK(close(seen.margin, margin / n, 1e-12));
  CHECK(close(seen.chosen_reward, chosen / n, 1e-12));
  CHECK(close(seen.rejected_reward, rejected / n, 1e-12));
  CHECK(close(seen.weight, weights, 1e-13));
  CHECK(seen.count == n);
  CHECK(seen.skipped == 0);
  CHECK(seen.non_finite == 0);
  CHECK(seen.empty == 0);

  results<double> mean{n, false};
  evaluate(simpo{.beta = 2.5, .gamma = 0.5}, data.batch(simpo{}), mean.outputs(), {.reduction = reduction::none});
  for (std::size_t i = 0; i < n; ++i) {
    double const u = a[i] / data.chosen_length[i] - data.rejected[i] / data.rejected_length[i];
    double const slope = -2.5 / (1 + std::exp(2.5 * u - 0.5)) * data.weight[i];
    CHECK(std::fabs(mean.d_chosen[i] - slope / data.chosen_length[i]) <= 1e-12 * std::fabs(slope));
    CHECK(std::fabs(mean.d_rejected[i] + slope / data.rejected_length[i]) <= 1e-12 * std::fabs(slope));
    CHECK(std::fabs(mean.chosen_reward[i] - 2.5 * a[i] / data.chosen_length[i]) <=
          1e-12 * std::fabs(mean.chosen_reward[i]));
  }
}

TEST_CASE("every loss: the report is what its outputs add up to, under every reduction") {
  constexpr std::size_t n = 5000;
  pairs<double> const data{n};
  for (auto const& loss : every_independent_loss()) {
    CAPTURE(loss.name());
    for (bool const weighted : {false, true}) {
      results<double> own{n, loss}, sum{n, loss}, mean{n, loss}, divided{n, loss};
      auto const batch = data.batch(loss, weighted);
      auto const none_report = evaluate(loss, batch, own.outputs(), {.reduction = reduction::none});
      auto const sum_report = evaluate(loss, batch, sum.outputs(), {.reduction = reduction::sum});
      auto const mean_report = evaluate(loss, batch, mean.outputs());
      auto const divided_report = evaluate(loss, batch, divided.outputs(), {.denominator = 64.0});
      long double const weights = weighted ? sum_of(data.weight) : static_cast<long double>(n),
                        total = sum_of(own.loss);

      CHECK(close(none_report.loss, total / weights, 1e-12));
      CHECK(close(sum_report.loss, total, 1e-12));
      CHECK(close(mean_report.loss, total / weights, 1e-12));
      CHECK(close(divided_report.loss, total / 64, 1e-12));
      for (auto const& seen : {none_report, sum_report, mean_report, divided_report}) {
        CHECK(close(seen.weight, weights, 1e-12));
        CHECK(seen.count == n);
        CHECK(close(seen.chosen_reward, sum_of(own.chosen_reward) / n, 1e-12));
        CHECK(close(seen.rejected_reward, sum_of(own.rejected_reward) / n, 1e-12));
        CHECK(std::fabs(seen.margin -
                        static_cast<double>((sum_of(own.chosen_reward) - sum_of(own.rejected_reward)) / n)) < 1e-11);
      }
      // Losses, rewards and posteriors are each pair's own, whatever the reduction; gradients are of the reduced loss.
      CHECK(own.loss == sum.loss);
      CHECK(own.loss == mean.loss);
      CHECK(own.loss == divided.loss);
      CHECK(own.d_chosen == sum.d_chosen);
      CHECK(own.d_rejected == sum.d_rejected);
      CHECK(own.chosen_reward == mean.chosen_reward);
      CHECK(own.posterior == mean.posterior);
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < n; ++i) {
        wrong += close(mean.d_chosen[i], static_cast<long double>(own.d_chosen[i]) / weights, 1e-14) ? 0 : 1;
        wrong += close(mean.d_rejected[i], static_cast<long double>(own.d_rejected[i]) / weights, 1e-14) ? 0 : 1;
        wrong += close(divided.d_chosen[i], static_cast<long double>(own.d_chosen[i]) / 64, 1e-14) ? 0 : 1;
      }
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("a weight multiplies the pair's loss and gradient and nothing else") {
  constexpr std::size_t n = 300;
  auto data = pairs<double>{n};
  for (std::size_t i = 0; i < n; ++i) data.weight[i] = i % 3 == 0 ? 0 : i % 3 == 1 ? 1 : 0.25;
  for (auto const& loss : every_independent_loss()) {
    CAPTURE(loss.name());
    results<double> plain{n, loss}, weighted{n, loss};
    evaluate(loss, data.batch(loss, false), plain.outputs(), {.reduction = reduction::sum});
    evaluate(loss, data.batch(loss, true), weighted.outputs(), {.reduction = reduction::sum});
    for (std::size_t i = 0; i < n; ++i) {
      CHECK(weighted.loss[i] == data.weight[i] * plain.loss[i]);
      CHECK(weighted.d_chosen[i] == data.weight[i] * plain.d_chosen[i]);
      CHECK(weighted.d_rejected[i] == data.weight[i] * plain.d_rejected[i]);
    }
    CHECK(weighted.chosen_reward == plain.chosen_reward);
    CHECK(weighted.rejected_reward == plain.rejected_reward);
    CHECK(weighted.posterior == plain.posterior);
  }
}

TEST_CASE("where every weight is 0 every loss and gradient is 0, not 0/0") {
  pairs<double> const data{40};
  std::vector<double> const nothing(40, 0.0);
  for (auto const how : {reduction::mean, reduction::sum, reduction::none}) {
    results<double> got{40, false};
    auto batch = data.batch(dpo{});
    batch.weight = nothing;
    auto const seen = evaluate(dpo{}, batch, got.outputs(), {.reduction = how});
    CHECK(seen.loss == 0);
    CHECK(seen.weight == 0);
    CHECK(seen.count == 40);
    CHECK(seen.accuracy > 0);
    CHECK(got.loss == nothing);
    for (double const d : got.d_chosen) CHECK(d == 0);
  }
}

TEST_CASE("an empty batch gives zeros") {
  for (auto const& loss : every_independent_loss()) {
    for (auto const how : {reduction::mean, reduction::sum, reduction::none}) {
      CHECK(same_bits(evaluate(loss, pair_batch<double>{}, {}, {.reduction = how}), report{}));
      CHECK(same_bits(evaluate(loss, pair_batch<float>{}, {}, {.reduction = how}), report{}));
    }
  }
}

TEMPLATE_TEST_CASE("accumulate adds the gradients and nothing else to what is there", "", float, double) {
  using T = TestType;
  constexpr std::size_t n = 517;
  pairs<T> const data{n};
  for (auto const& loss : every_independent_loss()) {
    CAPTURE(loss.name());
    results<T> assigned{n, loss}, added{n, loss};
    std::vector<T> before_chosen(n), before_rejected(n);
    for (std::size_t i = 0; i < n; ++i) {
      before_chosen[i] = added.d_chosen[i] = static_cast<T>(i) / 16;
      before_rejected[i] = added.d_rejected[i] = -static_cast<T>(i) / 8;
    }
    auto const first = evaluate(loss, data.batch(loss), assigned.outputs());
    auto const second = evaluate(loss, data.batch(loss), added.outputs(), {.gradient = gradient_write::accumulate});
    CHECK(same_bits(first, second));
    CHECK(assigned.loss == added.loss);
    CHECK(assigned.chosen_reward == added.chosen_reward);
    CHECK(assigned.posterior == added.posterior);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < n; ++i) {
      // The addition may be fused with the product before it.
      T const expected = before_chosen[i] + assigned.d_chosen[i];
      wrong +=
          std::fabs(added.d_chosen[i] - expected) <= std::numeric_limits<T>::epsilon() * std::fabs(expected) ? 0 : 1;
      T const other = before_rejected[i] + assigned.d_rejected[i];
      wrong += std::fabs(added.d_rejected[i] - other) <= std::numeric_limits<T>::epsilon() * std::fabs(other) ? 0 : 1;
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("gradient accumulation over micro-batches of unequal size is the whole batch") {
  constexpr std::size_t n = 100, cut = 37;
  pairs<double> const data{n};
  results<double> whole{n, false}, parts{n, false};
  auto const all = evaluate(dpo{}, data.batch(dpo{}), whole.outputs());
  double loss = 0;
  std::vector<double> d(n, 0.0);
  for (auto const& [begin, count] : {std::pair{std::size_t{0}, cut}, std::pair{cut, n - cut}}) {
    loss += evaluate(dpo{}, data.batch(dpo{}, begin, count), {.d_chosen = {d.data() + begin, count}},
                     {.denominator = all.weight, .gradient = gradient_write::accumulate})
                .loss;
  }
  CHECK(d == whole.d_chosen);
  CHECK(close(loss, static_cast<long double>(all.loss), 1e-14));
}

TEMPLATE_TEST_CASE("a tie counts one half", "", float, double) {
  using T = TestType;
  std::vector<T> const a{1, 2, 3, 4, 5}, b{1, 3, 2, 4, 1};
  CHECK(evaluate(cpo{}, pair_batch<T>{.chosen = a, .rejected = b}).accuracy == 0.6);
  std::vector<T> const zero{T(0)}, minus_zero{-T(0)};
  CHECK(evaluate(cpo{}, pair_batch<T>{.chosen = zero, .rejected = minus_zero}).accuracy == 0.5);
  // A required margin does not move the point at which the better one wins.
  std::vector<T> const high{10, 10, 10, 10, 10};
  CHECK(evaluate(bradley_terry{}, pair_batch<T>{.chosen = a, .rejected = b, .margin = high}).accuracy == 0.6);
}

TEST_CASE("sums over a batch in float do not lose with its length") {
  constexpr std::size_t n = 3000000;
  std::vector<float> const a{-1.0F}, b{-1.1F};
  auto const seen = evaluate(cpo{}, pair_batch<float>{.chosen = {a.data(), n, 0}, .rejected = {b.data(), n, 0}}, {},
                             {.reduction = reduction::sum});
  auto const one = evaluate(cpo{}, pair_batch<float>{.chosen = a, .rejected = b});
  // A block is summed in float, in four lanes or more, and then the lanes: so many additions, each of which rounds by
  // 2^-24 of a sum of positive numbers. Blocks are added in double.
  double const bound = (static_cast<double>(detail::block_examples) / 4 + 4) * 0x1p-24;
  CHECK(std::fabs(seen.loss / static_cast<double>(n) - one.loss) < bound * one.loss);
  CHECK(seen.count == n);
  CHECK(seen.accuracy == 1);
  CHECK(seen.weight == static_cast<double>(n));
}
