// What is done with groups that hold a NaN or an infinity, with groups without a candidate and candidates of length 0.
#include "groups.hpp"

using namespace prefopt;

namespace {

/// Small groups in more than a tile, and large ones.
template <class T>
groups<T> ragged(any_list_loss const& loss) {
  std::vector<std::size_t> sizes(40, 4);
  for (std::size_t const at : std::vector<std::size_t>{3, 20, 37}) sizes[at] = 81;
  for (std::size_t const at : std::vector<std::size_t>{1, 2, 9, 30}) sizes[at] = 9;
  return groups<T>{fitting(loss, sizes)};
}

/// The columns of a batch for the loss, by place in groups::columns().
bool reads(any_list_loss const& loss, std::size_t c, bool by_target) {
  bool const excludes = loss.one_of() != columns::none;
  columns const kinds[] = {columns::none, columns::reference, columns::length, columns::reward, columns::target};
  if (c == 0) return true;
  if (c == 3 && excludes) return !by_target;
  if (c == 4) return by_target && loss.reads(columns::target);
  return loss.reads(kinds[c]);
}

template <class T>
bool near(T got, T expected, double tolerance) {
  return std::fabs(static_cast<double>(got) - static_cast<double>(expected)) <=
         tolerance * std::max(1.0, std::fabs(static_cast<double>(expected)));
}

bool near(report const& got, report const& expected, double tolerance) {
  return near(got.loss, expected.loss, tolerance) && near(got.accuracy, expected.accuracy, tolerance) &&
         near(got.margin, expected.margin, tolerance) && near(got.chosen_reward, expected.chosen_reward, tolerance) &&
         near(got.rejected_reward, expected.rejected_reward, tolerance) &&
         near(got.best_probability, expected.best_probability, tolerance) &&
         near(got.weight, expected.weight, tolerance) && got.count == expected.count;
}

std::vector<std::size_t> all_but(std::size_t count, std::vector<std::size_t> const& left_out) {
  std::vector<std::size_t> kept;
  for (std::size_t i = 0; i < count; ++i) {
    if (std::find(left_out.begin(), left_out.end(), i) == left_out.end()) kept.push_back(i);
  }
  return kept;
}

/// Whether the groups but those left out have, bit for bit, what they have in `expected`.
template <class T>
bool others_are_same(groups<T> const& data, list_results<T> const& got, list_results<T> const& expected,
                     std::vector<std::size_t> const& left_out) {
  for (std::size_t const group : all_but(data.count(), left_out)) {
    std::size_t const from = data.begin(group);
    if (!same_bits(&got.loss[group], &expected.loss[group], 1) ||
        !same_bits(got.d_logp.data() + from, expected.d_logp.data() + from, data.size(group))) {
      return false;
    }
  }
  return true;
}

}  // namespace

TEMPLATE_TEST_CASE("groups that are skipped are as good as not there", "", float, double) {
  using T = TestType;
  T const kinds[] = {not_a_number<T>, infinity<T>, -infinity<T>};
  for (auto const& loss : every_list_loss()) {
    for (bool const by_target : {false, true}) {
      auto const clean = ragged<T>(loss);
      std::vector<std::size_t> const bad{0, 3, 7, 9, 21, 39};
      auto data = clean;
      for (std::size_t k = 0; k < bad.size(); ++k) {
        data.logp[data.begin(bad[k]) + k % 2] = kinds[k % 3];
        if (k % 2 == 0 && reads(loss, 3, by_target) && loss.name() != "rank_dpo") {
          data.reward[data.begin(bad[k])] = kinds[(k + 1) % 3];
        }
      }
      given const which{.target = by_target};
      auto const left = clean.picked(all_but(clean.count(), bad));
      for (auto const how : {reduction::mean, reduction::sum}) {
        CAPTURE(loss.name(), by_target);
        options const skip{.reduction = how, .non_finite = on_invalid::skip};
        list_results<T> got{data}, whole{data}, expected{left};
        auto const seen = evaluate(loss, data.weighted(loss, which), got.outputs(), skip);
        CHECK(seen.skipped == bad.size());
        CHECK(seen.non_finite == bad.size());
        CHECK(seen.empty == 0);
        CHECK(near(seen, evaluate(loss, left.weighted(loss, which), expected.outputs(), skip),
                   sizeof(T) == 4 ? 1e-5 : 1e-12));
        for (std::size_t const group : bad) {
          CHECK(got.loss[group] == 0);
          for (std::size_t i = data.begin(group); i < data.begin(group + 1); ++i) CHECK(got.d_logp[i] == 0);
        }
        // The same denominator: the same bits.
        options const divided{.denominator = 16.0, .non_finite = on_invalid::skip};
        evaluate(loss, data.weighted(loss, which), got.outputs(), divided);
        evaluate(loss, clean.weighted(loss, which), whole.outputs(), divided);
        CHECK(others_are_same(data, got, whole, bad));
      }
    }
  }
}

