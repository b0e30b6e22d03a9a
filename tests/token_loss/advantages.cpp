// Advantages of groups, of steps, and whitened, against their formulas in long double.
#include <algorithm>
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <prefopt/token/discounted_advantages.hpp>
#include <prefopt/token/whiten.hpp>
#include <refusal.hpp>
#include <special_numbers.hpp>
#include <string>
#include <utility>
#include <vector>

#include "token_loss/tokens.hpp"

using namespace prefopt;

namespace {

using oracle::real;

constexpr advantage_mode every_mode[]{advantage_mode::centered,
                                      advantage_mode::group_std,
                                      advantage_mode::group_std_population,
                                      advantage_mode::batch_std,
                                      advantage_mode::leave_one_out,
                                      advantage_mode::mean_scaled,
                                      advantage_mode::leave_one_out_std,
                                      advantage_mode::length_weighted,
                                      advantage_mode::best_of_k,
                                      advantage_mode::gpg};

/// Rewards of groups, with lengths.
template <class T>
struct samples {
  std::vector<T> reward, length;
  std::vector<std::int64_t> groups{0};

  void add_group(std::vector<T> const& rewards) {
    for (T const r : rewards) {
      reward.push_back(r);
      length.push_back(static_cast<T>(1 + reward.size() * 7 % 30));
    }
    groups.push_back(static_cast<std::int64_t>(reward.size()));
  }
  std::vector<T> advantages(advantage_options const& options) const {
    std::vector<T> out(reward.size(), T(-77));
    column<T> lengths;
    if (options.mode == advantage_mode::length_weighted) lengths = length;
    prefopt::advantages<T>(reward, groups, out, options, lengths);
    return out;
  }
};

template <class T>
samples<T> random_samples(std::uint64_t seed, std::size_t groups) {
  oracle::random_numbers random{seed};
  samples<T> all;
  for (std::size_t g = 0; g < groups; ++g) {
    std::vector<T> rewards(random.bits() % 7);
    bool const alike = random.chance(0.15), binary = random.chance(0.4);
    for (T& r : rewards) r = alike ? T(0.1) : binary ? T(random.chance(0.5)) : static_cast<T>(random.normal() + 2);
    all.add_group(rewards);
  }
  return all;
}

real mean_of(std::vector<real> const& xs) {
  real sum = 0;
  for (real const x : xs) sum += x;
  return xs.empty() ? 0 : sum / static_cast<real>(xs.size());
}
real deviation_of(std::vector<real> const& xs, real less) {
  real const mean = mean_of(xs), n = static_cast<real>(xs.size());
  real sum = 0;
  for (real const x : xs) sum += (x - mean) * (x - mean);
  return n > less ? std::sqrt(sum / (n - less)) : 0;
}

/// One sample's, from the formula.
real formula(advantage_mode mode, std::vector<real> const& group, std::vector<real> const& length, std::size_t i,
             std::vector<real> const& all, real epsilon, lone_sample lone) {
  real const r = group[i], k = static_cast<real>(group.size());
  bool const is_lone = group.size() == 1 && lone == lone_sample::reward;
  // What gets its reward gets GPG's factor, too.
  real const mean = is_lone ? 0 : mean_of(group);
  if (is_lone && mode != advantage_mode::gpg) return r;
  if (!is_lone && std::all_of(group.begin(), group.end(), [&](real x) { return x == r; })) return 0;
  switch (mode) {
    case advantage_mode::centered:
      return r - mean;
    case advantage_mode::group_std:
      return (r - mean) / (deviation_of(group, 1) + epsilon);
    case advantage_mode::group_std_population:
      return (r - mean) / (deviation_of(group, 0) + epsilon);
    case advantage_mode::batch_std:
      return (r - mean) / (deviation_of(all, 1) + epsilon);
    case advantage_mode::leave_one_out:
      return r - (mean * k - r) / (k - 1);
    case advantage_mode::leave_one_out_std: {
      auto others = group;
      others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
      real const deviation = deviation_of(others, 1), apart = r - mean_of(others);
      bool const are_alike = std::all_of(others.begin(), others.end(), [&](real x) { return x == others[0]; });
      return are_alike ? apart : apart / (deviation + epsilon);
    }
    case advantage_mode::mean_scaled:
      return (r - mean) / (mean + epsilon);
    case advantage_mode::length_weighted: {
      real sum = 0, lengths = 0;
      for (std::size_t j = 0; j < group.size(); ++j) sum += length[j] * group[j], lengths += length[j];
      return r - sum / lengths;
    }
    case advantage_mode::best_of_k: {
      auto sorted = group;
      std::sort(sorted.rbegin(), sorted.rend());
      return r == sorted[0] ? (sorted[0] - sorted[1]) / (deviation_of(group, 1) + epsilon) : 0;
    }
    case advantage_mode::gpg: {
      auto const non_zero = all.size() - static_cast<std::size_t>(std::count(all.begin(), all.end(), real(0)));
      return non_zero == 0 ? 0 : static_cast<real>(all.size()) / static_cast<real>(non_zero) * (r - mean);
    }
    case advantage_mode::remax:
      break;
  }
  return 0;
}

real epsilon_of(advantage_mode mode) {
  switch (mode) {
    case advantage_mode::group_std:
    case advantage_mode::batch_std:
      return 1e-4L;
    case advantage_mode::group_std_population:
      return 1e-8L;
    case advantage_mode::leave_one_out_std:
    case advantage_mode::mean_scaled:
    case advantage_mode::best_of_k:
      return 1e-6L;
    default:
      return 0;
  }
}

template <class T>
std::size_t differing(std::vector<T> const& got, std::vector<real> const& right) {
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    real const bound = (real(std::numeric_limits<T>::epsilon()) + 1e-13L) * (1 + std::fabs(right[i]));
    if (std::fabs(static_cast<real>(got[i]) - right[i]) <= bound) continue;
    if (wrong++ == 0) UNSCOPED_INFO("at " << i << ": got " << got[i] << ", expected " << right[i]);
  }
  return wrong;
}

}  // namespace

