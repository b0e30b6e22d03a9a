#pragma once

#include <catch.hpp>
#include <cstddef>
#include <exception>
#include <initializer_list>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "shards.hpp"

inline constexpr std::size_t ranks = 3;

/// Every rank runs attempt(rank, is_bad, sum), which evaluates a batch that is refused if `is_bad`, and then one that
/// all accept. `message` is a part of what the bad ranks are told; one that is accepted makes `calls_if_accepted` of the
/// all-reduce.
template <class Attempt>
void check_refusal(std::string const& message, std::set<std::size_t> const& bad, Attempt const& attempt,
                   std::size_t calls_if_accepted = 1, std::string const& where = "evaluate") {
  std::vector<std::string> told(ranks);
  std::vector<std::size_t> calls(ranks);
  auto const outcomes = run_ranks(ranks, [&](std::size_t rank, rank_sum& sum) {
    try {
      attempt(rank, bad.contains(rank), sum);
      told[rank] = "no error";
    } catch (rank_group::hang const&) {
      throw;
    } catch (std::exception const& error) {
      told[rank] = error.what();
    } catch (int) {
      told[rank] = "an int";
    }
    calls[rank] = sum.calls;
    attempt(rank, false, sum);
  });
  check_outcomes(outcomes, 1 + calls_if_accepted);
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    INFO("rank " << rank << " was told: " << told[rank]);
    CHECK(calls[rank] == 1);
    if (bad.contains(rank)) {
      CHECK(told[rank].find(message) != std::string::npos);
    } else {
      CHECK(told[rank] == "prefopt::" + where + ": another rank refused its batch");
    }
  }
}

/// Each rank alone, and all but one.
template <class Attempt>
void check_refusals(std::string const& message, Attempt const& attempt, std::size_t calls_if_accepted = 1,
                    std::string const& where = "evaluate") {
  CAPTURE(message);
  for (std::size_t rank = 0; rank < ranks; ++rank) check_refusal(message, {rank}, attempt, calls_if_accepted, where);
  check_refusal(message, {0, 2}, attempt, calls_if_accepted, where);
}

/// Throws if a refused call left something else than `untouched` behind.
template <class T>
void expect_untouched(std::initializer_list<std::vector<T> const*> outputs, T untouched) {
  for (auto const* values : outputs) {
    for (T const x : *values) {
      if (x != untouched) throw std::logic_error{"outputs were written although a rank refused"};
    }
  }
}