TEMPLATE_TEST_CASE("a non-finite value in any column that is read skips its group alone", "", float, double) {
  using T = TestType;
  for (auto const& loss : every_list_loss()) {
    for (bool const by_target : {false, true}) {
      auto const clean = ragged<T>(loss);
      given const which{.target = by_target};
      list_results<T> expected{clean};
      evaluate(loss, clean.weighted(loss, which), expected.outputs(), {.denominator = 10.0});
      for (std::size_t const group : {std::size_t{0}, std::size_t{17}, std::size_t{20}, std::size_t{39}}) {
        for (std::size_t c = 0; c < 6; ++c) {
          for (T const value : {not_a_number<T>, infinity<T>, -infinity<T>}) {
            // Out of a column's range whatever is done with what is not finite.
            if (value < 0 && (c == 2 || c == 4 || c == 5)) continue;
            if (value > 0 && c == 3 && loss.name() == "rank_dpo") continue;
            auto data = clean;
            auto& column = c == 5 ? data.weight : *data.columns()[c];
            column[c == 5 ? group : data.begin(group) + data.size(group) / 2] = value;
            CAPTURE(loss.name(), by_target, group, c, value);
            bool const is_read = c == 5 || reads(loss, c, by_target);
            list_results<T> got{data};
            // What adds to a sum without a trace.
            std::fill(got.d_logp.begin(), got.d_logp.end(), -T(0));
            for (std::size_t i = data.begin(group); i < data.begin(group + 1); ++i) got.d_logp[i] = T(42);
            auto const seen =
                evaluate(loss, data.weighted(loss, which), got.outputs(),
                         {.denominator = 10.0, .gradient = gradient_write::accumulate, .non_finite = on_invalid::skip});
            CHECK(seen.non_finite == (is_read ? 1 : 0));
            CHECK(seen.skipped == (is_read ? 1 : 0));
            CHECK(seen.count == data.count() - (is_read ? 1 : 0));
            CHECK(std::isfinite(seen.loss));
            CHECK(std::isfinite(seen.margin));
            CHECK(std::isfinite(seen.best_probability));
            CHECK(others_are_same(data, got, expected, {group}));
            double weight = 0;
            for (std::size_t g = 0; g < data.count(); ++g) {
              if (g != group || !is_read) weight += static_cast<double>(data.weight[g]);
            }
            CHECK(near(seen.weight, weight, 1e-6));
            if (!is_read) continue;
            CHECK(got.loss[group] == 0);
            // Accumulate leaves a skipped group's gradients alone.
            for (std::size_t i = data.begin(group); i < data.begin(group + 1); ++i) CHECK(got.d_logp[i] == T(42));
          }
        }
      }
    }
  }
}

TEMPLATE_TEST_CASE("a NaN in any column that decides anything gives NaN in its group and nowhere else", "", float,
                   double) {
  using T = TestType;
  for (auto const& loss : every_list_loss()) {
    for (bool const by_target : {false, true}) {
      auto const clean = ragged<T>(loss);
      given const which{.target = by_target};
      list_results<T> expected{clean};
      evaluate(loss, clean.weighted(loss, which), expected.outputs(), {.denominator = 10.0});
      for (std::size_t const group : {std::size_t{0}, std::size_t{17}, std::size_t{20}, std::size_t{39}}) {
        for (std::size_t c = 0; c < 5; ++c) {
          if (!reads(loss, c, by_target)) continue;
          for (std::size_t const k : {std::size_t{0}, clean.size(group) / 2, clean.size(group) - 1}) {
            auto data = clean;
            (*data.columns()[c])[data.begin(group) + k] = not_a_number<T>;
            CAPTURE(loss.name(), by_target, group, c, k);
            list_results<T> got{data};
            auto const seen = evaluate(loss, data.weighted(loss, which), got.outputs(), {.denominator = 10.0});
            CHECK(seen.non_finite == 1);
            CHECK(seen.skipped == 0);
            CHECK(seen.count == data.count());
            CHECK(others_are_same(data, got, expected, {group}));
            // What lies between the best and the worst has no part in their loss; a reward decides which those are.
            if (loss.name() == "best_versus_worst" && c != 3) continue;
            CHECK(std::isnan(got.loss[group]));
            CHECK(std::any_of(got.d_logp.begin() + data.offsets[group], got.d_logp.begin() + data.offsets[group + 1],
                              [](T x) { return std::isnan(x); }));
            CHECK(std::isnan(seen.loss));
          }
        }
      }
    }
  }
}

