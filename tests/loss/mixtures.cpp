#include <algorithm>
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <prefopt/engine/mixture.hpp>
#include <string>
#include <utility>
#include <vector>

#include "chain/thread_pool.hpp"
#include "oracle/front.hpp"
#include "oracle/pairs.hpp"
#include "oracle/same_numbers.hpp"
#include "oracle/same_reports.hpp"
#include "ranks/rank_group.hpp"
#include "refusal.hpp"

// Weighted sums of losses, against what their parts say.

// Names of its own: the files of this folder are compiled together.
namespace by_mixture {
namespace {

using namespace prefopt;

using of_pairs = mixture_of<pair_family>::parts_type;
using of_completions = mixture_of<unpaired_family>::parts_type;

/// The columns of a family by name; those that a loss reads make its batch.
template <class Family, class T>
struct table {
  std::vector<std::vector<T>> columns{Family::input_count};

  [[nodiscard]] typename Family::template batch<T> batch(any_loss<Family> const& loss, bool is_weighted,
                                                         std::size_t begin, std::size_t end) const {
    typename Family::template batch<T> all;
    for (std::size_t c = 0; c < Family::input_count; ++c) {
      auto const& row = Family::template inputs<T>[c];
      bool const is_given = row.when == presence::always || (row.when == presence::as_read && loss.reads(row.kind)) ||
                            (row.when == presence::optional && is_weighted);
      if (is_given) all.*row.values = column<T>{columns[c].data() + begin, end - begin};
    }
    return all;
  }
  [[nodiscard]] std::size_t size() const { return columns[0].size(); }
};

/// Everything that a loss writes, and its report.
template <class Family, class T>
struct outcome {
  std::vector<std::vector<T>> results{Family::output_count};
  report seen;

  outcome(any_loss<Family> const& loss, table<Family, T> const& data, options const& how = {}, bool is_weighted = false,
          T before = 0)
      : outcome{loss, data, how, is_weighted, before, 0, data.size()} {}

