// Pairs built out of ranked groups: which ones, with which columns, and their gradients put back.
#include "groups.hpp"

using namespace prefopt;

namespace {

using indices = std::vector<std::size_t>;

template <class T>
indices chosen_of(group_pairs<T> const& pairs) {
  return {pairs.chosen().begin(), pairs.chosen().end()};
}
template <class T>
indices rejected_of(group_pairs<T> const& pairs) {
  return {pairs.rejected().begin(), pairs.rejected().end()};
}
template <class T>
indices group_of(group_pairs<T> const& pairs) {
  return {pairs.group().begin(), pairs.group().end()};
}

constexpr pairing every_pairing[] = {pairing::every, pairing::adjacent, pairing::best_versus_rest,
                                     pairing::best_versus_worst};

/// Groups of 4, 1, 0, 3 and 2 candidates.
struct five {
  std::vector<double> logp{-1, -2, -3, -4, -5, -6, -7, -8, -9, -10}, reward{2, 4, 1, 3, 9, 5, 5, 1, 7, 7};
  std::vector<int> offsets{0, 4, 5, 5, 8, 10};
  [[nodiscard]] list_batch<double> batch() const { return {.logp = logp, .reward = reward, .offsets = offsets}; }
};

template <class T>
std::string refused(list_batch<T> const& batch, std::optional<double> beta = {}) {
  return refusal([&] { group_pairs<T> const pairs{batch, pairing::every, beta}; });
}

}  // namespace

TEST_CASE("each pairing makes its pairs, best against worse, and none of equal rewards") {
  five const data;
  group_pairs<double> const every{data.batch(), pairing::every};
  CHECK(chosen_of(every) == indices{1, 1, 1, 3, 3, 0, 5, 6});
  CHECK(rejected_of(every) == indices{3, 0, 2, 0, 2, 2, 7, 7});
  CHECK(group_of(every) == indices{0, 0, 0, 0, 0, 0, 3, 3});
  CHECK(every.size() == 8);
  group_pairs<double> const adjacent{data.batch(), pairing::adjacent};
  CHECK(chosen_of(adjacent) == indices{1, 3, 0, 6});
  CHECK(rejected_of(adjacent) == indices{3, 0, 2, 7});
  CHECK(group_of(adjacent) == indices{0, 0, 0, 3});
  group_pairs<double> const rest{data.batch(), pairing::best_versus_rest};
  CHECK(chosen_of(rest) == indices{1, 1, 1, 5});
  CHECK(rejected_of(rest) == indices{3, 0, 2, 7});
  CHECK(group_of(rest) == indices{0, 0, 0, 3});
  group_pairs<double> const ends{data.batch(), pairing::best_versus_worst};
  CHECK(chosen_of(ends) == indices{1, 5});
  CHECK(rejected_of(ends) == indices{2, 7});
  CHECK(group_of(ends) == indices{0, 3});

  // Without rewards the candidates come best first.
  auto batch = data.batch();
  batch.reward = {};
  group_pairs<double> const given{batch, pairing::adjacent};
  CHECK(chosen_of(given) == indices{0, 1, 2, 5, 6, 8});
  CHECK(rejected_of(given) == indices{1, 2, 3, 6, 7, 9});
  CHECK(group_of(given) == indices{0, 0, 0, 3, 3, 4});
  group_pairs<double> const last{batch, pairing::best_versus_worst};
  CHECK(chosen_of(last) == indices{0, 5, 8});
  CHECK(rejected_of(last) == indices{3, 7, 9});
}