TEMPLATE_TEST_CASE("infinities and the largest numbers in one group leave every other group alone", "", float, double) {
  using T = TestType;
  for (auto const& loss : every_list_loss()) {
    auto const clean = ragged<T>(loss);
    list_results<T> expected{clean};
    evaluate(loss, clean.weighted(loss), expected.outputs(), {.denominator = 10.0});
    for (std::size_t const group : {std::size_t{0}, std::size_t{17}, std::size_t{20}, std::size_t{39}}) {
      for (std::size_t c = 0; c < 4; ++c) {
        if (!reads(loss, c, false)) continue;
        for (T const value : {infinity<T>, -infinity<T>, std::numeric_limits<T>::max()}) {
          if (c == 2 && value < 0) continue;
          if (c == 3 && value > 0 && loss.name() == "rank_dpo") continue;
          auto data = clean;
          (*data.columns()[c])[data.begin(group) + 1] = value;
          CAPTURE(loss.name(), group, c, value);
          list_results<T> got{data};
          auto const seen = evaluate(loss, data.weighted(loss), got.outputs(), {.denominator = 10.0});
          CHECK(seen.non_finite == (std::isinf(value) ? 1 : 0));
          CHECK(seen.count == data.count());
          CHECK(others_are_same(data, got, expected, {group}));
        }
      }
    }
  }
}

TEST_CASE("error names the first non-finite value of the first such group") {
  auto data = groups<double>{std::vector<std::size_t>(3000, 4)};
  auto const loss = made("adpo_ranked");
  options const strict{.non_finite = on_invalid::error};
  data.reward[8003] = not_a_number<double>;
  data.ref_logp[4 * 1500 + 1] = -infinity<double>;
  data.logp[4 * 1500 + 2] = infinity<double>;
  data.length[4 * 1500] = infinity<double>;
  data.reward[4 * 1500] = not_a_number<double>;
  CHECK(refusal_of(loss, data.batch(loss), strict) == "prefopt::evaluate: logp[6002] is inf, expected a finite number");
  data.logp[6002] = 0;
  CHECK(refusal_of(loss, data.batch(loss), strict) ==
        "prefopt::evaluate: ref_logp[6001] is -inf, expected a finite number");
  data.ref_logp[6001] = 0;
  CHECK(refusal_of(loss, data.batch(loss), strict) ==
        "prefopt::evaluate: length[6000] is inf, expected a finite number");
  data.length[6000] = 1;
  CHECK(refusal_of(loss, data.batch(loss), strict) ==
        "prefopt::evaluate: reward[6000] is nan, expected a finite number");
  data.reward[6000] = 0;
  CHECK(refusal_of(loss, data.batch(loss), strict) ==
        "prefopt::evaluate: reward[8003] is nan, expected a finite number");
  data.reward[8003] = 0;
  CHECK_NOTHROW(evaluate(loss, data.batch(loss), {}, strict));
  data.target[77] = infinity<double>;
  CHECK(refusal_of(made("adpo"), data.batch(made("adpo"), {.target = true}), strict) ==
        "prefopt::evaluate: target[77] is inf, expected a finite number");
  // In a large group.
  groups<double> large{{3, 200}};
  large.logp[150] = not_a_number<double>;
  CHECK(refusal_of(loss, large.batch(loss), strict) == "prefopt::evaluate: logp[150] is nan, expected a finite number");
}

