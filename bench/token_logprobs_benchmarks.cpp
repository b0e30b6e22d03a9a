#include "token_logprobs_benchmarks.hpp"

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <optional>
#include <prefopt/logprob/token_logprobs.hpp>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "log_prob_error.hpp"
#include "memory_pass.hpp"
#include "random_logits.hpp"
#include "take_turns.hpp"
#include "thread_pair.hpp"

#if defined(PREFOPT_BENCH_ONEDNN)
#include "library_threads.hpp"
#include "onednn_log_softmax.hpp"
#endif

namespace {

enum class pass { forward, backward, forward_backward_inplace };

struct setting {
  std::size_t vocabulary;
  bool in_cache, two_threads;
};

/// What a trainer keeps beside the logits.
struct row_columns {
  explicit row_columns(std::size_t rows) : log_prob(rows), log_sum_exp(rows), d_log_prob(rows, -1.0F) {}

  std::vector<float> log_prob;
  std::vector<double> log_sum_exp;
  std::vector<float> d_log_prob;
};

/// The negative log-likelihood: its gradient is known before the log-prob is.
constexpr auto likelihood_gradient = [](std::size_t, float) noexcept { return -1.0; };

template <class U>
void count_error(benchmark::State& state, pass what, std::size_t vocabulary) {
  count_log_prob_error<U>(
      state, vocabulary,
      [=](std::vector<U>& numbers, std::vector<std::int64_t> const& labels, std::vector<float>& results) {
        prefopt::row_major<U> const logits{numbers.data(), labels.size(), vocabulary};
        if (what == pass::forward) {
          prefopt::token_logprobs(logits, labels, {.log_prob = results});
        } else {
          prefopt::token_logprobs_and_gradients(logits, labels, likelihood_gradient, logits, {.log_prob = results});
        }
      });
}

template <class U>
void run(benchmark::State& state, pass what, setting const& in) {
  random_logits<U> data{in.in_cache ? rows_in_cache : rows_from_memory<U>(in.vocabulary), in.vocabulary};
  row_columns columns{data.rows};
  std::vector<U> apart(what == pass::backward ? data.logits.size() : 0);
  prefopt::row_major<U> const logits{data.logits.data(), data.rows, data.vocabulary},
      d_logits{what == pass::backward ? apart.data() : data.logits.data(), data.rows, data.vocabulary};

  std::optional<thread_pair> pair;
  if (in.two_threads) pair.emplace();
  prefopt::executor const one_thread, threads = pair ? prefopt::executor{*pair} : one_thread;
  auto const for_each_row = [&](prefopt::executor const& executor, auto const& f) {
    prefopt::detail::for_each_in_parts(data.rows, prefopt::detail::rows_of_part(data.vocabulary), executor, f);
  };

  auto const call = [&](prefopt::executor const& executor) {
    prefopt::token_options const options{.executor = executor};
    switch (what) {
      case pass::forward:
        return prefopt::token_logprobs(logits, data.labels,
                                       {.log_prob = columns.log_prob, .log_sum_exp = columns.log_sum_exp}, options);
      case pass::backward:
        return prefopt::token_logprob_gradients(logits, data.labels, columns.log_sum_exp, columns.d_log_prob, d_logits,
                                                options);
      case pass::forward_backward_inplace:
        return prefopt::token_logprobs_and_gradients(logits, data.labels, likelihood_gradient, d_logits,
                                                     {.log_prob = columns.log_prob}, options);
    }
  };
  auto const limit = [&] {
    if (what == pass::backward) {
      // All at once, so that it chooses its way for so much memory.
      std::memcpy(apart.data(), data.logits.data(), apart.size() * sizeof(U));
      return;
    }
    for_each_row(threads, [&](std::size_t row) noexcept {
      auto* const words = reinterpret_cast<std::uint32_t*>(logits[row]);
      std::size_t const count = data.vocabulary * sizeof(U) / sizeof(std::uint32_t);
      if (what == pass::forward) {
        benchmark::DoNotOptimize(memory_pass::read(words, count));
      } else {
        memory_pass::read_and_write(words, count);
      }
    });
  };
  // Written over, the logits are put back, each by the thread that works on it.
  auto const prepare = [&] {
    if (what != pass::forward_backward_inplace) return;
    for_each_row(threads, [&](std::size_t row) noexcept { data.write(row, 1); });
  };

  if (what == pass::backward) {
    prefopt::token_logprobs(logits, data.labels, {.log_sum_exp = columns.log_sum_exp});
  } else {
    count_error<U>(state, what, in.vocabulary);
  }
  std::size_t const size = data.rows * data.vocabulary;
  constexpr char const* rate = "logits_per_second";
  auto const timed = [&] { call(threads); };
  if (in.two_threads) {
    take_turns_prepared(state, wall_seconds, size, rate, 1, prepare, timed, std::pair{"of_limit", limit},
                        std::pair{"of_one_thread", [&] { call(one_thread); }});
    return;
  }
#if defined(PREFOPT_BENCH_ONEDNN)
  if constexpr (!std::is_same_v<U, prefopt::float16>) {
    if (what == pass::forward) {
      give_libraries_one_thread();
      onednn_log_softmax<U> peer{data.logits.data(), data.rows, data.vocabulary};
      peer();
      timed();
      for (std::size_t row = 0; row < data.rows; ++row) {
        float const other = peer.log_prob(row, static_cast<std::size_t>(data.labels[row]));
        if (!(std::abs(other - columns.log_prob[row]) < 0.1F))
          return state.SkipWithError("oneDNN's log-probs are not ours");
      }
      take_turns_prepared(state, thread_seconds, size, rate, 1, prepare, timed, std::pair{"of_limit", limit},
                          std::pair{"of_onednn", [&] { peer(); }});
      return;
    }
  }
#endif
  take_turns_prepared(state, thread_seconds, size, rate, 1, prepare, timed, std::pair{"of_limit", limit});
}

template <class U>
void add(char const* type) {
  auto const add_one = [type](char const* name, pass what, setting const& in) {
    std::string const full = "token_logprobs/" + std::string{name} + '/' + type +
                             "/V:" + std::to_string(in.vocabulary) + (in.in_cache ? "/in_cache" : "") +
                             (in.two_threads ? "/threads:2" : "");
    benchmark::RegisterBenchmark(full.c_str(), [=](benchmark::State& state) { run<U>(state, what, in); });
  };
  for (auto const& [name, what] : {std::pair{"forward", pass::forward},
                                   {"backward", pass::backward},
                                   {"forward_backward_inplace", pass::forward_backward_inplace}}) {
    for (std::size_t const vocabulary : {32000U, 128256U}) add_one(name, what, {vocabulary, false, false});
    add_one(name, what, {vocabulary_in_cache, true, false});
    if (what == pass::backward) continue;
    add_one(name, what, {32000, false, true});
    add_one(name, what, {vocabulary_in_cache, true, true});
  }
}

}  // namespace

void add_token_logprobs_benchmarks() {
  add<float>("f32");
  add<prefopt::bfloat16>("bf16");
  add<prefopt::float16>("f16");
}
