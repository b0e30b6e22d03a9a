#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <utility>
#include <vector>

#include "middle_of.hpp"

/// Times the call, and the others in turn with it, so that a machine that drifts drifts for all; `prepare()` runs
/// before each of them, untimed. Counters: `rate`, how many of the `size` items the call does a second, and for each of
/// the others, {name, work}, its time / the call's, the median over the run.
template <class Prepare, class Call, class... Other>
void take_turns_prepared(benchmark::State& state, std::size_t size, char const* rate, std::size_t repeats,
                         Prepare const& prepare, Call const& call, std::pair<char const*, Other> const&... others) {
  auto const seconds_of = [&](auto const& work) {
    auto const start = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < repeats; ++i) {
      work();
      benchmark::ClobberMemory();
    }
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  double call_seconds = 0;
  std::array<std::vector<double>, sizeof...(Other)> ratios;
  while (state.KeepRunningBatch(static_cast<benchmark::IterationCount>(repeats))) {
    state.PauseTiming();
    std::array<double, sizeof...(Other)> const other_seconds{(prepare(), seconds_of(others.second))...};
    prepare();
    state.ResumeTiming();
    double const seconds = seconds_of(call);
    call_seconds += seconds;
    for (std::size_t i = 0; i < ratios.size(); ++i) ratios[i].push_back(other_seconds[i] / seconds);
  }
  state.counters[rate] = static_cast<double>(size) * static_cast<double>(state.iterations()) / call_seconds;
  std::size_t i = 0;
  ((state.counters[others.first] = middle_of(ratios[i++])), ...);
}

/// The same for calls that can be repeated as they are: small ones often enough for the clock.
template <class Call, class... Other>
void take_turns(benchmark::State& state, std::size_t size, char const* rate, Call const& call,
                std::pair<char const*, Other> const&... others) {
  std::size_t const repeats = std::max<std::size_t>(1, 65536 / size);
  take_turns_prepared(
      state, size, rate, repeats, [] {}, call, others...);
}
