#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <prefopt/core/all_reduce.hpp>
#include <prefopt/core/errors.hpp>
#include <span>
#include <string_view>

namespace prefopt::inline PREFOPT_ABI::detail {

/// What one call sends to the other ranks, whatever it evaluates: a rank whose batch is refused does not know what the
/// others compute, and its vector has to have their size. The first value counts such ranks.
inline constexpr std::size_t rank_values = 16;

/// Replaces the numbers by their sums over all ranks, in one call. Fails on every rank if one has refused its batch.
inline void add_up_ranks(all_reduce const& sum, std::span<double> numbers, std::string_view where = "evaluate") {
  std::array<double, rank_values> values{};
  std::copy(numbers.begin(), numbers.end(), values.begin() + 1);
  sum(values);
  if (values[0] != 0) fail(where, "another rank refused its batch");
  std::copy_n(values.begin() + 1, numbers.size(), numbers.begin());
}

#if defined(__cpp_exceptions)
template <class Options, class Body>
PREFOPT_NOINLINE auto with_other_ranks(Options const& given, Body const& body) {
  bool told = false;
  auto const sum = [&](std::span<double> values) {
    told = true;
    given.all_reduce(values);
  };
  Options own = given;
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

/// Runs body(options), whose calls of the all-reduce come before anything is written; tells the other ranks, which wait
/// for the first of them, of an error that comes earlier. For any options with an all_reduce.
// Inlined, since what a body captures would be copied through memory.
template <class Options, class Body>
PREFOPT_INLINE auto with_ranks(Options const& given, Body const& body) {
#if defined(__cpp_exceptions)
  if (given.all_reduce) return with_other_ranks(given, body);
#endif
  return body(given);
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
