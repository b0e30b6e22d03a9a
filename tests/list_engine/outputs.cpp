// What is written, what is not, and what weights, reductions and denominators make of it.
#include "groups.hpp"

using namespace prefopt;

namespace {

template <class T>
bool near(T got, long double expected, double tolerance) {
  return std::fabs(static_cast<long double>(got) - expected) <=
         static_cast<long double>(tolerance) * std::max(1e-30L, std::fabs(expected));
}

template <class T>
constexpr double tolerance_of = sizeof(T) == 4 ? 1e-6 : 1e-14;

template <class T>
groups<T> ragged_groups(any_list_loss const& loss) {
  return groups<T>{fitting(loss, {5, 1, 64, 65, 8, 100, 2, 2, 9, 300, 4, 4, 4, 4})};
}

}  // namespace

TEMPLATE_TEST_CASE("an output that is not given is not computed, and the other does not change", "", float, double) {
  using T = TestType;
  for (auto const& loss : every_list_loss()) {
    CAPTURE(loss.name());
    auto const data = ragged_groups<T>(loss);
    auto const batch = data.weighted(loss);
    list_results<T> both{data}, only_loss{data}, only_gradient{data};
    auto const seen = evaluate(loss, batch, both.outputs());
    CHECK(same_bits(evaluate(loss, batch), seen));
    CHECK(same_bits(evaluate(loss, batch, {.loss = only_loss.loss}), seen));
    CHECK(same_bits(evaluate(loss, batch, {.d_logp = only_gradient.d_logp}), seen));
    CHECK(same_bits(only_loss.loss, both.loss));
    CHECK(same_bits(only_gradient.d_logp, both.d_logp));
    CHECK(std::count(both.loss.begin(), both.loss.end(), list_results<T>::untouched) == 0);
    CHECK(std::count(both.d_logp.begin(), both.d_logp.end(), list_results<T>::untouched) == 0);
  }
}

TEMPLATE_TEST_CASE("outputs may lie where the inputs lie", "", float, double) {
  using T = TestType;
  for (auto const& loss : every_list_loss()) {
    for (auto const how : {gradient_write::assign, gradient_write::accumulate}) {
      for (bool const by_target : {false, true}) {
        CAPTURE(loss.name(), by_target);
        auto const data = ragged_groups<T>(loss);
        given const which{.target = by_target};
        options const chosen{.gradient = how, .non_finite = on_invalid::skip};
        // Every column in turn holds what the gradients are written over or added to.
        for (std::size_t c = 0; c < 5; ++c) {
          auto place = data;
          auto& column = *place.columns()[c];
          list_results<T> apart{data};
          apart.d_logp = column;
          auto const expected = evaluate(loss, data.weighted(loss, which), apart.outputs(), chosen);
          auto const seen =
              evaluate(loss, place.weighted(loss, which), {.loss = place.weight, .d_logp = column}, chosen);
          CHECK(same_bits(seen, expected));
          CHECK(same_bits(column, apart.d_logp));
          CHECK(same_bits(place.weight, apart.loss));
        }
        auto spread = data.spread_weight();
        auto batch = data.batch(loss, which);
        list_results<T> apart{data};
        apart.d_logp = spread;
        auto const expected = evaluate(loss, data.weighted(loss, which), apart.outputs(), chosen);
        batch.weight = spread;
        CHECK(same_bits(evaluate(loss, batch, {.d_logp = spread}, chosen), expected));
        CHECK(same_bits(spread, apart.d_logp));
      }
    }
  }
}