  outcome(any_loss<Family> const& loss, table<Family, T> const& data, options const& how, bool is_weighted, T before,
          std::size_t begin, std::size_t end) {
    typename Family::template outputs<T> outputs;
    for (std::size_t c = 0; c < Family::output_count; ++c) {
      auto const& row = Family::template results<T>[c];
      if (row.is_of_some && !loss.writes(static_cast<typename Family::output>(c))) continue;
      results[c].assign(end - begin, before);
      outputs.*row.values = results[c];
    }
    seen = front::evaluate(loss, data.batch(loss, is_weighted, begin, end), outputs, how);
  }
};

template <class T>
table<pair_family, T> random_pairs(std::size_t n) {
  oracle::random_numbers random{71};
  auto const pairs = oracle::random_pairs(n, random);
  table<pair_family, T> result;
  for (std::size_t c = 0; c < pair_family::input_count; ++c) {
    for (auto const& column : oracle::pair_column_table) {
      if (column.name != pair_family::inputs<T>[c].name) continue;
      for (auto const& p : pairs) result.columns[c].push_back(static_cast<T>(p.*column.value));
    }
  }
  for (std::size_t i = 0; i < n; ++i) {
    result.columns[pair_family::weight].push_back(i % 7 == 0 ? T(0) : static_cast<T>(random.uniform(0, 2)));
  }
  return result;
}

template <class T>
table<unpaired_family, T> random_completions(std::size_t n) {
  oracle::random_numbers random{72};
  table<unpaired_family, T> result;
  using f = unpaired_family;
  auto const put = [&](f::input column, double x) { result.columns[column].push_back(static_cast<T>(x)); };
  for (std::size_t i = 0; i < n; ++i) {
    double const logp = random.uniform(-90, 0);
    put(f::logp, logp);
    put(f::ref_logp, logp + random.uniform(-9, 9));
    put(f::length, 1 + std::floor(random.uniform(0, 40)));
    put(f::label, i % 3 == 0 ? random.uniform() : i % 3 == 1 ? 1 : 0);
    put(f::target, random.uniform(-3, 3));
    put(f::weight, i % 7 == 0 ? 0 : random.uniform(0, 2));
    put(f::kl_logp, random.uniform(-9, 0));
    put(f::ref_kl_logp, random.uniform(-12, -1));
  }
  return result;
}

template <class T>
constexpr T rounding = 16 * std::numeric_limits<T>::epsilon();

/// Losses and gradients of the mixture are the weighted sums of its parts'; other outputs are the first part's.
template <class Family, class T>
void check_sum(std::vector<weighted_loss<Family>> const& parts, table<Family, T> const& data, options const& how = {},
               bool is_weighted = false) {
  auto const mixed = mixture<Family>(parts);
  CAPTURE(mixed.name(), is_weighted);
  outcome<Family, T> const got{mixed, data, how, is_weighted};
  std::vector<outcome<Family, T>> single;
  for (auto const& part : parts) single.emplace_back(part.loss, data, how, is_weighted);
  for (std::size_t c = 0; c < Family::output_count; ++c) {
    auto const& row = Family::template results<T>[c];
    CAPTURE(row.name);
    bool const is_sum = c == Family::loss || row.gradient_of >= 0;
    auto const first =
        std::find_if(single.begin(), single.end(), [&](auto const& one) { return !one.results[c].empty(); });
    REQUIRE(got.results[c].empty() == (first == single.end()));
    if (first == single.end()) continue;
    if (!is_sum) {
      CHECK(oracle::same_numbers(got.results[c], first->results[c]));
      continue;
    }
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < data.size(); ++i) {
      long double sum = 0, size = 0;
      for (std::size_t p = 0; p < parts.size(); ++p) {
        if (single[p].results[c].empty()) continue;
        long double const term = static_cast<T>(parts[p].weight) * static_cast<long double>(single[p].results[c][i]);
        sum += term;
        size += std::fabs(term);
      }
      auto const off = std::fabs(static_cast<long double>(got.results[c][i]) - sum);
      bool const is_nan = std::isnan(sum) && std::isnan(got.results[c][i]);
      // A share of a number next to none is flushed to 0.
      wrong += is_nan || off <= rounding<T> * size + 16 * std::numeric_limits<T>::min() ? 0 : 1;
    }
    CHECK(wrong == 0);
  }
  double loss = 0, size = 0;
  for (std::size_t p = 0; p < parts.size(); ++p) {
    loss += parts[p].weight * single[p].seen.loss;
    size += std::fabs(parts[p].weight * single[p].seen.loss);
  }
  CHECK((std::isnan(loss) || std::fabs(got.seen.loss - loss) <= static_cast<double>(rounding<T>) * size));
  auto expected = single[0].seen;
  expected.loss = got.seen.loss;
  CHECK(oracle::same_bits(got.seen, expected));
}

template <class Family, class T>
void check_same(outcome<Family, T> const& x, outcome<Family, T> const& y) {
  for (std::size_t c = 0; c < Family::output_count; ++c) {
    CAPTURE(Family::template results<T>[c].name);
    CHECK(oracle::same_numbers(x.results[c], y.results[c]));
  }
  CHECK(oracle::same_bits(x.seen, y.seen));
}

any_pair_loss of(char const* name, parameter_values const& values = {}, char const* base = "") {
  return front::make_pair_loss(name, values, base);
}
any_unpaired_loss of_one(char const* name, parameter_values const& values = {}) {
  return front::make_unpaired_loss(name, values);
}

}  // namespace

TEMPLATE_TEST_CASE("a mixture of one loss with the weight 1 is that loss, bit for bit", "", float, double) {
  using T = TestType;
  auto const pairs = random_pairs<T>(1030);
  auto const completions = random_completions<T>(1030);
  thread_pool const two{2};
  for (options const& how : {options{}, options{.reduction = reduction::sum}, options{.reduction = reduction::none},
                             options{.denominator = 7}, options{.gradient = gradient_write::accumulate},
                             options{.non_finite = on_invalid::skip}, options{.executor = two}}) {
    for (bool const is_weighted : {false, true}) {
      for (auto const& loss :
           {of("dpo"), of("cpo", {{"sft", 0.5}}), of("nca_pair"), of("bradley_terry"), of("tdpo"), of("beta_dpo"),
            of("lcpo", {}, "dpo"), of("with_nll", {}, "simpo"), of("unbiased", {}, "nca_pair")}) {
        CAPTURE(loss.name(), is_weighted);
        check_same<pair_family, T>({mixture<pair_family>({{1, loss}}), pairs, how, is_weighted, 3},
                                   {loss, pairs, how, is_weighted, 3});
      }
      for (auto const& loss : {of_one("kto"), of_one("bco"), of_one("dro")}) {
        CAPTURE(loss.name(), is_weighted);
        check_same<unpaired_family, T>({mixture<unpaired_family>({{1, loss}}), completions, how, is_weighted, 3},
                                       {loss, completions, how, is_weighted, 3});
      }
    }
  }
}

