// llm.c's GPT-2 on the CPU, trained by preferences: its losses are read where they lie, and prefopt's gradient takes the place
// of the constant that its backward pass begins with.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <prefopt/logprob/sequence.hpp>
#include <span>
#include <vector>

#include "command_line.hpp"
#include "gpt2.hpp"
#include "gradient_check.hpp"
#include "loss_options.hpp"
#include "run_program.hpp"
#include "sequence_loss.hpp"
#include "token_task.hpp"

namespace {

constexpr std::size_t tokens = token_task::length;
constexpr gpt2::shape tiny{
    .vocabulary = 16, .padded_vocabulary = 32, .longest = tokens, .layers = 1, .heads = 2, .channels = 16};

/// Pairs as llm.c wants them: all chosen sequences, then all rejected ones. The last token predicts nothing: its target
/// is any, and the mask leaves it out.
struct batch {
  std::vector<int> inputs, targets;
  std::vector<float> mask;
  std::vector<float> reference;  ///< log-probs under the reference, one a sequence

  explicit batch(std::span<token_task::pair const> pairs) {
    for (auto const side : {&token_task::pair::chosen, &token_task::pair::rejected}) {
      for (auto const& pair : pairs) {
        auto const& sequence = pair.*side;
        inputs.insert(inputs.end(), sequence.begin(), sequence.end());
        targets.insert(targets.end(), sequence.begin() + 1, sequence.end());
        targets.push_back(0);
        mask.insert(mask.end(), tokens - 1, 1.0F);
        mask.push_back(0);
      }
    }
  }

  [[nodiscard]] std::size_t sequences() const { return inputs.size() / tokens; }

  /// Token losses -log p, or whatever else there is one of for each token.
  [[nodiscard]] prefopt::dense_tokens<float> of(std::span<float const> values) const {
    return {.log_prob = {values.data(), sequences(), tokens}, .mask = {mask.data(), sequences(), tokens}};
  }
};

/// Sequence log-probs. Only these change their sign, not every token's loss.
std::vector<float> log_probs(gpt2& model, batch& data) {
  model.forward(data.inputs, data.targets);
  std::vector<float> sums(data.sequences());
  prefopt::sequence_log_probs(data.of(model.losses()), {.log_prob = sums});
  std::ranges::transform(sums, sums.begin(), std::negate{});
  return sums;
}

/// The loss, and its gradient by each sequence's log-prob.
prefopt::report evaluate(sequence_loss const& loss, batch const& data, std::span<float const> log_prob,
                         std::span<float> d_log_prob) {
  return loss(log_prob, data.reference, static_cast<float>(tokens - 1), d_log_prob);
}

prefopt::report report_of(sequence_loss const& loss, gpt2& model, batch& data) {
  return evaluate(loss, data, log_probs(model, data), {});
}

/// Forward, loss, and llm.c's backward pass from d loss / d token loss = -mask * d loss / d log-prob.
void differentiate(sequence_loss const& loss, gpt2& model, batch& data) {
  std::vector<float> d(data.sequences()), d_losses(data.inputs.size());
  evaluate(loss, data, log_probs(model, data), d);
  std::ranges::transform(d, d.begin(), std::negate{});
  prefopt::token_gradients(data.of(model.losses()), d, {d_losses.data(), data.sequences(), tokens});
  model.backward(d_losses);
}

/// llm.c's gradient of a few pairs' loss, by a third of the parameters.
bool gradient_agrees(sequence_loss const& loss, std::span<token_task::pair const> pairs) {
  batch data{pairs};
  gpt2 model{tiny, static_cast<int>(data.sequences()), tokens};
  data.reference = log_probs(model, data);
  // One step away from the reference, where the pairs differ in their slope.
  differentiate(loss, model, data);
  model.update(0.01F);
  differentiate(loss, model, data);

  gradient_check check{1.0 / 64};
  for (std::size_t i = 0; i < model.parameters().size(); i += 3) {
    float& parameter = model.parameters()[i];
    check(parameter, model.gradient()[i], [&](float moved) {
      parameter = moved;
      return report_of(loss, model, data).loss;
    });
  }
  return check.passed(loss.name().c_str());
}

bool learns(sequence_loss const& loss, token_task const& task, std::size_t steps) {
  constexpr std::size_t pairs = 128;
  gpt2 model{tiny, 2 * pairs, tokens};
  std::vector<batch> train, held_out;
  auto const split = [&](std::vector<token_task::pair> const& all, std::vector<batch>& batches) {
    for (std::size_t begin = 0; begin + pairs <= all.size(); begin += pairs) {
      batches.emplace_back(std::span{all}.subspan(begin, pairs));
      batches.back().reference = log_probs(model, batches.back());
    }
  };
  split(task.train, train);
  split(task.held_out, held_out);

  auto const mean = [&](std::vector<batch>& batches, double prefopt::report::*what) {
    double sum = 0;
    for (auto& data : batches) sum += report_of(loss, model, data).*what;
    return sum / static_cast<double>(batches.size());
  };
  double const loss_before = mean(train, &prefopt::report::loss);
  double const accuracy_before = mean(held_out, &prefopt::report::accuracy);
  for (std::size_t step = 0; step < steps; ++step) {
    differentiate(loss, model, train[step % train.size()]);
    model.update(0.01F);
  }
  double const loss_after = mean(train, &prefopt::report::loss);
  double const accuracy_after = mean(held_out, &prefopt::report::accuracy);
  std::printf("loss %.4f -> %.4f, held-out accuracy %.3f -> %.3f\n", loss_before, loss_after, accuracy_before,
              accuracy_after);
  return accuracy_after >= 0.8;
}

constexpr char introduction[] = "Trains a tiny GPT-2 of llm.c by preferences, and checks the gradient.";

constexpr char manual[] = R"(
Losses are those of prefopt_score, of pairs or of single completions, as far as they read no columns beyond log-probs,
reference, lengths and labels.
Exit status 1 if the gradient is wrong or less than 0.8 of the held-out pairs are ranked right.)";

int run(int argc, char** argv) {
  CLI::App app{introduction, "train_llmc"};
  app.footer(manual);
  loss_options const losses{app, "a loss of pairs or of single completions; by default dpo with beta 0.5"};
  std::size_t steps = 160;
  app.add_option("--steps", steps, "of training; 0 checks the gradient alone")
      ->type_name("N")
      ->default_val(steps)
      ->check(CLI::Range(0, 100000).description(""));
  if (!parse_command_line(app, argc, argv)) return 0;
  auto const chosen = losses.chosen("dpo");
  sequence_loss const loss{app.count("--loss") != 0 || app.count("--beta") != 0
                               ? chosen
                               : loss_choice{.name = "dpo", .base = {}, .parameters = {{"beta", 0.5}}}};
  // More pairs than other models need: attention learns 1024 of them by heart.
  token_task const task{4096};
  bool const right = gradient_agrees(loss, std::span{task.train}.first(8));
  return (steps == 0 || learns(loss, task, steps)) && right ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("train_llmc", [&] { return run(argc, argv); });
}
