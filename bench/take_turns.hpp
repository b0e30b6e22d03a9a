#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>
#include <vector>

#include "clocks.hpp"
#include "middle_of.hpp"

/// Times the call, and the others in turn with it, so that a machine that drifts drifts for all; `prepare()` runs
/// before each of them, untimed. `seconds_now()` is thread_seconds, or wall_seconds for a call on several threads. There
/// are at least 5 turns, also where one takes as long as the run was to last; 3 of those of more than a second.
/// Counters, medians over the turns: `rate`, how many of the `size` items the call does a second, `call_seconds`, and
/// for each of the others, {name, work}, its time / the call's.
template <class Prepare, class Call, class... Other>
void take_turns_prepared(benchmark::State& state, double (*seconds_now)(), std::size_t size, char const* rate,
                         std::size_t repeats, Prepare const& prepare, Call const& call,
                         std::pair<char const*, Other> const&... others) {
  auto const seconds_of = [&](auto const& work) {
    double const start = seconds_now();
    for (std::size_t i = 0; i < repeats; ++i) {
      work();
      benchmark::ClobberMemory();
    }
    return (seconds_now() - start) / static_cast<double>(repeats);
  };
  std::vector<double> call_seconds;
  std::array<std::vector<double>, sizeof...(Other)> ratios;
  auto const take_turn = [&](bool in_loop) {
    if (in_loop) state.PauseTiming();
    std::array<double, sizeof...(Other)> const other_seconds{(prepare(), seconds_of(others.second))...};
    prepare();
    if (in_loop) state.ResumeTiming();
    call_seconds.push_back(seconds_of(call));
    for (std::size_t i = 0; i < ratios.size(); ++i) ratios[i].push_back(other_seconds[i] / call_seconds.back());
  };
  while (state.KeepRunningBatch(static_cast<benchmark::IterationCount>(repeats))) take_turn(true);
  auto const turns_at_least = [&] { return call_seconds.front() * static_cast<double>(repeats) > 1 ? 3U : 5U; };
  while (call_seconds.size() < turns_at_least()) take_turn(false);

  double const seconds = middle_of(call_seconds);
  state.counters["call_seconds"] = seconds;
  state.counters[rate] = static_cast<double>(size) / seconds;
  std::size_t i = 0;
  ((state.counters[others.first] = middle_of(ratios[i++])), ...);
}

/// The same for calls on one thread that can be repeated as they are: small ones often enough for the clock.
template <class Call, class... Other>
void take_turns(benchmark::State& state, std::size_t size, char const* rate, Call const& call,
                std::pair<char const*, Other> const&... others) {
  std::size_t const repeats = std::max<std::size_t>(1, 65536 / size);
  take_turns_prepared(
      state, thread_seconds, size, rate, repeats, [] {}, call, others...);
}
