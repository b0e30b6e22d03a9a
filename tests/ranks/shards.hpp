#pragma once

#include <algorithm>
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <prefopt/batch/options.hpp>
#include <prefopt/batch/report.hpp>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "rank_group.hpp"

/// Between ranks and one process.
template <class T>
constexpr double tolerance = std::is_same_v<T, double> ? 1e-12 : 2e-6;

/// Where the shards of 1 to 5 ranks begin, and the end of the last: even, uneven, and some of them empty.
inline std::vector<std::vector<std::size_t>> shards_of(std::size_t n) {
  std::size_t const few = std::min<std::size_t>(n, 3);
  std::vector<std::vector<std::size_t>> all{{0, n},
                                            {0, n / 2, n},
                                            {0, 0, n},
                                            {0, n, n},
                                            {0, few, n - n / 3, n},
                                            {0, few, few, n},
                                            {0, n / 4, n / 2, n - n / 4, n},
                                            {0, 0, n / 3, n / 3, n},
                                            {0, n / 5, n / 5, n / 5, n, n},
                                            {0, few, n / 3, n - n / 3, n - few / 3, n}};
  for (auto& bounds : all) std::sort(bounds.begin(), bounds.end());
  return all;
}

/// Within `tolerance` of the larger of 1 and the expected size: means are sums of numbers of such sizes.
inline bool is_near(double got, double expected, double tolerance) {
  return (std::isnan(got) && std::isnan(expected)) || got == expected ||
         std::fabs(got - expected) <= tolerance * std::max(1.0, std::fabs(expected));
}

/// Every field of one report against the other.
inline void check_report(prefopt::report const& got, prefopt::report const& expected, double tolerance) {
  for (auto const& [name, field] : {std::pair{"loss", &prefopt::report::loss},
                                    {"accuracy", &prefopt::report::accuracy},
                                    {"margin", &prefopt::report::margin},
                                    {"chosen_reward", &prefopt::report::chosen_reward},
                                    {"rejected_reward", &prefopt::report::rejected_reward},
                                    {"best_probability", &prefopt::report::best_probability},
                                    {"weight", &prefopt::report::weight}}) {
    INFO(name << ": got " << got.*field << ", expected " << expected.*field);
    CHECK(is_near(got.*field, expected.*field, tolerance));
  }
  CHECK(got.count == expected.count);
  CHECK(got.skipped == expected.skipped);
  CHECK(got.non_finite == expected.non_finite);
  CHECK(got.empty == expected.empty);
}

/// Gradients relative to their own size: what they are divided by is all that ranks can change.
template <class T>
void check_gradients(std::vector<T> const& got, std::vector<T> const& expected, double tolerance) {
  REQUIRE(got.size() == expected.size());
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    bool const same = got[i] == expected[i] || (std::isnan(got[i]) && std::isnan(expected[i]));
    wrong += !same && !(std::fabs(got[i] - expected[i]) <= static_cast<T>(tolerance) * std::fabs(expected[i]));
  }
  CHECK(wrong == 0);
}

/// Every rank came through, with one call of the all-reduce in each of `evaluations`.
inline void check_outcomes(std::vector<rank_outcome> const& outcomes, std::size_t evaluations = 1) {
  for (auto const& outcome : outcomes) {
    CHECK(outcome.error == "no error");
    CHECK(outcome.calls == evaluations);
    CHECK(outcome.values == 16);
  }
}
