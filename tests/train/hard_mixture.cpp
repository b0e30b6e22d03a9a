// MaxMin-RLHF's EM: which head learns from whom.
#include <array>
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <prefopt/prefopt.hpp>
#include <prefopt/train/hard_mixture.hpp>
#include <refusal.hpp>
#include <span>
#include <vector>

using namespace prefopt;

namespace {

std::vector<std::size_t> heads_of(hard_mixture const& mixture) {
  return {mixture.assigned().begin(), mixture.assigned().end()};
}

}  // namespace

TEMPLATE_TEST_CASE("each user goes to the head that explains them best; ties to the lowest; who is absent stays", "",
                   float, double) {
  using T = TestType;
  hard_mixture mixture{4, 3};
  mixture.assign(std::array<std::size_t, 4>{0, 0, 2, 1});
  std::vector<std::int32_t> const users{0, 1, 0, 2, 1};
  // Losses: user 0 has 3, 2, 2 in all; user 1 has 1, 4, 0.5; user 2 has 1, 1, 1; user 3 has no pair.
  std::vector<T> const first{1, 0.5, 2, 1, 0.5}, second{1.5, 3, 0.5, 1, 1}, third{1, 0.25, 1, 1, 0.25};
  mixture.accumulate(0, users, first);
  mixture.accumulate(1, users, second);
  mixture.accumulate(2, users, std::span<T const>{third});
  CHECK(mixture.sums()[0] == -3);
  CHECK(mixture.sums()[1] == -2);
  mixture.update();
  CHECK(heads_of(mixture) == std::vector<std::size_t>{1, 2, 0, 1});
  for (double const sum : mixture.sums()) CHECK(sum == 0);
  mixture.update();
  CHECK(heads_of(mixture) == std::vector<std::size_t>{1, 2, 0, 1});

  std::vector<T> weight(5, T(7));
  CHECK(mixture.fill(1, users, weight) == 2);
  CHECK(weight == std::vector<T>{1, 0, 1, 0, 0});
  CHECK(mixture.fill(2, users, std::span<T>{weight}) == 2);
  CHECK(weight == std::vector<T>{0, 1, 0, 0, 1});
  CHECK(mixture.fill(0, users, weight) == 1);
}

TEST_CASE("a head without users gets no gradient") {
  hard_mixture const mixture{2, 2};
  std::vector<int> const users{0, 1, 1};
  std::vector<double> const chosen{1, 2, 3}, rejected{0, 3, -1};
  std::vector<double> weight(3), d_chosen(3, 5.0), d_rejected(3, 5.0);
  CHECK(mixture.fill(1, users, weight) == 0);
  evaluate(bradley_terry{}, pair_batch<double>{.chosen = chosen, .rejected = rejected, .weight = weight},
           {.d_chosen = d_chosen, .d_rejected = d_rejected});
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(d_chosen[i] == 0);
    CHECK(d_rejected[i] == 0);
  }
}

TEST_CASE("EM over two kinds of users finds both") {
  // A completion is one number; the first kind of user likes large ones, the second small ones. A head is a slope.
  constexpr std::size_t user_count = 6, pairs_each = 5;
  std::vector<int> users;
  std::vector<double> winner, loser;
  for (std::size_t i = 0; i < user_count * pairs_each; ++i) {
    bool const likes_large = (i / pairs_each) % 3 != 0;
    double const a = std::sin(static_cast<double>(7 * i)), b = std::sin(static_cast<double>(7 * i + 3));
    users.push_back(static_cast<int>(i / pairs_each));
    winner.push_back((a > b) == likes_large ? a : b);
    loser.push_back((a > b) == likes_large ? b : a);
  }
  hard_mixture mixture{user_count, 2};
  std::array<double, 2> slope{0.1, -0.05};
  std::size_t const n = users.size();
  std::vector<double> chosen(n), rejected(n), weight(n), loss(n), d_chosen(n), d_rejected(n);
  for (int step = 0; step < 50; ++step) {
    auto const score = [&](std::size_t head) {
      for (std::size_t i = 0; i < n; ++i) {
        chosen[i] = slope[head] * winner[i];
        rejected[i] = slope[head] * loser[i];
      }
    };
    for (std::size_t head = 0; head < 2; ++head) {
      score(head);
      evaluate(bradley_terry{}, pair_batch<double>{.chosen = chosen, .rejected = rejected}, {.loss = loss});
      mixture.accumulate(head, users, loss);
    }
    mixture.update();
    for (std::size_t head = 0; head < 2; ++head) {
      if (mixture.fill(head, users, weight) == 0) continue;
      score(head);
      evaluate(bradley_terry{}, pair_batch<double>{.chosen = chosen, .rejected = rejected, .weight = weight},
               {.d_chosen = d_chosen, .d_rejected = d_rejected});
      for (std::size_t i = 0; i < n; ++i) slope[head] -= 2 * (d_chosen[i] * winner[i] + d_rejected[i] * loser[i]);
    }
  }
  CHECK(heads_of(mixture) == std::vector<std::size_t>{1, 0, 0, 1, 0, 0});
  CHECK(slope[0] > 1);
  CHECK(slope[1] < -1);
}