TEMPLATE_TEST_CASE("advantages of random groups are those of the formulas", "", float, double) {
  using T = TestType;
  auto const data = random_samples<T>(81, 60);
  std::vector<real> const all(data.reward.begin(), data.reward.end());
  for (auto const mode : every_mode) {
    CAPTURE(name_of(mode));
    for (auto const lone : {lone_sample::zero, lone_sample::reward}) {
      for (real const epsilon : {real(-1), real(0), real(0.5)}) {
        advantage_options options{.mode = mode, .lone = lone};
        if (epsilon >= 0) options.epsilon = static_cast<double>(epsilon);
        std::vector<real> right;
        for (std::size_t g = 0; g + 1 < data.groups.size(); ++g) {
          std::vector<real> const group(data.reward.begin() + data.groups[g], data.reward.begin() + data.groups[g + 1]),
              length(data.length.begin() + data.groups[g], data.length.begin() + data.groups[g + 1]);
          bool is_taken = false;
          for (std::size_t i = 0; i < group.size(); ++i) {
            real x = formula(mode, group, length, i, all, epsilon < 0 ? epsilon_of(mode) : epsilon, lone);
            // Of several best ones the first.
            if (mode == advantage_mode::best_of_k && group.size() > 1) {
              bool const is_best = group[i] == *std::max_element(group.begin(), group.end());
              if (is_best && is_taken) x = 0;
              is_taken = is_taken || is_best;
            }
            right.push_back(x);
          }
        }
        CHECK(differing(data.advantages(options), right) == 0);
      }
    }
  }
}

TEMPLATE_TEST_CASE("equal rewards and lone samples give 0 to the bit", "", float, double) {
  using T = TestType;
  samples<T> data;
  data.add_group({T(0.1), T(0.1), T(0.1)});
  data.add_group({T(0.7)});
  data.add_group({});
  data.add_group({T(1e8), T(1e8), T(1e8), T(1e8), T(1e8), T(1e8), T(1e8)});
  data.add_group({T(0.3), T(0.3)});
  for (auto const mode : every_mode) {
    CAPTURE(name_of(mode));
    for (auto const epsilon : {std::optional<double>{}, std::optional<double>{0.0}}) {
      auto const got = data.advantages({.mode = mode, .epsilon = epsilon});
      CHECK(got == std::vector<T>(data.reward.size(), T(0)));
      auto const with_own = data.advantages({.mode = mode, .epsilon = epsilon, .lone = lone_sample::reward});
      CHECK(with_own[3] == T(0.7));
      CHECK(with_own[4] == 0);
    }
  }
  samples<T> weightless;
  weightless.add_group({T(1), T(2)});
  weightless.length = {0, 0};
  CHECK(weightless.advantages({.mode = advantage_mode::length_weighted}) == std::vector<T>{1, 2});
  // All rewards 0: nothing to scale by.
  samples<T> zeros;
  zeros.add_group({T(0), T(0)});
  CHECK(zeros.advantages({.mode = advantage_mode::gpg}) == std::vector<T>{0, 0});
  CHECK(samples<T>{}.advantages({}).empty());
}