TEMPLATE_TEST_CASE("strided and reversed outputs; what lies between is not touched", "", float, double) {
  using T = TestType;
  for (auto const& loss : every_list_loss()) {
    CAPTURE(loss.name());
    auto const data = ragged_groups<T>(loss);
    std::size_t const n = data.candidates(), count = data.count();
    auto const batch = data.weighted(loss);
    list_results<T> expected{data}, added{data};
    evaluate(loss, batch, expected.outputs());
    std::fill(added.d_logp.begin(), added.d_logp.end(), T(0.5));
    evaluate(loss, batch, added.outputs(), {.gradient = gradient_write::accumulate});

    std::vector<T> wide(2 * count, T(7)), spread(3 * n, T(7));
    evaluate(loss, batch, {.loss = {wide.data() + 2 * (count - 1), count, -2}, .d_logp = {spread.data() + 1, n, 3}});
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < count; ++i) {
      wrong += same_bits(&wide[2 * (count - 1 - i)], &expected.loss[i], 1) && wide[2 * i + 1] == T(7) ? 0 : 1;
    }
    for (std::size_t i = 0; i < n; ++i) {
      wrong += same_bits(&spread[3 * i + 1], &expected.d_logp[i], 1) ? 0 : 1;
      wrong += spread[3 * i] == T(7) && spread[3 * i + 2] == T(7) ? 0 : 1;
      spread[3 * i + 1] = T(0.5);
    }
    evaluate(loss, batch, {.d_logp = {spread.data() + 1, n, 3}}, {.gradient = gradient_write::accumulate});
    for (std::size_t i = 0; i < n; ++i) {
      wrong += same_bits(&spread[3 * i + 1], &added.d_logp[i], 1) ? 0 : 1;
      wrong += spread[3 * i] == T(7) && spread[3 * i + 2] == T(7) ? 0 : 1;
    }
    CHECK(wrong == 0);
    // Gradients into the strided column that the log-probs come from.
    std::vector<T> rows(2 * n, T(7));
    for (std::size_t i = 0; i < n; ++i) rows[2 * i] = data.logp[i];
    auto in_place = batch;
    in_place.logp = {rows.data(), n, 2};
    evaluate(loss, in_place, {.d_logp = {rows.data(), n, 2}});
    for (std::size_t i = 0; i < n; ++i) {
      wrong += same_bits(&rows[2 * i], &expected.d_logp[i], 1) && rows[2 * i + 1] == T(7) ? 0 : 1;
    }
    CHECK(wrong == 0);
  }
}

TEMPLATE_TEST_CASE("accumulate adds the gradients and nothing else to what is there", "", float, double) {
  using T = TestType;
  for (auto const& loss : every_list_loss()) {
    CAPTURE(loss.name());
    auto const data = ragged_groups<T>(loss);
    list_results<T> assigned{data}, added{data};
    for (std::size_t i = 0; i < added.d_logp.size(); ++i) added.d_logp[i] = static_cast<T>(i % 100) / 16 - 3;
    auto const before = added.d_logp;
    auto const first = evaluate(loss, data.weighted(loss), assigned.outputs());
    auto const second = evaluate(loss, data.weighted(loss), added.outputs(), {.gradient = gradient_write::accumulate});
    CHECK(same_bits(first, second));
    CHECK(same_bits(assigned.loss, added.loss));
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < before.size(); ++i) {
      wrong += added.d_logp[i] == static_cast<T>(before[i] + assigned.d_logp[i]) ? 0 : 1;
    }
    CHECK(wrong == 0);
  }
}

TEMPLATE_TEST_CASE("a weight multiplies the group's loss and gradient and nothing else", "", float, double) {
  using T = TestType;
  for (auto const& loss : every_list_loss()) {
    CAPTURE(loss.name());
    auto data = ragged_groups<T>(loss);
    // Exact in a product.
    T const weights[] = {T(0), T(1), T(0.25), T(4)};
    for (std::size_t group = 0; group < data.count(); ++group) data.weight[group] = weights[group % 4];
    for (auto const how : {reduction::sum, reduction::none}) {
      list_results<T> plain{data}, weighted{data}, spread{data};
      auto const unweighted = evaluate(loss, data.batch(loss), plain.outputs(), {.reduction = how});
      auto const seen = evaluate(loss, data.weighted(loss), weighted.outputs(), {.reduction = how});
      auto batch = data.batch(loss);
      auto const at_candidates = data.spread_weight();
      batch.weight = at_candidates;
      CHECK(same_bits(evaluate(loss, batch, spread.outputs(), {.reduction = how}), seen));
      CHECK(same_bits(spread, weighted));
      std::size_t wrong = 0;
      for (std::size_t group = 0; group < data.count(); ++group) {
        wrong += weighted.loss[group] == data.weight[group] * plain.loss[group] ? 0 : 1;
        for (std::size_t i = data.begin(group); i < data.begin(group + 1); ++i) {
          wrong += weighted.d_logp[i] == data.weight[group] * plain.d_logp[i] ? 0 : 1;
        }
      }
      CHECK(wrong == 0);
      // The metrics count every group alike.
      CHECK(seen.accuracy == unweighted.accuracy);
      CHECK(seen.margin == unweighted.margin);
      CHECK(seen.chosen_reward == unweighted.chosen_reward);
      CHECK(seen.rejected_reward == unweighted.rejected_reward);
      CHECK(seen.best_probability == unweighted.best_probability);
      CHECK(seen.count == unweighted.count);
      CHECK(seen.weight == std::accumulate(data.weight.begin(), data.weight.end(), 0.0));
    }
  }
}

