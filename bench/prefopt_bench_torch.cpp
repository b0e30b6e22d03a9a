#include <benchmark/benchmark.h>
#include <malloc.h>
#include <torch/torch.h>
#include <torch/version.h>

#include <algorithm>
#include <climits>
#include <cstdint>
#include <prefopt/simd/half.hpp>
#include <string>
#include <vector>

#include "compiler_name.hpp"
#include "log_prob_error.hpp"
#include "random_logits.hpp"
#include "take_turns.hpp"

// What prefopt_bench measures, done by ATen and its autograd on one thread, in the same shapes and on the same numbers:
// token_logprobs/<forward|forward_backward>/<f32|bf16>/V:<v>[/in_cache]: cross entropy of the rows, without and with
// the gradient by the logits (which torch cannot write over the logits).
//     logits_per_second
//     log_prob_ulp, log_prob_ulp_<rows>  as in prefopt_bench
// pair/dpo/f32/<n>: a step of DPO on n pairs: log-ratios, logsigmoid, mean, gradients by both policy log-probs.
//     pairs_per_second

namespace {

namespace functional = torch::nn::functional;

template <class U>
constexpr at::ScalarType torch_type = at::kFloat;
template <>
constexpr at::ScalarType torch_type<prefopt::bfloat16> = at::kBFloat16;

template <class U>
torch::Tensor logits_tensor(std::vector<U>& numbers, std::size_t vocabulary) {
  return torch::from_blob(
      numbers.data(), {static_cast<std::int64_t>(numbers.size() / vocabulary), static_cast<std::int64_t>(vocabulary)},
      torch_type<U>);
}

torch::Tensor labels_tensor(std::vector<std::int64_t>& labels) {
  return torch::from_blob(labels.data(), {static_cast<std::int64_t>(labels.size())}, at::kLong);
}

template <class U>
void count_error(benchmark::State& state, std::size_t vocabulary) {
  count_log_prob_error<U>(
      state, vocabulary, [=](std::vector<U>& numbers, std::vector<std::int64_t>& labels, std::vector<float>& results) {
        torch::NoGradGuard const no_gradient;
        torch::Tensor const losses =
            functional::cross_entropy(logits_tensor(numbers, vocabulary), labels_tensor(labels),
                                      functional::CrossEntropyFuncOptions().reduction(torch::kNone));
        torch::Tensor const wide = losses.to(at::kFloat);
        auto const* const loss = wide.data_ptr<float>();
        std::transform(loss, loss + results.size(), results.begin(), [](float number) { return -number; });
      });
}

template <class U>
void token_logprobs(benchmark::State& state, std::size_t vocabulary, bool in_cache, bool backward) {
  random_logits<U> data{in_cache ? rows_in_cache : rows_from_memory<U>(vocabulary), vocabulary};
  auto const logits = logits_tensor(data.logits, vocabulary).requires_grad_(backward);
  auto const labels = labels_tensor(data.labels);
  count_error<U>(state, vocabulary);
  auto const call = [&] {
    auto const loss = functional::cross_entropy(logits, labels);
    if (backward) {
      benchmark::DoNotOptimize(torch::autograd::grad({loss}, {logits}).front().data_ptr());
    } else {
      benchmark::DoNotOptimize(loss.data_ptr());
    }
  };
  call();  // the first one gets its memory from the system
  take_turns(state, data.rows * vocabulary, "logits_per_second", call);
}

void dpo(benchmark::State& state) {
  auto const n = state.range(0);
  torch::manual_seed(7);
  auto const log_probs = [&] { return torch::rand({n}) * 8 - 70; };
  auto const chosen = log_probs().requires_grad_(), rejected = log_probs().requires_grad_();
  auto const ref_chosen = log_probs(), ref_rejected = log_probs();
  constexpr double beta = 0.1;
  take_turns(state, static_cast<std::size_t>(n), "pairs_per_second", [&] {
    auto const margin = (chosen - ref_chosen) - (rejected - ref_rejected);
    auto const loss = -torch::log_sigmoid(beta * margin).mean();
    benchmark::DoNotOptimize(torch::autograd::grad({loss}, {chosen, rejected}).front().data_ptr());
  });
}

template <class U>
void add_token_logprobs(char const* type) {
  for (bool const backward : {false, true}) {
    auto const add = [&](std::size_t vocabulary, bool in_cache) {
      std::string const name = std::string{"token_logprobs/forward"} + (backward ? "_backward/" : "/") + type +
                               "/V:" + std::to_string(vocabulary) + (in_cache ? "/in_cache" : "");
      benchmark::RegisterBenchmark(
          name.c_str(), [=](benchmark::State& state) { token_logprobs<U>(state, vocabulary, in_cache, backward); });
    };
    for (std::size_t const vocabulary : {32000, 128256}) add(vocabulary, false);
    add(vocabulary_in_cache, true);
  }
}

/// The instruction set that torch has chosen on this CPU: it says so in a line of its configuration.
std::string instruction_set() {
  std::string const all = at::show_config(), before = "CPU capability usage: ";
  auto const at = all.find(before);
  if (at == std::string::npos) return "unknown";
  auto const begin = at + before.size();
  return all.substr(begin, all.find('\n', begin) - begin);
}

}  // namespace

int main(int argc, char** argv) {
  // Memory for results as large as the logits is kept, as a trainer's allocator does; else every iteration would get
  // its pages anew from the system.
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);
  at::set_num_threads(1);
  add_token_logprobs<float>("f32");
  add_token_logprobs<prefopt::bfloat16>("bf16");
  benchmark::RegisterBenchmark("pair/dpo/f32", &dpo)->Arg(64)->Arg(4096)->Arg(1 << 16)->Arg(1 << 20);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::AddCustomContext("torch", TORCH_VERSION);
  benchmark::AddCustomContext("instruction_set", instruction_set());
  benchmark::AddCustomContext("compiler", compiler_name);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