TEMPLATE_TEST_CASE("advantages: what they do not depend on", "", float, double) {
  using T = TestType;
  auto const data = random_samples<T>(82, 40);
  auto shifted = data;
  for (T& r : shifted.reward) r += T(8);
  for (auto const mode : {advantage_mode::centered, advantage_mode::group_std, advantage_mode::leave_one_out,
                          advantage_mode::batch_std, advantage_mode::length_weighted, advantage_mode::best_of_k}) {
    CAPTURE(name_of(mode));
    auto const a = data.advantages({.mode = mode}), b = shifted.advantages({.mode = mode});
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      // The rewards are rounded by the shift.
      wrong += std::fabs(a[i] - b[i]) <= 5e4 * std::numeric_limits<T>::epsilon() ? 0 : 1;
    }
    CHECK(wrong == 0);
  }
  for (auto const mode : {advantage_mode::centered, advantage_mode::group_std, advantage_mode::leave_one_out}) {
    auto const a = data.advantages({.mode = mode});
    for (std::size_t g = 0; g + 1 < data.groups.size(); ++g) {
      real sum = 0;
      for (auto i = data.groups[g]; i < data.groups[g + 1]; ++i) sum += a[static_cast<std::size_t>(i)];
      CHECK(std::fabs(sum) < 20 * std::numeric_limits<T>::epsilon());
    }
  }
  auto const best = data.advantages({.mode = advantage_mode::best_of_k});
  CHECK(std::all_of(best.begin(), best.end(), [](T x) { return x >= 0; }));
  // A batch of one group.
  samples<T> one;
  one.add_group({T(1), T(0.25), T(-2), T(5)});
  CHECK(one.advantages({.mode = advantage_mode::batch_std}) == one.advantages({.mode = advantage_mode::group_std}));
  // Two: the difference.
  samples<T> two;
  two.add_group({T(3), T(0.5)});
  CHECK(two.advantages({.mode = advantage_mode::leave_one_out}) == std::vector<T>{T(2.5), T(-2.5)});
}

TEMPLATE_TEST_CASE("rewards that are none are left out, refused, or gone on with", "", float, double) {
  using T = TestType;
  auto data = random_samples<T>(83, 30);
  auto without = samples<T>{};
  std::vector<std::size_t> kept;
  samples<T> soiled;
  oracle::random_numbers random{84};
  for (std::size_t g = 0; g + 1 < data.groups.size(); ++g) {
    std::vector<T> all, some;
    for (auto i = static_cast<std::size_t>(data.groups[g]); i < static_cast<std::size_t>(data.groups[g + 1]); ++i) {
      bool const is_bad = random.chance(0.3);
      all.push_back(!is_bad ? data.reward[i] : random.chance(0.5) ? not_a_number<T> : -infinity<T>);
      if (is_bad) continue;
      some.push_back(data.reward[i]);
      kept.push_back(i);
    }
    soiled.add_group(all);
    without.add_group(some);
  }
  for (std::size_t j = 0; j < kept.size(); ++j) without.length[j] = soiled.length[kept[j]];
  for (auto const mode : every_mode) {
    CAPTURE(name_of(mode));
    auto const got = soiled.advantages({.mode = mode, .non_finite = on_invalid::skip});
    auto const expected = without.advantages({.mode = mode, .non_finite = on_invalid::error});
    std::vector<T> right(soiled.reward.size(), T(0));
    for (std::size_t j = 0; j < kept.size(); ++j) right[kept[j]] = expected[j];
    CHECK(got == right);
    std::size_t const first = static_cast<std::size_t>(
        std::find_if(soiled.reward.begin(), soiled.reward.end(), [](T x) { return !std::isfinite(x); }) -
        soiled.reward.begin());
    CHECK(refusal([&] { soiled.advantages({.mode = mode}); }) ==
          "prefopt::advantages: reward[" + std::to_string(first) + "] is " +
              (std::isnan(soiled.reward[first]) ? "nan" : "-inf") + ", expected a finite number");
  }
  // Gone on with, they reach their group.
  samples<T> two_groups;
  two_groups.add_group({T(1), not_a_number<T>});
  two_groups.add_group({T(1), T(3)});
  auto const got = two_groups.advantages({.mode = advantage_mode::centered, .non_finite = on_invalid::propagate});
  CHECK((std::isnan(got[0]) && std::isnan(got[1])));
  CHECK((got[2] == -1 && got[3] == 1));
}