TEMPLATE_TEST_CASE("pairs of groups of every size are what a plain search finds", "", float, double) {
  using T = TestType;
  auto sizes = sizes_up_to(12);
  sizes.insert(sizes.end(), {64, 65, 100, 0, 3});
  groups<T> data{sizes};
  // Some equal rewards, of both zeros, and infinite ones.
  for (std::size_t i = 0; i < data.candidates(); ++i) {
    if (i % 5 == 0) data.reward[i] = i % 2 == 0 ? T(0) : -T(0);
    if (i % 31 == 0) data.reward[i] = infinity<T>;
    if (i % 37 == 0) data.reward[i] = -infinity<T>;
  }
  list_batch<T> const batch{.logp = data.logp, .reward = data.reward, .offsets = data.offsets};
  for (auto const which : every_pairing) {
    indices chosen, rejected, group_at;
    for (std::size_t group = 0; group < data.count(); ++group) {
      indices order(data.size(group));
      std::iota(order.begin(), order.end(), data.begin(group));
      std::stable_sort(order.begin(), order.end(),
                       [&](std::size_t a, std::size_t b) { return data.reward[a] > data.reward[b]; });
      for (std::size_t i = 0; i < order.size(); ++i) {
        for (std::size_t j = i + 1; j < order.size(); ++j) {
          bool const wanted = which == pairing::every || (which == pairing::adjacent && j == i + 1) ||
                              (which == pairing::best_versus_rest && i == 0) ||
                              (which == pairing::best_versus_worst && i == 0 && j + 1 == order.size());
          if (!wanted || data.reward[order[i]] == data.reward[order[j]]) continue;
          chosen.push_back(order[i]);
          rejected.push_back(order[j]);
          group_at.push_back(group);
        }
      }
    }
    group_pairs<T> const pairs{batch, which};
    CHECK(chosen_of(pairs) == chosen);
    CHECK(rejected_of(pairs) == rejected);
    CHECK(group_of(pairs) == group_at);
  }
}

TEMPLATE_TEST_CASE("a pair has its candidates' columns, its group's weight and, if wanted, a soft label", "", float,
                   double) {
  using T = TestType;
  groups<T> const data{{5, 1, 8, 70}};
  for (auto const which : every_pairing) {
    for (bool const flat : {false, true}) {
      auto const spread = data.spread_weight();
      list_batch<T> const batch{.logp = data.logp,
                                .ref_logp = data.ref_logp,
                                .length = data.length,
                                .reward = data.reward,
                                .weight = flat ? spread : data.weight,
                                .offsets = data.offsets};
      double const beta = 0.75;
      group_pairs<T> const pairs{batch, which, beta};
      auto const made_of = pairs.batch();
      std::size_t const n = pairs.size();
      REQUIRE(n > 0);
      for (auto const& column : {made_of.chosen, made_of.rejected, made_of.ref_chosen, made_of.ref_rejected,
                                 made_of.chosen_length, made_of.rejected_length, made_of.weight, made_of.label}) {
        REQUIRE(column.size() == n);
      }
      CHECK(made_of.margin.empty());
      CHECK(made_of.reliability.empty());
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < n; ++i) {
        std::size_t const a = pairs.chosen()[i], b = pairs.rejected()[i];
        wrong += made_of.chosen[i] == data.logp[a] && made_of.rejected[i] == data.logp[b] ? 0 : 1;
        wrong += made_of.ref_chosen[i] == data.ref_logp[a] && made_of.ref_rejected[i] == data.ref_logp[b] ? 0 : 1;
        wrong += made_of.chosen_length[i] == data.length[a] && made_of.rejected_length[i] == data.length[b] ? 0 : 1;
        wrong += made_of.weight[i] == data.weight[pairs.group()[i]] ? 0 : 1;
        double const gap = static_cast<double>(data.reward[a]) - static_cast<double>(data.reward[b]);
        wrong += std::fabs(static_cast<double>(made_of.label[i]) - 1 / (1 + std::exp(-gap / beta))) <
                         static_cast<double>(std::numeric_limits<T>::epsilon())
                     ? 0
                     : 1;
        wrong += made_of.label[i] > T(0.5) && made_of.label[i] <= T(1) ? 0 : 1;
      }
      CHECK(wrong == 0);
    }
  }
  // What is not given stays away: a loss without a reference takes the pairs as they are.
  list_batch<T> const bare{.logp = data.logp, .reward = data.reward, .offsets = data.offsets};
  group_pairs<T> const pairs{bare, pairing::every};
  CHECK(pairs.batch().ref_chosen.empty());
  CHECK(pairs.batch().chosen_length.empty());
  CHECK(pairs.batch().weight.empty());
  CHECK(pairs.batch().label.empty());
  CHECK(evaluate(cpo{}, pairs.batch()).count == pairs.size());
  // Infinite gaps are certain.
  std::vector<T> const logp{-1, -2, -3}, reward{infinity<T>, T(0), -infinity<T>};
  std::vector<int> const offsets{0, 3};
  group_pairs<T> const far{list_batch<T>{.logp = logp, .reward = reward, .offsets = offsets}, pairing::every, 1.0};
  for (std::size_t i = 0; i < 3; ++i) CHECK(far.batch().label[i] == T(1));
}