TEMPLATE_TEST_CASE("a mixture is the weighted sum of its losses", "", float, double) {
  using T = TestType;
  auto pairs = random_pairs<T>(700);
  auto completions = random_completions<T>(700);
  std::vector<of_pairs> const sums{
      {{0.25, of("dpo")}, {0.75, of("hinge")}},
      {{0.8, of("dpo")}, {0.2, of("bco_pair")}, {1, of("sft", {{"mode", 1}})}},
      {{1, of("simpo")}, {-0.5, of("ipo_mean")}, {0, of("dpo")}},
      // Each with columns of its own, and gradients by them.
      {{1, of("dpo")},
       {0.5, of("modpo")},
       {0.25, of("bradley_terry")},
       {2, of("tdpo", {{"version", 1}})},
       {1, of("rationale_dpo")}},
      // Statistics of the batch.
      {{1, of("beta_dpo")}, {0.5, of("sft")}, {1, of("dpo")}, {0.25, of("with_nll", {}, "nca_pair")}},
      // Of one part alone there is a posterior.
      {{1, of("dpo")}, {0.5, of("lcpo", {}, "nca_pair")}, {0.5, of("smoothed", {}, "sppo")}},
      // Of a mixture.
      {{0.5, mixture<pair_family>({{0.5, of("dpo")}, {0.25, of("beta_dpo")}})}, {1, of("sft")}}};
  std::vector<of_completions> const sums_of_one{
      {{1, of_one("kto")}, {0.5, of_one("bco")}},
      {{0.25, of_one("dro")}, {1, of_one("kto", {{"kl", 0.5}})}, {1, of_one("weighted_nll")}},
      {{0.5, mixture<unpaired_family>({{2, of_one("kto")}})}, {1, of_one("nbpo")}}};
  for (auto& label : completions.columns[unpaired_family::label]) label = std::round(label);
  for (bool const is_weighted : {false, true}) {
    for (auto const how : {reduction::mean, reduction::sum, reduction::none}) {
      for (auto const& parts : sums) check_sum<pair_family, T>(parts, pairs, {.reduction = how}, is_weighted);
      for (auto const& parts : sums_of_one) {
        check_sum<unpaired_family, T>(parts, completions, {.reduction = how}, is_weighted);
      }
    }
  }
  // Weights that add up to 1 of one loss.
  outcome<pair_family, T> const halves{mixture<pair_family>({{0.5, of("dpo")}, {0.5, of("dpo")}}), pairs},
      whole{of("dpo"), pairs};
  std::size_t differing = 0;
  for (auto const c : {pair_family::loss, pair_family::d_chosen, pair_family::d_rejected, pair_family::chosen_reward}) {
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      T const x = halves.results[c][i], y = whole.results[c][i];
      // Halves of the smallest numbers are none.
      differing += x == y || std::fabs(y) < 4 * std::numeric_limits<T>::min() ? 0 : 1;
    }
  }
  CHECK(differing == 0);
}