TEMPLATE_TEST_CASE("advantages may be written over the rewards", "", float, double) {
  using T = TestType;
  auto data = random_samples<T>(85, 30);
  for (auto const mode : every_mode) {
    auto over = data;
    auto const right = data.advantages({.mode = mode});
    column<T> lengths;
    if (mode == advantage_mode::length_weighted) lengths = over.length;
    advantages<T>(over.reward, over.groups, over.reward, {.mode = mode}, lengths);
    CHECK(over.reward == right);
  }
}

TEMPLATE_TEST_CASE("remax is told from a reward of each sample's own", "", float, double) {
  using T = TestType;
  std::vector<T> reward{1, 3, 2, 2, 7}, baseline{T(0.5), T(0.5), 2, 2, 9}, out(5, T(-77));
  std::vector<std::int64_t> const groups{0, 2, 4, 5};
  for (auto const lone : {lone_sample::zero, lone_sample::reward}) {
    advantages<T>(reward, groups, out, {.mode = advantage_mode::remax, .lone = lone}, {}, baseline);
    CHECK(out == std::vector<T>{T(0.5), T(2.5), 0, 0, -2});
  }
  auto const told = [&](std::vector<T> const& of_baseline, advantage_options const& options) {
    return refusal([&] { advantages<T>(reward, groups, out, options, {}, of_baseline); });
  };
  CHECK(told({}, {.mode = advantage_mode::remax}) == "prefopt::advantages: baseline has 0 elements, reward has 5");
  CHECK(told(baseline, {}) == "prefopt::advantages: group_std does not read baseline, which is given");
  baseline[3] = infinity<T>;
  CHECK(told(baseline, {.mode = advantage_mode::remax}) ==
        "prefopt::advantages: baseline[3] is inf, expected a finite number");
  CHECK(out == std::vector<T>{T(0.5), T(2.5), 0, 0, -2});
  reward[0] = not_a_number<T>;
  advantages<T>(reward, groups, out, {.mode = advantage_mode::remax, .non_finite = on_invalid::skip}, {}, baseline);
  CHECK(out == std::vector<T>{0, T(2.5), 0, 0, -2});
}

TEMPLATE_TEST_CASE("a deviation of the others that is 0 divides nothing", "", float, double) {
  using T = TestType;
  samples<T> data;
  // Of three the others of the last are alike; of two they always are.
  data.add_group({T(0.1), T(0.1), T(0.7)});
  data.add_group({T(3), T(0.5)});
  data.add_group({T(0.1), T(0.1), T(0.1), T(0.1), T(0.1), T(0.1), T(0.1), T(9)});
  auto const got = data.advantages({.mode = advantage_mode::leave_one_out_std});
  CHECK(std::fabs(got[2] - T(0.6)) <= 2 * std::numeric_limits<T>::epsilon());
  CHECK(got[3] == T(2.5));
  CHECK(got[4] == T(-2.5));
  CHECK(got[12] == T(9) - T(0.1));
  // 7 others, of which one is 8.9 higher: its 8th part below their mean, which is the 1/sqrt(7) of their std.
  for (std::size_t i = 5; i < 12; ++i) {
    CHECK(std::fabs(got[i] + 1 / std::sqrt(7.0)) < 1e-6);
  }
}

