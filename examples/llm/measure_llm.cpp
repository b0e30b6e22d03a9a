// A step of training against llama.cpp's own pass over the same tokens, in turns on one machine.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <functional>
#include <peak_memory.hpp>
#include <random>
#include <string>
#include <vector>

#include "adapter_policy.hpp"
#include "command_line.hpp"
#include "input_error.hpp"
#include "llama_runtime.hpp"
#include "run_program.hpp"
#include "trainable_llama.hpp"

namespace {

constexpr char introduction[] =
    "Measures a step of preference optimization on a pair of sequences: its time as a ratio to llama.cpp's own pass "
    "with the logits of all tokens, and its memory.";

constexpr char manual[] = R"(
Both sequences are random tokens. Those behind the prompt, which both share, are predicted; llama.cpp has each sequence as a
whole, as it is without a prompt, too. Rounds take turns; a time is the least of them. On a machine that does other
things, too, set OMP_WAIT_POLICY=passive: ggml's threads then do not spin while they wait for each other. llama.cpp runs as it does by itself: repacked weights, fused attention, keys and values of 16 bits.)";

struct settings {
  std::string model, matrices = "q,v";
  std::size_t tokens = 512, prompt = 1, rounds = 3;
  int threads = 2;
};

/// The least time of each, with turns taken.
template <std::size_t size>
std::array<double, size> least_seconds(std::array<std::function<void()>, size> const& calls, std::size_t rounds) {
  std::array<double, size> least;
  least.fill(1e300);
  for (std::size_t round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < size; ++i) {
      auto const start = std::chrono::steady_clock::now();
      calls[i]();
      auto const seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      least[i] = std::min(least[i], seconds);
    }
  }
  return least;
}

void measure(settings const& chosen) {
  trainable_llama model{chosen.model, chosen.threads};
  model.set_adapter({model.shape(), {.rank = 8, .matrices = block_matrices_of(chosen.matrices)}});
  std::mt19937 random{1};
  std::array<tokenized_pair, 2> pair;
  for (auto& sequence : pair) {
    sequence.boundary = chosen.prompt;
    if (&sequence != &pair[0])
      sequence.ids.assign(pair[0].ids.begin(), pair[0].ids.begin() + static_cast<std::ptrdiff_t>(chosen.prompt));
    while (sequence.ids.size() < chosen.tokens) {
      sequence.ids.push_back(static_cast<std::int32_t>(random() % model.vocabulary()));
    }
  }
  std::array const both{static_cast<tokenized_pair const*>(&pair[0]), static_cast<tokenized_pair const*>(&pair[1])};
  std::array<double, 2> logp{};
  std::array const slopes{-0.5, 0.5};
  auto const threads = static_cast<std::size_t>(chosen.threads);
  adapter_policy policy{model, threads}, policy_on_one{model, 1};
  auto const step = [&](adapter_policy& with) {
    with.log_probs_and_gradient(both, logp, [&](std::span<double const>) { return std::span<double const>{slopes}; });
  };
  step(policy);
  std::printf("peak memory of a step, MiB                   %8.0f\n", resident_mebibytes("VmHWM"));

  llama_runtime runtime{chosen.model, std::nullopt, chosen.threads, chosen.tokens, runtime_kind::usual};
  auto const on_one = [&](auto const& call) {
    model.set_threads(1);
    call();
    model.set_threads(chosen.threads);
  };
  std::array<std::function<void()>, 5> const calls{
      [&] {
        for (auto const& sequence : pair) (void)runtime.logits(sequence.ids);
      },
      [&] { policy.reference_log_probs(both, logp); }, [&] { step(policy); },
      [&] { on_one([&] { policy_on_one.reference_log_probs(both, logp); }); },
      [&] { on_one([&] { step(policy_on_one); }); }};
  auto const [llama, forward, whole, forward_on_one, whole_on_one] = least_seconds(calls, chosen.rounds);
  double const tokens = 2 * static_cast<double>(chosen.tokens);
  std::printf("llama.cpp's pass with all logits, tokens/s    %7.0f\n", tokens / llama);
  std::printf("log-probs, tokens/s                           %7.0f\n", tokens / forward);
  std::printf("log-probs and gradient, tokens/s              %7.0f\n", tokens / whole);
  std::printf("speed of log-probs / llama.cpp's              %7.2f\n", llama / forward);
  std::printf("step / 3 of llama.cpp's passes                %7.2f\n", whole / (3 * llama));
  std::printf("step with the reference / 3 such passes       %7.2f\n", (whole + forward) / (3 * llama));
  std::printf("speed of log-probs on %d threads / on one      %7.2f\n", chosen.threads, forward_on_one / forward);
  std::printf("speed of a step on %d threads / on one         %7.2f\n", chosen.threads, whole_on_one / whole);
}

int run(int argc, char** argv) {
  CLI::App app{introduction, "measure_llm"};
  app.footer(manual);
  settings chosen;
  app.add_option("MODEL", chosen.model, "a GGUF file, see cmake/model.sh")->required();
  app.add_option("--matrices", chosen.matrices, "that the adapter lies over")
      ->type_name("NAMES")
      ->capture_default_str();
  auto const number = [&](char const* name, auto& value, char const* what, int most) {
    app.add_option(name, value, what)
        ->type_name("N")
        ->check(CLI::Range(1, most).description(""))
        ->capture_default_str();
  };
  number("--tokens", chosen.tokens, "a sequence", 1 << 16);
  number("--prompt", chosen.prompt, "of these, which both sequences share", 1 << 16);
  number("--rounds", chosen.rounds, "of each", 1000);
  number("--threads", chosen.threads, "of all but the last two", 256);
  if (!parse_command_line(app, argc, argv)) return 0;
  if (chosen.prompt >= chosen.tokens) {
    throw input_error{"--prompt: got " + std::to_string(chosen.prompt) + ", expected fewer than --tokens, " +
                      std::to_string(chosen.tokens)};
  }
  measure(chosen);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("measure_llm", [&] { return run(argc, argv); });
}
