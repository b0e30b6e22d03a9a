// The report against a plain count over every pair and candidate.
#include "groups.hpp"

using namespace prefopt;

namespace {

/// What the report should say of groups whose scores are as given, with what says which candidate is better.
struct plain_report {
  double right = 0, ordered = 0, best = 0, others = 0, probability = 0, count = 0;

  void add(std::vector<double> const& score, std::vector<double> const& evidence, double scale) {
    std::size_t const size = score.size();
    std::size_t top = 0;
    for (std::size_t i = 0; i < size; ++i) {
      if (evidence[i] > evidence[top]) top = i;
      for (std::size_t j = 0; j < size; ++j) {
        if (!(evidence[i] > evidence[j])) continue;
        ordered += 1;
        right += score[i] > score[j] ? 1 : score[i] == score[j] ? 0.5 : 0;
      }
    }
    double total = 0, rest = 0;
    for (std::size_t i = 0; i < size; ++i) {
      total += std::exp(scale * (score[i] - score[top]));
      if (i != top) rest += score[i];
    }
    best += scale * score[top];
    others += scale * (size > 1 ? rest / static_cast<double>(size - 1) : score[top]);
    probability += 1 / total;
    count += 1;
  }
};

bool near(double got, double expected, double tolerance) {
  return std::fabs(got - expected) <= tolerance * std::max(1.0, std::fabs(expected));
}

/// Log-probs, rewards and targets with few different values: ties of every kind. Exact in float.
template <class T>
groups<T> with_ties(std::vector<std::size_t> const& sizes, std::uint64_t values) {
  groups<T> data{sizes};
  oracle::random_numbers random{values};
  for (std::size_t i = 0; i < data.candidates(); ++i) {
    data.logp[i] = -static_cast<T>(random.bits() % values) / 8;
    data.ref_logp[i] = -static_cast<T>(random.bits() % 5) / 8;
    data.reward[i] = static_cast<T>(random.bits() % values) / 4;
    data.target[i] = static_cast<T>(random.bits() % values) / 16;
    data.length[i] = static_cast<T>(1 << random.bits() % 3);
  }
  return data;
}

enum class evidence_by { reward, target, order };

template <class T>
void check_report(any_list_loss const& loss, double scale, groups<T> const& data, evidence_by by, bool reference,
                  bool length) {
  CAPTURE(loss.name(), static_cast<int>(by), reference, length);
  plain_report expected;
  for (std::size_t group = 0; group < data.count(); ++group) {
    std::vector<double> score, evidence;
    for (std::size_t i = data.begin(group); i < data.begin(group + 1); ++i) {
      double const ratio = static_cast<double>(data.logp[i]) - (reference ? static_cast<double>(data.ref_logp[i]) : 0);
      score.push_back(length ? ratio / static_cast<double>(data.length[i]) : ratio);
      evidence.push_back(by == evidence_by::reward   ? static_cast<double>(data.reward[i])
                         : by == evidence_by::target ? static_cast<double>(data.target[i])
                                                     : -static_cast<double>(i));
    }
    expected.add(score, evidence, scale);
  }
  auto const seen = evaluate(loss, data.batch(loss, {.reference = reference,
                                                     .length = length,
                                                     .reward = by == evidence_by::reward,
                                                     .target = by == evidence_by::target}));
  double const tolerance = sizeof(T) == 4 ? 2e-6 : 1e-13;
  // Counted, not summed.
  CHECK(seen.accuracy == (expected.ordered == 0 ? 0 : expected.right / expected.ordered));
  CHECK(near(seen.chosen_reward, expected.best / expected.count, tolerance));
  CHECK(near(seen.rejected_reward, expected.others / expected.count, tolerance));
  // As good as the two rewards that it is the difference of.
  double const largest = std::max({1.0, std::fabs(seen.chosen_reward), std::fabs(seen.rejected_reward)});
  CHECK(near(seen.margin, (expected.best - expected.others) / expected.count, 2 * largest * tolerance));
  CHECK(near(seen.best_probability, expected.probability / expected.count, tolerance));
  CHECK(seen.count == data.count());
  CHECK(seen.weight == static_cast<double>(data.count()));
  CHECK(seen.skipped + seen.non_finite + seen.empty == 0);
}

}  // namespace