TEMPLATE_TEST_CASE("what one loss of a mixture has to skip, all skip", "", float, double) {
  using T = TestType;
  auto const nan = std::numeric_limits<T>::quiet_NaN(), inf = std::numeric_limits<T>::infinity();
  auto pairs = random_pairs<T>(300);
  // DPO does not read the margin, nor the length.
  std::vector<std::pair<std::size_t, pair_family::input>> const bad{
      {0, pair_family::margin}, {17, pair_family::chosen}, {40, pair_family::ref_rejected}, {299, pair_family::margin}};
  for (auto const& [row, column] : bad) pairs.columns[column][row] = row == 17 ? inf : nan;
  auto clean = pairs;
  for (auto& column : clean.columns) {
    for (std::size_t k = bad.size(); k-- > 0;) column.erase(column.begin() + static_cast<std::ptrdiff_t>(bad[k].first));
  }
  for (of_pairs const& parts :
       {of_pairs{{1, of("dpo")}, {0.5, of("modpo")}}, of_pairs{{1, of("modpo")}, {0.5, of("dpo")}},
        of_pairs{{1, of("beta_dpo")}, {0.5, of("modpo")}, {1, of("sft")}}}) {
    auto const mixed = mixture<pair_family>(parts);
    CAPTURE(mixed.name());
    for (bool const is_weighted : {false, true}) {
      options const skip{.reduction = reduction::none, .non_finite = on_invalid::skip};
      outcome<pair_family, T> const got{mixed, pairs, skip, is_weighted}, expected{mixed, clean, skip, is_weighted};
      CHECK(got.seen.skipped == 4);
      CHECK(got.seen.non_finite == 4);
      CHECK(got.seen.count == 296);
      CHECK(std::fabs(got.seen.loss - expected.seen.loss) <= 1e-5 * std::fabs(expected.seen.loss));
      CHECK(std::fabs(got.seen.weight - expected.seen.weight) <= 1e-4);
      std::size_t wrong = 0, next = 0;
      for (std::size_t i = 0; i < 300; ++i) {
        if (next < bad.size() && bad[next].first == i) {
          for (auto const c :
               {pair_family::loss, pair_family::d_chosen, pair_family::d_margin, pair_family::chosen_reward}) {
            wrong += got.results[c][i] == 0 ? 0 : 1;
          }
          ++next;
          continue;
        }
        for (auto const c :
             {pair_family::loss, pair_family::d_chosen, pair_family::d_rejected, pair_family::d_margin}) {
          T const x = got.results[c][i], y = expected.results[c][i - next];
          // Sums over a batch in other blocks are rounded in another way, and a tail e^-z magnifies that by z.
          wrong += std::fabs(x - y) <= T(sizeof(T) == 4 ? 1e-3 : 1e-10) * std::fabs(y) ? 0 : 1;
        }
      }
      CHECK(wrong == 0);
    }
    // To go on with it is as bad for the whole as for the part.
    outcome<pair_family, T> const on{mixed, pairs, {.reduction = reduction::none}};
    for (auto const& [row, column] : bad) CHECK((row == 17 || std::isnan(on.results[pair_family::loss][row])));
    CHECK(on.seen.non_finite == 4);
    CHECK(refusal([&] {
            outcome<pair_family, T>{mixed, pairs, {.non_finite = on_invalid::error}};
          }).starts_with("prefopt::evaluate: margin[0] is nan, expected a finite number"));
  }
}

TEST_CASE("a mixture with gradients that are added, and empty completions") {
  auto pairs = random_pairs<double>(50);
  auto const mixed = mixture<pair_family>({{0.5, of("dpo")}, {2, of("simpo")}, {1, of("sft")}});
  options const sum{.reduction = reduction::sum},
      more{.reduction = reduction::sum, .gradient = gradient_write::accumulate};
  outcome<pair_family, double> const fresh{mixed, pairs, sum}, added{mixed, pairs, more, false, 3};
  for (std::size_t i = 0; i < 50; ++i) {
    CHECK(added.results[pair_family::d_chosen][i] == 3 + fresh.results[pair_family::d_chosen][i]);
    CHECK(added.results[pair_family::d_rejected][i] == 3 + fresh.results[pair_family::d_rejected][i]);
    CHECK(added.results[pair_family::loss][i] == fresh.results[pair_family::loss][i]);
  }
  pairs.columns[pair_family::chosen_length][7] = 0;
  CHECK(refusal([&] {
          outcome<pair_family, double>{mixed, pairs};
        }) == "prefopt::evaluate: pair 7 has a completion of length 0, which options.empty calls an error");
  outcome<pair_family, double> const skipped{mixed, pairs, {.empty = on_invalid::skip}};
  CHECK(skipped.seen.skipped == 1);
  CHECK(skipped.seen.empty == 1);
  CHECK(skipped.results[pair_family::loss][7] == 0);
  CHECK(skipped.results[pair_family::d_chosen][7] == 0);
}

TEMPLATE_TEST_CASE("a loss with the weight 0 adds nothing, be it infinite", "", float, double) {
  using T = TestType;
  auto pairs = random_pairs<T>(20);
  pairs.columns[pair_family::chosen][3] = -std::numeric_limits<T>::infinity();
  // The one has a limit there, the other is infinite.
  any_pair_loss const bounded = of("apo_zero"), likelihood = of("sft");
  outcome<pair_family, T> const alone{bounded, pairs};
  for (of_pairs const& parts : {of_pairs{{1, bounded}, {0, likelihood}}, of_pairs{{0, likelihood}, {1, bounded}}}) {
    outcome<pair_family, T> const mixed{mixture<pair_family>(parts), pairs};
    CAPTURE(parts[0].weight);
    CHECK(std::isfinite(mixed.seen.loss));
    CHECK(std::fabs(mixed.seen.loss - alone.seen.loss) <= 1e-6 * std::fabs(alone.seen.loss));
    for (auto const c : {pair_family::loss, pair_family::d_chosen, pair_family::d_rejected})
      CHECK(mixed.results[c] == alone.results[c]);
  }
}