TEMPLATE_TEST_CASE("where as many groups as candidates have weights, they are the groups'", "", float, double) {
  using T = TestType;
  auto const loss = made("info_nce");
  std::vector<T> const logp{-1, -2, -3, -4}, weight{1, 2, 3, 4};
  // Groups of one, and groups of other sizes with empty ones between them.
  for (auto const& offsets : {std::vector<int>{0, 1, 2, 3, 4}, {0, 0, 2, 4, 4}, {0, 3, 3, 4, 4}, {0, 4, 4, 4, 4}}) {
    CAPTURE(offsets);
    for (auto const how : {on_invalid::skip, on_invalid::propagate}) {
      std::vector<T> got(4, T(-1)), expected(4, T(-1));
      list_batch<T> batch{.logp = logp, .offsets = offsets};
      options const chosen{.reduction = reduction::sum, .empty = how};
      evaluate(loss, batch, {.loss = expected}, chosen);
      batch.weight = weight;
      report seen;
      auto const refused = refusal([&] { seen = evaluate(loss, batch, {.loss = got}, chosen); });
      CHECK(refused == "no error");
      if (refused != "no error") continue;
      double sum = 0;
      for (std::size_t group = 0; group < 4; ++group) {
        CHECK(got[group] == weight[group] * expected[group]);
        if (offsets[group] != offsets[group + 1] || how == on_invalid::propagate)
          sum += static_cast<double>(weight[group]);
      }
      CHECK(seen.weight == sum);
    }
  }
}