TEST_CASE("the sums of ranks make the assignments of all") {
  std::vector<int> const users{0, 1, 1, 0, 2};
  std::vector<double> const first{1, 0.25, 0.25, 2, 3}, second{0.5, 1, 0.5, 4, 2};
  hard_mixture whole{3, 2}, one{3, 2}, other{3, 2};
  whole.accumulate(0, users, first);
  whole.accumulate(1, users, second);
  auto const head_of = [&](hard_mixture& to, std::size_t begin, std::size_t count) {
    to.accumulate(0, std::span{users}.subspan(begin, count), std::span{first}.subspan(begin, count));
    to.accumulate(1, std::span{users}.subspan(begin, count), std::span{second}.subspan(begin, count));
  };
  head_of(one, 0, 2);
  head_of(other, 2, 3);
  one.update([&](std::span<double> sums) {
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += other.sums()[i];
  });
  whole.update();
  CHECK(heads_of(one) == heads_of(whole));
}

TEST_CASE("the policy is trained by the head that it pleases least") {
  CHECK(head_of_lowest_reward(std::array{0.5, -1.0, 2.0}) == 1);
  CHECK(head_of_lowest_reward(std::array{0.5, 0.5}) == 0);
  CHECK(refusal([] { head_of_lowest_reward({}); }) ==
        "prefopt::head_of_lowest_reward: there is no head, expected at least 1");
  CHECK(refusal([] {
          head_of_lowest_reward(std::array{1.0, std::numeric_limits<double>::quiet_NaN()});
        }) == "prefopt::head_of_lowest_reward: the mean reward of head 1 is nan, expected a number");
}

TEST_CASE("a mixture refuses what does not fit, and stays as it is") {
  CHECK(refusal([] { hard_mixture(0, 1); }) == "prefopt::hard_mixture: users is 0, expected at least 1");
  CHECK(refusal([] { hard_mixture(1, 0); }) == "prefopt::hard_mixture: heads is 0, expected at least 1");
  hard_mixture mixture{2, 2};
  std::vector<int> const users{0, 2};
  std::vector<double> const loss{1, 2}, bad{1, std::numeric_limits<double>::quiet_NaN()}, one{1};
  CHECK(refusal([&] { mixture.accumulate(0, users, loss); }) ==
        "prefopt::hard_mixture: user id 2 of pair 1, expected one below 2");
  CHECK(refusal([&] {
          mixture.accumulate(2, std::array{0, 1}, loss);
        }) == "prefopt::hard_mixture: head 2, expected one below 2");
  CHECK(refusal([&] {
          mixture.accumulate(0, std::array{0, 1}, one);
        }) == "prefopt::hard_mixture: 2 user ids for 1 pairs");
  CHECK(refusal([&] {
          mixture.accumulate(0, std::array{0, 1}, bad);
        }) == "prefopt::hard_mixture: accumulate: loss[1] is nan, expected a number");
  CHECK(refusal([&] { mixture.assign(std::array<std::size_t, 1>{0}); }) ==
        "prefopt::hard_mixture: assign: 1 heads, expected 2");
  CHECK(refusal([&] {
          mixture.assign(std::array<std::size_t, 2>{0, 2});
        }) == "prefopt::hard_mixture: head 2, expected one below 2");
  for (double const sum : mixture.sums()) CHECK(sum == 0);
}
