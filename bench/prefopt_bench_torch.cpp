#include <benchmark/benchmark.h>
#include <malloc.h>
#include <torch/torch.h>
#include <torch/version.h>

#include <algorithm>
#include <climits>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <prefopt/evaluate.hpp>
#include <prefopt/loss/dpo.hpp>
#include <prefopt/loss/ipo.hpp>
#include <prefopt/loss/simpo.hpp>
#include <prefopt/simd/half.hpp>
#include <string>
#include <type_traits>
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
// pair/<dpo|ipo|simpo>/f32/<n>: a step on n pairs: the loss as torch's users write it, its mean, the gradients by both
// policy log-probs.
//     pairs_per_second
// In all
//     call_seconds

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

torch::Tensor margin_of(torch::Tensor const& chosen, torch::Tensor const& rejected, torch::Tensor const& ref_chosen,
                        torch::Tensor const& ref_rejected) {
  return (chosen - ref_chosen) - (rejected - ref_rejected);
}

// With the parameters that prefopt's have by themselves.

torch::Tensor dpo(torch::Tensor const& chosen, torch::Tensor const& rejected, torch::Tensor const& ref_chosen,
                  torch::Tensor const& ref_rejected) {
  constexpr double beta = 0.1;
  return -torch::log_sigmoid(beta * margin_of(chosen, rejected, ref_chosen, ref_rejected));
}

torch::Tensor ipo(torch::Tensor const& chosen, torch::Tensor const& rejected, torch::Tensor const& ref_chosen,
                  torch::Tensor const& ref_rejected) {
  constexpr double tau = 0.1;
  return torch::square(margin_of(chosen, rejected, ref_chosen, ref_rejected) - 1 / (2 * tau));
}

torch::Tensor simpo(torch::Tensor const& chosen, torch::Tensor const& rejected, torch::Tensor const& chosen_length,
                    torch::Tensor const& rejected_length) {
  constexpr double beta = 2, gamma = 1;
  return -torch::log_sigmoid(beta * (chosen / chosen_length - rejected / rejected_length) - gamma);
}

/// The loss takes the two columns of the policy's log-probs, and two more: those of the reference, or lengths. It has to
/// be the one that prefopt computes.
template <class Ours>
void pair(benchmark::State& state, decltype(dpo)& loss) {
  constexpr bool by_length = std::is_same_v<Ours, prefopt::simpo>;
  auto const n = state.range(0);
  torch::manual_seed(7);
  auto const log_probs = [&] { return torch::rand({n}) * 8 - 70; };
  auto const others = [&] { return by_length ? torch::rand({n}) * 180 + 20 : log_probs(); };
  auto const chosen = log_probs().requires_grad_(), rejected = log_probs().requires_grad_();
  auto const of_chosen = others(), of_rejected = others();
  auto const mean = [&] { return loss(chosen, rejected, of_chosen, of_rejected).mean(); };

  auto const column = [](torch::Tensor const& tensor) {
    return prefopt::column<float>{tensor.data_ptr<float>(), static_cast<std::size_t>(tensor.numel())};
  };
  prefopt::pair_batch<float> batch{.chosen = column(chosen), .rejected = column(rejected)};
  (by_length ? batch.chosen_length : batch.ref_chosen) = column(of_chosen);
  (by_length ? batch.rejected_length : batch.ref_rejected) = column(of_rejected);
  double const expected = prefopt::evaluate(Ours{}, batch, {}).loss;
  if (!(std::abs(mean().template item<double>() - expected) < 1e-4 * std::abs(expected))) {
    return state.SkipWithError("the loss is not prefopt's");
  }

  take_turns(state, static_cast<std::size_t>(n), "pairs_per_second", [&] {
    benchmark::DoNotOptimize(torch::autograd::grad({mean()}, {chosen, rejected}).front().data_ptr());
  });
}

template <class Ours>
void add_pair(char const* name, decltype(dpo)& loss) {
  auto* const family = benchmark::RegisterBenchmark((std::string{"pair/"} + name + "/f32").c_str(),
                                                    [&loss](benchmark::State& state) { pair<Ours>(state, loss); });
  for (std::int64_t const n : {1 << 6, 1 << 12, 1 << 16, 1 << 20}) family->Arg(n);
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
  add_pair<prefopt::dpo>("dpo", dpo);
  add_pair<prefopt::ipo>("ipo", ipo);
  add_pair<prefopt::simpo>("simpo", simpo);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::AddCustomContext("torch", TORCH_VERSION);
  benchmark::AddCustomContext("instruction_set", instruction_set());
  benchmark::AddCustomContext("compiler", compiler_name);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