TEMPLATE_TEST_CASE("the report is what a plain count gives, ties and all, for every size", "", float, double) {
  using T = TestType;
  auto const best_worst = made("best_versus_worst", {{"beta", 0.5}});
  auto const adpo_loss = made("adpo", {{"tau", 4}});
  auto const pro_loss = made("pro", {{"temperatures", 0}});
  std::vector<std::vector<std::size_t>> batches;
  for (std::size_t size = 1; size <= 70; ++size) batches.push_back({size});
  batches.insert(batches.end(), {{100}, {257}, {1000}, sizes_up_to(70), std::vector<std::size_t>(1100, 4)});
  for (auto const& sizes : batches) {
    CAPTURE(sizes.size(), sizes[0]);
    for (std::uint64_t const values : std::vector<std::uint64_t>{2, 7, 1000}) {
      auto const data = with_ties<T>(sizes, values);
      for (bool const reference : {false, true}) {
        for (bool const length : {false, true}) {
          check_report(best_worst, 0.5, data, evidence_by::reward, reference, length);
          check_report(best_worst, 0.5, data, evidence_by::order, reference, length);
          check_report(adpo_loss, 0.25, data, evidence_by::reward, reference, length);
          check_report(adpo_loss, 0.25, data, evidence_by::target, reference, length);
        }
      }
      check_report(pro_loss, 1, data, evidence_by::reward, false, true);
      check_report(pro_loss, 1, data, evidence_by::order, false, true);
    }
  }
}

TEMPLATE_TEST_CASE("rewards in order and reversed, scores right, wrong and level", "", float, double) {
  using T = TestType;
  for (auto const& loss : {made("info_nce"), made("adpo"), made("best_versus_worst")}) {
    for (std::size_t const size : std::vector<std::size_t>{2, 3, 4, 8, 20, 64, 65, 200}) {
      CAPTURE(loss.name(), size);
      std::vector<T> falling, rising, level(size, T(-1));
      for (std::size_t i = 0; i < size; ++i) {
        falling.push_back(-static_cast<T>(i));
        rising.push_back(static_cast<T>(i) - T(300));
      }
      std::vector<std::size_t> const offsets{0, size};
      auto const accuracy = [&](std::vector<T> const& logp, std::vector<T> const& reward) {
        return evaluate(loss, list_batch<T>{.logp = logp, .reward = reward, .offsets = offsets}).accuracy;
      };
      CHECK(accuracy(falling, falling) == 1);
      CHECK(accuracy(rising, rising) == 1);
      CHECK(accuracy(falling, rising) == 0);
      CHECK(accuracy(rising, falling) == 0);
      CHECK(accuracy(level, falling) == 0.5);
      CHECK(accuracy(level, rising) == 0.5);
      // No pair at all.
      CHECK(accuracy(rising, level) == 0);
      // A zero is a zero.
      auto zeros = std::vector<T>(size, T(0));
      for (std::size_t i = 0; i < size; i += 2) zeros[i] = -T(0);
      CHECK(accuracy(zeros, falling) == 0.5);
      CHECK(accuracy(falling, zeros) == 0);
    }
  }
}

TEMPLATE_TEST_CASE("infinite rewards and scores have their place in the order", "", float, double) {
  using T = TestType;
  for (std::size_t const size : std::vector<std::size_t>{5, 64, 65, 100}) {
    CAPTURE(size);
    // Scores fall with the rewards; the best and the worst rewards are infinite, as is the worst score.
    std::vector<T> reward, logp;
    for (std::size_t i = 0; i < size; ++i) {
      reward.push_back(-static_cast<T>(i));
      logp.push_back(-static_cast<T>(i) - 1);
    }
    reward.front() = infinity<T>;
    reward.back() = -infinity<T>;
    logp.back() = -infinity<T>;
    std::vector<std::size_t> const offsets{0, size};
    auto const loss = made("best_versus_worst");
    auto seen = evaluate(loss, list_batch<T>{.logp = logp, .reward = reward, .offsets = offsets});
    CHECK(seen.accuracy == 1);
    CHECK(seen.non_finite == 1);
    CHECK(seen.chosen_reward == -1);
    // Large numbers are no infinities, and two infinities are level.
    reward[1] = infinity<T>;
    reward[2] = T(1e30);
    logp[size - 2] = -infinity<T>;
    reward[size - 2] = T(-1e30);
    seen = evaluate(loss, list_batch<T>{.logp = logp, .reward = reward, .offsets = offsets});
    double const n = static_cast<double>(size), pairs = n * (n - 1) / 2 - 1;
    CHECK(std::fabs(seen.accuracy - (pairs - 0.5) / pairs) < 1e-12);
  }
}

TEST_CASE("where the best has log-prob -inf the others still have a mean") {
  for (std::size_t const size : std::vector<std::size_t>{3, 64, 65}) {
    std::vector<double> logp(size, -2.0);
    logp[0] = -infinity<double>;
    std::vector<std::size_t> const offsets{0, size};
    auto const seen = evaluate(made("info_nce"), list_batch<double>{.logp = logp, .offsets = offsets});
    CHECK(seen.chosen_reward == -infinity<double>);
    CHECK(seen.rejected_reward == -2);
    CHECK(seen.margin == -infinity<double>);
    CHECK(seen.best_probability == 0);
  }
}