TEST_CASE("errors of advantages") {
  std::vector<double> reward{1, 2, 3}, length{1, 1, 1}, out(3, -77.0), two(2);
  std::vector<std::int64_t> const groups{0, 3}, few{0, 2};
  auto const told = [&](std::vector<std::int64_t> const& of, std::vector<double>& to, advantage_options const& options,
                        column<double> const& lengths = {}) {
    auto const message = refusal([&] { advantages<double>(reward, of, to, options, lengths); });
    CHECK(out == std::vector<double>(3, -77.0));
    return message;
  };
  CHECK(told(few, out, {}) == "prefopt::advantages: group_offsets end at 2, reward has 3 elements");
  CHECK(told(groups, two, {}) == "prefopt::advantages: output advantage has 2 elements, reward has 3");
  CHECK(told(groups, out, {.mode = advantage_mode::length_weighted}) ==
        "prefopt::advantages: length has 0 elements, reward has 3");
  CHECK(told(groups, out, {.mode = advantage_mode::centered}, length) ==
        "prefopt::advantages: centered does not read length, which is given");
  CHECK(told(groups, out, {.epsilon = -1.0}) == "prefopt::advantages: epsilon is -1, expected a finite number >= 0");
  CHECK(told(groups, out, {.epsilon = infinity<double>}) ==
        "prefopt::advantages: epsilon is inf, expected a finite number >= 0");
  length[1] = -2;
  CHECK(told(groups, out, {.mode = advantage_mode::length_weighted}, length) ==
        "prefopt::advantages: length[1] is -2, expected a finite number >= 0");
  length[0] = -1;
  CHECK(told(groups, out, {.mode = advantage_mode::length_weighted}, length) ==
        "prefopt::advantages: length[0] is -1, expected a finite number >= 0");
  for (std::size_t const at : {0U, 2U}) {
    double const before = std::exchange(reward[at], infinity<double>);
    CHECK(told(groups, out, {.non_finite = on_invalid::error}) ==
          "prefopt::advantages: reward[" + std::to_string(at) + "] is inf, expected a finite number");
    reward[at] = before;
  }

  std::vector<double> mask{1, 1, 1};
  auto const discounted = [&](column<double> const& value, column<double> const& of_mask, discounting const& by,
                              std::vector<std::int64_t> const& offsets, std::vector<double>& to) {
    auto const message = refusal([&] { discounted_advantages<double>(reward, value, of_mask, offsets, to, by); });
    CHECK(out == std::vector<double>(3, -77.0));
    return message;
  };
  CHECK(discounted({}, {}, {}, few, out) == "prefopt::discounted_advantages: offsets end at 2, reward has 3 elements");
  CHECK(discounted(two, {}, {}, groups, out) == "prefopt::discounted_advantages: value has 2 elements, reward has 3");
  CHECK(discounted({}, two, {}, groups, out) == "prefopt::discounted_advantages: mask has 2 elements, reward has 3");
  CHECK(discounted({}, {}, {}, groups, two) ==
        "prefopt::discounted_advantages: output advantage has 2 elements, reward has 3");
  CHECK(discounted({}, {}, {.gamma = 1.5}, groups, out) ==
        "prefopt::discounted_advantages: gamma is 1.5, expected a number in [0, 1]");
  CHECK(discounted({}, {}, {.lambda = not_a_number<double>}, groups, out) ==
        "prefopt::discounted_advantages: lambda is nan, expected a number in [0, 1]");
  mask[2] = 0.5;
  CHECK(discounted({}, mask, {}, groups, out) == "prefopt::discounted_advantages: mask[2] is 0.5, expected 0 or 1");

  auto const whitened = [&](column<double> const& of_mask, std::vector<double>& to, whitening const& how) {
    auto const message = refusal([&] { whiten<double>(reward, of_mask, to, how); });
    CHECK(out == std::vector<double>(3, -77.0));
    return message;
  };
  CHECK(whitened(two, out, {}) == "prefopt::whiten: mask has 2 elements, value has 3");
  CHECK(whitened({}, two, {}) == "prefopt::whiten: output whitened has 2 elements, value has 3");
  CHECK(whitened({}, out, {.epsilon = -1}) == "prefopt::whiten: epsilon is -1 and floor 0, expected numbers >= 0");
  CHECK(whitened(mask, out, {}) == "prefopt::whiten: mask[2] is 0.5, expected 0 or 1");
  auto const whitened_times = [&](std::vector<double> const& times) {
    auto const message = refusal([&] { whiten<double>(reward, {}, out, {}, times); });
    CHECK(out == std::vector<double>(3, -77.0));
    return message;
  };
  CHECK(whitened_times({1, 2}) == "prefopt::whiten: times has 2 elements, value has 3");
  CHECK(whitened_times({1, 2, -1}) == "prefopt::whiten: times[2] is -1, expected a finite number >= 0");
  CHECK(whitened_times({1, infinity<double>, 1}) == "prefopt::whiten: times[1] is inf, expected a finite number >= 0");
}