TEMPLATE_TEST_CASE("the pairs' gradients scattered are the group's", "", float, double) {
  using T = TestType;
  groups<T> const data{{6, 3, 70, 1, 2}};
  auto const loss = made("best_versus_worst", {{"beta", 0.1}});
  list_batch<T> const batch{.logp = data.logp,
                            .ref_logp = data.ref_logp,
                            .reward = data.reward,
                            .weight = data.weight,
                            .offsets = data.offsets};
  list_results<T> of_groups{data};
  evaluate(loss, batch, of_groups.outputs(), {.reduction = reduction::sum});
  group_pairs<T> const pairs{batch, pairing::best_versus_worst};
  std::vector<T> d_chosen(pairs.size()), d_rejected(pairs.size()), d_logp(data.candidates(), T(0));
  evaluate(dpo{.beta = 0.1}, pairs.batch(), {.d_chosen = d_chosen, .d_rejected = d_rejected},
           {.reduction = reduction::sum});
  pairs.scatter(d_chosen, d_rejected, d_logp);
  for (std::size_t i = 0; i < d_logp.size(); ++i) {
    CHECK(std::fabs(d_logp[i] - of_groups.d_logp[i]) <= 8 * std::numeric_limits<T>::epsilon());
  }
  // It adds: whole numbers, so that every sum is exact.
  group_pairs<T> const every{batch, pairing::every};
  std::vector<T> plus(every.size()), minus(every.size()), sum(data.candidates(), T(100)), expected = sum;
  for (std::size_t i = 0; i < every.size(); ++i) {
    plus[i] = static_cast<T>(i % 7);
    minus[i] = -static_cast<T>(i % 5);
    expected[every.chosen()[i]] += plus[i];
    expected[every.rejected()[i]] += minus[i];
  }
  every.scatter(plus, minus, sum);
  CHECK(sum == expected);
}

TEST_CASE("scatter refuses other sizes and leaves the gradients alone") {
  five const data;
  group_pairs<double> const pairs{data.batch(), pairing::every};
  std::vector<double> const eight(8, 1.0), seven(7, 1.0);
  std::vector<double> ten(10, 5.0), nine(9, 5.0);
  auto const scattered = [&](auto const& a, auto const& b, auto& to) {
    return refusal([&] { pairs.scatter(a, b, to); });
  };
  CHECK(scattered(seven, eight, ten) == "prefopt::group_pairs::scatter: d_chosen has 7 elements, expected 8");
  CHECK(scattered(eight, seven, ten) == "prefopt::group_pairs::scatter: d_rejected has 7 elements, expected 8");
  CHECK(scattered(eight, eight, nine) == "prefopt::group_pairs::scatter: d_logp has 9 elements, expected 10");
  CHECK(ten == std::vector<double>(10, 5.0));
  CHECK(nine == std::vector<double>(9, 5.0));
}