TEMPLATE_TEST_CASE("a group without a candidate follows its option", "", float, double) {
  using T = TestType;
  for (auto const& loss : every_list_loss()) {
    CAPTURE(loss.name());
    // Empty ones first, last, in twos, and between large ones.
    auto const full = groups<T>{fitting(loss, {4, 4, 9, 81, 81, 4})};
    groups<T> none;
    none.weight.push_back(T(0.5));
    none.offsets.push_back(0);
    groups<T> data;
    for (char const kind : std::string{"e0123ee4e5e"}) {
      if (kind == 'e') {
        data.append(none, 0);
      } else {
        data.append(full, static_cast<std::size_t>(kind - '0'));
      }
    }
    CHECK(refusal_of(loss, data.batch(loss)) ==
          "prefopt::evaluate: group 0 has no candidate, which options.empty calls an error");
    CHECK(refusal_of(loss, data.picked({1, 2, 5, 3, 6}).batch(loss)) ==
          "prefopt::evaluate: group 2 has no candidate, which options.empty calls an error");

    for (bool const weighted : {false, true}) {
      list_results<T> expected{full}, skipped{data}, kept{data};
      auto const of = [&](groups<T> const& from) { return weighted ? from.weighted(loss) : from.batch(loss); };
      auto const without = evaluate(loss, of(full), expected.outputs());
      auto const seen = evaluate(loss, of(data), skipped.outputs(), {.empty = on_invalid::skip});
      CHECK(seen.empty == 5);
      CHECK(seen.skipped == 5);
      CHECK(seen.non_finite == 0);
      CHECK(near(seen, without, sizeof(T) == 4 ? 1e-6 : 1e-14));
      // No candidate, no gradient: those of the others lie one behind the other.
      CHECK(same_bits(skipped.d_logp, expected.d_logp));
      std::vector<T> losses;
      for (std::size_t group = 0; group < data.count(); ++group) {
        if (data.size(group) == 0) {
          CHECK(skipped.loss[group] == 0);
        } else {
          losses.push_back(skipped.loss[group]);
        }
      }
      CHECK(same_bits(losses, expected.loss));

      auto const with = evaluate(loss, of(data), kept.outputs(), {.empty = on_invalid::propagate});
      CHECK(with.empty == 5);
      CHECK(with.skipped == 0);
      CHECK(with.count == 11);
      CHECK(same_bits(kept.loss, skipped.loss));
      double const more = weighted ? 2.5 : 5;
      CHECK(near(with.weight, without.weight + more, 1e-6));
      CHECK(near(with.loss, without.loss * without.weight / with.weight, 1e-6));
      CHECK(near(with.chosen_reward, without.chosen_reward * 6 / 11, 1e-5));
      CHECK(near(with.accuracy, without.accuracy, 1e-12));
    }
    // Weights one a candidate give an empty group none.
    auto const spread = data.spread_weight();
    auto batch = data.batch(loss);
    batch.weight = spread;
    auto const seen = evaluate(loss, batch, {}, {.empty = on_invalid::propagate});
    CHECK(seen.count == 11);
    CHECK(near(seen.weight, evaluate(loss, full.weighted(loss)).weight, 1e-6));
  }
}

TEMPLATE_TEST_CASE("a group with a candidate of length 0 follows the same option", "", float, double) {
  using T = TestType;
  for (auto const& loss : every_list_loss()) {
    CAPTURE(loss.name());
    auto const clean = ragged<T>(loss);
    auto data = clean;
    std::vector<std::size_t> const bad{4, 20, 39};
    for (std::size_t const group : bad) data.length[data.begin(group) + 1] = T(0);
    data.length[data.begin(39)] = -T(0);
    CHECK(refusal_of(loss, data.batch(loss)) ==
          "prefopt::evaluate: group 4 has a candidate of length 0, which options.empty calls an error");

    list_results<T> skipped{data}, kept{data}, expected{clean}, left_out{clean.picked(all_but(clean.count(), bad))};
    evaluate(loss, clean.weighted(loss), expected.outputs(), {.denominator = 10.0});
    auto const seen = evaluate(loss, data.weighted(loss), skipped.outputs(), {.empty = on_invalid::skip});
    CHECK(seen.empty == 3);
    CHECK(seen.skipped == 3);
    CHECK(seen.count == data.count() - 3);
    CHECK(seen.non_finite == 0);
    auto const left = clean.picked(all_but(clean.count(), bad));
    CHECK(near(seen, evaluate(loss, left.weighted(loss)), sizeof(T) == 4 ? 1e-5 : 1e-12));
    for (std::size_t const group : bad) {
      CHECK(skipped.loss[group] == 0);
      for (std::size_t i = data.begin(group); i < data.begin(group + 1); ++i) CHECK(skipped.d_logp[i] == 0);
    }

    auto const with =
        evaluate(loss, data.weighted(loss), kept.outputs(), {.denominator = 10.0, .empty = on_invalid::propagate});
    CHECK(with.empty == 3);
    CHECK(with.skipped == 0);
    CHECK(with.count == data.count());
    CHECK(with.non_finite == 0);
    CHECK(std::isfinite(with.loss));
    CHECK(others_are_same(data, kept, expected, bad));
    for (T const x : kept.d_logp) CHECK(std::isfinite(x));
    // A score of 0 whatever the log-prob: no slope, unless the likelihood of the best is added.
    if (loss.name() != "pro" && loss.name() != "rrhf") {
      for (std::size_t const group : bad) CHECK(kept.d_logp[data.begin(group) + 1] == 0);
    }
  }
}