TEMPLATE_TEST_CASE("generalized advantages are the sum that defines them, masked tokens passed over", "", float,
                   double) {
  using T = TestType;
  oracle::random_numbers random{86};
  for (std::size_t round = 0; round < 100; ++round) {
    auto data = random_tokens<T>(random, false, 3, 20, 0.7);
    std::vector<T> reward, value;
    for (std::size_t i = 0; i < data.size(); ++i) {
      bool const counts = data.mask[i] != 0;
      reward.push_back(counts ? static_cast<T>(random.normal()) : not_a_number<T>);
      value.push_back(counts ? static_cast<T>(random.normal()) : infinity<T>);
    }
    bool const has_values = random.chance(0.6);
    discounting const by{.gamma = random.chance(0.3) ? 1 : random.uniform(), .lambda = random.uniform()};
    std::vector<T> got(data.size(), T(-77));
    column<T> values;
    if (has_values) values = value;
    discounted_advantages<T>(reward, values, data.mask, data.offsets, got, by);
    std::vector<real> right(data.size(), 0);
    for (std::size_t s = 0; s < data.sequences(); ++s) {
      std::vector<std::size_t> steps;
      for (std::size_t t = data.begin(s); t < data.end(s); ++t) {
        if (data.mask[t] != 0) steps.push_back(t);
      }
      for (std::size_t i = 0; i < steps.size(); ++i) {
        for (std::size_t j = i; j < steps.size(); ++j) {
          real const v = has_values ? real(value[steps[j]]) : 0,
                     next = has_values && j + 1 < steps.size() ? real(value[steps[j + 1]]) : 0;
          real const decay = has_values ? real(by.gamma) * by.lambda : real(by.gamma);
          right[steps[i]] += std::pow(decay, static_cast<real>(j - i)) * (real(reward[steps[j]]) + by.gamma * next - v);
        }
      }
    }
    CHECK(differing(got, right) == 0);
    // In place, and without the masked tokens.
    auto over = reward;
    discounted_advantages<T>(over, values, data.mask, data.offsets, over, by);
    CHECK(over == got);
  }
}

TEMPLATE_TEST_CASE("whitened values have mean 0 and deviation 1", "", float, double) {
  using T = TestType;
  oracle::random_numbers random{87};
  std::vector<T> value, mask;
  for (int i = 0; i < 500; ++i) {
    mask.push_back(random.chance(0.8) ? T(1) : T(0));
    value.push_back(mask.back() == 0 ? not_a_number<T> : static_cast<T>(3 + 2 * random.normal()));
  }
  std::vector<real> counted;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (mask[i] != 0) counted.push_back(value[i]);
  }
  for (whitening const& how : {whitening{}, whitening{.is_population = true, .epsilon = 0, .floor = 1e-8},
                               whitening{.keeps_mean = true}, whitening{.epsilon = 0.25, .floor = 9}}) {
    std::vector<T> got(value.size(), T(-77));
    whiten<T>(value, mask, got, how);
    std::vector<real> right;
    real const mean = mean_of(counted), deviation = deviation_of(counted, how.is_population ? 0 : 1);
    real const scale = std::sqrt(std::max(deviation * deviation, real(how.floor)) + how.epsilon);
    for (std::size_t i = 0; i < value.size(); ++i) {
      right.push_back(mask[i] == 0 ? 0 : (value[i] - mean) / scale + (how.keeps_mean ? mean : 0));
    }
    CHECK(differing(got, right) == 0);
    auto over = value;
    whiten<T>(over, mask, over, how);
    CHECK(over == got);
  }
  // As often as it says, as if it stood there so often.
  std::vector<T> times, repeated, of_repeated;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < value.size(); ++i) {
    std::size_t const count = random.bits() % 4;
    times.push_back(static_cast<T>(count));
    if (mask[i] == 0) continue;
    places.insert(places.end(), count, i);
    repeated.insert(repeated.end(), count, value[i]);
  }
  of_repeated.resize(repeated.size());
  whiten<T>(repeated, {}, of_repeated, {});
  std::vector<T> got(value.size(), T(-77));
  whiten<T>(value, mask, got, {}, times);
  std::vector<real> right(value.size());
  for (std::size_t i = 0; i < places.size(); ++i) right[places[i]] = of_repeated[i];
  CHECK(differing(got, right) == 0);
  // Without a mask; one value; equal values; none.
  std::vector<T> const alike{T(0.1), T(0.1), T(0.1)}, one{T(5)}, none;
  std::vector<T> out(3, T(-77)), single(1, T(-77)), empty;
  whiten<T>(alike, {}, out, {.epsilon = 0});
  CHECK(out == std::vector<T>{0, 0, 0});
  whiten<T>(one, {}, single, {});
  CHECK(single[0] == 0);
  whiten<T>(none, {}, empty, {});
}
