#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <prefopt/core/errors.hpp>
#include <prefopt/batch/options.hpp>
#include <span>

namespace prefopt::inline PREFOPT_ABI::detail {

/// What one call sends to the other ranks, whatever it evaluates: a rank whose batch is refused does not know what the
/// others compute, and its vector has to have their size. The first value counts such ranks.
inline constexpr std::size_t rank_values = 16;

/// Replaces an engine's sums, the number of its examples and their weight by those of all ranks, in one call. Fails on
/// every rank if one has refused its batch.
template <class Sums>
void add_up_ranks(all_reduce const& sum, Sums& sums, double& examples, double& weight) {
  constexpr std::size_t count = sizeof(Sums) / sizeof(double);
  static_assert(count + 3 <= rank_values);
  auto own = std::bit_cast<std::array<double, count>>(sums);
  std::array<double, rank_values> values{0, examples, weight};
  std::copy(own.begin(), own.end(), values.begin() + 3);
  sum(values);
  if (values[0] != 0) fail("evaluate", "another rank refused its batch");
  examples = values[1];
  weight = values[2];
  std::copy_n(values.begin() + 3, count, own.begin());
  sums = std::bit_cast<Sums>(own);
}

/// What the mean divides by. Without a counted weight there is nothing to divide by, and every gradient is 0.
inline double divisor_of(options const& options, double weight) noexcept {
  return options.denominator.value_or(weight == 0 ? 1 : weight);
}

inline double gradient_scale_of(options const& options, double weight) noexcept {
  return options.reduction == reduction::mean ? 1 / divisor_of(options, weight) : 1;
}

/// The sums of run(outputs, gradient_scale), which evaluates and writes. With other ranks there is a run without
/// outputs before, as the divisor of the gradients is known only when all have added up their weights.
template <class Outputs, class Run>
auto sum_over_ranks(options const& options, double& examples, double& weight, Outputs const& outputs, Run const& run) {
  if (!options.all_reduce) return run(outputs, gradient_scale_of(options, weight));
  auto sums = run(Outputs{}, 1);
  add_up_ranks(options.all_reduce, sums, examples, weight);
  run(outputs, gradient_scale_of(options, weight));
  return sums;
}

/// Runs body(options), whose call of the all-reduce comes before anything is written; tells the other ranks, which wait
/// for it, of an error that comes earlier.
template <class Body>
auto with_ranks(options const& given, Body const& body) {
#if defined(__cpp_exceptions)
  if (given.all_reduce) {
    bool told = false;
    auto const sum = [&](std::span<double> values) {
      told = true;
      given.all_reduce(values);
    };
    options own = given;
    own.all_reduce = sum;
    try {
      return body(own);
    } catch (...) {
      // What the caller gets to know is the error that came first.
      try {
        std::array<double, rank_values> values{1};
        if (!told) given.all_reduce(values);
      } catch (...) {
      }
      throw;
    }
  }
#endif
  return body(given);
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