TEST_CASE("a group that is empty and not finite is counted in both and skipped once") {
  std::vector<double> const logp{not_a_number<double>, -1, -1, -2, -3}, length{0, 4, 0, 4, 4};
  std::vector<int> const offsets{0, 2, 3, 5, 5};
  list_batch<double> const batch{.logp = logp, .length = length, .offsets = offsets};
  for (auto const& [finite, empty, skipped] : {std::tuple{on_invalid::skip, on_invalid::skip, std::size_t{3}},
                                               std::tuple{on_invalid::propagate, on_invalid::skip, std::size_t{3}},
                                               std::tuple{on_invalid::skip, on_invalid::propagate, std::size_t{1}}}) {
    auto const seen = evaluate(made("rrhf"), batch, {}, {.non_finite = finite, .empty = empty});
    CHECK(seen.non_finite == 1);
    CHECK(seen.empty == 3);
    CHECK(seen.skipped == skipped);
    CHECK(seen.count == 4 - skipped);
    CHECK(seen.weight == static_cast<double>(4 - skipped));
  }
}

TEST_CASE("an empty group's weight that is not finite does not reach the report") {
  std::vector<double> const logp{-1, -2}, weight{1, not_a_number<double>};
  std::vector<int> const offsets{0, 2, 2};
  list_batch<double> batch{.logp = logp, .offsets = offsets};
  batch.weight = weight;
  for (auto const empty : {on_invalid::skip, on_invalid::propagate}) {
    CHECK(refusal_of(made("info_nce"), batch, {.empty = empty}) ==
          "prefopt::evaluate: weight[1] is nan, expected a finite number >= 0");
  }
  std::vector<double> const three{-1, -2, -3}, weights{1, infinity<double>};
  std::vector<int> const apart{0, 3, 3};
  list_batch<double> other{.logp = three, .offsets = apart};
  other.weight = weights;
  for (auto const empty : {on_invalid::skip, on_invalid::propagate}) {
    auto const seen = evaluate(made("info_nce"), other, {}, {.non_finite = on_invalid::skip, .empty = empty});
    CHECK(seen.weight == 1);
    CHECK(std::isfinite(seen.loss));
    CHECK(seen.skipped == 1);
    CHECK(seen.count == 1);
    CHECK(seen.empty == 1);
    CHECK(seen.non_finite == 1);
  }
}

TEMPLATE_TEST_CASE("a batch without groups gives zeros", "", float, double) {
  std::vector<int> const offsets{0};
  for (auto const& loss : every_list_loss()) {
    for (auto const how : {reduction::mean, reduction::sum, reduction::none}) {
      for (auto const invalid : {on_invalid::error, on_invalid::skip, on_invalid::propagate}) {
        CHECK(same_bits(evaluate(loss, list_batch<TestType>{.offsets = offsets}, {},
                                 {.reduction = how, .non_finite = invalid, .empty = invalid}),
                        report{}));
      }
    }
  }
}

TEMPLATE_TEST_CASE("a batch of nothing but skipped groups gives zeros", "", float, double) {
  using T = TestType;
  for (auto const& loss : every_list_loss()) {
    CAPTURE(loss.name());
    auto data = groups<T>{fitting(loss, {4, 1, 81, 9})};
    for (std::size_t group = 0; group < data.count(); ++group) data.logp[data.begin(group)] = not_a_number<T>;
    for (auto const how : {reduction::mean, reduction::sum, reduction::none}) {
      list_results<T> got{data};
      auto const seen = evaluate(loss, data.weighted(loss), got.outputs(),
                                 {.reduction = how, .non_finite = on_invalid::skip, .empty = on_invalid::skip});
      report expected{};
      expected.skipped = expected.non_finite = 4;
      CHECK(same_bits(seen, expected));
      CHECK(std::all_of(got.loss.begin(), got.loss.end(), [](T x) { return x == 0; }));
      CHECK(std::all_of(got.d_logp.begin(), got.d_logp.end(), [](T x) { return x == 0; }));
    }
    // Groups without candidates alone: no column is needed.
    std::vector<int> const offsets{0, 0, 0, 0};
    std::vector<T> losses(3, T(7));
    report expected{};
    expected.skipped = expected.empty = 3;
    CHECK(same_bits(evaluate(loss, list_batch<T>{.offsets = offsets}, {.loss = losses}, {.empty = on_invalid::skip}),
                    expected));
    CHECK(losses == std::vector<T>(3, T(0)));
    CHECK(refusal_of(loss, list_batch<T>{.offsets = offsets}) ==
          "prefopt::evaluate: group 0 has no candidate, which options.empty calls an error");
  }
}