TEMPLATE_TEST_CASE("the reduced loss is what the groups' losses add up to, and the gradients are its", "", float,
                   double) {
  using T = TestType;
  double const tolerance = tolerance_of<T>;
  for (auto const& loss : every_list_loss()) {
    CAPTURE(loss.name());
    auto const data = ragged_groups<T>(loss);
    for (bool const weighted : {false, true}) {
      auto const batch = weighted ? data.weighted(loss) : data.batch(loss);
      list_results<T> own{data}, sum{data}, mean{data}, divided{data};
      auto const none_report = evaluate(loss, batch, own.outputs(), {.reduction = reduction::none});
      auto const sum_report = evaluate(loss, batch, sum.outputs(), {.reduction = reduction::sum});
      auto const mean_report = evaluate(loss, batch, mean.outputs());
      auto const divided_report = evaluate(loss, batch, divided.outputs(), {.denominator = 64.0});
      long double total = 0, magnitude = 0, weights = 0;
      for (std::size_t group = 0; group < data.count(); ++group) {
        total += static_cast<long double>(own.loss[group]);
        magnitude += std::fabs(static_cast<long double>(own.loss[group]));
        weights += weighted ? static_cast<long double>(data.weight[group]) : 1;
      }
      auto const is_sum = [&](double got, long double divisor) {
        return std::fabs(static_cast<long double>(got) - total / divisor) <=
               static_cast<long double>(tolerance) * magnitude / divisor;
      };
      CHECK(is_sum(none_report.loss, weights));
      CHECK(is_sum(mean_report.loss, weights));
      CHECK(is_sum(sum_report.loss, 1));
      CHECK(is_sum(divided_report.loss, 64));
      for (auto const& seen : {none_report, sum_report, mean_report, divided_report}) {
        CHECK(near(seen.weight, weights, tolerance));
        CHECK(seen.count == data.count());
        CHECK(seen.skipped + seen.non_finite + seen.empty == 0);
      }
      // Losses are each group's own, whatever the reduction.
      CHECK(same_bits(own.loss, sum.loss));
      CHECK(same_bits(own.loss, mean.loss));
      CHECK(same_bits(own.loss, divided.loss));
      CHECK(same_bits(own.d_logp, sum.d_logp));
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < data.candidates(); ++i) {
        auto const d = static_cast<long double>(own.d_logp[i]);
        wrong += near(mean.d_logp[i], d / weights, 4 * tolerance) ? 0 : 1;
        wrong += near(divided.d_logp[i], d / 64, 4 * tolerance) ? 0 : 1;
      }
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("gradient accumulation over micro-batches of unequal size is the whole batch") {
  for (auto const& loss : every_list_loss()) {
    CAPTURE(loss.name());
    auto const data = ragged_groups<double>(loss);
    list_results<double> whole{data}, parts{data};
    auto const all = evaluate(loss, data.weighted(loss), whole.outputs());
    std::fill(parts.d_logp.begin(), parts.d_logp.end(), 0.0);
    double sum = 0;
    constexpr std::size_t cut = 5;
    for (auto const& [from, to] : {std::pair{std::size_t{0}, cut}, std::pair{cut, data.count()}}) {
      std::vector<std::size_t> which(to - from);
      std::iota(which.begin(), which.end(), from);
      auto const part = data.picked(which);
      sum += evaluate(loss, part.weighted(loss),
                      {.loss = {parts.loss.data() + from, to - from},
                       .d_logp = {parts.d_logp.data() + data.begin(from), part.candidates()}},
                      {.denominator = all.weight, .gradient = gradient_write::accumulate})
                 .loss;
    }
    CHECK(parts.loss == whole.loss);
    CHECK(parts.d_logp == whole.d_logp);
    CHECK(near(sum, static_cast<long double>(all.loss), 1e-13));
  }
}

TEMPLATE_TEST_CASE("where every weight is 0 every loss and gradient is 0, not 0/0", "", float, double) {
  using T = TestType;
  for (auto const& loss : every_list_loss()) {
    CAPTURE(loss.name());
    auto data = ragged_groups<T>(loss);
    std::fill(data.weight.begin(), data.weight.end(), T(0));
    for (auto const how : {reduction::mean, reduction::sum, reduction::none}) {
      list_results<T> got{data};
      auto const seen = evaluate(loss, data.weighted(loss), got.outputs(), {.reduction = how});
      CHECK(seen.loss == 0);
      CHECK(seen.weight == 0);
      CHECK(seen.count == data.count());
      CHECK(std::all_of(got.loss.begin(), got.loss.end(), [](T x) { return x == 0; }));
      CHECK(std::all_of(got.d_logp.begin(), got.d_logp.end(), [](T x) { return x == 0; }));
    }
  }
}

TEST_CASE("sums over a batch in float do not lose with its length") {
  constexpr std::size_t count = 1000000;
  std::vector<float> const two{-1.0F, -1.1F};
  std::vector<float> logp;
  std::vector<std::int64_t> offsets{0};
  for (std::size_t i = 0; i < count; ++i) {
    logp.insert(logp.end(), two.begin(), two.end());
    offsets.push_back(static_cast<std::int64_t>(logp.size()));
  }
  auto const loss = made("info_nce");
  auto const seen =
      evaluate(loss, list_batch<float>{.logp = logp, .offsets = offsets}, {}, {.reduction = reduction::sum});
  auto const one = evaluate(loss, list_batch<float>{.logp = two, .offsets = {offsets.data(), 2}});
  // The groups of a window are summed in float, in lanes, and then the lanes: so many additions, each of which rounds
  // by 2^-24 of a sum of numbers of one sign. Windows are added in double. The margin is a difference of two such sums.
  constexpr std::size_t lanes = xsimd::batch<float>::size;
  constexpr double bound = static_cast<double>(detail::window_groups / lanes + lanes) * 0x1p-24;
  CHECK(std::fabs(seen.loss / static_cast<double>(count) - one.loss) < bound * one.loss);
  CHECK(std::fabs(seen.margin - one.margin) < bound * (1.0 + 1.1));
  CHECK(seen.count == count);
  CHECK(seen.accuracy == 1);
  CHECK(seen.weight == static_cast<double>(count));
}