TEMPLATE_TEST_CASE("a loss with the weight 0 adds nothing, be its slope infinite", "", float, double) {
  using T = TestType;
  auto pairs = random_pairs<T>(20);
  pairs.columns[pair_family::chosen][3] = -std::numeric_limits<T>::infinity();
  any_pair_loss const bounded = of("apo_zero");
  outcome<pair_family, T> const alone{bounded, pairs};
  for (char const* const name : {"ipo", "f_dpo_forward_kl"}) {
    CAPTURE(name);
    any_pair_loss const other = of(name);
    for (of_pairs const& parts : {of_pairs{{1, bounded}, {0, other}}, of_pairs{{0, other}, {1, bounded}}}) {
      outcome<pair_family, T> const mixed{mixture<pair_family>(parts), pairs};
      for (auto const c : {pair_family::loss, pair_family::d_chosen, pair_family::d_rejected})
        CHECK(mixed.results[c] == alone.results[c]);
    }
  }
}

TEST_CASE("a mixture over ranks has the statistics of all pairs") {
  auto const pairs = random_pairs<double>(101);
  auto const mixed = mixture<pair_family>({{0.5, of("beta_dpo", {{"beta", 1e-3}})}, {2, of("sft")}, {1, of("dpo")}});
  outcome<pair_family, double> const whole{mixed, pairs};
  for (std::size_t const cut : {0U, 1U, 60U}) {
    std::vector<double> gradients[2];
    report seen[2];
    auto const outcomes = run_ranks(2, [&](std::size_t rank, rank_sum& sum) {
      outcome<pair_family, double> const own{
          mixed, pairs, {.all_reduce = sum}, false, 0, rank == 0 ? 0 : cut, rank == 0 ? cut : 101};
      gradients[rank] = own.results[pair_family::d_chosen];
      seen[rank] = own.seen;
    });
    for (auto const& one : outcomes) CHECK(one.error == "no error");
    auto all = gradients[0];
    all.insert(all.end(), gradients[1].begin(), gradients[1].end());
    REQUIRE(all.size() == 101);
    for (std::size_t i = 0; i < 101; ++i) {
      double const right = whole.results[pair_family::d_chosen][i];
      CHECK(std::fabs(all[i] - right) <= 1e-12 * std::fabs(right));
    }
    for (auto const& report : seen)
      CHECK(std::fabs(report.loss - whole.seen.loss) <= 1e-12 * std::fabs(whole.seen.loss));
  }
}

TEST_CASE("a mixture says what it is, and refuses what it cannot be") {
  auto const mixed =
      mixture<pair_family>({{0.75, of("dpo", {{"beta", 0.5}})}, {2, of("lcpo", {{"tau", 0.25}}, "ipo")}});
  CHECK(mixed.name() == "0.75 dpo + 2 lcpo<ipo>");
  CHECK(mixed.parameters() == parameter_values{{"weight_0", 0.75}, {"beta", 0.5}, {"weight_1", 2}, {"tau", 0.25}});
  CHECK(mixed.has_posterior());
  CHECK(mixed.reads(columns::reliability));
  auto const refused = [](of_pairs const& parts) { return refusal([&] { mixture<pair_family>(parts); }); };
  CHECK(refused({}) == "prefopt::mixture: there is no loss in it, expected at least one");
  CHECK(refused({{std::numeric_limits<double>::infinity(), of("dpo")}}) ==
        "prefopt::mixture: the weight of dpo is inf, expected a number that is finite in float");
  CHECK(refused({{-1e39, of("dpo")}}) ==
        "prefopt::mixture: the weight of dpo is -1e+39, expected a number that is finite in float");
  CHECK(refused({{1, of("dpo")}, {1, of("aot")}}) ==
        "prefopt::mixture: aot sorts the batch, which other losses do not: it goes alone");
  CHECK(refused({{1, of("irepo")}, {1, of("davidson")}}) ==
        "prefopt::mixture: davidson and a loss before it ask different things of a column");
  CHECK(refused(of_pairs(13, {1, of("beta_dpo")})) ==
        "prefopt::mixture: its losses observe 13 sums of the batch, expected at most 12");
  // What it takes of a column is what its parts take.
  std::vector<double> const one{-1}, half{0.5};
  CHECK(refusal([&] {
          front::evaluate(mixture<pair_family>({{1, of("cpo")}, {1, of("noise_mixture")}}),
                          pair_batch<double>{.chosen = one, .rejected = one, .label = half});
        }).find("label[0] is 0.5, expected 0 or 1") != std::string::npos);
}

}  // namespace by_mixture
