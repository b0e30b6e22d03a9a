#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <prefopt/prefopt.hpp>
#include <random>
#include <string>
#include <vector>

// pair/<loss>/<f32|f64>/<n>: a call of evaluate with value, both gradients and the report, on n pairs.
//     pairs_per_second  pairs / time of the call
//     of_limit          time of the limit / time of the call, the median over the run, in which the two take turns; the
//                       limit only reads the same inputs and writes the same outputs, with the same lanes

namespace {

using clock_type = std::chrono::steady_clock;

template <class T>
struct pair_data {
  std::vector<std::vector<T>> columns{10}, results{3};
  prefopt::pair_batch<T> batch;
  prefopt::pair_outputs<T> outputs;
  std::vector<T const*> in;

  template <class L>
  explicit pair_data(std::size_t n, L const&) {
    std::mt19937 random{7};
    constexpr auto needs = prefopt::detail::traits_of<L>.needs;
    auto const fill = [&](prefopt::column<T>& target, bool wanted, std::size_t index, T low, T high) {
      if (!wanted) return;
      std::uniform_real_distribution<T> spread{low, high};
      columns[index].resize(n);
      std::generate(columns[index].begin(), columns[index].end(), [&] { return spread(random); });
      target = columns[index];
      in.push_back(columns[index].data());
    };
    bool const anchored = contains(needs, prefopt::columns::reference),
               measured = contains(needs, prefopt::columns::length);
    // Margins up to 8, as of rewards or of log-ratios in training.
    fill(batch.chosen, true, 0, -70, -62);
    fill(batch.rejected, true, 1, -70, -62);
    fill(batch.ref_chosen, anchored, 2, -70, -62);
    fill(batch.ref_rejected, anchored, 3, -70, -62);
    fill(batch.chosen_length, measured, 4, 20, 200);
    fill(batch.rejected_length, measured, 5, 20, 200);
    fill(batch.label, contains(needs, prefopt::columns::label), 6, 0, 1);
    fill(batch.reliability, contains(needs, prefopt::columns::reliability), 7, 0, 1);
    for (auto& result : results) result.resize(n);
    outputs = {.loss = results[0], .d_chosen = results[1], .d_rejected = results[2]};
  }
};

/// Reads every input and writes every output once: no call can be faster. A template on the number of inputs, so that
/// the compiler sees the whole loop.
template <std::size_t Inputs, class T>
[[gnu::noinline]] void read_and_write(std::vector<T const*> const& in, std::array<T*, 3> const& out, std::size_t n) {
  using V = xsimd::batch<T>;
  std::array<T const*, Inputs> from;
  std::copy_n(in.begin(), Inputs, from.begin());
  for (std::size_t i = 0; i < n; i += V::size) {
    V sum = V::load_unaligned(from[0] + i);
    for (std::size_t k = 1; k < Inputs; ++k) sum += V::load_unaligned(from[k] + i);
    for (T* target : out) sum.store_unaligned(target + i);
  }
}

template <class T>
void limit(pair_data<T>& data, std::size_t n) {
  std::array<T*, 3> const out{data.results[0].data(), data.results[1].data(), data.results[2].data()};
  switch (data.in.size()) {
    case 2:
      return read_and_write<2>(data.in, out, n);
    case 3:
      return read_and_write<3>(data.in, out, n);
    case 4:
      return read_and_write<4>(data.in, out, n);
    case 5:
      return read_and_write<5>(data.in, out, n);
    case 6:
      return read_and_write<6>(data.in, out, n);
    default:
      return read_and_write<7>(data.in, out, n);
  }
}

double seconds_since(clock_type::time_point start) {
  return std::chrono::duration<double>(clock_type::now() - start).count();
}

template <class L, class T>
void pair(benchmark::State& state) {
  auto const n = static_cast<std::size_t>(state.range(0));
  L const loss{};
  pair_data<T> data{n, loss};
  // Long enough for the clock at small sizes; limit and call in turn, so that a machine that drifts drifts for both.
  std::size_t const repeats = std::max<std::size_t>(1, 65536 / n);
  double call_seconds = 0;
  std::vector<double> of_limit;
  while (state.KeepRunningBatch(static_cast<benchmark::IterationCount>(repeats))) {
    state.PauseTiming();
    auto const before = clock_type::now();
    for (std::size_t i = 0; i < repeats; ++i) {
      limit(data, n);
      benchmark::ClobberMemory();
    }
    double const limit_seconds = seconds_since(before);
    state.ResumeTiming();
    auto const start = clock_type::now();
    for (std::size_t i = 0; i < repeats; ++i) {
      benchmark::DoNotOptimize(prefopt::evaluate(loss, data.batch, data.outputs).loss);
      benchmark::ClobberMemory();
    }
    double const seconds = seconds_since(start);
    call_seconds += seconds;
    of_limit.push_back(limit_seconds / seconds);
  }
  state.counters["pairs_per_second"] = static_cast<double>(n) * static_cast<double>(state.iterations()) / call_seconds;
  auto const middle = of_limit.begin() + static_cast<std::ptrdiff_t>(of_limit.size() / 2);
  std::nth_element(of_limit.begin(), middle, of_limit.end());
  state.counters["of_limit"] = *middle;
}

template <class L>
void add_pair_benchmarks() {
  auto const add = [](char const* type, auto* function) {
    auto* const family =
        benchmark::RegisterBenchmark(("pair/" + prefopt::detail::name_of<L>() + '/' + type).c_str(), function);
    for (std::int64_t const n : {std::int64_t{64}, std::int64_t{4096}, std::int64_t{1} << 20, std::int64_t{1} << 23}) {
      family->Arg(n);
    }
  };
  add("f32", &pair<L, float>);
  add("f64", &pair<L, double>);
}

}  // namespace

int main(int argc, char** argv) {
  prefopt::pair_losses::for_each([]<class L> { add_pair_benchmarks<L>(); });
  prefopt::modifiers_of<prefopt::dpo>::type::for_each([]<class L> { add_pair_benchmarks<L>(); });
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::AddCustomContext("instruction_set", xsimd::default_arch::name());
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
