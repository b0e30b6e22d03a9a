#include <benchmark/benchmark.h>

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "clocks.hpp"
#include "take_turns.hpp"

// What take_turns counts, of work that takes as long as the test says, by a clock that the test moves on.

namespace {

int failures = 0;

void expect(bool fact, std::string const& what) {
  if (fact) return;
  std::printf("FAILED: %s\n", what.c_str());
  ++failures;
}

bool equal(double a, double b) { return std::abs(a - b) <= 1e-12 * std::abs(b); }

double fake_now = 0;
double fake_seconds() { return fake_now; }

/// The counters of a benchmark that is run once, with as many iterations as are asked for.
template <class Body>
std::map<std::string, double> counters_of(benchmark::IterationCount iterations, Body const& body) {
  class reader : public benchmark::BenchmarkReporter {
   public:
    bool ReportContext(Context const&) override { return true; }
    void ReportRuns(std::vector<Run> const& runs) override {
      for (auto const& [name, counter] : runs.at(0).counters) counters[name] = counter.value;
    }
    std::map<std::string, double> counters;
  } seen;
  benchmark::ClearRegisteredBenchmarks();
  benchmark::RegisterBenchmark("one", body)->Iterations(iterations);
  benchmark::RunSpecifiedBenchmarks(&seen);
  return seen.counters;
}

struct outcome {
  std::map<std::string, double> counters;
  std::size_t turns = 0, prepared = 0;
};

/// Turn by turn the call takes the first of the seconds, and what it is compared with the second.
outcome measured(std::vector<std::pair<double, double>> const& seconds, benchmark::IterationCount iterations) {
  outcome result;
  result.counters = counters_of(iterations, [&](benchmark::State& state) {
    std::size_t turn = 0;
    take_turns_prepared(
        state, fake_seconds, 12, "rate", 1,
        [&] {
          fake_now += 1000;
          ++result.prepared;
        },
        [&] { fake_now += seconds.at(turn++).first; },
        std::pair{"of_other", [&] { fake_now += seconds.at(turn).second; }});
    result.turns = turn;
  });
  return result;
}

void medians() {
  // Ratios 4 2 0.2 4 2: an interrupted turn, and an interrupted other, do not count.
  auto const seen = measured({{0.25, 1}, {0.5, 1}, {5, 1}, {0.25, 1}, {1, 2}}, 5);
  expect(seen.turns == 5, "as many turns as iterations");
  expect(seen.prepared == 10, "prepared before each work");
  expect(equal(seen.counters.at("call_seconds"), 0.5), "the time is the median");
  expect(equal(seen.counters.at("rate"), 24), "the rate is that of the median");
  expect(equal(seen.counters.at("of_other"), 2), "the ratio is the median");
}

void enough_turns() {
  auto const turns = [](double seconds) { return std::vector<std::pair<double, double>>(9, {seconds, 1}); };
  expect(measured(turns(0.5), 1).turns == 5, "5 turns where one iteration is asked for");
  expect(measured(turns(1.5), 1).turns == 3, "3 turns of more than a second");
  expect(measured(turns(0.5), 7).turns == 7, "more than 5 where they are asked for");
}

void small_calls() {
  std::size_t calls = 0;
  auto counters =
      counters_of(1, [&](benchmark::State& state) { take_turns(state, 1 << 14, "rate", [&] { ++calls; }); });
  expect(calls == 5 * 4, "small calls are repeated within a turn");
  expect(counters.at("rate") > 0 && counters.at("call_seconds") > 0, "a rate by the thread's clock");
  counters = counters_of(1, [&](benchmark::State& state) {
    take_turns_prepared(
        state, fake_seconds, 12, "rate", 4, [] {}, [] { fake_now += 0.25; },
        std::pair{"of_other", [] { fake_now += 0.5; }});
  });
  expect(equal(counters.at("call_seconds"), 0.25), "the time of one of them");
  expect(equal(counters.at("rate"), 48), "the rate of one of them");
  expect(equal(counters.at("of_other"), 2), "the ratio of one of them");
}

void clocks() {
  double const wall = wall_seconds(), thread = thread_seconds();
  std::this_thread::sleep_for(std::chrono::milliseconds{200});
  double const slept = wall_seconds() - wall, taken = thread_seconds() - thread;
  expect(slept >= 0.2, "the time that passes");
#if defined(__linux__)
  expect(taken < 0.1, "a thread that sleeps takes no time");
#endif
  double const start = thread_seconds(), started = wall_seconds();
  while (thread_seconds() - start < 0.02) benchmark::ClobberMemory();
  expect(wall_seconds() - started >= 0.019, "a thread takes no more than the time that passes");
}

}  // namespace

int main() {
  medians();
  enough_turns();
  small_calls();
  clocks();
  return failures == 0 ? 0 : 1;
}