TEMPLATE_TEST_CASE("a NaN score is right about no pair, in small groups and large ones", "", float, double) {
  using T = TestType;
  for (std::size_t const size : std::vector<std::size_t>{5, 64, 65, 200}) {
    for (std::size_t const bad : {std::size_t{0}, std::size_t{2}, size - 1}) {
      CAPTURE(size, bad);
      std::vector<T> logp;
      for (std::size_t i = 0; i < size; ++i) logp.push_back(-static_cast<T>(i));
      logp[bad] = not_a_number<T>;
      std::vector<std::size_t> const offsets{0, size};
      double const n = static_cast<double>(size);
      auto const seen = evaluate(made("info_nce"), list_batch<T>{.logp = logp, .offsets = offsets});
      CHECK(std::fabs(seen.accuracy - (1 - (n - 1) / (n * (n - 1) / 2))) < 1e-12);
    }
  }
}

TEMPLATE_TEST_CASE("pairs with a NaN among them are counted as a plain search counts them", "", float, double) {
  using T = TestType;
  for (std::size_t const size : std::vector<std::size_t>{4, 9, 64, 65, 100, 500}) {
    for (std::uint64_t const values : std::vector<std::uint64_t>{3, 50}) {
      CAPTURE(size, values);
      auto data = with_ties<T>({size}, values);
      oracle::random_numbers random{size};
      for (std::size_t i = 0; i < size; ++i) {
        if (random.chance(0.2)) data.logp[i] = not_a_number<T>;
      }
      for (bool const by_target : {false, true}) {
        if (by_target) {
          for (std::size_t i = 0; i < size; i += 7) data.target[i] = not_a_number<T>;
        }
        auto const& evidence = by_target ? data.target : data.reward;
        double ordered = 0, right = 0;
        for (std::size_t i = 0; i < size; ++i) {
          for (std::size_t j = 0; j < size; ++j) {
            if (!(evidence[i] > evidence[j])) continue;
            ordered += 1;
            right += data.logp[i] > data.logp[j] ? 1 : data.logp[i] == data.logp[j] ? 0.5 : 0;
          }
        }
        auto const loss = made("adpo");
        auto const seen = evaluate(
            loss, data.batch(loss, {.reference = false, .length = false, .reward = !by_target, .target = by_target}));
        CHECK(seen.non_finite == 1);
        CHECK(seen.accuracy == right / ordered);
      }
    }
  }
}

TEST_CASE("counts and means run over the counted groups") {
  std::vector<double> const logp{-1, -2, -1, not_a_number<double>, -4, -3, -2, -9}, weight{3, 5, 0, 7, 1};
  // Two right, one with a NaN, one wrong, none, one alone.
  std::vector<int> const offsets{0, 2, 4, 6, 6, 8};
  list_batch<double> const batch{.logp = logp, .weight = weight, .offsets = offsets};
  auto const seen = evaluate(made("info_nce"), batch, {}, {.non_finite = on_invalid::skip, .empty = on_invalid::skip});
  CHECK(seen.count == 3);
  CHECK(seen.skipped == 2);
  CHECK(seen.non_finite == 1);
  CHECK(seen.empty == 1);
  CHECK(seen.weight == 4);
  CHECK(std::fabs(seen.accuracy - 2.0 / 3) < 1e-15);
  CHECK(std::fabs(seen.chosen_reward - (-1 - 4 - 2) / 3.0) < 1e-15);
  CHECK(std::fabs(seen.rejected_reward - (-2 - 3 - 9) / 3.0) < 1e-15);
  CHECK(std::fabs(seen.margin - 7 / 3.0) < 1e-15);
  auto const p = [](double gap) { return 1 / (1 + std::exp(-gap)); };
  CHECK(std::fabs(seen.best_probability - (p(1) + p(-1) + p(7)) / 3) < 1e-15);
  CHECK(std::fabs(seen.loss - (3 * std::log1p(std::exp(-1.0)) + std::log1p(std::exp(-7.0))) / 4) < 1e-15);
}

TEMPLATE_TEST_CASE("a matrix loss ranks no candidate", "", float, double) {
  groups<TestType> const data{{4, 81, 9}};
  auto const seen = evaluate(made("sami"), data.batch(made("sami")));
  CHECK(seen.count == 3);
  CHECK(seen.loss > 0);
  CHECK(seen.accuracy == 0);
  CHECK(seen.margin == 0);
  CHECK(seen.best_probability == 0);
}