TEST_CASE("groups that no pairs can be made of are refused") {
  five const data;
  std::vector<double> const seven(7, 1.0), one(1, 1.0), nan{1, 2, 3, 4, 5, 6, 7, not_a_number<double>, 9, 10};
  CHECK(refused(list_batch<double>{.logp = data.logp}) ==
        "prefopt::group_pairs: offsets is empty, expected the number of groups + 1 entries");
  for (auto const& [offsets, message] :
       {std::pair{std::vector<int>{1, 10}, "offsets[0] is 1, expected 0"},
        std::pair{std::vector<int>{0, 5, 4, 10}, "offsets[2] is 4, expected a number from 5 to 10"},
        std::pair{std::vector<int>{0, 11}, "offsets[1] is 11, expected a number from 0 to 10"},
        std::pair{std::vector<int>{0, -1, 10}, "offsets[1] is -1, expected a number from 0 to 10"},
        std::pair{std::vector<int>{0, 9}, "offsets end at 9, logp has 10 elements"}}) {
    CHECK(refused(list_batch<double>{.logp = data.logp, .offsets = offsets}) ==
          "prefopt::group_pairs: " + std::string{message});
  }
  using batch_type = list_batch<double>;
  auto const with = [&](column<double> batch_type::*member, std::vector<double> const& values) {
    auto batch = data.batch();
    batch.*member = values;
    return refused(batch);
  };
  CHECK(with(&batch_type::ref_logp, seven) == "prefopt::group_pairs: ref_logp has 7 elements, logp has 10");
  CHECK(with(&batch_type::length, one) == "prefopt::group_pairs: length has 1 element, logp has 10");
  CHECK(with(&batch_type::reward, seven) == "prefopt::group_pairs: reward has 7 elements, logp has 10");
  CHECK(with(&batch_type::weight, seven).starts_with("prefopt::group_pairs: weight has 7 elements, "));
  CHECK(with(&batch_type::target, data.reward) ==
        "prefopt::group_pairs: does not read the column target, which is given");
  CHECK(with(&batch_type::reward, nan) == "prefopt::group_pairs: reward[7] is nan, expected a number");
  for (double const beta : {0.0, -1.0, not_a_number<double>}) {
    CHECK(refused(data.batch(), beta) ==
          "prefopt::group_pairs: beta_reward is " + detail::text(beta) + ", expected a number > 0");
  }
  auto batch = data.batch();
  batch.reward = {};
  CHECK(refused(batch, 1.0) == "prefopt::group_pairs: beta_reward needs the column reward, which is not given");
  CHECK(refused(batch) == "no error");
}

TEST_CASE("a weight that differs within its group is no weight of the group's pairs") {
  five const data;
  std::vector<double> const weight{1, 1, 1, 2, 1, 1, 1, 1, 1, 1};
  auto batch = data.batch();
  batch.weight = weight;
  CHECK(refused(batch) == "prefopt::group_pairs: weight[3] is 2, expected 1 as at the first candidate of group 0");
  // Nor is a number where the group's is none, or none where it is one.
  double const nan = std::numeric_limits<double>::quiet_NaN();
  std::vector<double> const mostly{nan, nan, 1, nan, nan, 1, 1, 1, 1, 1}, one{1, 1, 1, nan, 1, 1, 1, 1, 1, 1},
      all{nan, nan, nan, nan, 1, 1, 1, 1, 1, 1};
  batch.weight = mostly;
  CHECK(refused(batch) == "prefopt::group_pairs: weight[2] is 1, expected nan as at the first candidate of group 0");
  batch.weight = one;
  CHECK(refused(batch) == "prefopt::group_pairs: weight[3] is nan, expected 1 as at the first candidate of group 0");
  batch.weight = all;
  CHECK(refused(batch) == "no error");
}

TEST_CASE("no groups, empty groups and groups of one make no pairs") {
  std::vector<double> const logp{-1, -2};
  std::vector<int> const none{0}, empty{0, 0, 0}, alone{0, 1, 1, 2};
  for (auto const which : every_pairing) {
    CHECK(group_pairs<double>{list_batch<double>{.offsets = none}, which}.size() == 0);
    CHECK(group_pairs<double>{list_batch<double>{.offsets = empty}, which, 1.0}.size() == 0);
    group_pairs<double> const pairs{list_batch<double>{.logp = logp, .offsets = alone}, which};
    CHECK(pairs.size() == 0);
    CHECK(evaluate(cpo{}, pairs.batch()).count == 0);
    std::vector<double> const nothing;
    std::vector<double> d_logp{1, 2};
    pairs.scatter(nothing, nothing, d_logp);
    CHECK(d_logp == std::vector<double>{1, 2});
  }
}

TEST_CASE("pairs are copies: they outlive the groups, and follow a moved object") {
  std::vector<double> logp{-1, -2, -3};
  std::vector<int> const offsets{0, 3};
  group_pairs<double> pairs{list_batch<double>{.logp = logp, .offsets = offsets}, pairing::every};
  logp = {};
  auto const copy = pairs;
  auto const moved = std::move(pairs);
  for (auto const* one : {&copy, &moved}) {
    CHECK(one->batch().chosen[0] == -1);
    CHECK(one->batch().rejected[2] == -3);
  }
}
