// Advantages from rewards of several kinds.
#include <algorithm>
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <prefopt/token/gdpo_advantages.hpp>
#include <refusal.hpp>
#include <special_numbers.hpp>
#include <string>
#include <vector>

#include "token_loss/tokens.hpp"

using namespace prefopt;

namespace {

using oracle::real;

real deviation_of(std::vector<real> const& xs) {
  real mean = 0, sum = 0;
  for (real const x : xs) mean += x / static_cast<real>(xs.size());
  for (real const x : xs) sum += (x - mean) * (x - mean);
  return xs.size() < 2 ? 0 : std::sqrt(sum / static_cast<real>(xs.size() - 1));
}

/// (x - mean) / (std + epsilon) of a piece.
void normalize(std::vector<real>& xs, std::size_t begin, std::size_t end, real epsilon) {
  std::vector<real> const piece(xs.begin() + static_cast<std::ptrdiff_t>(begin),
                                xs.begin() + static_cast<std::ptrdiff_t>(end));
  real mean = 0;
  for (real const x : piece) mean += x / static_cast<real>(piece.size());
  bool const are_alike = std::all_of(piece.begin(), piece.end(), [&](real x) { return x == piece[0]; });
  for (std::size_t i = begin; i < end; ++i) xs[i] = are_alike ? 0 : (xs[i] - mean) / (deviation_of(piece) + epsilon);
}

}  // namespace

TEST_CASE("two rewards of two prompts have their known advantages") {
  std::vector<double> const a{1, 0, 0, 0.5, 1, 3}, b{10, 20, 30, 20, 5, 5}, weights{1, 0.25};
  std::vector<column<double>> const rewards{a, b};
  std::vector<std::int64_t> const groups{0, 4, 6};
  std::vector<double> out(6);
  auto const check = [&](gdpo const& how, std::vector<double> const& right) {
    gdpo_advantages<double>(rewards, weights, groups, out, how);
    for (std::size_t i = 0; i < 6; ++i) {
      CAPTURE(i, out[i]);
      CHECK(std::fabs(out[i] - right[i]) < 1e-14);
    }
  };
  check({}, {1.3101256215746819, -1.0269681021344876, -0.62548022015169014, 0.3423227007114959, -0.92714234388487127,
             0.92714234388487127});
  check({.group_epsilon = 1e-8, .batch_epsilon = 1e-8},
        {1.3103985594185248, -1.0271201726362098, -0.62565177766105173, 0.34237339087873658, -0.92715153821971075,
         0.92715153821971075});
}

TEMPLATE_TEST_CASE("random rewards have the advantages of the formula, in place, too", "", float, double) {
  using T = TestType;
  oracle::random_numbers random{91};
  for (std::size_t round = 0; round < 100; ++round) {
    std::size_t const kinds = 1 + random.bits() % 3;
    std::vector<std::int64_t> groups{0};
    for (std::size_t g = 0; g < 5; ++g) groups.push_back(groups.back() + static_cast<std::int64_t>(random.bits() % 6));
    auto const n = static_cast<std::size_t>(groups.back());
    std::vector<std::vector<T>> values(kinds, std::vector<T>(n));
    std::vector<double> weights;
    for (auto& kind : values) {
      double const scale = random.spread(0.1, 100);
      bool const binary = random.chance(0.3);
      for (T& x : kind) x = static_cast<T>(scale * (binary ? static_cast<double>(random.bits() % 2) : random.normal()));
      weights.push_back(random.uniform(-1, 2));
    }
    bool const has_weights = random.chance(0.7);
    gdpo const how{.group_epsilon = random.chance(0.5) ? 1e-4 : 0.5, .batch_epsilon = random.chance(0.5) ? 1e-4 : 0.5};
    std::vector<real> right(n);
    for (std::size_t k = 0; k < kinds; ++k) {
      std::vector<real> one(values[k].begin(), values[k].end());
      for (std::size_t g = 0; g + 1 < groups.size(); ++g) {
        normalize(one, static_cast<std::size_t>(groups[g]), static_cast<std::size_t>(groups[g + 1]), how.group_epsilon);
      }
      for (std::size_t i = 0; i < n; ++i) right[i] += (has_weights ? real(weights[k]) : 1) * one[i];
    }
    normalize(right, 0, n, how.batch_epsilon);
    std::vector<column<T>> rewards(values.begin(), values.end());
    std::vector<T> out(n);
    std::vector<double> const none;
    gdpo_advantages<T>(rewards, has_weights ? weights : none, groups, out, how);
    for (std::size_t i = 0; i < n; ++i) {
      CHECK(std::fabs(out[i] - right[i]) <= (std::numeric_limits<T>::epsilon() + 1e-12L) * (1 + std::fabs(right[i])));
    }
    gdpo_advantages<T>(rewards, has_weights ? weights : none, groups, values[0], how);
    CHECK(values[0] == out);
  }
}

TEST_CASE("rewards of several kinds: special ones, and errors") {
  std::vector<double> a{1, 0, 2, 2}, b{3, 3, 3, 3};
  std::vector<std::int64_t> const groups{0, 2, 4};
  std::vector<double> out(4, -77.0), weights{1, 1}, three(3);
  std::vector<column<double>> rewards{b, b};
  gdpo_advantages<double>(rewards, {}, groups, out);
  CHECK(out == std::vector<double>{0, 0, 0, 0});
  // Left out, what is none adds nothing, and the other kind stays.
  a[2] = not_a_number<double>;
  rewards = {a, b};
  gdpo_advantages<double>(rewards, {}, groups, out, {.batch_epsilon = 0, .non_finite = on_invalid::skip});
  CHECK(std::fabs(out[0] - std::sqrt(1.5)) < 1e-14);
  CHECK(out[1] == -out[0]);
  CHECK((out[2] == 0 && out[3] == 0));
  // A sample without any number is not there: the others have what they have without it.
  std::vector<double> const c{5, not_a_number<double>, 1, 2}, d{1, infinity<double>, not_a_number<double>, 7};
  std::vector<double> const c_alone{5, 1, 2}, d_alone{1, not_a_number<double>, 7};
  std::vector<std::int64_t> const one{0, 4}, one_alone{0, 3};
  std::vector<double> alone(3);
  gdpo_advantages<double>(std::vector<column<double>>{c, d}, {}, one, out, {.non_finite = on_invalid::skip});
  gdpo_advantages<double>(std::vector<column<double>>{c_alone, d_alone}, {}, one_alone, alone,
                          {.non_finite = on_invalid::skip});
  CHECK(out == std::vector<double>{alone[0], 0, alone[1], alone[2]});
  std::vector<double> empty;
  std::vector<column<double>> const nothing{empty};
  std::vector<std::int64_t> const no_groups{0}, few{0, 3};
  gdpo_advantages<double>(nothing, {}, no_groups, empty);

  out.assign(4, -77.0);
  auto const told = [&](std::vector<column<double>> const& of, std::vector<double> const& by, gdpo const& how = {}) {
    auto const message = refusal([&] { gdpo_advantages<double>(of, by, groups, out, how); });
    CHECK(out == std::vector<double>(4, -77.0));
    return message;
  };
  CHECK(told({}, {}) == "prefopt::gdpo_advantages: there are no rewards");
  CHECK(told({b, b}, {1}) == "prefopt::gdpo_advantages: weights has 1 element, there are 2 rewards");
  CHECK(told({b, b}, {1, infinity<double>}) == "prefopt::gdpo_advantages: weights[1] is inf, expected a finite number");
  CHECK(told({b, three}, {}) == "prefopt::gdpo_advantages: rewards[1] has 3 elements, output advantage has 4");
  CHECK(told({b, a}, {}) == "prefopt::gdpo_advantages: rewards[1][2] is nan, expected a finite number");
  CHECK(told({b}, {}, {.batch_epsilon = -1}) ==
        "prefopt::gdpo_advantages: batch_epsilon is -1, expected a finite number >= 0");
  CHECK(told({b}, {}, {.group_epsilon = infinity<double>}) ==
        "prefopt::gdpo_advantages: group_epsilon is inf, expected a finite number >= 0");
  CHECK(refusal([&] { gdpo_advantages<double>(std::vector<column<double>>{b}, {}, few, out); }) ==
        "prefopt::gdpo_advantages: group_offsets end at 3, rewards[0] has 4 elements");
}
